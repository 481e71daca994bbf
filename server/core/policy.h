/*
 * Policy: the rules that the keys of a keyspace obey, and the rules that a policy itself obeys. Pure.
 *
 * policy.c is about policies, policy_key.c about the keys that obey them.
 */
#ifndef LK_SERVER_CORE_POLICY_H
#define LK_SERVER_CORE_POLICY_H

#include <stdint.h>

#include "latchkey/store/record.pb-c.h"
#include "latchkey/v1/keyspace.pb-c.h"
#include "server/core/faults.h"
#include "server/core/key_fields.h"

#define LK_DISPLAY_EXTRA_MAX     8
#define LK_DISPLAY_EXTRA_DEFAULT 6
#define LK_OWNER_MAX             128
#define LK_METADATA_MAX_ITEMS    16
#define LK_METADATA_MAX_BYTES    4096
/* The prefix of root keys: only the keyspace of tenant "system" has it. */
#define LK_ROOT_KEY_PREFIX "lkr_"
/* The most characters of a JWT's iss, and the one that it has where none is given. */
#define LK_JWT_ISSUER_MAX     256
#define LK_JWT_ISSUER_DEFAULT "latchkey"

/*
 * Checks the policy of a keyspace that is made or changed, every fault under "policy", and writes it with its defaults made
 * explicit to `ret`, which borrows from `policy` and the arena. `policy` NULL: a fault, since token_prefix is needed.
 * Faults: a token_format or jwt_algorithm that is none; of OPAQUE tokens, a prefix that is empty, over 32 characters, or has
 * others than [A-Za-z0-9_-], a prefix that starts with "lkr_" though `is_system` is false, a jwt_algorithm or jwt_issuer; of
 * JWTs, a prefix, a jwt_issuer of over 256 characters or with a control character, or `is_system`; display_length over prefix
 * + 8; a ttl that is no Duration or not positive; default_ttl over max_ttl; name_max_length over LK_NAME_MAX; name_min_length
 * over name_max_length; default_permissions that are no list of permissions (permission.h); default_rate_limits that are no
 * list of limits (limit.h), or are for root keys. A name_min_length without name_required is none: it is for keys that have a
 * name.
 */
void lk_policy_from_request(struct lk_faults *faults, const Latchkey__V1__KeyPolicy *policy, bool is_system,
	Latchkey__Store__PolicyRecord *ret);

/* The policy as the API shows it, in the arena; it borrows the texts from `policy`. NULL where the arena is exhausted. */
Latchkey__V1__KeyPolicy *lk_policy_to_api(struct lk_arena *arena, const Latchkey__Store__PolicyRecord *policy);

/* The most characters of a name. A policy that was kept before there was such a rule has none of its own. */
uint32_t lk_policy_name_max(const Latchkey__Store__PolicyRecord *policy);

/*
 * The microseconds of a ttl that `field` gives; 0 where there is none, and, with a fault, where it is no Duration or less than a
 * microsecond.
 */
int64_t lk_policy_check_ttl(struct lk_faults *faults, const char *field, const Google__Protobuf__Duration *ttl);

/* What a key is checked by. */
struct lk_key_rules {
	/* Stands before the name of each field in a fault: "keys[17]." of an import; NULL: nothing. */
	const char *prefix;
	/*
	 * NULL: the keyspace is not known. What depends on its policy is not checked, all else is, so that one answer holds all
	 * faults.
	 */
	const Latchkey__Store__PolicyRecord *policy;
	/* A grant is needed; elsewhere it is a fault. */
	bool is_system;
	int64_t now_us;
	/* From when its credits count, where it is given any: now_us is earlier of a key that is imported. */
	int64_t credits_us;
	/*
	 * What is not given comes from the policy: default_ttl, default_permissions and default_rate_limits. Of a key that is
	 * made.
	 */
	bool defaults;
	/* expire_time may be past: of a key that is imported, or is changed in other fields. */
	bool past_expiry;
	/*
	 * Of a key that stands: its record, and what its slot says: LK_LIMITS_MAX clocks, and what was spent. Of a new key
	 * NULL and 0.
	 */
	const Latchkey__Store__KeyRecord *before;
	const uint64_t *clocks;
	uint64_t spent;
};

/*
 * Checks what is said of a key (name, owner, scope, not_before_time, expire_time or ttl, metadata, permissions, grant,
 * allowed_cidrs, rate_limits, credits) and writes it to `ret`, which the caller has initialised and which borrows from
 * `fields`, the policy and the arena: name, owner, tenant_scope, not_before_us, expire_us, metadata, permissions, grant,
 * allowed_cidrs; rate_limits and clock_generations, and credits, where they are given, else what `ret` has of them stays.
 * Whether a name is taken, and which roles there are, the store knows.
 *
 * A root key has neither roles nor addresses, limits and credits: nothing asks for them where its holder calls.
 *
 * A life counts from now, or from not_before_time where that is later: it is max_ttl that bounds what is left of it, however old
 * the key is. Under a max_ttl a key must expire.
 *
 * An Update gives all fields of the key as it would stand, those that it does not name too: a changed policy means nothing for
 * a key until the key is next changed, and then it is obeyed whole. A fault may thus name a field that the update_mask does
 * not: the caller must mend that field as well.
 */
void lk_policy_check_key(struct lk_faults *faults, const struct lk_key_rules *rules, const struct lk_key_fields *fields,
	Latchkey__Store__KeyRecord *ret);

#endif
