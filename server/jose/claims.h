/*
 * The claims of a token (RFC 7519 section 4), once its signature was found good: whether it is for us, and now. Pure.
 */
#ifndef LK_SERVER_JOSE_CLAIMS_H
#define LK_SERVER_JOSE_CLAIMS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "server/jose/issuer_config.h"

/*
 * The claim that `path` names: a member of that very name, dots and all ("https://example.com/roles"), or else one step a dot
 * ("realm_access.roles"). NULL where there is none. Borrowed.
 */
const json_t *lk_claim_find(const json_t *claims, const char *path);

/*
 * Whether a claim says `value`: a text that is it, true or false where it is that word, or an array one of whose members does. Of
 * "scope" (RFC 8693 section 4.2) also where it is one of the words of the text. NULL says nothing.
 */
bool lk_claim_says(const json_t *claim, const char *name, const char *value);

/* Whether the condition holds; the one without a claim always does. */
bool lk_claims_meet(const json_t *claims, const struct lk_issuer_condition *condition);

/*
 * Checks iss, aud, exp, nbf, iat and the required claims. `now_us` is CLOCK_REALTIME. NULL on success, and then
 * `ret_expire_us` is exp in microseconds; else a static text of what is wrong, for a log, without any value.
 */
const char *lk_claims_check(
	const json_t *claims, const struct lk_issuer_config *config, int64_t now_us, int64_t *ret_expire_us);

#endif
