#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "server/core/cidr.h"
#include "tests/unit/core/faults_case.h"

#define COUNT(array)   (sizeof(array) / sizeof((array)[0]))
#define TEST(function) cmocka_unit_test_setup_teardown(function, faults_setup, faults_teardown)

/* The second of each is the canonical form: RFC 5952, 4, and its examples. */
static const char *const addresses[][2] = {
	{"0.0.0.0", "0.0.0.0"},
	{"255.255.255.255", "255.255.255.255"},
	{"192.0.2.7", "192.0.2.7"},
	{"::", "::"},
	{"::1", "::1"},
	{"1::", "1::"},
	{"0:0:0:0:0:0:0:0", "::"},
	{"2001:0db8::0001", "2001:db8::1"},
	{"2001:db8:0:0:0:0:2:1", "2001:db8::2:1"},
	{"2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"},
	{"2001:db8::1:1:1:1:1", "2001:db8:0:1:1:1:1:1"},
	{"2001:0:0:1:0:0:0:1", "2001:0:0:1::1"},
	{"2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"},
	{"2001:DB8::ABCD", "2001:db8::abcd"},
	{"1:0:0:2:0:0:3:0", "1::2:0:0:3:0"},
	{"0:0:1:0:0:0:0:1", "0:0:1::1"},
	{"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
	{"fe80::", "fe80::"},
	/* Of these inet_ntop() makes "::0.1.0.2" and "::1.2.3.4". */
	{"::1:2", "::1:2"},
	{"::1.2.3.4", "::102:304"},
	{"64:ff9b::192.0.2.33", "64:ff9b::c000:221"},
	{"::ffff:0:192.0.2.1", "::ffff:0:c000:201"},
	/* IPv4 in IPv6's clothes. */
	{"::ffff:10.0.0.1", "10.0.0.1"},
	{"::FFFF:a00:1", "10.0.0.1"},
	{"0:0:0:0:0:ffff:0:0", "0.0.0.0"},
};

static const char *const no_addresses[] = {
	"",
	" ",
	"10",
	"10.1",
	"10.1.2",
	"10.0.0.0.1",
	"10.0.0.256",
	"10.0.0.01",
	"010.0.0.1",
	"0x0a.0.0.1",
	"10.0.0.-1",
	"10.0.0.",
	".10.0.0.1",
	"10..0.1",
	" 10.0.0.1",
	"10.0.0.1 ",
	"10.0.0.1\n",
	"10.0.0.1\t",
	"10.0.0.1:80",
	"10.0.0.1/32",
	"167772161",
	":",
	":::",
	"1",
	"1:2",
	"1:2:3:4:5:6:7",
	"1:2:3:4:5:6:7:8:9",
	"1::2::3",
	"1:2:3:4:5:6:7:8::",
	"::12345",
	"::00001",
	"::g",
	":1::",
	"1:",
	"[::1]",
	"[::1]:80",
	"fe80::1%eth0",
	"fe80::1%1",
	"::1/128",
	" ::1",
	"::1 ",
	"::ffff:10.0.0",
	"::ffff:010.0.0.1",
	"::ffff:10.0.0.1.1",
	"::10.0.0.1:1",
	"localhost",
	"example.com",
	"\xd9\xa1.0.0.1",
	"1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc",
};

static void test_address_parse_and_format_give_the_canonical_text(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(addresses); i++) {
		struct lk_address address;
		char text[LK_CIDR_TEXT_LEN];

		if (!lk_address_parse(addresses[i][0], &address)) {
			fail_msg("'%s' is an address", addresses[i][0]);
		}
		lk_address_format(&address, text);
		assert_string_equal(text, addresses[i][1]);
		/* What is behind an IPv4 address is 0, so that addresses can be compared whole. */
		if (address.family == LK_ADDRESS_V4) {
			static const uint8_t zeros[12] = {0};
			assert_memory_equal(address.bytes + 4, zeros, sizeof zeros);
		}
	}
}

static void test_address_parse_refuses_what_is_none(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(no_addresses); i++) {
		struct lk_address address = {.family = 77};

		if (lk_address_parse(no_addresses[i], &address)) {
			fail_msg("'%s' is no address", no_addresses[i]);
		}
		assert_int_equal(address.family, 77);
	}
}

static void test_address_format_of_none_is_empty(void **state)
{
	(void)state;
	char text[LK_CIDR_TEXT_LEN] = "x";
	const struct lk_address none = {.family = LK_ADDRESS_NONE};
	lk_address_format(&none, text);
	assert_string_equal(text, "");
}

