#include "client/utf8.h"

#include <stdint.h>

/* The forms of RFC 3629, section 4: which first bytes start a sequence, its length, and what may stand second. */
struct form {
	uint8_t first_low, first_high;
	uint8_t len;
	uint8_t second_low, second_high;
};

static const struct form forms[] = {
	{0xc2, 0xdf, 2, 0x80, 0xbf},
	{0xe0, 0xe0, 3, 0xa0, 0xbf},
	{0xe1, 0xec, 3, 0x80, 0xbf},
	{0xed, 0xed, 3, 0x80, 0x9f},
	{0xee, 0xef, 3, 0x80, 0xbf},
	{0xf0, 0xf0, 4, 0x90, 0xbf},
	{0xf1, 0xf3, 4, 0x80, 0xbf},
	{0xf4, 0xf4, 4, 0x80, 0x8f},
};

/* The length of the sequence of more than one byte at `at`, or 0 where there is none. */
static size_t sequence_len(const uint8_t *at, size_t left)
{
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		const struct form *form = &forms[i];
		if (at[0] < form->first_low || at[0] > form->first_high) {
			continue;
		}
		if (left < form->len || at[1] < form->second_low || at[1] > form->second_high) {
			return 0;
		}
		for (size_t k = 2; k < form->len; k++) {
			if ((at[k] & 0xc0) != 0x80) {
				return 0;
			}
		}
		return form->len;
	}
	return 0;
}

enum lk_utf8_fault lk_utf8_check(const void *text, size_t len, size_t *ret_length)
{
	const uint8_t *bytes = text;
	size_t length = 0;

	for (size_t i = 0; i < len; length++) {
		if (bytes[i] == 0) {
			return LK_UTF8_NUL;
		}
		size_t step = bytes[i] < 0x80 ? 1 : sequence_len(bytes + i, len - i);
		if (step == 0) {
			return LK_UTF8_INVALID;
		}
		i += step;
	}
	if (ret_length) {
		*ret_length = length;
	}
	return LK_UTF8_FINE;
}
