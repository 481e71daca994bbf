/*
 * The rules of a key, as they lie in its verdict record behind the grant: what Verify asks beside state and time. A key
 * without roles, addresses, limits and credits has none of them, not a byte.
 *
 * Read in place, and copied out piece by piece, since LMDB aligns nothing. Nobody but apply writes them. What an owner's keys
 * share (LK_TABLE_OWNER_LIMITS) and the addresses of a keyspace (LK_TABLE_GATE_CIDRS) are laid out alike.
 */
#ifndef LK_SERVER_STORE_RULES_H
#define LK_SERVER_STORE_RULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "latchkey/store/record.pb-c.h"
#include "server/core/cidr.h"
#include "server/core/credits.h"
#include "server/core/limit.h"
#include "server/store/txn.h"

#define LK_ROLES_MAX 16

/* Where the parts lie. All counts 0 of a key without rules. */
struct lk_rules {
	size_t n_roles;
	size_t n_cidrs;
	size_t n_limits;
	bool has_credits;
	/* For the functions below alone. */
	const uint8_t *roles;
	const uint8_t *cidrs;
	const uint8_t *limits;
	const uint8_t *credits;
};

/* Finds the parts; false where `data` does not add up. `len` 0: no rules. */
bool lk_rules_read(const uint8_t *data, size_t len, struct lk_rules *ret_rules);

uint32_t lk_rules_role(const struct lk_rules *rules, size_t i);
struct lk_cidr lk_rules_cidr(const struct lk_rules *rules, size_t i);
struct lk_limit lk_rules_limit(const struct lk_rules *rules, size_t i);
/* Only where has_credits. */
struct lk_credits lk_rules_credits(const struct lk_rules *rules);
/* Whether the list holds the address; an empty list holds every one, and none. */
bool lk_rules_admit(const struct lk_rules *rules, const struct lk_address *address);

/* The most bytes that the rules of any key have. */
#define LK_RULES_MAX 2048

/* Writes the rules of a key; returns how many bytes. 0: it has none; SIZE_MAX: more of them than any key may have. */
size_t lk_rules_of_key(const Latchkey__Store__KeyRecord *key, uint8_t ret_data[static LK_RULES_MAX]);

/* The limits that keys of an owner share: the slot of their clocks, and the rules, which have limits alone. */
struct lk_owner_limits {
	uint64_t slot;
	struct lk_rules rules;
};

/* Finds what the owner's keys share. False where that is nothing, and where an error sticks. */
bool lk_owner_limits_find(
	struct lk_txn *txn, uint32_t tenant, const char *owner, size_t owner_len, struct lk_owner_limits *ret_limits);
/* For apply alone. An owner of more limits than any may have makes LK_INTERNAL stick. */
void lk_owner_limits_put(struct lk_txn *txn, const Latchkey__Store__OwnerRecord *owner);
void lk_owner_limits_remove(struct lk_txn *txn, uint32_t tenant, const char *owner);

/* The addresses that a keyspace's keys may be used from. False where it has no list, and where an error sticks. */
bool lk_gate_cidrs_find(struct lk_txn *txn, uint32_t keyspace, struct lk_rules *ret_rules);
/* For apply alone: of an empty list, removes what there is; of one longer than any may be, LK_INTERNAL sticks. */
void lk_gate_cidrs_put(struct lk_txn *txn, const Latchkey__Store__KeyspaceRecord *keyspace);

#endif
