/* What lk_verify_pack() writes is what protobuf-c packs of the response that lk_verify_reply() fills in, byte for byte. */
#include "server/service/verify_reply.h"

#include <stdlib.h>
#include <time.h>

#include "client/varint.h"
#include "server/core/time.h"
#include "server/service/verify_question.h"
#include "tests/lib/verdict_cases.h"
#include "tests/unit/service/service_fixture.h"

#define VERDICT(name) LATCHKEY__V1__VERIFY_CODE__VERIFY_CODE_##name
#define AGAIN_BYTE    0xa5

/* Who asks for verdicts without a daemon. */
struct asking {
	struct lk_arena arena;
	struct lk_txn *txn;
	/* How many answers were packed both ways. */
	size_t packed;
	Latchkey__V1__VerifyKeyResponse *response;
};

static struct lk_request make_request(struct asking *asking)
{
	static char any[] = "*";
	static char *list[] = {any};
	static Latchkey__Store__GrantRecord grant = LATCHKEY__STORE__GRANT_RECORD__INIT;
	struct lk_request request = {
		.arena = &asking->arena,
		.store = fixture_loop.store,
		.txn = asking->txn,
		.caller = {.name = "", .subject = "", .grant = &grant},
		.now_us = INT64_C(1767225600000000),
	};

	grant.tenants = list;
	grant.n_tenants = 1;
	grant.keyspaces = list;
	grant.n_keyspaces = 1;
	lk_faults_init(&request.faults, &asking->arena);
	return request;
}

/* Packs an answer that is not explained both ways; returns the bytes, in the arena. */
static const uint8_t *assert_packs_alike(struct asking *asking, const struct lk_answer *answer, size_t *ret_len)
{
	struct lk_request request = make_request(asking);
	const struct lk_question question = {.keyspace = ""};
	Latchkey__V1__VerifyKeyResponse response = LATCHKEY__V1__VERIFY_KEY_RESPONSE__INIT;

	lk_verify_reply(&request, &question, answer, &response);
	assert_false(asking->arena.exhausted);
	size_t len = latchkey__v1__verify_key_response__get_packed_size(&response);
	uint8_t *expected = lk_arena_alloc(&asking->arena, len);
	assert_int_equal(latchkey__v1__verify_key_response__pack(&response, expected), len);
	size_t max = lk_verify_packed_max(answer);
	/* One byte more, to see that it is left alone. */
	uint8_t *packed = malloc(max + 1);
	assert_non_null(packed);
	memset(packed, AGAIN_BYTE, max + 1);
	size_t packed_len = lk_verify_pack(answer, packed);
	assert_in_range(packed_len, 1, max);
	assert_int_equal(packed[max], AGAIN_BYTE);
	assert_int_equal(packed_len, len);
	assert_memory_equal(packed, expected, len);
	free(packed);
	asking->packed++;
	*ret_len = len;
	return expected;
}

static void renew(struct asking *asking)
{
	lk_arena_reset(&asking->arena);
	assert_int_equal(lk_snapshot_begin(asking->txn), LK_OK);
}

static const Latchkey__V1__VerifyKeyResponse *ask(void *context, const Latchkey__V1__VerifyKeyRequest *message)
{
	struct asking *asking = context;
	struct timespec now = {0};
	struct lk_asked asked = {0};
	struct lk_answer answer;
	size_t len = 0;

	renew(asking);
	struct lk_request request = make_request(asking);
	(void)clock_gettime(CLOCK_REALTIME, &now);
	request.now_us = now.tv_sec * LK_US_PER_SECOND + now.tv_nsec / 1000;
	assert_int_equal(lk_verify_read(&request, message, &asked), LK_OK);
	assert_int_equal(lk_verify_judge(&request, &asked, &answer), LK_OK);
	const uint8_t *packed = assert_packs_alike(asking, &answer, &len);
	if (message->explain) {
		/* The gates are protobuf-c's. */
		Latchkey__V1__VerifyKeyResponse response = LATCHKEY__V1__VERIFY_KEY_RESPONSE__INIT;
		lk_verify_reply(&request, &asked.question, &answer, &response);
		len = latchkey__v1__verify_key_response__get_packed_size(&response);
		uint8_t *explained = lk_arena_alloc(&asking->arena, len);
		assert_int_equal(latchkey__v1__verify_key_response__pack(&response, explained), len);
		packed = explained;
	}
	lk_verify_release(&request, &asked);
	asking->response = latchkey__v1__verify_key_response__unpack(&asking->arena.allocator, len, packed);
	return asking->response;
}

static int setup(void **state)
{
	struct asking *asking = calloc(1, sizeof *asking);

	if (fixture_setup(state) != 0 || asking == NULL || lk_arena_init(&asking->arena, 1 << 16, 1 << 24) != LK_OK ||
		lk_snapshot_new(fixture_loop.store, &asking->txn) != LK_OK) {
		return -1;
	}
	*state = asking;
	return 0;
}

