#include "server/jose/claims.h"

#include <string.h>

#include "server/core/time.h"

/* The last second of the year 9999: what is later is no time, and would overflow microseconds. */
#define SECONDS_MAX 253402300799.0

const json_t *lk_claim_find(const json_t *claims, const char *path)
{
	const json_t *found = json_object_get(claims, path);

	for (const char *dot = strchr(path, '.'); found == NULL && dot != NULL; dot = strchr(dot + 1, '.')) {
		const json_t *step = json_object_getn(claims, path, (size_t)(dot - path));
		if (json_is_object(step)) {
			found = lk_claim_find(step, dot + 1);
		}
	}
	return found;
}

static bool has_word(const char *text, const char *word)
{
	size_t len = strlen(word);

	while (*text != '\0') {
		size_t next = strcspn(text, " ");
		if (next == len && memcmp(text, word, len) == 0) {
			return true;
		}
		text += next;
		text += strspn(text, " ");
	}
	return false;
}

static bool value_says(const json_t *value, const char *expected)
{
	if (json_is_string(value)) {
		return strcmp(json_string_value(value), expected) == 0;
	}
	return json_is_boolean(value) && strcmp(json_is_true(value) ? "true" : "false", expected) == 0;
}

bool lk_claim_says(const json_t *claim, const char *name, const char *value)
{
	if (value_says(claim, value)) {
		return true;
	}
	if (json_is_string(claim) && strcmp(name, "scope") == 0) {
		return has_word(json_string_value(claim), value);
	}
	for (size_t i = 0; i < json_array_size(claim); i++) {
		if (value_says(json_array_get(claim, i), value)) {
			return true;
		}
	}
	return false;
}

bool lk_claims_meet(const json_t *claims, const struct lk_issuer_condition *condition)
{
	return condition->claim == NULL ||
	       lk_claim_says(lk_claim_find(claims, condition->claim), condition->claim, condition->value);
}

/* Reads a NumericDate, which may have a fraction; false where it is none. */
static bool read_time(const json_t *value, int64_t *ret_us)
{
	double seconds = json_number_value(value);

	if (!json_is_number(value) || !(seconds >= 0 && seconds <= SECONDS_MAX)) {
		return false;
	}
	*ret_us = (int64_t)(seconds * (double)LK_US_PER_SECOND);
	return true;
}

static const char *check_times(const json_t *claims, int64_t skew_us, int64_t now_us, int64_t *ret_expire_us)
{
	const json_t *not_before = json_object_get(claims, "nbf");
	const json_t *issued = json_object_get(claims, "iat");
	int64_t expire_us = 0;
	int64_t from_us = 0;

	if (!read_time(json_object_get(claims, "exp"), &expire_us)) {
		return "exp is missing or no time";
	}
	if (now_us >= expire_us + skew_us) {
		return "expired";
	}
	if (not_before != NULL && !read_time(not_before, &from_us)) {
		return "nbf is no time";
	}
	if (now_us < from_us - skew_us) {
		return "not valid yet";
	}
	from_us = 0;
	if (issued != NULL && !read_time(issued, &from_us)) {
		return "iat is no time";
	}
	if (now_us < from_us - skew_us) {
		return "issued in the future";
	}
	*ret_expire_us = expire_us;
	return NULL;
}

static bool is_for_us(const json_t *audience, const struct lk_issuer_list *audiences)
{
	for (size_t i = 0; i < audiences->count; i++) {
		if (lk_claim_says(audience, "aud", audiences->items[i])) {
			return true;
		}
	}
	return false;
}

const char *lk_claims_check(
	const json_t *claims, const struct lk_issuer_config *config, int64_t now_us, int64_t *ret_expire_us)
{
	const char *issuer = json_string_value(json_object_get(claims, "iss"));

	if (issuer == NULL || strcmp(issuer, config->issuer) != 0) {
		return "iss is another";
	}
	if (!is_for_us(json_object_get(claims, "aud"), &config->audiences)) {
		return "aud has none of the audiences";
	}
	for (size_t i = 0; i < config->n_required; i++) {
		if (!lk_claims_meet(claims, &config->required[i])) {
			return "a required claim is missing or another";
		}
	}
	return check_times(claims, (int64_t)config->clock_skew_s * LK_US_PER_SECOND, now_us, ret_expire_us);
}
