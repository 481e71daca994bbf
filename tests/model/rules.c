#include <string.h>

#include "tests/model/model.h"

const char *const permission_names[N_PERMISSIONS] = {
	"agents:list", "agents:*", "storage:*:read", "storage:b7:read", "chat", "*"};

bool is_gone(const struct world *world, const struct key *key)
{
	return key->stored == STORED_GONE || !is_open(world, key->keyspace);
}

Latchkey__V1__KeyState state_at(const struct key *key, int64_t now_us)
{
	if (key->stored == STORED_REVOKED) {
		return KEY_STATE(REVOKED);
	}
	if (key->expire_us != 0 && now_us >= key->expire_us) {
		return KEY_STATE(EXPIRED);
	}
	return key->stored == STORED_SUSPENDED ? KEY_STATE(SUSPENDED) : KEY_STATE(ACTIVE);
}

enum effect effect_of(Latchkey__V1__KeyState state, Latchkey__V1__KeyAction action)
{
	/* By state and action, both from 1. */
	static const enum effect table[][6] = {
		[KEY_STATE(ACTIVE)] = {KEPT, CHANGED, CHANGED, CHANGED, CHANGED, CHANGED},
		[KEY_STATE(SUSPENDED)] = {CHANGED, KEPT, CHANGED, CHANGED, CHANGED, CHANGED},
		[KEY_STATE(REVOKED)] = {REFUSED, REFUSED, REFUSED, REFUSED, KEPT, CHANGED},
		[KEY_STATE(EXPIRED)] = {REFUSED, REFUSED, REFUSED, CHANGED, CHANGED, CHANGED},
	};

	return table[state][action - 1];
}

static const struct rules no_rules;

unsigned faults_of(const struct rules *rules, const struct wish *wish, int64_t now_us)
{
	const struct rules *by = rules == NULL ? &no_rules : rules;
	size_t len = strlen(wish->name);
	int64_t start_us = wish->not_before_us > now_us ? wish->not_before_us : now_us;
	unsigned faults = 0;

	if (len > (by->name_max == 0 ? 100 : by->name_max) || (len > 0 && len < by->name_min) ||
		(len == 0 && (by->name_required || by->name_unique))) {
		faults |= FAULT_NAME;
	}
	if (wish->owner[0] == '\0' && by->owner_required) {
		faults |= FAULT_OWNER;
	}
	if (wish->expire_us != 0) {
		bool over = (wish->expire_us <= now_us && !wish->past_expiry) ||
			    wish->expire_us <= wish->not_before_us ||
			    (by->max_ttl_us != 0 && wish->expire_us - start_us > by->max_ttl_us);
		faults |= over ? FAULT_EXPIRE_TIME : 0;
	} else if (wish->ttl_us != 0) {
		faults |= by->max_ttl_us != 0 && wish->ttl_us > by->max_ttl_us ? FAULT_TTL : 0;
	} else if (!wish->defaults || by->default_ttl_us == 0) {
		faults |= by->max_ttl_us != 0 || by->expiry_required ? FAULT_EXPIRE_TIME : 0;
	}
	return faults;
}

int64_t expiry_of(const struct rules *rules, const struct wish *wish, int64_t now_us)
{
	int64_t start_us = wish->not_before_us > now_us ? wish->not_before_us : now_us;

	if (wish->expire_us != 0) {
		return wish->expire_us;
	}
	if (wish->ttl_us != 0) {
		return start_us + wish->ttl_us;
	}
	return wish->defaults && rules->default_ttl_us != 0 ? start_us + rules->default_ttl_us : 0;
}

bool name_is_taken(const struct world *world, size_t keyspace, const char *name, size_t but)
{
	for (size_t i = 0; i < world->n_keys; i++) {
		const struct key *key = &world->keys[i];
		if (i != but && key->keyspace == keyspace && key->stored != STORED_GONE &&
			key->stored != STORED_REVOKED && strcmp(key->name, name) == 0) {
			return true;
		}
	}
	return false;
}

static bool one_covers(const char *held, const char *asked)
{
	for (;;) {
		size_t held_len = strcspn(held, ":");
		size_t asked_len = strcspn(asked, ":");
		bool any = held_len == 1 && held[0] == '*';
		if (!any && (held_len != asked_len || strncmp(held, asked, held_len) != 0)) {
			return false;
		}
		held += held_len;
		asked += asked_len;
		if (*held == '\0') {
			return any || *asked == '\0';
		}
		if (*asked == '\0') {
			return false;
		}
		held++;
		asked++;
	}
}

bool covers(unsigned permissions, const char *asked)
{
	for (size_t i = 0; i < N_PERMISSIONS; i++) {
		if ((permissions & 1u << i) && one_covers(permission_names[i], asked)) {
			return true;
		}
	}
	return false;
}

struct rules draw_rules(struct world *world)
{
	static const int64_t spans[] = {0, 0, 0, 3600, 86400};
	struct rules rules = {
		.name_required = one_in(world, 4),
		.name_unique = one_in(world, 3),
		.expiry_required = one_in(world, 8),
		.revoke_deletes = one_in(world, 4),
		.owner_required = one_in(world, 6),
		.name_min = one_in(world, 4) ? 3 : 0,
		.name_max = one_in(world, 4) ? 12 : 0,
		.default_ttl_us = spans[pick(world, 5)] * US_PER_SECOND,
		.max_ttl_us = spans[pick(world, 5)] * US_PER_SECOND * 2,
	};

	rules.default_permissions = one_in(world, 3) ? 1u << pick(world, N_PERMISSIONS) : 0;
	return rules;
}

size_t list_permissions(unsigned set, char *ret_list[static N_PERMISSIONS])
{
	size_t count = 0;

	for (size_t i = 0; i < N_PERMISSIONS; i++) {
		if (set & 1u << i) {
			ret_list[count++] = TEXT(permission_names[i]);
		}
	}
	return count;
}

void rules_to_policy(const struct rules *rules, Latchkey__V1__KeyPolicy *ret_policy,
	Google__Protobuf__Duration spans[static 2], char *permissions[static N_PERMISSIONS])
{
	latchkey__v1__key_policy__init(ret_policy);
	spans[0] = duration_of(rules->default_ttl_us);
	spans[1] = duration_of(rules->max_ttl_us);
	ret_policy->token_prefix = TEXT("m_");
	ret_policy->name_required = rules->name_required;
	ret_policy->name_unique = rules->name_unique;
	ret_policy->expiry_required = rules->expiry_required;
	ret_policy->revoke_deletes = rules->revoke_deletes;
	ret_policy->owner_required = rules->owner_required;
	ret_policy->name_min_length = rules->name_min;
	ret_policy->name_max_length = rules->name_max;
	ret_policy->default_ttl = rules->default_ttl_us == 0 ? NULL : &spans[0];
	ret_policy->max_ttl = rules->max_ttl_us == 0 ? NULL : &spans[1];
	ret_policy->default_permissions = permissions;
	ret_policy->n_default_permissions = list_permissions(rules->default_permissions, permissions);
}
