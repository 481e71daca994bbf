#include "tests/unit/service/key_crowd.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdlib.h>
#include <time.h>

#include "server/core/permission.h"
#include "server/store/apply.h"
#include "server/store/find.h"
#include "server/store/slots.h"
#include "tests/lib/check.h"
#include "tests/lib/draft.h"

#define HOUR_US  (INT64_C(3600) * 1000000)
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

const char *const crowd_space_ids[CROWD_SPACES] = {"beta", "alpha", "gamma", "delta"};

static const char *const owners[] = {"", "ann", "bob", "bob@example.org"};
static const char *const names[] = {"", "", "a", "ab", "ab", "abc", "b", "\xc3\xa4", "zz top"};
static const char *const permissions[] = {"agents:install", "agents:*", "agents:7:read", "*", "files:read"};

unsigned crowd_choose(struct crowd *crowd, unsigned among)
{
	/* xorshift64* (https://vigna.di.unimi.it/ftp/papers/xorshift.pdf) */
	crowd->state ^= crowd->state >> 12;
	crowd->state ^= crowd->state << 25;
	crowd->state ^= crowd->state >> 27;
	return (unsigned)((crowd->state * UINT64_C(0x2545f4914f6cdd1d) >> 33) % among);
}

static void apply(struct crowd *crowd, Latchkey__Store__Change *change)
{
	struct lk_txn *txn = NULL;

	CHECK(lk_write_begin(fixture_loop.store, &txn) == LK_OK);
	CHECK(lk_apply_do(txn, &crowd->arena, change) == LK_OK);
	CHECK(lk_write_commit(txn) == LK_OK);
}

static void draft_key(struct crowd *crowd, Latchkey__Store__Change *change)
{
	uint32_t space = crowd->spaces[crowd_choose(crowd, CROWD_SPACES)];
	Latchkey__Store__KeyRecord *key = lk_draft_put_key(
		&crowd->arena, change, crowd->tenant, space, names[crowd_choose(crowd, COUNT(names))]);

	/* Within ten days, so that some happen at once. */
	key->create_us = crowd->now_us - (1 + (int64_t)crowd_choose(crowd, 240)) * HOUR_US;
	if (crowd_choose(crowd, 3) != 0) {
		key->expire_us = crowd->now_us + ((int64_t)crowd_choose(crowd, 100) - 50) * HOUR_US + HOUR_US / 2;
	}
	key->owner = TEXT(owners[crowd_choose(crowd, COUNT(owners))]);
	key->state = (Latchkey__Store__StoredState)(1 + crowd_choose(crowd, 3));
	key->permissions = lk_arena_array(&crowd->arena, COUNT(permissions), sizeof *key->permissions);
	for (size_t i = 0; i < COUNT(permissions); i++) {
		if (crowd_choose(crowd, 6) == 0) {
			key->permissions[key->n_permissions++] = TEXT(permissions[i]);
		}
	}
	crowd->keys[crowd->count++] = (struct crowd_key){.record = key};
}

void crowd_add(struct crowd *crowd, size_t count)
{
	Latchkey__Store__Change *change = lk_draft_new(&crowd->arena);
	size_t from = crowd->count;

	CHECK(crowd->count + count <= CROWD_MOST);
	for (size_t i = 0; i < count; i++) {
		draft_key(crowd, change);
	}
	apply(crowd, change);
	for (size_t i = from; i < crowd->count; i++) {
		if (crowd_choose(crowd, 2) == 0) {
			int64_t at_us = crowd->now_us - (1 + (int64_t)crowd_choose(crowd, 100)) * HOUR_US;
			lk_slots_use(lk_store_slots(fixture_loop.store), crowd->keys[i].record->slot, at_us);
			crowd->keys[i].used_us = at_us;
		}
	}
}

void crowd_put(struct crowd *crowd, struct crowd_key *key)
{
	Latchkey__Store__Change *change = lk_draft_new(&crowd->arena);

	lk_draft_put_key_again(&crowd->arena, change, key->record);
	apply(crowd, change);
}

void crowd_delete(struct crowd *crowd, struct crowd_key *key)
{
	Latchkey__Store__Change *change = lk_draft_new(&crowd->arena);

	lk_draft_delete_key(&crowd->arena, change, key->record->slot);
	apply(crowd, change);
	key->gone = true;
}

