#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "client/utf8.h"

/* Encodes any number below 2^21 as UTF-8 would, valid or not; returns the length. */
static size_t encode(uint32_t code_point, unsigned char *out)
{
	if (code_point < 0x80) {
		out[0] = (unsigned char)code_point;
		return 1;
	}
	size_t len = code_point < 0x800 ? 2 : code_point < 0x10000 ? 3 : 4;
	static const unsigned char marks[] = {0, 0, 0xc0, 0xe0, 0xf0};
	for (size_t i = len; i-- > 1; code_point >>= 6) {
		out[i] = (unsigned char)(0x80 | (code_point & 0x3f));
	}
	out[0] = (unsigned char)(marks[len] | code_point);
	return len;
}

static void test_utf8_every_code_point(void **state)
{
	(void)state;
	for (uint32_t c = 1; c < 1u << 21; c++) {
		unsigned char bytes[4];
		size_t len = encode(c, bytes), length = 0;
		bool exists = c <= 0x10ffff && !(c >= 0xd800 && c <= 0xdfff);
		enum lk_utf8_fault fault = lk_utf8_check(bytes, len, &length);

		if (fault != (exists ? LK_UTF8_FINE : LK_UTF8_INVALID) || (exists && length != 1)) {
			fail_msg("U+%X: fault %d, length %zu", c, fault, length);
		}
		if (exists && len > 1) {
			assert_int_equal(lk_utf8_check(bytes, len - 1, NULL), LK_UTF8_INVALID);
		}
	}
}

static void test_utf8_refusals(void **state)
{
	static const char *const bad[] = {
		"\x80",             /* a continuation alone */
		"\xbf",             /* the last one */
		"\xc0\x80",         /* NUL, overlong */
		"\xc1\xbf",         /* DEL, overlong */
		"\xe0\x80\xaf",     /* '/', overlong */
		"\xe0\x9f\xbf",     /* U+07FF, overlong */
		"\xf0\x80\x80\xaf", /* '/', overlong */
		"\xf0\x8f\xbf\xbf", /* U+FFFF, overlong */
		"\xed\xa0\x80",     /* the first surrogate */
		"\xed\xbf\xbf",     /* the last surrogate */
		"\xf4\x90\x80\x80", /* U+110000 */
		"\xf5\x80\x80\x80", /* a first byte that is none */
		"\xff",             /* no byte of UTF-8 */
		"\xc3(",            /* the second byte is no continuation */
		"\xe2\x82(",        /* the third byte is none */
		"\xf0\x9f\x98(",    /* the fourth byte is none */
		"ok\xe2\x82",       /* cut off */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		size_t length = 4711;
		if (lk_utf8_check(bad[i], strlen(bad[i]), &length) != LK_UTF8_INVALID || length != 4711) {
			fail_msg("case %zu", i);
		}
	}
}

static void test_utf8_counts_code_points(void **state)
{
	static const char text[] = "a\xc3\xa4\xe2\x82\xac\xf0\x9f\x94\x91";
	size_t length = 0;

	(void)state;
	assert_int_equal(lk_utf8_check(text, sizeof(text) - 1, &length), LK_UTF8_FINE);
	assert_int_equal(length, 4);
	assert_int_equal(lk_utf8_check(NULL, 0, &length), LK_UTF8_FINE);
	assert_int_equal(length, 0);
}

static void test_utf8_first_fault_counts(void **state)
{
	(void)state;
	assert_int_equal(lk_utf8_check("a\0b", 3, NULL), LK_UTF8_NUL);
	assert_int_equal(lk_utf8_check("ab\0", 3, NULL), LK_UTF8_NUL);
	assert_int_equal(lk_utf8_check("\0\xff", 2, NULL), LK_UTF8_NUL);
	assert_int_equal(lk_utf8_check("\xff\0", 2, NULL), LK_UTF8_INVALID);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_utf8_every_code_point),
		cmocka_unit_test(test_utf8_refusals),
		cmocka_unit_test(test_utf8_counts_code_points),
		cmocka_unit_test(test_utf8_first_fault_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
