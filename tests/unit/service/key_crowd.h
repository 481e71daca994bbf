/*
 * Many keys for the tests of lists: made at random from a seed, straight by the store's own apply, and matched by brute force.
 *
 * These functions assert: for the test's own thread alone, while no call is under way.
 */
#ifndef LK_TESTS_UNIT_SERVICE_KEY_CROWD_H
#define LK_TESTS_UNIT_SERVICE_KEY_CROWD_H

#include "server/core/arena.h"
#include "tests/unit/service/service_fixture.h"

#include "latchkey/store/change.pb-c.h"

#define CROWD_SPACES 4
#define CROWD_MOST   2048

struct crowd_key {
	Latchkey__Store__KeyRecord *record;
	/* 0: never. */
	int64_t used_us;
	/* It was deleted. */
	bool gone;
};

struct crowd {
	struct lk_arena arena;
	uint32_t tenant;
	uint32_t spaces[CROWD_SPACES];
	struct crowd_key keys[CROWD_MOST];
	size_t count;
	/* CLOCK_REALTIME when it was made: nothing of it happens within the hour around that. */
	int64_t now_us;
	uint64_t seed;
	uint64_t state;
};

/* The ids of its keyspaces, of tenant "crowd". */
extern const char *const crowd_space_ids[CROWD_SPACES];

/*
 * Makes the tenant, its keyspaces and `count` keys in the store of fixture_loop. The seed is LATCHKEY_TEST_SEED or a new one,
 * and is printed.
 */
void crowd_make(struct crowd *crowd, size_t count);
void crowd_done(struct crowd *crowd);

/* A choice of 0 to among - 1. */
unsigned crowd_choose(struct crowd *crowd, unsigned among);

/* Makes `count` more keys. */
void crowd_add(struct crowd *crowd, size_t count);
/* Puts a key as its record now is; deletes it. */
void crowd_put(struct crowd *crowd, struct crowd_key *key);
void crowd_delete(struct crowd *crowd, struct crowd_key *key);

/* A filter, with room for what it points at. */
struct crowd_filter {
	Latchkey__V1__KeyFilter message;
	Latchkey__V1__KeyState states[2];
	Google__Protobuf__Timestamp times[4];
};

/* What a filter can ask about. */
enum {
	CROWD_KEYSPACE,
	CROWD_STATES,
	CROWD_OWNER,
	CROWD_NAME,
	CROWD_PERMISSION,
	CROWD_CREATED_AFTER,
	CROWD_CREATED_BEFORE,
	CROWD_EXPIRES,
	CROWD_USED,
	CROWD_UNUSED,
	CROWD_ASKS,
};

/* A filter that asks about `a` and `b`, which may be the same, or CROWD_ASKS for nothing. */
void crowd_filter_make(struct crowd *crowd, int a, int b, struct crowd_filter *ret_filter);

/* Whether a key of the crowd passes. */
bool crowd_passes(const struct crowd *crowd, const Latchkey__V1__KeyFilter *filter, const struct crowd_key *key);

/*
 * The keys that pass, in the order that `order_by` asks for ("name desc"); in that of their making where it asks for none.
 * Returns how many.
 */
size_t crowd_expect(const struct crowd *crowd, const Latchkey__V1__KeyFilter *filter, const char *order_by,
	const struct crowd_key *ret_keys[static CROWD_MOST]);

/* The key of this id; NULL where there is none. */
const struct crowd_key *crowd_find(const struct crowd *crowd, const char *id);

#endif