void crowd_make(struct crowd *crowd, size_t count)
{
	const char *given = getenv("LATCHKEY_TEST_SEED");
	Latchkey__V1__KeyPolicy policy = LATCHKEY__V1__KEY_POLICY__INIT;
	struct lk_txn *txn = NULL;

	memset(crowd, 0, sizeof *crowd);
	crowd->now_us = (int64_t)time(NULL) * 1000000;
	crowd->seed = given != NULL ? strtoull(given, NULL, 10) : (uint64_t)randombytes_random() + 1;
	crowd->state = crowd->seed;
	print_message("LATCHKEY_TEST_SEED=%" PRIu64 "\n", crowd->seed);
	CHECK(lk_arena_init(&crowd->arena, (size_t)1 << 20, (size_t)256 << 20) == LK_OK);
	policy.token_prefix = TEXT("sk-");
	fixture_make_tenant("crowd");
	for (size_t i = 0; i < CROWD_SPACES; i++) {
		fixture_make_keyspace("crowd", crowd_space_ids[i], &policy);
	}
	CHECK(lk_snapshot_new(fixture_loop.store, &txn) == LK_OK && lk_snapshot_begin(txn) == LK_OK);
	crowd->tenant = lk_find_tenant(txn, &crowd->arena, "crowd")->number;
	for (size_t i = 0; i < CROWD_SPACES; i++) {
		crowd->spaces[i] = lk_find_keyspace(txn, &crowd->arena, crowd->tenant, crowd_space_ids[i])->number;
	}
	lk_snapshot_free(txn);
	crowd_add(crowd, count);
}

void crowd_done(struct crowd *crowd)
{
	lk_arena_done(&crowd->arena);
}

static Google__Protobuf__Timestamp *set_time(Google__Protobuf__Timestamp *time, int64_t us)
{
	google__protobuf__timestamp__init(time);
	time->seconds = us / 1000000;
	return time;
}

static int64_t time_of(const Google__Protobuf__Timestamp *time)
{
	return time->seconds * 1000000;
}

static void ask_about(struct crowd *crowd, int what, struct crowd_filter *filter)
{
	Latchkey__V1__KeyFilter *message = &filter->message;
	int64_t ago_us = (int64_t)crowd_choose(crowd, 120) * HOUR_US;

	switch (what) {
	case CROWD_KEYSPACE:
		message->keyspace = TEXT(crowd_space_ids[crowd_choose(crowd, CROWD_SPACES)]);
		break;
	case CROWD_STATES:
		message->states = filter->states;
		message->n_states = 1 + crowd_choose(crowd, 2);
		for (size_t i = 0; i < message->n_states; i++) {
			filter->states[i] = (Latchkey__V1__KeyState)(1 + crowd_choose(crowd, 4));
		}
		break;
	case CROWD_OWNER:
		message->owner = TEXT(owners[1 + crowd_choose(crowd, COUNT(owners) - 1)]);
		break;
	case CROWD_NAME:
		message->name_prefix = TEXT(names[2 + crowd_choose(crowd, COUNT(names) - 2)]);
		break;
	case CROWD_PERMISSION:
		message->permission = TEXT("agents:install");
		break;
	case CROWD_CREATED_AFTER:
		message->created_after = set_time(&filter->times[0], crowd->now_us - 120 * HOUR_US - ago_us);
		break;
	case CROWD_CREATED_BEFORE:
		message->created_before = set_time(&filter->times[1], crowd->now_us - ago_us);
		break;
	case CROWD_EXPIRES:
		message->expires_before = set_time(&filter->times[2], crowd->now_us + 60 * HOUR_US - ago_us);
		break;
	case CROWD_USED:
		message->last_used_before = set_time(&filter->times[3], crowd->now_us - ago_us);
		break;
	case CROWD_UNUSED:
		message->unused_only = true;
		break;
	default:
		break;
	}
}

void crowd_filter_make(struct crowd *crowd, int a, int b, struct crowd_filter *ret_filter)
{
	latchkey__v1__key_filter__init(&ret_filter->message);
	ask_about(crowd, a, ret_filter);
	if (b != a) {
		ask_about(crowd, b, ret_filter);
	}
}

