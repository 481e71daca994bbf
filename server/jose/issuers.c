#include "server/jose/issuers.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "server/core/time.h"
#include "server/jose/claims.h"
#include "server/jose/issuer.h"
#include "server/jose/jws.h"
#include "server/jose/verify.h"
#include "server/log.h"

/* What a log tells of what a stranger wrote. */
#define LOG_KID_MAX ((size_t)64)
#define LOG_ALG_MAX ((size_t)16)

struct lk_issuers {
	size_t count;
	struct lk_issuer *issuers[LK_ISSUERS_MAX];
	/* When the log's allowance is full again, on CLOCK_MONOTONIC; and what was not logged. */
	atomic_int_fast64_t log_full_us;
	atomic_uint_fast64_t log_left_out;
};

enum lk_err lk_issuers_start(const struct lk_issuer_config *configs, size_t count, struct lk_issuers **ret_issuers)
{
	struct lk_issuers *issuers = calloc(1, sizeof *issuers);
	char why[LK_SOURCE_WHY_LEN] = "";
	enum lk_err err = issuers == NULL ? LK_NO_MEMORY : LK_OK;

	/* One that fails does not hide what is wrong with the next. */
	for (size_t i = 0; issuers != NULL && i < count; i++) {
		enum lk_err failure = lk_issuer_open(&configs[i], &issuers->issuers[issuers->count], why);
		if (failure == LK_OK) {
			issuers->count++;
		} else {
			err = failure;
			LK_LOG(LK_LOG_ERROR, "cannot start with an issuer", LK_STR("issuer", configs[i].name),
				LK_STR("error", why), LK_STR("code", lk_err_name(failure)));
		}
	}
	if (err != LK_OK) {
		lk_issuers_stop(issuers);
		return err;
	}
	*ret_issuers = issuers;
	return LK_OK;
}

void lk_issuers_stop(struct lk_issuers *issuers)
{
	if (issuers == NULL) {
		return;
	}
	/* Each may be fetching, and ends in about a second: all of them in the same one. */
	for (size_t i = 0; i < issuers->count; i++) {
		lk_issuer_tell_to_end(issuers->issuers[i]);
	}
	for (size_t i = 0; i < issuers->count; i++) {
		lk_issuer_close(issuers->issuers[i]);
	}
	free(issuers);
}

/* Takes one line out of the log's allowance (the generic cell rate algorithm). */
static bool may_log(struct lk_issuers *issuers)
{
	const int64_t step_us = LK_US_PER_SECOND / LK_ISSUERS_LOG_RATE;
	int_fast64_t before_us = atomic_load(&issuers->log_full_us);
	struct timespec now = {0};
	int64_t after_us = 0;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	int64_t now_us = (int64_t)now.tv_sec * LK_US_PER_SECOND + now.tv_nsec / 1000;
	do {
		after_us = (before_us > now_us ? before_us : now_us) + step_us;
		if (after_us - now_us > LK_ISSUERS_LOG_BURST * step_us) {
			return false;
		}
	} while (!atomic_compare_exchange_weak(&issuers->log_full_us, &before_us, after_us));
	return true;
}

static size_t bounded(const char *text, size_t max)
{
	return text == NULL ? 0 : strnlen(text, max);
}

static void log_refusal(
	struct lk_issuers *issuers, const struct lk_issuer *issuer, const struct lk_jws *jws, const char *why)
{
	if (!may_log(issuers)) {
		atomic_fetch_add(&issuers->log_left_out, 1);
		return;
	}
	LK_LOG(LK_LOG_INFO, "token refused", LK_STR("issuer", issuer == NULL ? "" : lk_issuer_config(issuer)->name),
		LK_SPAN("kid", jws->kid, bounded(jws->kid, LOG_KID_MAX)),
		LK_SPAN("alg", jws->alg, bounded(jws->alg, LOG_ALG_MAX)), LK_STR("reason", why),
		LK_UINT("left_out", atomic_exchange(&issuers->log_left_out, 0)));
}

/* The issuer that a token says it is of; whether that is so, its signature will tell. */
static struct lk_issuer *find_issuer(const struct lk_issuers *issuers, const struct lk_jws *jws)
{
	const char *said = json_string_value(json_object_get(jws->payload, "iss"));

	for (size_t i = 0; said != NULL && i < issuers->count; i++) {
		if (strcmp(said, lk_issuer_config(issuers->issuers[i])->issuer) == 0) {
			return issuers->issuers[i];
		}
	}
	return NULL;
}

static enum lk_err check_signature(struct lk_issuer *issuer, const struct lk_jws *jws, const char **ret_why)
{
	const struct lk_jwk *key = NULL;
	struct lk_keyset *set = NULL;

	if ((lk_issuer_config(issuer)->algorithms & UINT64_C(1) << jws->algorithm) == 0) {
		*ret_why = "alg is none that the issuer may use";
		return LK_UNAUTHENTICATED;
	}
	enum lk_err err = lk_issuer_find_key(issuer, jws->algorithm, jws->kid, &set, &key, ret_why);
	if (err != LK_OK) {
		return err;
	}
	if (!lk_jws_verify(jws, key)) {
		*ret_why = "the signature is not good";
		err = LK_UNAUTHENTICATED;
	}
	lk_keyset_drop(set);
	return err;
}

/* Looks at a token that was taken apart; with `*ret_why` for the log where it is not good. */
static enum lk_err judge(struct lk_issuer *issuer, const struct lk_jws *jws, struct lk_arena *arena, int64_t now_us,
	struct lk_identity *ret_identity, const char **ret_why)
{
	enum lk_err err = check_signature(issuer, jws, ret_why);

	if (err != LK_OK) {
		return err;
	}
	*ret_why = lk_claims_check(jws->payload, lk_issuer_config(issuer), now_us, &ret_identity->expire_us);
	if (*ret_why == NULL) {
		*ret_why = lk_identity_make(arena, lk_issuer_config(issuer), jws->payload, ret_identity);
	}
	if (arena->exhausted) {
		return LK_NO_MEMORY;
	}
	return *ret_why == NULL ? LK_OK : LK_UNAUTHENTICATED;
}

enum lk_err lk_issuers_identify(struct lk_issuers *issuers, struct lk_arena *arena, const char *token, size_t len,
	int64_t now_us, struct lk_identity *ret_identity, const char **ret_message)
{
	struct lk_identity identity = {0};
	struct lk_issuer *issuer = NULL;
	struct lk_jws jws = {0};
	enum lk_err err = LK_UNAUTHENTICATED;
	const char *why = lk_jws_parse(token, len, &jws);

	if (why == NULL) {
		issuer = find_issuer(issuers, &jws);
		why = "iss is no issuer's that is configured";
		err = issuer == NULL ? LK_UNAUTHENTICATED : judge(issuer, &jws, arena, now_us, &identity, &why);
	}
	if (err == LK_OK) {
		*ret_identity = identity;
	} else if (err == LK_UNAUTHENTICATED) {
		log_refusal(issuers, issuer, &jws, why);
		*ret_message = "invalid token";
	} else if (err == LK_UNAVAILABLE) {
		*ret_message = lk_arena_printf(
			arena, "the keys of issuer %s are being fetched: try again", lk_issuer_config(issuer)->name);
	}
	lk_jws_done(&jws);
	return err == LK_UNAVAILABLE && *ret_message == NULL ? LK_NO_MEMORY : err;
}
