/*
 * Policy: the rules that the keys of a keyspace obey, and the rules that a policy itself obeys. Pure.
 */
#ifndef LK_SERVER_CORE_POLICY_H
#define LK_SERVER_CORE_POLICY_H

#include <stdint.h>

#include "latchkey/store/record.pb-c.h"
#include "latchkey/v1/key.pb-c.h"
#include "latchkey/v1/keyspace.pb-c.h"
#include "server/core/faults.h"

#define LK_DISPLAY_EXTRA_MAX     8
#define LK_DISPLAY_EXTRA_DEFAULT 6
#define LK_OWNER_MAX             128
#define LK_METADATA_MAX_ITEMS    16
#define LK_METADATA_MAX_BYTES    4096
/* The prefix of root keys: only the keyspace of tenant "system" has it. */
#define LK_ROOT_KEY_PREFIX "lkr_"

/*
 * Checks the policy of a new keyspace, every fault under "policy", and writes it with its defaults made explicit to `ret`,
 * which borrows from `policy` and the arena. `policy` NULL: a fault, since token_prefix is needed.
 * Faults: a prefix that is empty, over 32 characters, or has others than [A-Za-z0-9_-]; a prefix that starts with "lkr_" though
 * `is_system` is false; display_length over prefix + 8; a ttl that is no Duration or not positive; default_ttl over max_ttl.
 */
void lk_policy_from_request(struct lk_faults *faults, const Latchkey__V1__KeyPolicy *policy, bool is_system,
	Latchkey__Store__PolicyRecord *ret);

/* The policy as the API shows it, in the arena. NULL where that is exhausted. */
Latchkey__V1__KeyPolicy *lk_policy_to_api(struct lk_arena *arena, const Latchkey__Store__PolicyRecord *policy);

/*
 * The microseconds of a ttl that `field` gives; 0 where there is none, and, with a fault, where it is no Duration or less than a
 * microsecond.
 */
int64_t lk_policy_check_ttl(struct lk_faults *faults, const char *field, const Google__Protobuf__Duration *ttl);

/*
 * Checks what a CreateKeyRequest says of the key itself (name, owner, scope, expiry, not_before_time, metadata, grant) against
 * `policy` at the time `now_us`, and writes it to `ret`: name, owner, tenant_scope, metadata, not_before_us, expire_us, grant.
 * `policy` NULL: the keyspace is not known; what depends on its policy is not checked, all else is, so that one answer holds
 * all faults. `is_system`: a grant is needed; elsewhere it is a fault. Whether a name is taken, the store knows.
 * A life counts from now, or from not_before_time where that is later. Under a max_ttl a key must expire.
 * `ret`, which the caller has initialised, borrows from the request and the arena.
 */
void lk_policy_check_key(struct lk_faults *faults, const Latchkey__V1__CreateKeyRequest *request,
	const Latchkey__Store__PolicyRecord *policy, bool is_system, int64_t now_us, Latchkey__Store__KeyRecord *ret);

#endif