/* A range, an address, and whether it is in there. */
static const struct {
	const char *range, *address;
	bool in;
} holdings[] = {
	{"0.0.0.0/0", "0.0.0.0", true},
	{"0.0.0.0/0", "255.255.255.255", true},
	{"0.0.0.0/0", "::ffff:1.2.3.4", true},
	{"0.0.0.0/0", "::", false},
	{"::/0", "::", true},
	{"::/0", "ffff::1", true},
	{"::/0", "1.2.3.4", false},
	{"::/0", "::ffff:1.2.3.4", false},
	{"10.0.0.0/8", "10.255.255.255", true},
	{"10.0.0.0/8", "11.0.0.0", false},
	{"10.0.0.0/8", "9.255.255.255", false},
	{"10.0.0.0/9", "10.127.255.255", true},
	{"10.0.0.0/9", "10.128.0.0", false},
	{"128.0.0.0/1", "127.255.255.255", false},
	{"128.0.0.0/1", "128.0.0.0", true},
	{"192.0.2.6/31", "192.0.2.7", true},
	{"192.0.2.6/31", "192.0.2.8", false},
	{"192.0.2.7/32", "192.0.2.7", true},
	{"192.0.2.7/32", "192.0.2.6", false},
	{"192.0.2.7", "192.0.2.7", true},
	{"192.0.2.7", "192.0.2.6", false},
	{"::ffff:10.0.0.0/104", "10.1.2.3", true},
	{"::ffff:0:0/96", "1.2.3.4", true},
	{"::ffff:0:0/96", "::1", false},
	{"2001:db8::/32", "2001:db8:ffff::1", true},
	{"2001:db8::/32", "2001:db9::", false},
	{"2001:db8::/33", "2001:db8:8000::", false},
	{"::2/127", "::3", true},
	{"::2/127", "::1", false},
	{"::1/128", "::1", true},
	{"::1/128", "::", false},
	{"::1", "::1", true},
	/* The first 4 bytes of both are the same. */
	{"0a00::/16", "10.0.0.0", false},
	{"10.0.0.0/16", "0a00::", false},
};

static void test_cidr_holds_what_is_in_the_range(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(holdings); i++) {
		struct lk_cidr cidr;
		struct lk_address address;

		assert_true(lk_cidr_parse(holdings[i].range, &cidr));
		assert_true(lk_address_parse(holdings[i].address, &address));
		if (lk_cidr_holds(&cidr, &address) != holdings[i].in) {
			fail_msg("%s in %s", holdings[i].address, holdings[i].range);
		}
	}
	const struct lk_address none = {.family = LK_ADDRESS_NONE};
	struct lk_cidr everything;
	assert_true(lk_cidr_parse("0.0.0.0/0", &everything));
	assert_false(lk_cidr_holds(&everything, &none));
	/* Nor is it in a range that was never filled in. */
	assert_false(lk_cidr_holds(&(struct lk_cidr){0}, &none));
}

/* As a damaged record may have it. */
static void test_cidr_with_a_prefix_beyond_its_address_holds_nothing(void **state)
{
	(void)state;
	for (unsigned prefix = 0; prefix <= UINT8_MAX; prefix++) {
		struct lk_cidr v4 = {.address = {.family = LK_ADDRESS_V4}, .prefix = (uint8_t)prefix};
		struct lk_cidr v6 = {.address = {.family = LK_ADDRESS_V6}, .prefix = (uint8_t)prefix};

		assert_int_equal(lk_cidr_holds(&v4, &v4.address), prefix <= 32);
		assert_int_equal(lk_cidr_holds(&v6, &v6.address), prefix <= 128);
	}
}

static const char *const no_ranges[] = {
	"",
	"/",
	"/8",
	"10.0.0.0/",
	"10.0.0.0/33",
	"10.0.0.0/08",
	"10.0.0.0/00",
	"10.0.0.0/+8",
	"10.0.0.0/-1",
	"10.0.0.0/ 8",
	"10.0.0.0/8 ",
	"10.0.0.0 /8",
	"10.0.0.0/8/8",
	"10.0.0.0/a",
	"10.0.0.0/255.0.0.0",
	"10.0.0.0/4294967304",
	"10.0.0.0/1000",
	"10/8",
	"10.0/16",
	"::/129",
	"::/0128",
	"::1%lo/128",
	"[::]/0",
	"::ffff:10.0.0.0/129",
	/* Bits behind the prefix. */
	"10.0.0.1/31",
	"10.0.0.0/6",
	"255.255.255.255/0",
	"::1/0",
	"2001:db8::1/64",
	/* IPv4 in IPv6's clothes, and more than that. */
	"::ffff:0:0/95",
	"::ffff:10.0.0.0/8",
	"::ffff:10.0.0.0/0",
};

