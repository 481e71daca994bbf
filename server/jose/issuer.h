/*
 * The keys of one issuer at work: read in the background, again every so often, and where a token names one that is not known.
 *
 * A thread of its own reads them, so that no call ever waits for that. What cannot be had leaves the keys that are there as
 * they are, for as long as it takes: an issuer that is down for a while takes nobody's calls away.
 */
#ifndef LK_SERVER_JOSE_ISSUER_H
#define LK_SERVER_JOSE_ISSUER_H

#include <latchkey/error.h>

#include "server/jose/issuer_config.h"
#include "server/jose/keyset.h"
#include "server/jose/source.h"

struct lk_issuer;

/*
 * Reads the keys from a file at once, or begins to fetch those of a URL, without waiting for them; starts the thread. The
 * configuration is borrowed. With `ret_why`: what lk_source_read() says of a file; LK_RESOURCE_EXHAUSTED: no thread.
 * LK_NO_MEMORY.
 */
LK_MUST_CHECK enum lk_err lk_issuer_open(
	const struct lk_issuer_config *config, struct lk_issuer **ret_issuer, char ret_why[static LK_SOURCE_WHY_LEN]);

/*
 * Begins to end the thread, and waits for nothing; its keys can still be found. Before lk_issuer_close() of several, none
 * waits for another.
 */
void lk_issuer_tell_to_end(struct lk_issuer *issuer);

/* Ends the thread, about a second after where it is fetching; frees. Takes NULL. */
void lk_issuer_close(struct lk_issuer *issuer);

const struct lk_issuer_config *lk_issuer_config(const struct lk_issuer *issuer);

/*
 * Finds the key of a token (lk_keyset_find()), in the set that there is now: `*ret_set`, held for the caller, to be dropped.
 * Any thread; waits for nothing but a short lock.
 *
 * LK_UNAVAILABLE: it is not known, and the keys are being read: a retry may find it. LK_UNAUTHENTICATED: there is none, with
 * a static text for a log. Unknown ones have the keys read again, once in jwks_min_interval_s at most.
 */
LK_MUST_CHECK enum lk_err lk_issuer_find_key(struct lk_issuer *issuer, enum lk_jose_algorithm algorithm,
	const char *kid, struct lk_keyset **ret_set, const struct lk_jwk **ret_key, const char **ret_why);

#endif
