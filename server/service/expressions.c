#include "server/service/expressions.h"

#include <sodium.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* `expression` NULL: free. */
struct place {
	struct lk_expression *expression;
	/* By whom it was got and not yet released. */
	size_t holders;
	/* The clock when it was last asked for. */
	uint64_t used;
};

/* Hashes stand together, for they are all that is looked at of most places. */
struct table {
	uint64_t hashes[LK_EXPRESSIONS_KEPT];
	struct place places[LK_EXPRESSIONS_KEPT];
};

struct lk_expressions {
	/* NULL until the first expression is kept. */
	struct table *table;
	uint64_t clock;
	/* Characters of all that are kept. */
	size_t len;
};

enum lk_err lk_expressions_new(struct lk_expressions **ret_expressions)
{
	struct lk_expressions *expressions = calloc(1, sizeof *expressions);

	if (expressions == NULL) {
		return LK_NO_MEMORY;
	}
	*ret_expressions = expressions;
	return LK_OK;
}

void lk_expressions_free(struct lk_expressions *expressions)
{
	if (expressions == NULL) {
		return;
	}
	for (size_t i = 0; expressions->table != NULL && i < LK_EXPRESSIONS_KEPT; i++) {
		lk_expression_free(expressions->table->places[i].expression);
	}
	free(expressions->table);
	free(expressions);
}

/* No secret goes into it: whoever makes texts of one hash makes them be compared, and no more. */
static uint64_t hash_of(const char *text, size_t len)
{
	static const uint8_t key[crypto_shorthash_KEYBYTES];
	uint8_t bytes[crypto_shorthash_BYTES];
	uint64_t hash = 0;

	_Static_assert(sizeof bytes == sizeof hash, "the hash is one number");
	(void)crypto_shorthash(bytes, (const uint8_t *)text, len, key);
	memcpy(&hash, bytes, sizeof hash);
	return hash;
}

static bool is_text(const struct lk_expression *expression, const char *text, size_t len)
{
	size_t own_len = 0;
	const char *own = lk_expression_text(expression, &own_len);

	return own_len == len && memcmp(own, text, len) == 0;
}

/* NULL: it is not kept. */
static struct place *find(struct table *table, uint64_t hash, const char *text, size_t len)
{
	for (size_t i = 0; table != NULL && i < LK_EXPRESSIONS_KEPT; i++) {
		struct place *place = &table->places[i];
		if (table->hashes[i] == hash && place->expression != NULL && is_text(place->expression, text, len)) {
			return place;
		}
	}
	return NULL;
}

/* The place that was not used for longest, a free one first; NULL where all are held. */
static struct place *find_oldest(struct table *table, bool taken)
{
	struct place *oldest = NULL;

	for (size_t i = 0; i < LK_EXPRESSIONS_KEPT; i++) {
		struct place *place = &table->places[i];
		if (place->holders == 0 && (!taken || place->expression != NULL) &&
			(oldest == NULL || place->used < oldest->used)) {
			oldest = place;
		}
	}
	return oldest;
}

static void vacate(struct lk_expressions *expressions, struct place *place)
{
	size_t len = 0;

	if (place->expression != NULL) {
		(void)lk_expression_text(place->expression, &len);
		expressions->len -= len;
		lk_expression_free(place->expression);
	}
	*place = (struct place){.expression = NULL};
}

/* A free place for a text of `len`; NULL where those that are held leave none. */
static struct place *make_room(struct lk_expressions *expressions, size_t len)
{
	struct place *place = NULL;

	if (expressions->table == NULL) {
		expressions->table = calloc(1, sizeof *expressions->table);
	}
	if (expressions->table == NULL) {
		return NULL;
	}
	while (expressions->len + len > LK_EXPRESSIONS_LEN) {
		place = find_oldest(expressions->table, true);
		if (place == NULL) {
			return NULL;
		}
		vacate(expressions, place);
	}
	place = find_oldest(expressions->table, false);
	if (place != NULL) {
		vacate(expressions, place);
	}
	return place;
}

static void keep(struct lk_expressions *expressions, uint64_t hash, struct lk_expression *expression, size_t len)
{
	struct place *place = make_room(expressions, len);

	if (place != NULL) {
		*place = (struct place){.expression = expression, .holders = 1, .used = ++expressions->clock};
		expressions->table->hashes[place - expressions->table->places] = hash;
		expressions->len += len;
	}
}

enum lk_err lk_expressions_get(struct lk_expressions *expressions, const char *text, size_t len,
	const struct lk_expression **ret_expression, char ret_fault[static LK_EXPRESSION_FAULT_LEN])
{
	struct lk_expression *compiled = NULL;
	uint64_t hash = 0;

	if (expressions != NULL) {
		hash = hash_of(text, len);
		struct place *place = find(expressions->table, hash, text, len);
		if (place != NULL) {
			place->holders++;
			place->used = ++expressions->clock;
			*ret_expression = place->expression;
			return LK_OK;
		}
	}
	enum lk_err err = lk_expression_compile(text, len, &compiled, ret_fault);
	if (err != LK_OK) {
		return err;
	}
	if (expressions != NULL) {
		keep(expressions, hash, compiled, len);
	}
	*ret_expression = compiled;
	return LK_OK;
}

void lk_expressions_release(struct lk_expressions *expressions, const struct lk_expression *expression)
{
	struct table *table = expressions == NULL ? NULL : expressions->table;

	if (expression == NULL) {
		return;
	}
	for (size_t i = 0; table != NULL && i < LK_EXPRESSIONS_KEPT; i++) {
		if (table->places[i].expression == expression) {
			table->places[i].holders--;
			return;
		}
	}
	/* It found no place. */
	lk_expression_free(expression);
}
