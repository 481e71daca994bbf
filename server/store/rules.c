#include "server/store/rules.h"

#include <string.h>

/*
 * Rules are counts, then each list without a gap: numbers of roles, ranges, limits, and at last the credits. All as they lie in
 * memory, in this machine's byte order, like the verdict records that they stand in.
 */
struct counts {
	uint8_t roles;
	uint8_t cidrs;
	uint8_t limits;
	/* 0 or 1. */
	uint8_t credits;
};

_Static_assert(sizeof(struct counts) == 4, "the counts are stored as they lie");
_Static_assert(sizeof(struct lk_cidr) == 18, "a range is stored as it lies");
_Static_assert(sizeof(struct lk_limit) == 64, "a limit is stored as it lies");
_Static_assert(sizeof(struct lk_credits) == 32, "credits are stored as they lie");
_Static_assert(sizeof(struct counts) + LK_ROLES_MAX * sizeof(uint32_t) + LK_CIDRS_MAX * sizeof(struct lk_cidr) +
			       LK_LIMITS_MAX * sizeof(struct lk_limit) + sizeof(struct lk_credits) <=
		       LK_RULES_MAX,
	"the rules of every key fit");

bool lk_rules_read(const uint8_t *data, size_t len, struct lk_rules *ret_rules)
{
	struct lk_rules rules = {0};
	struct counts counts;

	if (len == 0) {
		*ret_rules = rules;
		return true;
	}
	if (len < sizeof counts) {
		return false;
	}
	memcpy(&counts, data, sizeof counts);
	/* Whoever reads has room for no more than a key may have. */
	if (counts.roles > LK_ROLES_MAX || counts.cidrs > LK_CIDRS_MAX || counts.limits > LK_LIMITS_MAX ||
		counts.credits > 1) {
		return false;
	}
	rules.n_roles = counts.roles;
	rules.n_cidrs = counts.cidrs;
	rules.n_limits = counts.limits;
	rules.has_credits = counts.credits == 1;
	rules.roles = data + sizeof counts;
	rules.cidrs = rules.roles + counts.roles * sizeof(uint32_t);
	rules.limits = rules.cidrs + counts.cidrs * sizeof(struct lk_cidr);
	rules.credits = rules.limits + counts.limits * sizeof(struct lk_limit);
	if ((size_t)(rules.credits - data) + counts.credits * sizeof(struct lk_credits) != len) {
		return false;
	}
	*ret_rules = rules;
	return true;
}

uint32_t lk_rules_role(const struct lk_rules *rules, size_t i)
{
	uint32_t role = 0;

	memcpy(&role, rules->roles + i * sizeof role, sizeof role);
	return role;
}

struct lk_cidr lk_rules_cidr(const struct lk_rules *rules, size_t i)
{
	struct lk_cidr cidr;

	memcpy(&cidr, rules->cidrs + i * sizeof cidr, sizeof cidr);
	return cidr;
}

struct lk_limit lk_rules_limit(const struct lk_rules *rules, size_t i)
{
	struct lk_limit limit;

	memcpy(&limit, rules->limits + i * sizeof limit, sizeof limit);
	return limit;
}

struct lk_credits lk_rules_credits(const struct lk_rules *rules)
{
	struct lk_credits credits;

	memcpy(&credits, rules->credits, sizeof credits);
	return credits;
}

bool lk_rules_admit(const struct lk_rules *rules, const struct lk_address *address)
{
	for (size_t i = 0; i < rules->n_cidrs; i++) {
		struct lk_cidr cidr = lk_rules_cidr(rules, i);
		if (lk_cidr_holds(&cidr, address)) {
			return true;
		}
	}
	return rules->n_cidrs == 0;
}

static uint8_t *write_cidrs(uint8_t *at, char *const *texts, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct lk_cidr cidr = {0};
		/* What is no range holds no address: a list that cannot be read opens nothing. */
		if (!lk_cidr_parse(texts[i], &cidr)) {
			cidr = (struct lk_cidr){0};
		}
		memcpy(at, &cidr, sizeof cidr);
		at += sizeof cidr;
	}
	return at;
}

static uint8_t *write_limits(uint8_t *at, Latchkey__Store__RateLimitRecord *const *records, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct lk_limit limit = lk_limit_of_record(records[i]);
		memcpy(at, &limit, sizeof limit);
		at += sizeof limit;
	}
	return at;
}

static bool fits(size_t roles, size_t cidrs, size_t limits)
{
	return roles <= LK_ROLES_MAX && cidrs <= LK_CIDRS_MAX && limits <= LK_LIMITS_MAX;
}

