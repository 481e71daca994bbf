/* The wire check, against bytes made by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "client/varint.h"
#include "latchkey/v1/key.wire.h"
#include "sample.pb-c.h"
#include "server/rpc/wire.h"

/* Bytes in a literal, NULs included. */
#define BYTES(literal) (const uint8_t *)(literal), sizeof(literal) - 1

static const struct lk_wire_field entry_fields[] = {{.max_length = 4}, {.max_length = 8}};
static const struct lk_wire_message labels_rules = {&sample__sample__labels_entry__descriptor, entry_fields};
static const struct lk_wire_message by_number_rules = {&sample__sample__by_number_entry__descriptor, NULL};
static const struct lk_wire_message by_word_rules = {&sample__sample__by_word_entry__descriptor, NULL};
static const struct lk_wire_field inner_fields[] = {{.max_length = 5}, {.max_length = 3, .max_items = 2}};
static const struct lk_wire_message inner_rules = {&sample__inner__descriptor, inner_fields};

/* In the order of the descriptor's fields, which is that of their numbers. */
static const struct lk_wire_field sample_fields[] = {
	[0] = {.max_length = 6},
	[1] = {.max_length = 4},
	[16] = {.message = &inner_rules},
	[17] = {.max_items = 3, .max_length = 2},
	[18] = {.max_items = 4},
	[20] = {.message = &inner_rules},
	[21] = {.message = &labels_rules, .is_map = true, .max_items = 4},
	[22] = {.message = &by_number_rules, .is_map = true},
	[26] = {.message = &by_word_rules, .is_map = true},
	[29] = {.message = &inner_rules},
	[30] = {0},
};
static const struct lk_wire_message sample_rules = {&sample__sample__descriptor, sample_fields};

struct fixture {
	struct lk_arena arena;
	struct lk_faults faults;
};

static int set_up(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	*state = fixture;
	if (fixture == NULL || lk_arena_init(&fixture->arena, 4096, (size_t)1 << 20) != LK_OK) {
		return -1;
	}
	lk_faults_init(&fixture->faults, &fixture->arena);
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;

	lk_arena_done(&fixture->arena);
	free(fixture);
	return 0;
}

/* A copy at the end of its allocation, so that a read past the end shows. */
static enum lk_err check(struct fixture *fixture, const uint8_t *data, size_t len)
{
	uint8_t *copy = malloc(len > 0 ? len : 1);
	enum lk_err err = LK_OK;

	assert_non_null(copy);
	memcpy(copy, data, len);
	lk_arena_reset(&fixture->arena);
	lk_faults_init(&fixture->faults, &fixture->arena);
	err = lk_wire_check(&sample_rules, copy, len, &fixture->faults);
	free(copy);
	return err;
}

static void assert_fault(const struct fixture *fixture, size_t index, const char *field, const char *description)
{
	assert_true(index < fixture->faults.count);
	assert_string_equal(fixture->faults.items[index].field, field);
	if (strstr(fixture->faults.items[index].description, description) == NULL) {
		fail_msg("%s: \"%s\" lacks \"%s\"", field, fixture->faults.items[index].description, description);
	}
}

static void fill_scalars(Sample__Sample *sample)
{
	sample->text = "\xc3\xa4\xe2\x82\xac\xf0\x9f\x97\x9d"
		       "abc";
	sample->blob = (ProtobufCBinaryData){.len = 4, .data = (uint8_t *)"\xff\0\xfe\0"};
	sample->i32 = -5;
	sample->s32 = INT32_MIN;
	sample->sf32 = -1;
	sample->i64 = INT64_MIN;
	sample->s64 = INT64_MIN;
	sample->sf64 = -2;
	sample->u32 = UINT32_MAX;
	sample->f32 = 1;
	sample->u64 = UINT64_MAX;
	sample->f64 = 2;
	sample->real = 1.5f;
	sample->precise = -2.5;
	sample->flag = 1;
	sample->colour = SAMPLE__COLOUR__COLOUR_BELOW;
}

