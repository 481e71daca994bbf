#include <latchkey/token.h>

#include <sodium.h>
#include <stdbool.h>
#include <string.h>
#include <zlib.h>

#define TAIL_LEN (LK_TOKEN_RANDOM_LEN + LK_TOKEN_CHECKSUM_LEN)
/* Characters of base64url in the signature of a JWT: 32 bytes, or 64. */
#define HS256_LEN 43
#define EDDSA_LEN 86

static const char base62[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/* Without a branch or a table: the time must not tell which character it was. */
static unsigned in_range(unsigned c, unsigned low, unsigned high)
{
	return (unsigned)(c >= low) & (unsigned)(c <= high);
}

static unsigned is_base62(unsigned c)
{
	return in_range(c, '0', '9') | in_range(c, 'A', 'Z') | in_range(c, 'a', 'z');
}

static bool characters_fine(const char *token, size_t token_len)
{
	size_t prefix_len = token_len - TAIL_LEN;
	unsigned fine = 1;

	for (size_t i = 0; i < token_len; i++) {
		unsigned c = (unsigned char)token[i];
		unsigned in_prefix = (unsigned)(i < prefix_len) & ((unsigned)(c == '_') | (unsigned)(c == '-'));
		fine &= is_base62(c) | in_prefix;
	}
	return fine;
}

static bool checksum_fine(const char *token, size_t token_len)
{
	char checksum[LK_TOKEN_CHECKSUM_LEN];
	size_t body_len = token_len - LK_TOKEN_CHECKSUM_LEN;

	lk_token_checksum(token, body_len, checksum);
	return sodium_memcmp(checksum, token + body_len, sizeof(checksum)) == 0;
}

static bool is_jwt(const char *token, size_t token_len)
{
	/* Every header is an object, and this how one begins; no opaque token has a '.'. */
	static const char start[] = "eyJ";
	size_t start_len = sizeof(start) - 1;

	return token_len > start_len && memcmp(token, start, start_len) == 0 && memchr(token, '.', token_len) != NULL;
}

static bool base64url_fine(const char *text, size_t len)
{
	unsigned fine = 1;

	for (size_t i = 0; i < len; i++) {
		unsigned c = (unsigned char)text[i];
		fine &= is_base62(c) | (unsigned)(c == '_') | (unsigned)(c == '-');
	}
	return fine;
}

static enum lk_token_fault check_jwt(const char *token, size_t token_len)
{
	const char *end = token + token_len;
	const char *claims = (const char *)memchr(token, '.', token_len) + 1;
	const char *signature = memchr(claims, '.', (size_t)(end - claims));

	if (!signature || signature == claims) {
		return LK_TOKEN_LENGTH;
	}
	if (!base64url_fine(token, (size_t)(claims - 1 - token)) ||
		!base64url_fine(claims, (size_t)(signature - claims)) ||
		!base64url_fine(signature + 1, (size_t)(end - signature - 1))) {
		return LK_TOKEN_CHARACTER;
	}
	size_t signature_len = (size_t)(end - signature - 1);
	return signature_len == HS256_LEN || signature_len == EDDSA_LEN ? LK_TOKEN_FINE : LK_TOKEN_LENGTH;
}

enum lk_token_fault lk_token_check(const char *token, size_t token_len, const char *prefix)
{
	if (token_len < TAIL_LEN || token_len > LK_TOKEN_MAX) {
		return LK_TOKEN_LENGTH;
	}
	if ((!prefix || prefix[0] == '\0') && is_jwt(token, token_len)) {
		return check_jwt(token, token_len);
	}
	if (prefix && prefix[0] == '\0') {
		return LK_TOKEN_PREFIX;
	}
	if (token_len == TAIL_LEN) {
		return LK_TOKEN_PREFIX;
	}
	if (prefix) {
		size_t prefix_len = strlen(prefix);
		if (token_len < prefix_len || memcmp(token, prefix, prefix_len) != 0) {
			return LK_TOKEN_PREFIX;
		}
		if (token_len != prefix_len + TAIL_LEN) {
			return LK_TOKEN_LENGTH;
		}
	} else if (token_len > LK_TOKEN_PREFIX_MAX + TAIL_LEN) {
		return LK_TOKEN_LENGTH;
	}
	if (!characters_fine(token, token_len)) {
		return LK_TOKEN_CHARACTER;
	}
	return checksum_fine(token, token_len) ? LK_TOKEN_FINE : LK_TOKEN_CHECKSUM;
}

const char *lk_token_fault_text(enum lk_token_fault fault)
{
	static const char *const texts[] = {
		[LK_TOKEN_FINE] = "nothing is wrong with it",
		[LK_TOKEN_LENGTH] = "too short or too long for a token",
		[LK_TOKEN_PREFIX] = "it does not start with the right prefix",
		[LK_TOKEN_CHARACTER] = "it holds a character that no token has",
		[LK_TOKEN_CHECKSUM] = "its checksum is wrong: it was mistyped or cut off",
	};

	return (size_t)fault < sizeof(texts) / sizeof(texts[0]) ? texts[fault] : "an unknown fault";
}

void lk_token_checksum(const char *text, size_t len, char *ret_checksum)
{
	unsigned long crc = crc32_z(crc32_z(0, NULL, 0), (const unsigned char *)text, len);

	for (size_t i = LK_TOKEN_CHECKSUM_LEN; i-- > 0; crc /= 62) {
		ret_checksum[i] = base62[crc % 62];
	}
}
