/*
 * The gates of Verify: pure rules over the facts that the store looked up. The first gate that refuses gives the code.
 */
#ifndef LK_SERVER_CORE_VERDICT_H
#define LK_SERVER_CORE_VERDICT_H

#include <stdbool.h>
#include <stdint.h>

#include "latchkey/store/record.pb-c.h"
#include "latchkey/v1/key.pb-c.h"

/* What the verdict and gate records say of a key that was found. */
struct lk_verdict_facts {
	int64_t expire_us;
	int64_t not_before_us;
	Latchkey__Store__StoredState state;
	/* The keyspace that was asked for is one in which the key is good, or none was asked for. */
	bool keyspace_fits;
};

/*
 * Runs the gates for a key that was found, at `now_us`: REVOKED, EXPIRED (from the very instant of expire_us), NOT_YET_VALID
 * (before not_before_us), WRONG_KEYSPACE, VALID. A table of gates, walked in order.
 */
Latchkey__V1__VerifyCode lk_verdict_decide(const struct lk_verdict_facts *facts, int64_t now_us);

/* The code for a token that was not found: MALFORMED where its length, bytes or checksum show that it was not issued here. */
Latchkey__V1__VerifyCode lk_verdict_of_unknown(const char *token, size_t token_len);

/* Whether a token may be looked up at all: at most LK_TOKEN_MAX bytes, all of them printable ASCII. */
bool lk_verdict_can_look_up(const char *token, size_t token_len);

#endif