/* A message with each kind of field, as protobuf-c packs it. */
static size_t pack_full(uint8_t out[static 1024])
{
	Sample__Inner inner = SAMPLE__INNER__INIT;
	Sample__Nest deepest = SAMPLE__NEST__INIT;
	Sample__Nest nest = SAMPLE__NEST__INIT;
	Sample__Sample__LabelsEntry first = SAMPLE__SAMPLE__LABELS_ENTRY__INIT;
	Sample__Sample__LabelsEntry second = SAMPLE__SAMPLE__LABELS_ENTRY__INIT;
	Sample__Sample__ByNumberEntry numbered = SAMPLE__SAMPLE__BY_NUMBER_ENTRY__INIT;
	Sample__Sample__ByWordEntry worded = SAMPLE__SAMPLE__BY_WORD_ENTRY__INIT;
	Sample__Sample sample = SAMPLE__SAMPLE__INIT;

	inner.name = "inner";
	inner.n_tags = 2;
	inner.tags = (char *[]){"x", "yyy"};
	deepest.depth = 3;
	nest.inner = &deepest;
	first.key = "a";
	first.value = "1";
	second.key = "b";
	second.value = "2";
	numbered.key = 7;
	numbered.value = "seven";
	worded.key = 1ull << 40;
	worded.value = "";
	fill_scalars(&sample);
	sample.inner = &inner;
	sample.n_names = 3;
	sample.names = (char *[]){"", "n", "nn"};
	sample.n_numbers = 4;
	sample.numbers = (int32_t[]){1, -1, INT32_MAX, INT32_MIN};
	sample.n_loose = 2;
	sample.loose = (uint32_t[]){0, 300};
	sample.n_inners = 2;
	sample.inners = (Sample__Inner *[]){&inner, &inner};
	sample.n_labels = 2;
	sample.labels = (Sample__Sample__LabelsEntry *[]){&first, &second};
	sample.n_by_number = 1;
	sample.by_number = (Sample__Sample__ByNumberEntry *[]){&numbered};
	sample.n_colours = 2;
	sample.colours = (Sample__Colour[]){SAMPLE__COLOUR__COLOUR_RED, SAMPLE__COLOUR__COLOUR_BELOW};
	sample.n_words = 2;
	sample.words = (uint32_t[]){1, 2};
	sample.n_blobs = 1;
	sample.blobs = &sample.blob;
	sample.n_by_word = 1;
	sample.by_word = (Sample__Sample__ByWordEntry *[]){&worded};
	sample.choice_case = SAMPLE__SAMPLE__CHOICE_B;
	sample.b = 9;
	sample.nest = &nest;
	assert_true(sample__sample__get_packed_size(&sample) <= 1024);
	return sample__sample__pack(&sample, out);
}

static void test_wire_takes_every_kind_of_field(void **state)
{
	uint8_t packed[1024];

	assert_int_equal(check(*state, packed, pack_full(packed)), LK_OK);
	assert_int_equal(((struct fixture *)*state)->faults.count, 0);
}

static void test_wire_takes_the_empty_message(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(check(fixture, (const uint8_t *)"", 0), LK_OK);
	assert_int_equal(lk_wire_check(&sample_rules, NULL, 0, &fixture->faults), LK_OK);
}

static void test_wire_takes_either_form_of_repeated_numbers(void **state)
{
	/* numbers packed, alone, packed again; loose packed; zero entries packed */
	assert_int_equal(check(*state, BYTES("\xaa\x01\x02\x01\x02\xa8\x01\x05\xaa\x01\x01\x03")), LK_OK);
	assert_int_equal(check(*state, BYTES("\xb2\x01\x02\x01\x02")), LK_OK);
	assert_int_equal(check(*state, BYTES("\xaa\x01\x00")), LK_OK);
}

