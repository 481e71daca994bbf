#include <sodium.h>
#include <string.h>

#include "server/core/policy.h"
#include "server/service/key_import.h"
#include "server/store/store.h"

#define HEX_LEN (2 * LK_DIGEST_LEN)
/* What no more than a part of a token may show: one in so many of its characters. */
#define SHOWN_PART 4

bool lk_import_read_bytes(const char *text, uint8_t ret_bytes[static LK_DIGEST_LEN])
{
	static const int variants[] = {sodium_base64_VARIANT_ORIGINAL, sodium_base64_VARIANT_ORIGINAL_NO_PADDING,
		sodium_base64_VARIANT_URLSAFE, sodium_base64_VARIANT_URLSAFE_NO_PADDING};
	size_t text_len = strlen(text), len = 0;

	if (text_len == HEX_LEN) {
		return sodium_hex2bin(ret_bytes, LK_DIGEST_LEN, text, text_len, NULL, &len, NULL) == 0 &&
		       len == LK_DIGEST_LEN;
	}
	for (size_t i = 0; i < sizeof variants / sizeof variants[0]; i++) {
		if (sodium_base642bin(ret_bytes, LK_DIGEST_LEN, text, text_len, NULL, &len, NULL, variants[i]) == 0 &&
			len == LK_DIGEST_LEN) {
			return true;
		}
	}
	return false;
}

size_t lk_import_shown(const Latchkey__Store__PolicyRecord *policy, const char *token, size_t token_len)
{
	size_t prefix_len = strlen(policy->token_prefix);

	if (strncmp(token, policy->token_prefix, prefix_len) != 0) {
		prefix_len = 0;
	}
	size_t most = prefix_len + (token_len - prefix_len) / SHOWN_PART;
	return most < policy->display_length ? most : policy->display_length;
}

/* Printable ASCII is what Verify looks up; nothing else would ever be found. */
static bool is_printable(const char *token)
{
	for (; *token != '\0'; token++) {
		if (*token < '!' || *token > '~') {
			return false;
		}
	}
	return true;
}

/* What the token would be known by, had no more than its SHA-256 been given. */
static void note_other_digest(struct lk_import *import, const char *token, size_t len)
{
	uint8_t sha256[LK_SHA256_LEN] = {0};
	uint8_t *digest = lk_arena_alloc(import->request->arena, LK_DIGEST_LEN);

	if (digest != NULL) {
		lk_token_sha256(token, len, sha256);
		lk_token_digest_sha256(lk_store_keyring(import->request->store), sha256, digest);
		sodium_memzero(sha256, sizeof sha256);
	}
	import->other_digest = digest;
}

static bool read_token(struct lk_import *import, uint8_t *digest)
{
	const char *token = import->given->token, *prefix = NULL;
	size_t len = strlen(token);

	if (len == 0 || len > LK_TOKEN_MAX) {
		lk_import_fault(import, "token", "has %zu bytes: give 1 to %d", len, LK_TOKEN_MAX);
		return false;
	}
	if (!is_printable(token)) {
		lk_import_fault(
			import, "token", "has a character that no token has: give printable ASCII without blanks");
		return false;
	}
	if (strncmp(token, LK_ROOT_KEY_PREFIX, strlen(LK_ROOT_KEY_PREFIX)) == 0) {
		lk_import_fault(import, "token",
			"begins as root keys do, with \"" LK_ROOT_KEY_PREFIX "\", and those cannot be imported");
		return false;
	}
	lk_token_digest(lk_store_keyring(import->request->store), token, len, digest);
	note_other_digest(import, token, len);
	if (import->keyspace != NULL) {
		prefix = import->keyspace->policy->token_prefix;
	}
	import->record->secret_kind = prefix != NULL && lk_token_check(token, len, prefix) == LK_TOKEN_FINE
					      ? LATCHKEY__STORE__SECRET_KIND__SECRET_KIND_MINTED
					      : LATCHKEY__STORE__SECRET_KIND__SECRET_KIND_FOREIGN;
	return true;
}

static bool read_digest(struct lk_import *import, const char *field, const char *text, uint8_t *digest)
{
	if (lk_import_read_bytes(text, digest)) {
		return true;
	}
	/* Without the value: somebody may have put a token there. */
	lk_import_fault(import, field,
		"is not %d bytes in hex or base64: give %d hexadecimal digits, or 43 or 44 characters of base64",
		LK_DIGEST_LEN, HEX_LEN);
	return false;
}

static bool read_sha256(struct lk_import *import, uint8_t *digest)
{
	uint8_t sha256[LK_SHA256_LEN] = {0};
	bool is_read = read_digest(import, "sha256", import->given->sha256, sha256);

	if (is_read) {
		lk_token_digest_sha256(lk_store_keyring(import->request->store), sha256, digest);
	}
	sodium_memzero(sha256, sizeof sha256);
	return is_read;
}

bool lk_import_read_secret(struct lk_import *import, const char **ret_field)
{
	const Latchkey__V1__ImportedKey *given = import->given;
	uint8_t *digest = lk_arena_alloc(import->request->arena, LK_DIGEST_LEN);
	bool is_read = false;

	*ret_field = NULL;
	import->other_digest = NULL;
	if (digest == NULL) {
		return false;
	}
	switch (given->secret_case) {
	case LATCHKEY__V1__IMPORTED_KEY__SECRET_TOKEN:
		*ret_field = "token";
		is_read = read_token(import, digest);
		break;
	case LATCHKEY__V1__IMPORTED_KEY__SECRET_SHA256:
		*ret_field = "sha256";
		is_read = read_sha256(import, digest);
		import->record->secret_kind = LATCHKEY__STORE__SECRET_KIND__SECRET_KIND_SHA256;
		break;
	case LATCHKEY__V1__IMPORTED_KEY__SECRET_BLAKE2B:
		*ret_field = "blake2b";
		is_read = read_digest(import, *ret_field, given->blake2b, digest);
		import->record->secret_kind = LATCHKEY__STORE__SECRET_KIND__SECRET_KIND_FOREIGN;
		break;
	case LATCHKEY__V1__IMPORTED_KEY__SECRET_BLAKE2B_OF_SHA256:
		*ret_field = "blake2b_of_sha256";
		is_read = read_digest(import, *ret_field, given->blake2b_of_sha256, digest);
		import->record->secret_kind = LATCHKEY__STORE__SECRET_KIND__SECRET_KIND_SHA256;
		break;
	default:
		lk_import_fault(
			import, "", "has no secret: give token, sha256, or what an export told of it with digests");
	}
	if (is_read) {
		import->record->digest = (ProtobufCBinaryData){LK_DIGEST_LEN, digest};
	}
	return is_read;
}
