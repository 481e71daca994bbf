/*
 * Keys with rules: one with two roles, ranges and rate limits, and with credits, for tests of what becomes of them.
 */
#ifndef LK_TESTS_UNIT_SERVICE_RULES_FIXTURE_H
#define LK_TESTS_UNIT_SERVICE_RULES_FIXTURE_H

#include "tests/unit/service/service_fixture.h"

/* What a request says of a key, in whichever message. */
struct rules_given {
	char *roles[2];
	char *cidrs[2];
	Google__Protobuf__Duration minute, day;
	Latchkey__V1__RateLimit limit[2];
	Latchkey__V1__RateLimit *limits[2];
	Latchkey__V1__Credits credits;
	Latchkey__V1__CreditRefill refill;
};

extern struct rules_given rules_given;

/* cmocka setup: as fixture_setup(), with the roles "admin" and "reader", and rules_given as it was. */
int rules_setup(void **state);

/* A role of tenant "acme", put there without its service. */
void rules_make_role(const char *id, char **permissions, size_t n_permissions);

/* The same members by the same names: of CreateKeyRequest, Key and ImportedKey. */
#define RULES_FILL(message)                                                                                            \
	do {                                                                                                           \
		(message)->roles = rules_given.roles;                                                                  \
		(message)->allowed_cidrs = rules_given.cidrs;                                                          \
		(message)->rate_limits = rules_given.limits;                                                           \
		(message)->n_roles = (message)->n_allowed_cidrs = (message)->n_rate_limits = 2;                        \
		(message)->credits = &rules_given.credits;                                                             \
	} while (0)

/* Creates the key in keyspace "prod" of tenant "acme". */
struct loop_answer rules_create(Latchkey__V1__CreateKeyRequest *request, enum lk_err expected);
/* A key with all of rules_given. */
struct fixture_key rules_make_full_key(void);

/* Fails the test unless the key has all of rules_given, with this balance; or has none of it. */
void rules_assert_full(const Latchkey__V1__Key *key, uint64_t balance);
void rules_assert_plain(const Latchkey__V1__Key *key);

#endif
