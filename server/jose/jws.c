#include "server/jose/jws.h"

#include <string.h>

#include "server/jose/jwk.h"
#include "server/jose/text.h"

_Static_assert(LK_JWS_KID_MAX == LK_JWK_KID_MAX, "a token can name every key");

/* The parts of a token, between the dots. */
struct parts {
	const char *at[3];
	size_t len[3];
};

static const char *split(const char *token, size_t len, struct parts *ret_parts)
{
	size_t n = 0;

	ret_parts->at[0] = token;
	for (size_t i = 0; i < len; i++) {
		if (token[i] != '.') {
			continue;
		}
		if (n == 2) {
			return "more than three parts: encrypted, or none of ours";
		}
		ret_parts->len[n] = (size_t)(token + i - ret_parts->at[n]);
		ret_parts->at[++n] = token + i + 1;
	}
	if (n < 2) {
		return "fewer than three parts";
	}
	ret_parts->len[2] = (size_t)(token + len - ret_parts->at[2]);
	return NULL;
}

static json_t *read_part(const char *part, size_t part_len)
{
	uint8_t text[LK_JWS_MAX];
	size_t len = 0;

	if (!lk_jose_decode(part, part_len, text, sizeof text, &len)) {
		return NULL;
	}
	return lk_jose_read_object((const char *)text, len);
}

static const char *read_header(struct lk_jws *jws)
{
	const json_t *kid = json_object_get(jws->header, "kid");

	jws->alg = json_string_value(json_object_get(jws->header, "alg"));
	jws->kid = json_string_value(kid);
	if (kid != NULL && (jws->kid == NULL || json_string_length(kid) > LK_JWS_KID_MAX)) {
		return "kid is no text, or too long";
	}
	if (json_object_get(jws->header, "crit") != NULL) {
		return "crit asks for an extension";
	}
	if (json_object_get(jws->header, "enc") != NULL) {
		return "encrypted";
	}
	if (jws->alg == NULL || !lk_jose_algorithm_parse(jws->alg, &jws->algorithm)) {
		return "alg is missing or none of RS256, PS256, ES256, EdDSA and HS256";
	}
	return NULL;
}

const char *lk_jws_parse(const char *token, size_t len, struct lk_jws *ret_jws)
{
	struct parts parts = {.len = {0}};

	memset(ret_jws, 0, sizeof *ret_jws);
	if (len > LK_JWS_MAX) {
		return "over 8 KiB";
	}
	ret_jws->token = token;
	ret_jws->len = len;
	const char *fault = split(token, len, &parts);
	if (fault != NULL) {
		return fault;
	}
	ret_jws->signed_len = parts.len[0] + 1 + parts.len[1];
	ret_jws->header = read_part(parts.at[0], parts.len[0]);
	if (ret_jws->header == NULL) {
		return "the header is not strict base64url of a strict JSON object";
	}
	fault = read_header(ret_jws);
	if (fault != NULL) {
		return fault;
	}
	ret_jws->payload = read_part(parts.at[1], parts.len[1]);
	if (ret_jws->payload == NULL) {
		return "the payload is not strict base64url of a strict JSON object";
	}
	if (!lk_jose_decode(parts.at[2], parts.len[2], ret_jws->signature, sizeof ret_jws->signature,
		    &ret_jws->signature_len) ||
		ret_jws->signature_len == 0) {
		return "the signature is missing, too long, or not strict base64url";
	}
	return NULL;
}

void lk_jws_done(struct lk_jws *jws)
{
	json_decref(jws->header);
	json_decref(jws->payload);
	memset(jws, 0, sizeof *jws);
}