/* A truncation is either between two fields of the outermost message, or a fault: never a read past the end. */
static void test_wire_refuses_every_truncation(void **state)
{
	uint8_t packed[1024];
	size_t len = pack_full(packed);
	bool boundary[1025] = {true};
	const uint8_t *at = packed;

	while (at < packed + len) {
		enum lk_wire_type type = LK_WIRE_VARINT;
		uint32_t number = 0;

		assert_true(lk_varint_get_tag(&at, packed + len, &number, &type));
		assert_true(lk_varint_skip(&at, packed + len, type));
		boundary[at - packed] = true;
	}
	for (size_t i = 0; i <= len; i++) {
		assert_int_equal(check(*state, packed, i), boundary[i] ? LK_OK : LK_INVALID_ARGUMENT);
	}
}

/* Whatever one byte is changed to: a verdict, and no read past the end. What is taken, protobuf-c unpacks. */
static void test_wire_survives_every_changed_byte(void **state)
{
	uint8_t packed[1024];
	size_t len = pack_full(packed);

	for (size_t i = 0; i < len; i++) {
		uint8_t original = packed[i];

		for (unsigned bit = 0; bit < 8; bit++) {
			packed[i] = original ^ (uint8_t)(1u << bit);
			if (check(*state, packed, len) == LK_OK) {
				Sample__Sample *sample = sample__sample__unpack(NULL, len, packed);

				assert_non_null(sample);
				sample__sample__free_unpacked(sample, NULL);
			}
		}
		packed[i] = original;
	}
}

struct refusal {
	const uint8_t *data;
	size_t len;
	const char *field;
	const char *description;
};

