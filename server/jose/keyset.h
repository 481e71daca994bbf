/*
 * A JSON Web Key Set (RFC 7517 section 5): the keys of an issuer at one time. Never changed once it is made, and shared by
 * count: any thread.
 */
#ifndef LK_SERVER_JOSE_KEYSET_H
#define LK_SERVER_JOSE_KEYSET_H

#include <stdbool.h>
#include <stddef.h>

#include "server/jose/jwk.h"

#define LK_KEYSET_KEYS_MAX 64

struct lk_keyset;

/*
 * Reads a set, and holds it once. Keys that cannot check signatures here, and those whose kid an earlier one has, are left
 * out, and logged under the name of the `issuer`. NULL on success; else a static text of what is wrong: no JSON, no "keys",
 * more than LK_KEYSET_KEYS_MAX, no memory. A set without any key of use is one nevertheless: it takes all trust back.
 */
const char *lk_keyset_read(const char *text, size_t len, const char *issuer, struct lk_keyset **ret_set);

/* Holds it once more; returns it. */
struct lk_keyset *lk_keyset_hold(struct lk_keyset *set);
/* Lets go of it; the last one frees it. Takes NULL. */
void lk_keyset_drop(struct lk_keyset *set);

size_t lk_keyset_count(const struct lk_keyset *set);
/* Whether a shared secret is among its keys. */
bool lk_keyset_holds_secret(const struct lk_keyset *set);

enum lk_keyset_answer {
	LK_KEYSET_FOUND,
	/* No key of this kid; or, without one, none that fits the algorithm. */
	LK_KEYSET_UNKNOWN,
	/* The key of this kid is not for this algorithm. */
	LK_KEYSET_MISFIT,
	/* There is no kid, and more than one key fits. */
	LK_KEYSET_AMBIGUOUS,
};

/* Finds the key of a token; `kid` NULL: it names none, and the only key that fits is meant. Good as long as the set is held. */
enum lk_keyset_answer lk_keyset_find(
	const struct lk_keyset *set, enum lk_jose_algorithm algorithm, const char *kid, const struct lk_jwk **ret_key);

#endif
