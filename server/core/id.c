#include "server/core/id.h"

#include <string.h>

static const char id_prefix[] = "key_";
static const char alphabet[] = "0123456789abcdefghjkmnpqrstvwxyz";

enum {
	prefix_len = sizeof(id_prefix) - 1,
	body_len = LK_KEY_ID_LEN - 1 - prefix_len,
	time_len = 6,
	bits_per_digit = 5,
};

static const int64_t us_per_ms = 1000;

/* Writes the 128 bits as a number in base 32; the first of the 26 digits has only 3 of them. */
static void write_digits(const uint8_t bytes[static time_len + LK_KEY_ID_RANDOM_LEN], char *digits)
{
	unsigned int held = 0;
	unsigned int held_bits = 2;
	size_t next = 0;
	for (size_t i = 0; i < body_len; i++) {
		if (held_bits < bits_per_digit) {
			held = held << 8 | bytes[next++];
			held_bits += 8;
		}
		held_bits -= bits_per_digit;
		digits[i] = alphabet[held >> held_bits & 31];
	}
}

void lk_key_id_make(
	int64_t time_us, const uint8_t random[static LK_KEY_ID_RANDOM_LEN], char ret_id[static LK_KEY_ID_LEN])
{
	/* A clock before 1970 is broken; its ids then all sort first, and are unique still. */
	uint64_t time_ms = time_us < 0 ? 0 : (uint64_t)(time_us / us_per_ms);
	uint8_t bytes[time_len + LK_KEY_ID_RANDOM_LEN];
	for (size_t i = 0; i < time_len; i++) {
		bytes[i] = (uint8_t)(time_ms >> 8 * (time_len - 1 - i));
	}
	memcpy(bytes + time_len, random, LK_KEY_ID_RANDOM_LEN);
	memcpy(ret_id, id_prefix, prefix_len);
	write_digits(bytes, ret_id + prefix_len);
	ret_id[LK_KEY_ID_LEN - 1] = '\0';
}

bool lk_key_id_is(const char *text)
{
	if (strncmp(text, id_prefix, prefix_len) != 0) {
		return false;
	}
	const char *digits = text + prefix_len;
	/* 26 digits hold 130 bits: the first is at most 7. */
	return strlen(digits) == body_len && strspn(digits, alphabet) == body_len && digits[0] <= '7';
}

bool lk_key_id_parse(const char *text, uint8_t ret_bytes[static LK_KEY_ID_BYTES_LEN])
{
	unsigned int held = 0;
	unsigned int held_bits = 0;
	size_t next = 0;

	if (!lk_key_id_is(text)) {
		return false;
	}
	const char *digits = text + prefix_len;
	for (size_t i = 0; i < body_len; i++) {
		held = held << bits_per_digit | (unsigned int)(strchr(alphabet, digits[i]) - alphabet);
		/* The first digit has 3 bits. */
		held_bits += i == 0 ? 3 : bits_per_digit;
		if (held_bits >= 8) {
			held_bits -= 8;
			ret_bytes[next++] = (uint8_t)(held >> held_bits);
		}
	}
	return true;
}

bool lk_key_number_parse(const char *text, uint64_t *ret_number)
{
	if (text[0] < '1' || text[0] > '9') {
		return false;
	}
	uint64_t number = 0;
	for (const char *c = text; *c != '\0'; c++) {
		if (*c < '0' || *c > '9' || __builtin_mul_overflow(number, 10, &number) ||
			__builtin_add_overflow(number, (uint64_t)(*c - '0'), &number)) {
			return false;
		}
	}
	*ret_number = number;
	return true;
}