static void test_cidr_parse_refuses_what_is_no_range(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(no_ranges); i++) {
		struct lk_cidr cidr = {.prefix = 77};

		if (lk_cidr_parse(no_ranges[i], &cidr)) {
			fail_msg("'%s' is no range", no_ranges[i]);
		}
		assert_int_equal(cidr.prefix, 77);
	}
	for (size_t i = 0; i < COUNT(no_addresses); i++) {
		struct lk_cidr cidr;
		if (strchr(no_addresses[i], '/') == NULL) {
			assert_false(lk_cidr_parse(no_addresses[i], &cidr));
		}
	}
}

static void test_check_list_gives_the_canonical_form(void **state)
{
	(void)state;
	char *given[] = {"10.0.0.0/8", "192.0.2.7", "::ffff:172.16.0.0/108", "2001:0DB8::/32", "::1", "0.0.0.0/0",
		"::/0", "::ffff:192.0.2.9", "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255/128"};
	static const char *const canonical[] = {"10.0.0.0/8", "192.0.2.7/32", "172.16.0.0/12", "2001:db8::/32",
		"::1/128", "0.0.0.0/0", "::/0", "192.0.2.9/32", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128"};

	char **list = lk_cidr_check_list(&faults, "allowed_cidrs", given, COUNT(given));
	assert_non_null(list);
	assert_int_equal(faults.count, 0);
	for (size_t i = 0; i < COUNT(given); i++) {
		assert_string_equal(list[i], canonical[i]);
	}
	/* What it made stays as it is. */
	char **again = lk_cidr_check_list(&faults, "allowed_cidrs", list, COUNT(given));
	assert_int_equal(faults.count, 0);
	for (size_t i = 0; i < COUNT(given); i++) {
		assert_string_equal(again[i], canonical[i]);
	}
	assert_non_null(lk_cidr_check_list(&faults, "allowed_cidrs", NULL, 0));
	assert_int_equal(faults.count, 0);
}

static void test_check_list_reports_every_fault_and_the_range_that_is_meant(void **state)
{
	(void)state;
	char *given[] = {"10.1.2.3/8", "10.1", "10.0.0.0/40", "::ffff:0.0.0.0/8", "2001:db8::1/33", "192.0.2.7",
		"192.0.2.7/32", "::ffff:192.0.2.7", "10.0.0.1 ", "no\x01such"};

	assert_non_null(lk_cidr_check_list(&faults, "key.allowed_cidrs", given, COUNT(given)));
	assert_int_equal(faults.count, 9);
	faults_assert(0, "key.allowed_cidrs[0]", "\"10.1.2.3/8\" has bits behind its prefix: give \"10.0.0.0/8\"");
	faults_assert(1, "key.allowed_cidrs[1]", "\"10.1\" is no address");
	faults_assert(2, "key.allowed_cidrs[2]", "at most /32 of IPv4");
	faults_assert(3, "key.allowed_cidrs[3]", "write the range of IPv4 as such");
	faults_assert(4, "key.allowed_cidrs[4]", "give \"2001:db8::/33\"");
	faults_assert(5, "key.allowed_cidrs[6]", "is given twice");
	faults_assert(6, "key.allowed_cidrs[7]", "is given twice");
	faults_assert(7, "key.allowed_cidrs[8]", "\"10.0.0.1 \" is no address");
	faults_assert(8, "key.allowed_cidrs[9]", "\"no?such\" is no address");
}

static void test_check_list_takes_32_and_no_more(void **state)
{
	(void)state;
	char texts[LK_CIDRS_MAX + 1][16];
	char *given[LK_CIDRS_MAX + 1];

	for (size_t i = 0; i < COUNT(given); i++) {
		snprintf(texts[i], sizeof texts[i], "10.0.0.%zu", i);
		given[i] = texts[i];
	}
	assert_non_null(lk_cidr_check_list(&faults, "allowed_cidrs", given, LK_CIDRS_MAX));
	assert_int_equal(faults.count, 0);
	assert_non_null(lk_cidr_check_list(&faults, "allowed_cidrs", given, LK_CIDRS_MAX + 1));
	assert_int_equal(faults.count, 1);
	faults_assert(0, "allowed_cidrs", "has 33 ranges of addresses: give at most 32");
}

static void test_check_list_of_an_exhausted_arena_is_null(void **state)
{
	(void)state;
	char *given[] = {"10.0.0.0/8"};
	struct lk_arena small;
	struct lk_faults few;

	assert_int_equal(lk_arena_init(&small, 64, 64), LK_OK);
	lk_faults_init(&few, &small);
	while (lk_arena_alloc(&small, 16) != NULL) {
		;
	}
	assert_null(lk_cidr_check_list(&few, "allowed_cidrs", given, 1));
	lk_arena_done(&small);
}

/* The model: one bit after the other. */
static bool bit_of(const struct lk_address *address, size_t at)
{
	return (address->bytes[at / 8] >> (7 - at % 8) & 1) != 0;
}

static bool model_holds(const struct lk_cidr *cidr, const struct lk_address *address)
{
	if (cidr->address.family != address->family) {
		return false;
	}
	for (size_t i = 0; i < cidr->prefix; i++) {
		if (bit_of(&cidr->address, i) != bit_of(address, i)) {
			return false;
		}
	}
	return true;
}

/* A random address; then the bits of it from `prefix` on cleared, one by one. */
static struct lk_cidr random_range(void)
{
	struct lk_cidr cidr = {.address.family = randombytes_uniform(2) == 0 ? LK_ADDRESS_V4 : LK_ADDRESS_V6};
	uint32_t bits = cidr.address.family == LK_ADDRESS_V4 ? 32 : 128;

	cidr.prefix = (uint8_t)randombytes_uniform(bits + 1);
	randombytes_buf(cidr.address.bytes, bits / 8);
	for (size_t i = cidr.prefix; i < bits; i++) {
		cidr.address.bytes[i / 8] &= (uint8_t) ~(0x80 >> i % 8);
	}
	return cidr;
}

/* An address that is like the range's in the first bits, by chance just so far, or further. */
static struct lk_address near(const struct lk_cidr *cidr)
{
	struct lk_address address = cidr->address;
	uint32_t bits = address.family == LK_ADDRESS_V4 ? 32 : 128;

	for (uint32_t flips = randombytes_uniform(4); flips > 0; flips--) {
		uint32_t at = randombytes_uniform(bits);
		address.bytes[at / 8] ^= (uint8_t)(0x80 >> at % 8);
	}
	return address;
}

static void test_cidr_holds_as_bit_by_bit(void **state)
{
	(void)state;
	size_t in = 0;

	for (size_t round = 0; round < 20000; round++) {
		struct lk_cidr cidr = random_range();
		struct lk_address address = near(&cidr);
		bool expected = model_holds(&cidr, &address);

		assert_int_equal(lk_cidr_holds(&cidr, &address), expected);
		in += expected ? 1 : 0;
	}
	/* Both are met often, or the test says nothing. */
	assert_in_range(in, 2000, 18000);
}

static void test_cidr_texts_of_random_ranges_come_back(void **state)
{
	(void)state;
	for (size_t round = 0; round < 5000; round++) {
		struct lk_cidr cidr = random_range(), read;
		char address[LK_CIDR_TEXT_LEN], text[LK_CIDR_TEXT_LEN + 4];

		/* Random bytes rarely have zeros, and it is those that a text leaves out. */
		for (size_t i = 0; cidr.address.family == LK_ADDRESS_V6 && i < 8; i++) {
			if (randombytes_uniform(2) == 0) {
				memset(cidr.address.bytes + 2 * i, 0, 2);
			}
		}
		/* This is the other family's. */
		memset(cidr.address.bytes, cidr.address.family == LK_ADDRESS_V6 ? 0x20 : cidr.address.bytes[0],
			cidr.prefix >= 8 ? 1 : 0);
		lk_address_format(&cidr.address, address);
		snprintf(text, sizeof text, "%s/%u", address, cidr.prefix);
		assert_true(lk_cidr_parse(text, &read));
		assert_memory_equal(&read, &cidr, sizeof cidr);

		char *given[] = {text};
		lk_arena_reset(&arena);
		lk_faults_init(&faults, &arena);
		char **canonical = lk_cidr_check_list(&faults, "allowed_cidrs", given, 1);
		assert_int_equal(faults.count, 0);
		assert_string_equal(canonical[0], text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_address_parse_and_format_give_the_canonical_text),
		TEST(test_address_parse_refuses_what_is_none),
		TEST(test_address_format_of_none_is_empty),
		TEST(test_cidr_holds_what_is_in_the_range),
		TEST(test_cidr_with_a_prefix_beyond_its_address_holds_nothing),
		TEST(test_cidr_parse_refuses_what_is_no_range),
		TEST(test_check_list_gives_the_canonical_form),
		TEST(test_check_list_reports_every_fault_and_the_range_that_is_meant),
		TEST(test_check_list_takes_32_and_no_more),
		TEST(test_check_list_of_an_exhausted_arena_is_null),
		TEST(test_cidr_holds_as_bit_by_bit),
		TEST(test_cidr_texts_of_random_ranges_come_back),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
