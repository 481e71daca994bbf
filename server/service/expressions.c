#include "server/service/expressions.h"

#include <pthread.h>
#include <sodium.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* A text may stand in one stripe alone, in any of its places. */
#define STRIPES 64
#define PLACES  16

/* Of most processors; a stripe is no other's neighbour in it. */
#define LINE_LEN 64

struct place {
	/* NULL: free. */
	struct lk_expression *expression;
	uint64_t hash;
	/* The stripe's clock when it was last asked for. */
	uint64_t used;
};

struct stripe {
	_Alignas(LINE_LEN) pthread_mutex_t lock;
	uint64_t clock;
	struct place places[PLACES];
};

struct lk_expressions {
	struct stripe stripes[STRIPES];
	size_t n_locks;
	/* Random, so that nobody can make texts that all stand in one stripe. */
	uint8_t hash_key[crypto_shorthash_KEYBYTES];
};

enum lk_err lk_expressions_new(struct lk_expressions **ret_expressions)
{
	struct lk_expressions *expressions = aligned_alloc(LINE_LEN, sizeof *expressions);

	if (expressions == NULL) {
		return LK_NO_MEMORY;
	}
	memset(expressions, 0, sizeof *expressions);
	randombytes_buf(expressions->hash_key, sizeof expressions->hash_key);
	while (expressions->n_locks < STRIPES) {
		if (pthread_mutex_init(&expressions->stripes[expressions->n_locks].lock, NULL) != 0) {
			lk_expressions_free(expressions);
			return LK_NO_MEMORY;
		}
		expressions->n_locks++;
	}
	*ret_expressions = expressions;
	return LK_OK;
}

void lk_expressions_free(struct lk_expressions *expressions)
{
	if (expressions == NULL) {
		return;
	}
	for (size_t i = 0; i < expressions->n_locks; i++) {
		struct stripe *stripe = &expressions->stripes[i];
		for (size_t j = 0; j < PLACES; j++) {
			lk_expression_free(stripe->places[j].expression);
		}
		(void)pthread_mutex_destroy(&stripe->lock);
	}
	free(expressions);
}

static uint64_t hash_of(const struct lk_expressions *expressions, const char *text, size_t len)
{
	uint8_t bytes[crypto_shorthash_BYTES];
	uint64_t hash = 0;

	_Static_assert(sizeof bytes == sizeof hash, "the hash is one number");
	(void)crypto_shorthash(bytes, (const uint8_t *)text, len, expressions->hash_key);
	memcpy(&hash, bytes, sizeof hash);
	return hash;
}

static bool is_text(const struct lk_expression *expression, const char *text, size_t len)
{
	size_t own_len = 0;
	const char *own = lk_expression_text(expression, &own_len);

	return own_len == len && memcmp(own, text, len) == 0;
}

/* The place of a text; else the one that a new text takes: a free one, or the one that was asked for longest ago. */
static struct place *find_place(struct stripe *stripe, uint64_t hash, const char *text, size_t len, bool *ret_found)
{
	struct place *oldest = &stripe->places[0];

	for (size_t i = 0; i < PLACES; i++) {
		struct place *place = &stripe->places[i];
		if (place->expression != NULL && place->hash == hash && is_text(place->expression, text, len)) {
			*ret_found = true;
			return place;
		}
		/* A free place was never used. */
		oldest = place->used < oldest->used ? place : oldest;
	}
	*ret_found = false;
	return oldest;
}

/* The expression in the stripe, held once more; NULL: it is not there. */
static const struct lk_expression *look_up(struct stripe *stripe, uint64_t hash, const char *text, size_t len)
{
	const struct lk_expression *expression = NULL;
	bool found = false;

	(void)pthread_mutex_lock(&stripe->lock);
	struct place *place = find_place(stripe, hash, text, len, &found);
	if (found) {
		place->used = ++stripe->clock;
		expression = place->expression;
		lk_expression_hold(expression);
	}
	(void)pthread_mutex_unlock(&stripe->lock);
	return expression;
}

/* Puts an expression into the stripe, where another thread has not done so meanwhile. */
static void keep(struct stripe *stripe, uint64_t hash, struct lk_expression *expression)
{
	struct lk_expression *replaced = NULL;
	size_t len = 0;
	const char *text = lk_expression_text(expression, &len);
	bool found = false;

	(void)pthread_mutex_lock(&stripe->lock);
	struct place *place = find_place(stripe, hash, text, len, &found);
	if (!found) {
		replaced = place->expression;
		*place = (struct place){.expression = expression, .hash = hash, .used = ++stripe->clock};
		lk_expression_hold(expression);
	}
	(void)pthread_mutex_unlock(&stripe->lock);
	lk_expression_free(replaced);
}

enum lk_err lk_expressions_get(struct lk_expressions *expressions, const char *text, size_t len,
	const struct lk_expression **ret_expression, char ret_fault[static LK_EXPRESSION_FAULT_LEN])
{
	struct lk_expression *compiled = NULL;
	struct stripe *stripe = NULL;
	uint64_t hash = 0;

	if (expressions != NULL) {
		hash = hash_of(expressions, text, len);
		stripe = &expressions->stripes[hash % STRIPES];
		const struct lk_expression *known = look_up(stripe, hash, text, len);
		if (known != NULL) {
			*ret_expression = known;
			return LK_OK;
		}
	}
	enum lk_err err = lk_expression_compile(text, len, &compiled, ret_fault);
	if (err != LK_OK) {
		return err;
	}
	if (stripe != NULL) {
		keep(stripe, hash, compiled);
	}
	*ret_expression = compiled;
	return LK_OK;
}

void lk_expressions_release(struct lk_expressions *expressions, const struct lk_expression *expression)
{
	/* It knows by itself who else holds it. */
	(void)expressions;
	lk_expression_free(expression);
}