/* Faults of structure: the first one ends the walk. */
static const struct refusal refusals[] = {
	{BYTES("\x0a\x01\xff"), "text", "not valid UTF-8"},
	{BYTES("\x0a\x02\xc0\x80"), "text", "not valid UTF-8"},
	{BYTES("\x0a\x03\xed\xa0\x80"), "text", "not valid UTF-8"},
	{BYTES("\x0a\x03"
	       "a\0b"),
		"text", "NUL"},
	{BYTES("\x0a\x01"
	       "a\x0a\x01"
	       "b"),
		"text", "given twice"},
	{BYTES("\x0a\x00\x0a\x00"), "text", "given twice"},
	{BYTES("\x8a\x01\x00\x8a\x01\x00"), "inner", "given twice"},
	{BYTES("\x8a\x01\x04\x0a\x00\x0a\x00"), "inner.name", "given twice"},
	{BYTES("\x08\x01"), "text", "wire type 0, not 2"},
	{BYTES("\x1a\x01\x01"), "i32", "wire type 2, not 0"},
	{BYTES("\x1d\x01\x00\x00\x00"), "i32", "wire type 5, not 0"},
	{BYTES("\xad\x01\x01\x00\x00\x00"), "numbers[0]", "wire type 5, not 0"},
	{BYTES("\x18\x80\x80\x80\x80\x10"), "i32", "32 bits"},
	{BYTES("\x18\xff\xff\xff\xff\x0f"), "i32", "32 bits"},
	{BYTES("\x20\x80\x80\x80\x80\x10"), "s32", "32 bits"},
	{BYTES("\x48\x80\x80\x80\x80\x10"), "u32", "32 bits"},
	{BYTES("\x78\x02"), "flag", "0 or 1"},
	{BYTES("\x80\x01\x02"), "colour", "2 is no value of sample.Colour"},
	{BYTES("\x80\x01\x81\x80\x80\x80\x10"), "colour", "is no value"},
	{BYTES("\xd2\x01\x02\x01\x05"), "colours[1]", "5 is no value"},
	{BYTES("\xd0\x01\x01\xd0\x01\x06"), "colours[1]", "6 is no value"},
	{BYTES("\x58\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"), "u64", "varint"},
	{BYTES("\x58\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), "u64", "varint"},
	{BYTES("\x58\x80"), "u64", "varint"},
	{BYTES("\x58"), "u64", "varint"},
	{BYTES("\x55\x00\x00\x00"), "f32", "cut off"},
	{BYTES("\x61\x00\x00\x00\x00\x00\x00\x00"), "f64", "cut off"},
	{BYTES("\x0a\x05"
	       "ab"),
		"text", "cut off"},
	{BYTES("\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), "text", "cut off"},
	{BYTES("\xaa\x01\x02\x01\x80"), "numbers[1]", "varint"},
	{BYTES("\xaa\x01\x05\x01"), "numbers", "cut off"},
	{BYTES("\xda\x01\x05\x01\x00\x00\x00\x02"), "words[1]", "cut off"},
	{BYTES("\x98\x06\x01"), "99", "not a field of sample.Sample"},
	{BYTES("\x8a\x01\x02\x18\x01"), "inner.3", "not a field of sample.Inner"},
	{BYTES("\xba\x01\x00\xba\x01\x02\x18\x01"), "inners[1].3", "not a field of sample.Inner"},
	{BYTES("\xc2\x01\x02\x18\x01"), "labels[0].3", "not a field of"},
	{BYTES("\x00\x00"), "", "no protobuf field"},
	{BYTES("\x0b\x0c"), "", "no protobuf field"},
	{BYTES("\x0e"), "", "no protobuf field"},
	{BYTES("\x80"), "", "no protobuf field"},
	{BYTES("\xff\xff\xff\xff\xff\x01\x00"), "", "no protobuf field"},
	{BYTES("\x78\x01\x00"), "", "no protobuf field"},
	{BYTES("\x8a\x01\x01\x80"), "inner", "no protobuf field"},
	{BYTES("\xf2\x01\x00\xf8\x01\x00"), "b", "cannot be given together with a"},
	{BYTES("\x82\x02\x00\xf2\x01\x00"), "a", "cannot be given together with c"},
	{BYTES("\xf8\x01\x01\xf8\x01\x01"), "b", "given twice"},
	{BYTES("\xa2\x01\x00\xa2\x01\x01\xff"), "names[1]", "not valid UTF-8"},
	{BYTES("\xc2\x01\x03\x0a\x01\xff"), "labels[0].key", "not valid UTF-8"},
	{BYTES("\xba\x01\x07\x0a\x01"
	       "a\x12\x02"
	       "b\0"),
		"inners[0].tags[0]", "NUL"},
};

static void test_wire_refuses_faults_of_structure(void **state)
{
	struct fixture *fixture = *state;

	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		assert_int_equal(check(fixture, refusals[i].data, refusals[i].len), LK_INVALID_ARGUMENT);
		assert_int_equal(fixture->faults.count, 1);
		assert_fault(fixture, 0, refusals[i].field, refusals[i].description);
	}
}

static void test_wire_gathers_limits(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(check(fixture, BYTES("\x0a\x07"
					      "abcdefg"
					      "\x12\x05\0\0\0\0\0"
					      "\xa2\x01\x03nnn\xa2\x01\x00\xa2\x01\x00\xa2\x01\x00"
					      "\xba\x01\x08\x0a\x06"
					      "abcdef"
					      "\xaa\x01\x05\x01\x02\x03\x04\x05")),
		LK_INVALID_ARGUMENT);
	assert_int_equal(fixture->faults.count, 6);
	assert_fault(fixture, 0, "text", "has 7 characters; at most 6 are allowed");
	assert_fault(fixture, 1, "blob", "has 5 bytes; at most 4 are allowed");
	assert_fault(fixture, 2, "names[0]", "has 3 characters; at most 2 are allowed");
	assert_fault(fixture, 3, "inners[0].name", "has 6 characters; at most 5 are allowed");
	assert_fault(fixture, 4, "names", "has 4 entries; at most 3 are allowed");
	assert_fault(fixture, 5, "numbers", "has 5 entries; at most 4 are allowed");
}

static void test_wire_counts_characters_not_bytes(void **state)
{
	assert_int_equal(check(*state, BYTES("\x0a\x18"
					     "\xf0\x9f\x97\x9d\xf0\x9f\x97\x9d\xf0\x9f\x97\x9d"
					     "\xf0\x9f\x97\x9d\xf0\x9f\x97\x9d\xf0\x9f\x97\x9d")),
		LK_OK);
}

static void test_wire_refuses_a_map_key_given_twice(void **state)
{
	struct fixture *fixture = *state;

	/* a, b, a; then "" given and left out; then 7 in two encodings; then one word twice */
	assert_int_equal(check(fixture, BYTES("\xc2\x01\x03\x0a\x01"
					      "a\xc2\x01\x03\x0a\x01"
					      "b\x78\x01\xc2\x01\x03\x0a\x01"
					      "a")),
		LK_INVALID_ARGUMENT);
	assert_int_equal(fixture->faults.count, 1);
	assert_fault(fixture, 0, "labels[2].key", "given twice");
	assert_int_equal(check(fixture, BYTES("\xc2\x01\x02\x0a\x00\xc2\x01\x00")), LK_INVALID_ARGUMENT);
	assert_fault(fixture, 0, "labels[1].key", "given twice");
	assert_int_equal(check(fixture, BYTES("\xca\x01\x02\x08\x07\xca\x01\x03\x08\x87\x00")), LK_INVALID_ARGUMENT);
	assert_fault(fixture, 0, "by_number[1].key", "given twice");
	assert_int_equal(check(fixture, BYTES("\xea\x01\x09\x09"
					      "12345678\xea\x01\x09\x09"
					      "12345678")),
		LK_INVALID_ARGUMENT);
	assert_fault(fixture, 0, "by_word[1].key", "given twice");
	assert_int_equal(check(fixture, BYTES("\xea\x01\x09\x09"
					      "12345678\xea\x01\x09\x09"
					      "12345679")),
		LK_OK);
}

/* As many entries as there may be, each with a long common prefix: every key is found, and in no time. */
static void test_wire_compares_the_keys_of_a_large_map(void **state)
{
	enum {
		COUNT = LK_WIRE_ITEMS_MAX
	};
	struct fixture *fixture = *state;
	uint8_t *data = malloc(COUNT * 16);
	uint8_t *at = data;

	assert_non_null(data);
	for (uint32_t i = 0; i < COUNT; i++) {
		/* The last one is the first one again. */
		uint32_t key = (i + 1 == COUNT ? 0 : i) * 2654435761u % 1000003u;

		at = lk_varint_put_tag(at, 25, LK_WIRE_BYTES);
		at = lk_varint_put(at, 1 + lk_varint_size(key));
		at = lk_varint_put_tag(at, 1, LK_WIRE_VARINT);
		at = lk_varint_put(at, key);
	}
	enum lk_err err = check(fixture, data, (size_t)(at - data));

	free(data);
	assert_int_equal(err, LK_INVALID_ARGUMENT);
	assert_int_equal(fixture->faults.count, 1);
	assert_fault(fixture, 0, "by_number[1023].key", "given twice");
}

static void test_wire_bounds_entries_without_a_rule(void **state)
{
	struct fixture *fixture = *state;
	uint8_t data[(LK_WIRE_ITEMS_MAX + 1) * 3];

	for (size_t i = 0; i < sizeof(data); i += 3) {
		memcpy(data + i, "\xb0\x01\x05", 3);
	}
	assert_int_equal(check(fixture, data, sizeof(data) - 3), LK_OK);
	assert_int_equal(check(fixture, data, sizeof(data)), LK_INVALID_ARGUMENT);
	assert_fault(fixture, 0, "loose", "has 1025 entries; at most 1024 are allowed");
}

/* `levels` of Nest inside one another. */
static size_t nest(uint8_t *out, unsigned levels)
{
	size_t len = 0;

	for (unsigned i = 1; i < levels; i++) {
		memmove(out + 2, out, len);
		out[0] = 0x0a;
		out[1] = (uint8_t)len;
		len += 2;
	}
	memmove(out + 3, out, len);
	memcpy(out, "\x8a\x02", 2);
	out[2] = (uint8_t)len;
	return len + 3;
}

static void test_wire_bounds_nesting(void **state)
{
	struct fixture *fixture = *state;
	uint8_t data[256];

	assert_int_equal(check(fixture, data, nest(data, LK_WIRE_DEPTH_MAX - 1)), LK_OK);
	assert_int_equal(check(fixture, data, nest(data, LK_WIRE_DEPTH_MAX)), LK_INVALID_ARGUMENT);
	assert_int_equal(fixture->faults.count, 1);
	assert_non_null(strstr(fixture->faults.items[0].description, "nested more than 16 deep"));
}

static void test_wire_refuses_even_without_memory_for_the_fault(void **state)
{
	struct fixture *fixture = *state;

	while (lk_arena_alloc(&fixture->arena, 1024) != NULL) {
		continue;
	}
	while (lk_arena_alloc(&fixture->arena, 1) != NULL) {
		continue;
	}
	assert_int_equal(lk_wire_check(&sample_rules, BYTES("\x0a\x01\xff"), &fixture->faults), LK_INVALID_ARGUMENT);
}

static enum lk_err check_batch(struct fixture *fixture, const uint8_t *data, size_t len)
{
	return lk_wire_check(&latchkey__v1__verify_batch_request__wire, data, len, &fixture->faults);
}

/* Options over their limits are wrong with their item; what is no text is wrong with the whole. */
static void test_wire_leaves_limits_of_what_is_apart(void **state)
{
	struct fixture *fixture = *state;
	Latchkey__V1__VerifyKeyRequest options = LATCHKEY__V1__VERIFY_KEY_REQUEST__INIT;
	Latchkey__V1__VerifyBatchItem item = LATCHKEY__V1__VERIFY_BATCH_ITEM__INIT;
	Latchkey__V1__VerifyBatchItem *list[] = {&item};
	Latchkey__V1__VerifyBatchRequest request = LATCHKEY__V1__VERIFY_BATCH_REQUEST__INIT;
	char long_text[2000];
	uint8_t out[8192];

	memset(long_text, 'x', sizeof(long_text) - 1);
	long_text[sizeof(long_text) - 1] = '\0';
	options.client_ip = long_text;
	options.permission_expression = long_text;
	size_t len = latchkey__v1__verify_key_request__pack(&options, out);
	assert_int_equal(lk_wire_check(&latchkey__v1__verify_key_request__wire, out, len, &fixture->faults),
		LK_INVALID_ARGUMENT);
	assert_int_equal(fixture->faults.count, 2);
	lk_faults_init(&fixture->faults, &fixture->arena);
	item.options = &options;
	request.options = &options;
	request.items = list;
	request.n_items = 1;
	len = latchkey__v1__verify_batch_request__pack(&request, out);
	assert_int_equal(check_batch(fixture, out, len), LK_OK);
	long_text[3] = '\xff';
	len = latchkey__v1__verify_batch_request__pack(&request, out);
	assert_int_equal(check_batch(fixture, out, len), LK_INVALID_ARGUMENT);
	assert_int_equal(fixture->faults.count, 1);
	assert_string_equal(fixture->faults.items[0].field, "options.permission_expression");
}

/* A thousand items with hundreds of charges each would take the server half a second. */
static void test_wire_bounds_lists_of_what_is_apart(void **state)
{
	struct fixture *fixture = *state;
	uint8_t data[5 + 2 * LK_WIRE_APART_ITEMS_MAX] = {0x0a, 2 * LK_WIRE_APART_ITEMS_MAX + 2 - 128, 1};

	/* options.rate_charges, each empty; the length of the options takes two bytes. */
	_Static_assert(LK_WIRE_APART_ITEMS_MAX == 64, "the lengths here are of 64 and 65");
	data[1] |= 0x80;
	for (size_t i = 0; i <= LK_WIRE_APART_ITEMS_MAX; i++) {
		data[3 + 2 * i] = 0x3a;
	}
	assert_int_equal(check_batch(fixture, data, sizeof data), LK_INVALID_ARGUMENT);
	assert_fault(fixture, 0, "options.rate_charges", "has 65 entries; at most 64 are allowed");
	data[1] = 0x80;
	assert_int_equal(check_batch(fixture, data, sizeof data - 2), LK_OK);
}

/* Behind the last entry that is allowed nothing is looked into, but where each ends still counts. */
static void test_wire_counts_entries_that_are_too_many(void **state)
{
	struct fixture *fixture = *state;
	uint8_t data[2004] = {0};

	/* VerifyBatchRequest.items, empty; the last has a field that there is not. */
	for (size_t i = 0; i < 1000; i++) {
		data[2 * i] = 0x12;
	}
	memcpy(data + 2000, "\x12\x02\x78\x01", 4);
	assert_int_equal(check_batch(fixture, data, 2000), LK_OK);
	assert_int_equal(check_batch(fixture, data, 2004), LK_INVALID_ARGUMENT);
	assert_int_equal(fixture->faults.count, 1);
	assert_fault(fixture, 0, "items", "has 1001 entries; at most 1000 are allowed");
	assert_int_equal(check_batch(fixture, data, 2003), LK_INVALID_ARGUMENT);
	assert_fault(fixture, 1, "items[1000]", "cut off");
}

/* The generator's own tables, on requests as protobuf-c packs them. */
static void test_wire_knows_the_generated_rules(void **state)
{
	enum {
		ENTRIES = 17
	};
	struct fixture *fixture = *state;
	Latchkey__V1__CreateKeyRequest__MetadataEntry entries[ENTRIES];
	Latchkey__V1__CreateKeyRequest__MetadataEntry *pointers[ENTRIES];
	Latchkey__V1__CreateKeyRequest request = LATCHKEY__V1__CREATE_KEY_REQUEST__INIT;
	Latchkey__V1__Grant grant = LATCHKEY__V1__GRANT__INIT;
	char keys[ENTRIES][4];
	char long_text[130];
	uint8_t out[4096];
	size_t len = 0;

	memset(long_text, 'x', sizeof(long_text) - 1);
	long_text[sizeof(long_text) - 1] = '\0';
	for (size_t i = 0; i < ENTRIES; i++) {
		(void)snprintf(keys[i], sizeof(keys[i]), "%zu", i);
		latchkey__v1__create_key_request__metadata_entry__init(&entries[i]);
		entries[i].key = keys[i];
		entries[i].value = "";
		pointers[i] = &entries[i];
	}
	request.tenant = "acme";
	request.metadata = pointers;
	request.n_metadata = 16;
	request.grant = &grant;
	len = latchkey__v1__create_key_request__pack(&request, out);
	assert_int_equal(lk_wire_check(&latchkey__v1__create_key_request__wire, out, len, &fixture->faults), LK_OK);
	request.owner = long_text;
	request.n_metadata = ENTRIES;
	grant.n_methods = 1;
	grant.methods = &request.owner;
	len = latchkey__v1__create_key_request__pack(&request, out);
	assert_int_equal(lk_wire_check(&latchkey__v1__create_key_request__wire, out, len, &fixture->faults),
		LK_INVALID_ARGUMENT);
	assert_int_equal(fixture->faults.count, 3);
	assert_fault(fixture, 0, "owner", "has 129 characters; at most 128");
	assert_fault(fixture, 1, "grant.methods[0]", "has 129 characters; at most 64");
	assert_fault(fixture, 2, "metadata", "has 17 entries; at most 16");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_wire_takes_every_kind_of_field, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_wire_takes_the_empty_message, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_wire_takes_either_form_of_repeated_numbers, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_wire_refuses_every_truncation, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_wire_survives_every_changed_byte, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_wire_refuses_faults_of_structure, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_wire_gathers_limits, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_wire_counts_characters_not_bytes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_wire_refuses_a_map_key_given_twice, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_wire_compares_the_keys_of_a_large_map, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_wire_bounds_entries_without_a_rule, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_wire_bounds_nesting, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_wire_leaves_limits_of_what_is_apart, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_wire_bounds_lists_of_what_is_apart, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_wire_counts_entries_that_are_too_many, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_wire_knows_the_generated_rules, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_wire_refuses_even_without_memory_for_the_fault, set_up, tear_down),
	};

	return cmocka_run_group_tests_name("wire", tests, NULL, NULL);
}
