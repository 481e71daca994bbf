/*
 * Calls of BulkRevoke in tenant "acme" in a line each, and the many keys that they are about. `caller` NULL: the operator.
 */
#ifndef LK_TESTS_UNIT_SERVICE_BULK_CALLS_H
#define LK_TESTS_UNIT_SERVICE_BULK_CALLS_H

#include <stdbool.h>

#include "tests/unit/service/service_fixture.h"

/* More than two parts. */
#define BULK_MANY 1100

#define VALID     LATCHKEY__V1__VERIFY_CODE__VERIFY_CODE_VALID
#define REVOKED   LATCHKEY__V1__VERIFY_CODE__VERIFY_CODE_REVOKED
#define NOT_FOUND LATCHKEY__V1__VERIFY_CODE__VERIFY_CODE_NOT_FOUND

/* Makes keys of one owner, several at a time; each is to be done with. */
void bulk_make_keys(const char *keyspace, const char *owner, struct fixture_key *keys, size_t count);
void bulk_keys_done(struct fixture_key *keys, size_t count);
/* How many of them verify with this code. */
size_t bulk_count_code(const struct fixture_key *keys, size_t count, Latchkey__V1__VerifyCode code);

/* How far a call says that it came, its token copied. */
struct bulk_progress {
	uint64_t total;
	uint64_t revoked;
	bool done;
	char token[1024];
	size_t n_sample;
};

/* Each fails the test where it is refused. */
struct bulk_progress bulk_call_as(const struct fixture_key *caller, const Latchkey__V1__BulkRevokeKeysRequest *request);
struct bulk_progress bulk_go_on(const struct fixture_key *caller, const char *token);
/* Fails the test unless it is refused so, and `words` are in what the answer says. */
void bulk_refuse_as(const struct fixture_key *caller, const Latchkey__V1__BulkRevokeKeysRequest *request,
	enum lk_err expected, const char *words);

/* A request by a filter; NULL: none. */
Latchkey__V1__BulkRevokeKeysRequest bulk_request_of(Latchkey__V1__KeyFilter *filter);

#endif