size_t lk_rules_of_key(const Latchkey__Store__KeyRecord *key, uint8_t ret_data[static LK_RULES_MAX])
{
	if (!fits(key->n_roles, key->n_allowed_cidrs, key->n_rate_limits)) {
		return SIZE_MAX;
	}
	struct counts counts = {
		.roles = (uint8_t)key->n_roles,
		.cidrs = (uint8_t)key->n_allowed_cidrs,
		.limits = (uint8_t)key->n_rate_limits,
		.credits = key->credits != NULL,
	};
	uint8_t *at = ret_data + sizeof counts;

	if (counts.roles + counts.cidrs + counts.limits + counts.credits == 0) {
		return 0;
	}
	memcpy(ret_data, &counts, sizeof counts);
	if (counts.roles > 0) {
		memcpy(at, key->roles, counts.roles * sizeof key->roles[0]);
		at += counts.roles * sizeof key->roles[0];
	}
	at = write_cidrs(at, key->allowed_cidrs, key->n_allowed_cidrs);
	at = write_limits(at, key->rate_limits, key->n_rate_limits);
	if (key->credits != NULL) {
		struct lk_credits credits = lk_credits_of_record(key->credits);
		memcpy(at, &credits, sizeof credits);
		at += sizeof credits;
	}
	return (size_t)(at - ret_data);
}

/* Reads rules behind `skip` bytes of a value; false, with LK_CORRUPT sticking, where they do not add up. */
static bool read_value(struct lk_txn *txn, const struct lk_value *value, size_t skip, struct lk_rules *ret_rules)
{
	if (value->len <= skip || !lk_rules_read(value->data + skip, value->len - skip, ret_rules)) {
		lk_txn_fail(txn, LK_CORRUPT);
		return false;
	}
	return true;
}

bool lk_owner_limits_find(
	struct lk_txn *txn, uint32_t tenant, const char *owner, size_t owner_len, struct lk_owner_limits *ret_limits)
{
	struct lk_key key = lk_key_owner(tenant, owner, owner_len);
	struct lk_owner_limits limits = {0};
	struct lk_value value = {0};

	if (!lk_txn_get(txn, LK_TABLE_OWNER_LIMITS, &key, &value) ||
		!read_value(txn, &value, sizeof limits.slot, &limits.rules)) {
		return false;
	}
	memcpy(&limits.slot, value.data, sizeof limits.slot);
	*ret_limits = limits;
	return true;
}

void lk_owner_limits_put(struct lk_txn *txn, const Latchkey__Store__OwnerRecord *owner)
{
	struct lk_key key = lk_key_owner(owner->tenant, owner->id, strlen(owner->id));
	struct counts counts = {.limits = (uint8_t)owner->n_rate_limits};
	uint8_t data[sizeof(uint64_t) + LK_RULES_MAX];
	uint8_t *at = data;

	if (!fits(0, 0, owner->n_rate_limits)) {
		lk_txn_fail(txn, LK_INTERNAL);
		return;
	}
	memcpy(at, &owner->slot, sizeof owner->slot);
	at += sizeof owner->slot;
	memcpy(at, &counts, sizeof counts);
	at = write_limits(at + sizeof counts, owner->rate_limits, owner->n_rate_limits);
	lk_txn_put(txn, LK_TABLE_OWNER_LIMITS, &key, data, (size_t)(at - data), 0);
}

void lk_owner_limits_remove(struct lk_txn *txn, uint32_t tenant, const char *owner)
{
	struct lk_key key = lk_key_owner(tenant, owner, strlen(owner));

	lk_txn_delete(txn, LK_TABLE_OWNER_LIMITS, &key);
}

bool lk_gate_cidrs_find(struct lk_txn *txn, uint32_t keyspace, struct lk_rules *ret_rules)
{
	struct lk_key key = lk_key_u32(keyspace);
	struct lk_value value = {0};

	return lk_txn_get(txn, LK_TABLE_GATE_CIDRS, &key, &value) && read_value(txn, &value, 0, ret_rules);
}

void lk_gate_cidrs_put(struct lk_txn *txn, const Latchkey__Store__KeyspaceRecord *keyspace)
{
	struct lk_key key = lk_key_u32(keyspace->number);
	struct counts counts = {.cidrs = (uint8_t)keyspace->n_allowed_cidrs};
	uint8_t data[LK_RULES_MAX];

	if (keyspace->n_allowed_cidrs == 0) {
		(void)lk_txn_delete_if(txn, LK_TABLE_GATE_CIDRS, &key);
		return;
	}
	if (!fits(0, keyspace->n_allowed_cidrs, 0)) {
		lk_txn_fail(txn, LK_INTERNAL);
		return;
	}
	memcpy(data, &counts, sizeof counts);
	const uint8_t *end = write_cidrs(data + sizeof counts, keyspace->allowed_cidrs, keyspace->n_allowed_cidrs);
	lk_txn_put(txn, LK_TABLE_GATE_CIDRS, &key, data, (size_t)(end - data), 0);
}
