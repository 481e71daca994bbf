/*
 * Roles of keys: requests name them by id, records by number. A number is never used twice, and a role that a key has is not
 * deleted, so that a record's numbers always name something.
 */
#ifndef LK_SERVER_SERVICE_KEY_ROLES_H
#define LK_SERVER_SERVICE_KEY_ROLES_H

#include <stddef.h>

#include "latchkey/store/change.pb-c.h"
#include "server/core/faults.h"
#include "server/service/request.h"

/*
 * Writes the numbers of the `count` roles of a tenant that `ids` names, in their order, to `record`. Faults, of `faults`:
 * more than LK_ROLES_MAX, of `field`; of "`field`[0]" and so on an id that is none, one that is given twice, and one that the
 * tenant has no role of. What is faulty is left out. A tenant that is not there is NULL: then ids are checked alone. Where
 * the arena is exhausted, no role is written. What is wrong with the store sticks to the transaction.
 */
void lk_key_resolve_roles(struct lk_request *request, struct lk_faults *faults,
	const Latchkey__Store__TenantRecord *tenant, const char *field, char *const *ids, size_t count,
	Latchkey__Store__KeyRecord *record);

/* Adds to `change` that each role of `record` is there, but for those that `before` has; NULL: a new key. */
void lk_key_expect_roles(struct lk_request *request, Latchkey__Store__Change *change,
	const Latchkey__Store__KeyRecord *before, const Latchkey__Store__KeyRecord *record);

/*
 * The ids of a key's roles, in the request's arena, in the record's order. One that is not there, as may be of a record of
 * the audit chain, is "#" and its number. NULL where there are none, and where the arena is exhausted; `*ret_count` is 0
 * then.
 */
char **lk_key_role_names(struct lk_request *request, const Latchkey__Store__KeyRecord *record, size_t *ret_count);

#endif
