/*
 * Grants: what a caller may do, as methods x tenants x keyspaces. An empty list grants nothing.
 *
 * With own_only, a grant is of the keys whose owner is the holder's subject alone (service/own.h).
 *
 * Methods are rights as options.proto names them: "keys.verify", "keys.*" (all of one noun), "*" (all). Tenants are ids or "*",
 * which never includes "system". Keyspaces are ids or "*". Pure.
 */
#ifndef LK_SERVER_CORE_GRANT_H
#define LK_SERVER_CORE_GRANT_H

#include <stdbool.h>

#include "latchkey/store/record.pb-c.h"
#include "server/core/faults.h"

#define LK_TENANT_SYSTEM "system"
#define LK_TENANT_ACTIVE "active"
/* Every keyspace: what a caller must be granted to do something to all of them at once. */
#define LK_GRANT_ANY "*"

bool lk_grant_allows_method(const Latchkey__Store__GrantRecord *grant, const char *access);
bool lk_grant_allows_tenant(const Latchkey__Store__GrantRecord *grant, const char *tenant);
/* `keyspace` may be LK_GRANT_ANY: all that there are, and will be. */
bool lk_grant_allows_keyspace(const Latchkey__Store__GrantRecord *grant, const char *keyspace);

/* The one tenant that a grant names, or NULL where it names none, several, or "*". */
const char *lk_grant_single_tenant(const Latchkey__Store__GrantRecord *grant);

/*
 * Whether every call that `inner` allows, `outer` allows too; where both say own_only, to holders of the same subject. One
 * that does not say it exceeds one that does.
 */
bool lk_grant_within(const Latchkey__Store__GrantRecord *inner, const Latchkey__Store__GrantRecord *outer);

/*
 * Adds a fault for each entry of `grant` that is malformed: a right that is neither "*", "noun.*" nor "noun.verb" in lower case,
 * a tenant or keyspace that is neither "*" nor an id, tenant "active", an entry given twice. `field` is the grant's own: faults
 * are of "`field`.methods[0]" and so on.
 */
void lk_grant_check(struct lk_faults *faults, const char *field, const Latchkey__Store__GrantRecord *grant);

#endif
