#include "server/jose/keyset.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "server/jose/text.h"
#include "server/log.h"

struct lk_keyset {
	atomic_uint holders;
	size_t count;
	struct lk_jwk keys[LK_KEYSET_KEYS_MAX];
};

static const struct lk_jwk *find_kid(const struct lk_keyset *set, const char *kid)
{
	for (size_t i = 0; i < set->count; i++) {
		if (set->keys[i].kid != NULL && strcmp(set->keys[i].kid, kid) == 0) {
			return &set->keys[i];
		}
	}
	return NULL;
}

static void add(struct lk_keyset *set, const json_t *object, size_t index, const char *issuer)
{
	struct lk_jwk jwk = {0};
	const char *fault = lk_jwk_read(object, &jwk);

	if (fault == NULL && jwk.kid != NULL && find_kid(set, jwk.kid) != NULL) {
		fault = "an earlier key has its kid";
	}
	if (fault == NULL) {
		set->keys[set->count++] = jwk;
		return;
	}
	const char *kid = jwk.kid != NULL ? jwk.kid : json_string_value(json_object_get(object, "kid"));
	LK_LOG(LK_LOG_WARN, "key left out", LK_STR("issuer", issuer), LK_UINT("key", index), LK_STR("kid", kid),
		LK_STR("reason", fault));
	lk_jwk_done(&jwk);
}

static const char *read_keys(const json_t *document, const char *issuer, struct lk_keyset *set)
{
	const json_t *keys = json_object_get(document, "keys");

	if (!json_is_array(keys)) {
		return "it is no JSON object with \"keys\"";
	}
	if (json_array_size(keys) > LK_KEYSET_KEYS_MAX) {
		return "it has more than 64 keys";
	}
	for (size_t i = 0; i < json_array_size(keys); i++) {
		add(set, json_array_get(keys, i), i, issuer);
	}
	return NULL;
}

const char *lk_keyset_read(const char *text, size_t len, const char *issuer, struct lk_keyset **ret_set)
{
	struct lk_keyset *set = calloc(1, sizeof *set);
	json_t *document = NULL;
	const char *fault = "out of memory";

	if (set == NULL) {
		return fault;
	}
	atomic_init(&set->holders, 1);
	document = lk_jose_read_object(text, len);
	fault = read_keys(document, issuer, set);
	json_decref(document);
	if (fault != NULL) {
		lk_keyset_drop(set);
		return fault;
	}
	*ret_set = set;
	return NULL;
}

struct lk_keyset *lk_keyset_hold(struct lk_keyset *set)
{
	atomic_fetch_add_explicit(&set->holders, 1, memory_order_relaxed);
	return set;
}

void lk_keyset_drop(struct lk_keyset *set)
{
	if (set == NULL || atomic_fetch_sub_explicit(&set->holders, 1, memory_order_acq_rel) > 1) {
		return;
	}
	for (size_t i = 0; i < set->count; i++) {
		lk_jwk_done(&set->keys[i]);
	}
	free(set);
}

size_t lk_keyset_count(const struct lk_keyset *set)
{
	return set->count;
}

bool lk_keyset_holds_secret(const struct lk_keyset *set)
{
	for (size_t i = 0; i < set->count; i++) {
		if (set->keys[i].kind == LK_JWK_OCT) {
			return true;
		}
	}
	return false;
}

static enum lk_keyset_answer find_only(
	const struct lk_keyset *set, enum lk_jose_algorithm algorithm, const struct lk_jwk **ret_key)
{
	const struct lk_jwk *only = NULL;

	for (size_t i = 0; i < set->count; i++) {
		if (!lk_jwk_fits(&set->keys[i], algorithm)) {
			continue;
		}
		if (only != NULL) {
			return LK_KEYSET_AMBIGUOUS;
		}
		only = &set->keys[i];
	}
	if (only == NULL) {
		return LK_KEYSET_UNKNOWN;
	}
	*ret_key = only;
	return LK_KEYSET_FOUND;
}

enum lk_keyset_answer lk_keyset_find(
	const struct lk_keyset *set, enum lk_jose_algorithm algorithm, const char *kid, const struct lk_jwk **ret_key)
{
	if (kid == NULL) {
		return find_only(set, algorithm, ret_key);
	}
	const struct lk_jwk *key = find_kid(set, kid);
	if (key == NULL) {
		return LK_KEYSET_UNKNOWN;
	}
	if (!lk_jwk_fits(key, algorithm)) {
		return LK_KEYSET_MISFIT;
	}
	*ret_key = key;
	return LK_KEYSET_FOUND;
}
