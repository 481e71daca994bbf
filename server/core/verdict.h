/*
 * The gates of Verify: pure rules over the facts that the store looked up. The first gate that refuses gives the code.
 */
#ifndef LK_SERVER_CORE_VERDICT_H
#define LK_SERVER_CORE_VERDICT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "latchkey/store/record.pb-c.h"
#include "latchkey/v1/key.pb-c.h"

/* What the verdict and gate records say of a key that was found. */
struct lk_verdict_facts {
	int64_t expire_us;
	int64_t not_before_us;
	Latchkey__Store__StoredState state;
	/* The secret is one that Rotate replaced, and good until, but not at, replaced_until_us. */
	bool replaced;
	int64_t replaced_until_us;
	/* The keyspace that was asked for is one in which the key is good, or none was asked for. */
	bool keyspace_fits;
	/* The key's list of addresses and its keyspace's hold the one that the token was used from, or are empty. */
	bool ip_fits;
	/* The key's holder may do what was asked for, or nothing was. */
	bool permitted;
};

/*
 * Runs the gates for a key that was found, at `now_us`: REVOKED (also a replaced secret, from the very instant of its end),
 * EXPIRED (from the very instant of expire_us), SUSPENDED, NOT_YET_VALID (before not_before_us), WRONG_KEYSPACE, IP_DENIED,
 * INSUFFICIENT_PERMISSIONS, VALID. A table of gates, walked in order. What a use costs comes behind them.
 */
Latchkey__V1__VerifyCode lk_verdict_decide(const struct lk_verdict_facts *facts, int64_t now_us);

/* Whether the gate that gives `code` refuses, whatever those before it say. False of a code that none of the above gives. */
bool lk_verdict_refuses(Latchkey__V1__VerifyCode code, const struct lk_verdict_facts *facts, int64_t now_us);

/*
 * When the secret of a VALID verdict ends because it was replaced, in microseconds: no later than the key itself. 0: it was not
 * replaced.
 */
int64_t lk_verdict_secret_end(const struct lk_verdict_facts *facts);

/*
 * The code for a token that was not found: MALFORMED where its length, bytes or checksum show that it was not issued here. Where
 * keys were imported, whose tokens have no checksum (`imports`), only its length and bytes can; nor has one that looks like a
 * JWT.
 */
Latchkey__V1__VerifyCode lk_verdict_of_unknown(const char *token, size_t token_len, bool imports);

/* Whether a token may be looked up at all: at most LK_TOKEN_MAX bytes, all of them printable ASCII. */
bool lk_verdict_can_look_up(const char *token, size_t token_len);

#endif