static int teardown(void **state)
{
	struct asking *asking = *state;

	lk_snapshot_free(asking->txn);
	lk_arena_done(&asking->arena);
	free(asking);
	return fixture_teardown(state);
}

static void test_pack_is_as_protobuf_c_packs_every_verdict_of_the_table(void **state)
{
	struct asking *asking = *state;

	assert_int_equal(verdict_cases_run(fixture_loop.store, ask, asking), 0);
	assert_true(asking->packed > 100);
}

static void test_pack_of_what_is_not_found_is_the_code_alone(void **state)
{
	/* Whatever else is in it means nothing. */
	struct lk_answer answer = {.code = VERDICT(NOT_FOUND), .weighed = true};
	static const uint8_t expected[] = {0x10, VERDICT(NOT_FOUND), 0x30, 1};
	size_t len = 0;

	answer.charge.n_limits = 8;
	answer.charge.has_credits = true;
	answer.verdict.head.identity_len = UINT32_MAX;
	const uint8_t *packed = assert_packs_alike(*state, &answer, &len);
	assert_int_equal(len, sizeof expected);
	assert_memory_equal(packed, expected, sizeof expected);
}

/* Numbers of every length, on both sides of each step. */
static uint64_t number_at(unsigned i)
{
	return (UINT64_C(1) << (i / 2 * 7 % 64)) - i % 2;
}

static void fill_limit(struct lk_charge_limit *charged, unsigned i)
{
	static const char name[LK_LIMIT_NAME_MAX] = "abcdefghijklmnopqrstuvwxyz012345";

	*charged = (struct lk_charge_limit){.refuses = i % 3 == 0};
	memcpy(charged->limit.name, name, i * 5 % (LK_LIMIT_NAME_MAX + 1));
	charged->limit.limit = number_at(i);
	charged->standing.remaining = number_at(i + 1);
	/* Exact microseconds and seconds, and beside them. */
	static const int64_t spans_ns[] = {0, 1, 1000, 999999999, 1000000000, INT64_C(31622400000000000), INT64_MAX};
	charged->standing.reset_ns = spans_ns[i % 7];
	charged->standing.retry_ns = i % 5 == 0 ? -1 : spans_ns[(i + 3) % 7];
}

static void test_pack_takes_numbers_of_every_size(void **state)
{
	static uint8_t identity[70000];
	struct asking *asking = *state;
	struct lk_answer answer = {.found = true, .weighed = true, .now_us = INT64_C(1767225600123456)};
	size_t len = 0;

	for (unsigned i = 0; i < 128; i++) {
		renew(asking);
		answer.code = i % 4 == 0 ? VERDICT(VALID) : VERDICT(RATE_LIMITED);
		answer.charge.n_limits = i % (LK_CHARGE_LIMITS + 1);
		answer.n_own_limits = answer.charge.n_limits / 2;
		for (unsigned j = 0; j < answer.charge.n_limits; j++) {
			fill_limit(&answer.charge.limits[j], i + j);
		}
		answer.charge.has_credits = i % 3 != 0;
		answer.charge.credits_remaining = number_at(i) % LK_CREDITS_MAX;
		answer.facts.replaced = true;
		answer.facts.replaced_until_us = (int64_t)(number_at(i / 4) % LK_TIME_MAX_US);
		/* Any bytes, with the length before them. */
		size_t identity_len = number_at(i) % 65536;
		memset(identity, (int)i, sizeof identity);
		const uint8_t *end = lk_varint_put(identity, identity_len) + identity_len;
		answer.verdict.identity = identity;
		answer.verdict.head.identity_len = (uint32_t)(end - identity);
		(void)assert_packs_alike(asking, &answer, &len);
	}
	assert_int_equal(asking->packed, 128);
}

static void test_pack_takes_instants_before_1970(void **state)
{
	static const uint8_t nobody[] = {0};
	static const int64_t instants[] = {-1, -999999, -1000000, -1000001, INT64_C(-62135596800000000), 0, 1};
	struct lk_answer answer = {.code = VERDICT(VALID), .found = true, .facts = {.replaced = true}};
	size_t len = 0;

	answer.verdict.identity = nobody;
	answer.verdict.head.identity_len = sizeof nobody;
	for (size_t i = 0; i < sizeof instants / sizeof instants[0]; i++) {
		answer.facts.replaced_until_us = instants[i];
		(void)assert_packs_alike(*state, &answer, &len);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_pack_is_as_protobuf_c_packs_every_verdict_of_the_table),
		TEST(test_pack_of_what_is_not_found_is_the_code_alone),
		TEST(test_pack_takes_numbers_of_every_size),
		TEST(test_pack_takes_instants_before_1970),
	};

	return cmocka_run_group_tests_name("service verify reply", tests, NULL, NULL);
}
