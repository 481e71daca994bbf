#include "server/jose/issuer.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "server/core/time.h"
#include "server/log.h"

/* A failure doubles the time to the next try, up to this often. */
#define DOUBLINGS_MAX 6

struct lk_issuer {
	const struct lk_issuer_config *config;
	pthread_t thread;
	bool has_thread;
	/* Read by a fetch that is under way, which holds no lock. */
	atomic_bool stop;
	/* The thread's own. */
	uint8_t digest[LK_SOURCE_DIGEST_LEN];

	pthread_mutex_t lock;
	/* Something below has changed. Waits go by CLOCK_MONOTONIC. */
	pthread_cond_t wake;
	/* NULL: none were ever read. */
	struct lk_keyset *keys;
	bool reading;
	/* A token named a key that is not known. */
	bool wanted;
	/* Whether they were ever tried to be read, and when that ended, on CLOCK_MONOTONIC. */
	bool tried;
	int64_t ended_us;
	/* In a row. */
	unsigned failures;
};

static int64_t clock_us(void)
{
	struct timespec now = {0};

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * LK_US_PER_SECOND + now.tv_nsec / 1000;
}

static int64_t min_interval_us(const struct lk_issuer *issuer)
{
	return (int64_t)issuer->config->jwks_min_interval_s * LK_US_PER_SECOND;
}

/* How long the keys rest as things stand, if nobody asks for more. */
static int64_t rest_us(const struct lk_issuer *issuer)
{
	int64_t refresh_us = (int64_t)issuer->config->jwks_refresh_s * LK_US_PER_SECOND;

	if (issuer->failures == 0) {
		return refresh_us;
	}
	unsigned doublings = issuer->failures - 1 < DOUBLINGS_MAX ? issuer->failures - 1 : DOUBLINGS_MAX;
	int64_t retry_us = min_interval_us(issuer) << doublings;
	return retry_us < refresh_us ? retry_us : refresh_us;
}

/* When they are to be read next. Under the lock. */
static int64_t due_us(const struct lk_issuer *issuer)
{
	int64_t wait_us = rest_us(issuer);

	if (!issuer->tried) {
		return 0;
	}
	if (issuer->wanted && min_interval_us(issuer) < wait_us) {
		wait_us = min_interval_us(issuer);
	}
	return issuer->ended_us + wait_us;
}

/* Takes what was read, or what went wrong. Under the lock; logs without it would be out of order. */
static void finish(struct lk_issuer *issuer, enum lk_err err, struct lk_keyset *set, const char *why)
{
	const char *name = issuer->config->name;

	issuer->reading = false;
	issuer->wanted = false;
	issuer->tried = true;
	issuer->ended_us = clock_us();
	issuer->failures = err == LK_OK ? 0 : issuer->failures + 1;
	if (set != NULL) {
		lk_keyset_drop(issuer->keys);
		issuer->keys = set;
		LK_LOG(lk_keyset_count(set) > 0 ? LK_LOG_INFO : LK_LOG_WARN, "issuer's keys read",
			LK_STR("issuer", name), LK_UINT("keys", lk_keyset_count(set)));
	}
	if (err != LK_OK && !atomic_load(&issuer->stop)) {
		LK_LOG(LK_LOG_WARN, "cannot read an issuer's keys", LK_STR("issuer", name), LK_STR("error", why),
			LK_UINT("failures", issuer->failures), LK_FLAG("stale", issuer->keys != NULL),
			LK_INT("again_s", rest_us(issuer) / LK_US_PER_SECOND));
	}
}

/* Under the lock, which is let go while it reads. */
static enum lk_err read_keys(struct lk_issuer *issuer, char ret_why[static LK_SOURCE_WHY_LEN])
{
	struct lk_keyset *set = NULL;

	issuer->reading = true;
	(void)pthread_mutex_unlock(&issuer->lock);
	enum lk_err err = lk_source_read(issuer->config, &issuer->stop, issuer->digest, &set, ret_why);
	if (err == LK_NO_MEMORY) {
		(void)snprintf(ret_why, LK_SOURCE_WHY_LEN, "out of memory");
	}
	(void)pthread_mutex_lock(&issuer->lock);
	finish(issuer, err, set, ret_why);
	return err;
}

