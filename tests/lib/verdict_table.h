/*
 * The table of verdict_cases.h: what stands in it.
 */
#ifndef LK_TESTS_LIB_VERDICT_TABLE_H
#define LK_TESTS_LIB_VERDICT_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "latchkey/store/record.pb-c.h"
#include "latchkey/v1/key.pb-c.h"

/* The most entries of each list; one of NULL ends it sooner. */
#define VERDICT_LIST   4
#define VERDICT_LIMITS 4
#define VERDICT_STEPS  8

enum verdict_keyspace_index {
	VERDICT_PROD,
	VERDICT_STAGING,
	VERDICT_WALLED,
	VERDICT_KEYSPACES
};
enum verdict_role_index {
	VERDICT_READER,
	VERDICT_ADMIN,
	VERDICT_ROLES
};

struct verdict_keyspace {
	const char *id;
	const char *cidrs[VERDICT_LIST];
};
extern const struct verdict_keyspace verdict_keyspaces[VERDICT_KEYSPACES];

struct verdict_role {
	const char *id;
	const char *permissions[VERDICT_LIST];
};
extern const struct verdict_role verdict_roles[VERDICT_ROLES];

/* A limit of so much in 30 days, all of it at once; or what is charged to one. */
struct verdict_limit {
	const char *name;
	uint64_t limit;
};

/* A question, and its answer. */
struct verdict_step {
	/* NULL: the key's. */
	const char *token;
	const char *keyspace;
	const char *expression;
	const char *client_ip;
	uint64_t cost;
	struct verdict_limit charges[VERDICT_LIST];
	bool dry_run;
	bool explain;
	/* 0: there are no more questions. */
	Latchkey__V1__VerifyCode code;
	/*
	 * The limits in the order of their clocks, the owner's behind, and the credits: "day=2 hour=0! ~team=5 credits=97".
	 * NULL: none.
	 */
	const char *states;
	/* Of explain, MALFORMED to CREDITS_EXHAUSTED: 'P' passed, 'R' refused, '-' not asked. */
	const char *gates;
};

/* A key, and what is asked about it, in order. */
struct verdict_case {
	const char *name;
	enum verdict_keyspace_index keyspace;
	/* 0: ACTIVE. */
	Latchkey__Store__StoredState state;
	bool tenant_scope;
	/* From now; 0: none. */
	int64_t expire_in_s;
	int64_t not_before_in_s;
	/* Rotate replaced the secret, which is good until then. */
	bool replaced;
	int64_t replaced_until_in_s;
	const char *permissions[VERDICT_LIST];
	/* Bits by verdict_role_index. */
	unsigned roles;
	const char *cidrs[VERDICT_LIST];
	/* The first has the last of the clocks, and so on. */
	struct verdict_limit limits[VERDICT_LIMITS];
	/* Of its owner, which no other case has. */
	struct verdict_limit owner_limits[VERDICT_LIMITS];
	bool has_credits;
	uint64_t credits;
	struct verdict_step steps[VERDICT_STEPS];
};
extern const struct verdict_case verdict_cases[];
extern const size_t verdict_case_count;

#endif