static bool passes_states(
	const struct crowd *crowd, const Latchkey__V1__KeyFilter *filter, const Latchkey__Store__KeyRecord *key)
{
	bool revoked = key->state == LATCHKEY__STORE__STORED_STATE__STORED_STATE_REVOKED;
	bool expired = !revoked && key->expire_us != 0 && key->expire_us <= crowd->now_us;

	for (size_t i = 0; i < filter->n_states; i++) {
		if (expired ? filter->states[i] == LATCHKEY__V1__KEY_STATE__KEY_STATE_EXPIRED
			    : (int)filter->states[i] == (int)key->state) {
			return true;
		}
	}
	return filter->n_states == 0;
}

static bool passes_permission(const Latchkey__V1__KeyFilter *filter, const Latchkey__Store__KeyRecord *key)
{
	for (size_t i = 0; i < key->n_permissions; i++) {
		if (lk_permission_covers(key->permissions[i], filter->permission)) {
			return true;
		}
	}
	return filter->permission[0] == '\0';
}

static bool passes_times(const Latchkey__V1__KeyFilter *filter, const struct crowd_key *key)
{
	const Latchkey__Store__KeyRecord *record = key->record;

	return (filter->created_after == NULL || record->create_us > time_of(filter->created_after)) &&
	       (filter->created_before == NULL || record->create_us < time_of(filter->created_before)) &&
	       (filter->expires_before == NULL ||
		       (record->expire_us != 0 && record->expire_us < time_of(filter->expires_before))) &&
	       (filter->last_used_before == NULL || key->used_us < time_of(filter->last_used_before)) &&
	       (!filter->unused_only || key->used_us == 0);
}

static const char *space_of(const struct crowd *crowd, const Latchkey__Store__KeyRecord *key)
{
	for (size_t i = 0; i < CROWD_SPACES; i++) {
		if (crowd->spaces[i] == key->keyspace) {
			return crowd_space_ids[i];
		}
	}
	return "?";
}

bool crowd_passes(const struct crowd *crowd, const Latchkey__V1__KeyFilter *filter, const struct crowd_key *key)
{
	const Latchkey__Store__KeyRecord *record = key->record;

	return !key->gone && (filter->keyspace[0] == '\0' || strcmp(filter->keyspace, space_of(crowd, record)) == 0) &&
	       passes_states(crowd, filter, record) &&
	       (filter->owner[0] == '\0' || strcmp(filter->owner, record->owner) == 0) &&
	       strncmp(record->name, filter->name_prefix, strlen(filter->name_prefix)) == 0 &&
	       passes_permission(filter, record) && passes_times(filter, key);
}

/* What the sort goes by. */
static const char *sorted_by;

static int compare_numbers(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

static int compare(const void *a, const void *b)
{
	const Latchkey__Store__KeyRecord *x = (*(const struct crowd_key *const *)a)->record;
	const Latchkey__Store__KeyRecord *y = (*(const struct crowd_key *const *)b)->record;
	int order = 0;

	if (strstr(sorted_by, "create_time") != NULL) {
		order = compare_numbers((uint64_t)x->create_us, (uint64_t)y->create_us);
	} else if (strstr(sorted_by, "expire_time") != NULL) {
		/* Less one, 0 is the greatest. */
		order = compare_numbers((uint64_t)x->expire_us - 1, (uint64_t)y->expire_us - 1);
	} else if (strstr(sorted_by, "name") != NULL) {
		order = strcmp(x->name, y->name);
	}
	order = order == 0 ? compare_numbers(x->slot, y->slot) : order;
	return strstr(sorted_by, " desc") != NULL ? -order : order;
}

size_t crowd_expect(const struct crowd *crowd, const Latchkey__V1__KeyFilter *filter, const char *order_by,
	const struct crowd_key *ret_keys[static CROWD_MOST])
{
	size_t count = 0;

	for (size_t i = 0; i < crowd->count; i++) {
		if (crowd_passes(crowd, filter, &crowd->keys[i])) {
			ret_keys[count++] = &crowd->keys[i];
		}
	}
	sorted_by = order_by;
	qsort(ret_keys, count, sizeof *ret_keys, compare);
	return count;
}

const struct crowd_key *crowd_find(const struct crowd *crowd, const char *id)
{
	for (size_t i = 0; i < crowd->count; i++) {
		if (strcmp(crowd->keys[i].record->id, id) == 0) {
			return &crowd->keys[i];
		}
	}
	return NULL;
}