static void *run(void *context)
{
	struct lk_issuer *issuer = context;
	char why[LK_SOURCE_WHY_LEN] = "";

	(void)pthread_mutex_lock(&issuer->lock);
	while (!atomic_load(&issuer->stop)) {
		int64_t due = due_us(issuer);
		const struct timespec until = {
			.tv_sec = (time_t)(due / LK_US_PER_SECOND),
			.tv_nsec = (long)(due % LK_US_PER_SECOND * 1000),
		};
		if (clock_us() < due) {
			(void)pthread_cond_timedwait(&issuer->wake, &issuer->lock, &until);
		} else {
			(void)!read_keys(issuer, why);
		}
	}
	(void)pthread_mutex_unlock(&issuer->lock);
	return NULL;
}

static void init_lock(struct lk_issuer *issuer)
{
	pthread_condattr_t attributes;

	(void)pthread_mutex_init(&issuer->lock, NULL);
	(void)pthread_condattr_init(&attributes);
	(void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&issuer->wake, &attributes);
	(void)pthread_condattr_destroy(&attributes);
}

enum lk_err lk_issuer_open(
	const struct lk_issuer_config *config, struct lk_issuer **ret_issuer, char ret_why[static LK_SOURCE_WHY_LEN])
{
	struct lk_issuer *issuer = calloc(1, sizeof *issuer);
	enum lk_err err = LK_OK;

	ret_why[0] = '\0';
	if (issuer == NULL) {
		return LK_NO_MEMORY;
	}
	issuer->config = config;
	atomic_init(&issuer->stop, false);
	init_lock(issuer);
	if (config->jwks_file != NULL) {
		(void)pthread_mutex_lock(&issuer->lock);
		err = read_keys(issuer, ret_why);
		(void)pthread_mutex_unlock(&issuer->lock);
	}
	if (err == LK_OK) {
		issuer->has_thread = pthread_create(&issuer->thread, NULL, run, issuer) == 0;
		err = issuer->has_thread ? LK_OK : LK_RESOURCE_EXHAUSTED;
	}
	if (err != LK_OK) {
		lk_issuer_close(issuer);
		return err;
	}
	*ret_issuer = issuer;
	return LK_OK;
}

void lk_issuer_tell_to_end(struct lk_issuer *issuer)
{
	(void)pthread_mutex_lock(&issuer->lock);
	atomic_store(&issuer->stop, true);
	(void)pthread_cond_broadcast(&issuer->wake);
	(void)pthread_mutex_unlock(&issuer->lock);
}

void lk_issuer_close(struct lk_issuer *issuer)
{
	if (issuer == NULL) {
		return;
	}
	lk_issuer_tell_to_end(issuer);
	if (issuer->has_thread) {
		(void)pthread_join(issuer->thread, NULL);
	}
	lk_keyset_drop(issuer->keys);
	(void)pthread_cond_destroy(&issuer->wake);
	(void)pthread_mutex_destroy(&issuer->lock);
	free(issuer);
}

const struct lk_issuer_config *lk_issuer_config(const struct lk_issuer *issuer)
{
	return issuer->config;
}

/* Has the keys read again, now or when they may be. Whether to wait for that: under the lock. */
static enum lk_err want_more(struct lk_issuer *issuer, const char **ret_why)
{
	bool soon = issuer->keys == NULL || issuer->reading || clock_us() >= issuer->ended_us + min_interval_us(issuer);

	if (!issuer->reading && !issuer->wanted) {
		issuer->wanted = true;
		(void)pthread_cond_signal(&issuer->wake);
	}
	*ret_why = soon ? "the issuer's keys are being read" : "no key of the issuer has this kid, or fits this alg";
	return soon ? LK_UNAVAILABLE : LK_UNAUTHENTICATED;
}

enum lk_err lk_issuer_find_key(struct lk_issuer *issuer, enum lk_jose_algorithm algorithm, const char *kid,
	struct lk_keyset **ret_set, const struct lk_jwk **ret_key, const char **ret_why)
{
	enum lk_keyset_answer answer = LK_KEYSET_UNKNOWN;
	enum lk_err err = LK_UNAUTHENTICATED;

	(void)pthread_mutex_lock(&issuer->lock);
	if (issuer->keys != NULL) {
		answer = lk_keyset_find(issuer->keys, algorithm, kid, ret_key);
	}
	if (answer == LK_KEYSET_FOUND) {
		*ret_set = lk_keyset_hold(issuer->keys);
		err = LK_OK;
	} else if (answer == LK_KEYSET_UNKNOWN) {
		err = want_more(issuer, ret_why);
	} else {
		*ret_why = answer == LK_KEYSET_MISFIT ? "the key of this kid is not for this alg"
						      : "no kid, and more than one key fits";
	}
	(void)pthread_mutex_unlock(&issuer->lock);
	return err;
}
