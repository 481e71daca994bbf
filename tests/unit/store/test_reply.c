#include "server/store/reply.h"

#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "client/uuid7.h"
#include "latchkey/store/record.pb-c.h"
#include "server/core/time.h"
#include "server/store/writer.h"
#include "tests/unit/store/world.h"
#include <cmocka.h>

#define NOW_MS (LK_FIXTURE_TIME_US / LK_US_PER_MS)

/* A request_id of its own, with what goes with it. */
struct request {
	uint8_t id[LK_REQUEST_ID_LEN];
	struct lk_reply_id reply_id;
};

static void digest(const uint8_t *id, const char *method, const char *tenant, const char *text, uint8_t *ret_digest)
{
	const struct lk_reply_request asked = {
		.method = method, .tenant = tenant, .data = (const uint8_t *)text, .len = strlen(text)};

	lk_reply_request_digest(id, &asked, ret_digest);
}

static void make_request(struct request *request, const char *caller, int64_t time_ms, const char *payload)
{
	lk_uuid7_make((uint64_t)time_ms, request->id);
	request->reply_id = (struct lk_reply_id){
		.request_id = request->id, .time_ms = (uint64_t)time_ms, .caller = caller};
	digest(request->id, "Create", "acme", payload, request->reply_id.request_digest);
}

static void keep(struct lk_fixture *fixture, const struct request *request, const char *response, int64_t now_us)
{
	struct lk_kept_reply reply = {
		.response = (uint8_t *)(uintptr_t)response, .response_len = strlen(response), .revision = 42};
	struct lk_txn *txn = NULL;

	assert_int_equal(lk_write_begin(fixture->store, &txn), LK_OK);
	lk_reply_keep(txn, &fixture->arena, &request->reply_id, &reply, now_us);
	assert_int_equal(lk_write_commit(txn), LK_OK);
}

static enum lk_err find(struct lk_fixture *fixture, const struct request *request, struct lk_kept_reply *ret_reply)
{
	return lk_reply_find(lk_fixture_snapshot(fixture), &fixture->arena, &request->reply_id, ret_reply);
}

static void test_reply_that_was_kept_is_found(void **state)
{
	struct lk_fixture *fixture = *state;
	struct lk_kept_reply reply = {0};
	struct request request;

	make_request(&request, "uid:1000", NOW_MS, "request");
	assert_int_equal(find(fixture, &request, &reply), LK_NOT_FOUND);
	keep(fixture, &request, "the response", LK_FIXTURE_TIME_US);
	assert_int_equal(find(fixture, &request, &reply), LK_OK);
	assert_int_equal(reply.response_len, strlen("the response"));
	assert_memory_equal(reply.response, "the response", reply.response_len);
	assert_int_equal(reply.revision, 42);
	/* And after a restart. */
	lk_fixture_close(fixture);
	assert_int_equal(lk_fixture_open(fixture), LK_OK);
	assert_int_equal(find(fixture, &request, &reply), LK_OK);
}

static void test_reply_that_is_empty_is_found(void **state)
{
	struct lk_fixture *fixture = *state;
	struct lk_kept_reply reply = {.response_len = 99};
	struct request request;

	make_request(&request, "uid:1000", NOW_MS, "");
	keep(fixture, &request, "", LK_FIXTURE_TIME_US);
	assert_int_equal(find(fixture, &request, &reply), LK_OK);
	assert_int_equal(reply.response_len, 0);
}

static void test_reply_to_another_request_of_the_same_id_is_refused(void **state)
{
	struct lk_fixture *fixture = *state;
	struct lk_kept_reply reply = {0};
	struct request request;

	make_request(&request, "uid:1000", NOW_MS, "request");
	keep(fixture, &request, "the response", LK_FIXTURE_TIME_US);
	digest(request.id, "Create", "acme", "another", request.reply_id.request_digest);
	assert_int_equal(find(fixture, &request, &reply), LK_INVALID_ARGUMENT);
	digest(request.id, "Revoke", "acme", "request", request.reply_id.request_digest);
	assert_int_equal(find(fixture, &request, &reply), LK_INVALID_ARGUMENT);
	digest(request.id, "Create", "initech", "request", request.reply_id.request_digest);
	assert_int_equal(find(fixture, &request, &reply), LK_INVALID_ARGUMENT);
	assert_null(reply.response);
}

static void test_reply_request_digest_tells_method_from_request(void **state)
{
	(void)state;
	static const uint8_t id[LK_REQUEST_ID_LEN] = {1};
	static const uint8_t other_id[LK_REQUEST_ID_LEN] = {2};
	uint8_t one[LK_DIGEST_LEN];
	uint8_t other[LK_DIGEST_LEN];

	digest(id, "Create", "", "Key", one);
	digest(id, "CreateKey", "", "", other);
	assert_memory_not_equal(one, other, sizeof one);
	digest(id, "Create", "Key", "", other);
	assert_memory_not_equal(one, other, sizeof one);
	/* Who does not know the id cannot try requests on the digest. */
	digest(other_id, "Create", "", "Key", other);
	assert_memory_not_equal(one, other, sizeof one);
	digest(id, "Create", "", "Key", other);
	assert_memory_equal(one, other, sizeof one);
}

static void test_reply_is_its_callers_own(void **state)
{
	static const char *const others[] = {"uid:1001", "uid:100", "", "key:key_00000000000000000000000000"};
	struct lk_fixture *fixture = *state;
	struct lk_kept_reply reply = {0};
	struct request request;

	make_request(&request, "uid:1000", NOW_MS, "request");
	keep(fixture, &request, "the response", LK_FIXTURE_TIME_US);
	for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
		request.reply_id.caller = others[i];
		assert_int_equal(find(fixture, &request, &reply), LK_NOT_FOUND);
		/* Who uses the same id keeps a reply of his own. */
		keep(fixture, &request, others[i], LK_FIXTURE_TIME_US);
		assert_int_equal(find(fixture, &request, &reply), LK_OK);
		assert_int_equal(reply.response_len, strlen(others[i]));
	}
	request.reply_id.caller = "uid:1000";
	assert_int_equal(find(fixture, &request, &reply), LK_OK);
	assert_memory_equal(reply.response, "the response", reply.response_len);
}

static void test_reply_of_an_id_that_differs_in_one_bit_is_not_there(void **state)
{
	struct lk_fixture *fixture = *state;
	struct lk_kept_reply reply = {0};
	struct request request;

	make_request(&request, "uid:1000", NOW_MS, "request");
	keep(fixture, &request, "the response", LK_FIXTURE_TIME_US);
	for (size_t bit = 0; bit < 8 * sizeof request.id; bit++) {
		request.id[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_equal(find(fixture, &request, &reply), LK_NOT_FOUND);
		request.id[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
}

static size_t kept(struct lk_fixture *fixture)
{
	return lk_fixture_count(lk_fixture_snapshot(fixture), LK_TABLE_REPLY);
}

/* A retry is accepted until 10 minutes after the id's time, and its reply is kept a minute longer. */
static void test_reply_goes_when_its_time_is_over_and_not_before(void **state)
{
	struct lk_fixture *fixture = *state;
	struct lk_kept_reply reply = {0};
	struct request early;
	struct request later;

	make_request(&early, "uid:1000", NOW_MS, "request");
	keep(fixture, &early, "the response", LK_FIXTURE_TIME_US);
	make_request(&later, "uid:1000", NOW_MS + LK_REPLY_KEEP_MS, "request");
	keep(fixture, &later, "r", LK_FIXTURE_TIME_US + LK_REPLY_KEEP_MS * LK_US_PER_MS - 1);
	assert_int_equal(find(fixture, &early, &reply), LK_OK);
	make_request(&later, "uid:1000", NOW_MS + LK_REPLY_KEEP_MS, "request");
	keep(fixture, &later, "r", LK_FIXTURE_TIME_US + LK_REPLY_KEEP_MS * LK_US_PER_MS);
	assert_int_equal(find(fixture, &early, &reply), LK_NOT_FOUND);
	assert_int_equal(find(fixture, &later, &reply), LK_OK);
	assert_int_equal(kept(fixture), 2);
}

static void test_reply_table_shrinks_to_what_is_needed(void **state)
{
	struct lk_fixture *fixture = *state;
	int64_t later_us = LK_FIXTURE_TIME_US + 2 * LK_REPLY_KEEP_MS * LK_US_PER_MS;
	struct request request;

	for (int i = 0; i < 30; i++) {
		make_request(&request, "uid:1000", NOW_MS + i, "request");
		keep(fixture, &request, "r", LK_FIXTURE_TIME_US);
	}
	assert_int_equal(kept(fixture), 30);
	for (int i = 0; i < 30; i++) {
		make_request(&request, "uid:1000", later_us / LK_US_PER_MS + i, "request");
		keep(fixture, &request, "r", later_us);
	}
	/* The new ones alone. */
	assert_int_equal(kept(fixture), 30);
}

static void test_reply_goes_without_another_that_takes_it_along(void **state)
{
	struct lk_fixture *fixture = *state;
	int64_t over_us = LK_FIXTURE_TIME_US + LK_REPLY_KEEP_MS * LK_US_PER_MS;
	struct request request;
	struct lk_txn *txn = NULL;

	for (int i = 0; i < 10; i++) {
		make_request(&request, "uid:1000", NOW_MS + i, "request");
		keep(fixture, &request, "r", LK_FIXTURE_TIME_US);
	}
	assert_int_equal(lk_write_begin(fixture->store, &txn), LK_OK);
	lk_reply_purge(txn, over_us - 1, 100);
	assert_int_equal(lk_fixture_count(txn, LK_TABLE_REPLY), 10);
	lk_reply_purge(txn, over_us + 4 * LK_US_PER_MS, 3);
	assert_int_equal(lk_fixture_count(txn, LK_TABLE_REPLY), 7);
	lk_reply_purge(txn, over_us + 4 * LK_US_PER_MS, 100);
	assert_int_equal(lk_fixture_count(txn, LK_TABLE_REPLY), 5);
	assert_int_equal(lk_write_commit(txn), LK_OK);
}

/* The fixture's time is long past. */
static void test_reply_that_outlived_its_daemon_goes_when_the_writer_starts(void **state)
{
	struct lk_fixture *fixture = *state;
	struct request request;
	struct lk_writer *writer = NULL;

	make_request(&request, "uid:1000", NOW_MS, "request");
	keep(fixture, &request, "the response", LK_FIXTURE_TIME_US);
	assert_int_equal(kept(fixture), 1);
	assert_int_equal(lk_writer_start(fixture->store, 1, &writer), LK_OK);
	lk_writer_stop(writer);
	assert_int_equal(kept(fixture), 0);
}

static void test_reply_leaves_neither_id_nor_response_in_the_file(void **state)
{
	struct lk_fixture *fixture = *state;
	const char *response = "sk-0123456789ABCDEFGHIJKLMNOPQRSTUV1ZZLQw";
	struct request request;
	uint8_t hash[LK_DIGEST_LEN];
	char path[256];

	make_request(&request, "uid:1000", NOW_MS, "request");
	keep(fixture, &request, response, LK_FIXTURE_TIME_US);
	lk_reply_hash(&request.reply_id, hash);
	lk_fixture_close(fixture);
	lk_fixture_path(fixture, "data.mdb", sizeof path, path);
	assert_true(lk_fixture_file_has(path, hash, sizeof hash));
	assert_false(lk_fixture_file_has(path, response, strlen(response)));
	assert_false(lk_fixture_file_has(path, response + 3, 8));
	assert_false(lk_fixture_file_has(path, request.id, sizeof request.id));
	/* Nor the random part of the id, without which the reply opens to nobody. */
	assert_false(lk_fixture_file_has(path, request.id + 6, sizeof request.id - 6));
}

/* Changes the reply's record by `change` and looks for it. */
static enum lk_err find_altered(
	struct lk_fixture *fixture, const struct request *request, void (*change)(Latchkey__Store__ReplyRecord *record))
{
	uint8_t hash[LK_DIGEST_LEN];
	struct lk_kept_reply reply = {0};
	struct lk_txn *txn = NULL;

	lk_reply_hash(&request->reply_id, hash);
	struct lk_key key = lk_key_reply(request->reply_id.time_ms, hash);
	assert_int_equal(lk_write_begin(fixture->store, &txn), LK_OK);
	Latchkey__Store__ReplyRecord *record = lk_txn_record(
		txn, LK_TABLE_REPLY, &key, &latchkey__store__reply_record__descriptor, &fixture->arena);
	assert_non_null(record);
	change(record);
	lk_txn_put_record(txn, LK_TABLE_REPLY, &key, &record->base, 0);
	enum lk_err err = lk_reply_find(txn, &fixture->arena, &request->reply_id, &reply);
	assert_null(reply.response);
	lk_write_abort(txn);
	return err;
}

static void alter_sealed(Latchkey__Store__ReplyRecord *record)
{
	record->sealed_response.data[record->sealed_response.len / 2] ^= 1;
}

static void cut_sealed(Latchkey__Store__ReplyRecord *record)
{
	record->sealed_response.len--;
}

static void empty_sealed(Latchkey__Store__ReplyRecord *record)
{
	record->sealed_response.len = LK_SEAL_OVERHEAD - 1;
}

static void cut_digest(Latchkey__Store__ReplyRecord *record)
{
	record->request_digest.len--;
}

static void test_reply_that_was_altered_is_corrupt(void **state)
{
	struct lk_fixture *fixture = *state;
	struct request request;

	make_request(&request, "uid:1000", NOW_MS, "request");
	keep(fixture, &request, "the response", LK_FIXTURE_TIME_US);
	assert_int_equal(find_altered(fixture, &request, alter_sealed), LK_CORRUPT);
	assert_int_equal(find_altered(fixture, &request, cut_sealed), LK_CORRUPT);
	assert_int_equal(find_altered(fixture, &request, empty_sealed), LK_CORRUPT);
	assert_int_equal(find_altered(fixture, &request, cut_digest), LK_CORRUPT);
}

/* One reply in another's place does not open: each is bound to its own id. */
static void test_reply_in_anothers_place_is_corrupt(void **state)
{
	struct lk_fixture *fixture = *state;
	struct request one;
	struct request other;
	uint8_t hash[LK_DIGEST_LEN];
	struct lk_kept_reply reply = {0};
	struct lk_value value = {0};
	struct lk_txn *txn = NULL;
	uint8_t copy[512];

	make_request(&one, "uid:1000", NOW_MS, "request");
	make_request(&other, "uid:1000", NOW_MS, "request");
	keep(fixture, &one, "the response", LK_FIXTURE_TIME_US);
	keep(fixture, &other, "the other response", LK_FIXTURE_TIME_US);
	assert_int_equal(lk_write_begin(fixture->store, &txn), LK_OK);
	lk_reply_hash(&one.reply_id, hash);
	struct lk_key from = lk_key_reply(one.reply_id.time_ms, hash);
	lk_reply_hash(&other.reply_id, hash);
	struct lk_key to = lk_key_reply(other.reply_id.time_ms, hash);
	assert_true(lk_txn_get(txn, LK_TABLE_REPLY, &from, &value));
	size_t len = value.len;
	memcpy(copy, value.data, len);
	lk_txn_put(txn, LK_TABLE_REPLY, &to, copy, len, 0);
	assert_int_equal(lk_reply_find(txn, &fixture->arena, &other.reply_id, &reply), LK_INVALID_ARGUMENT);
	/* Not even where the digests are the same. */
	memcpy(other.reply_id.request_digest, one.reply_id.request_digest, LK_DIGEST_LEN);
	assert_int_equal(lk_reply_find(txn, &fixture->arena, &other.reply_id, &reply), LK_CORRUPT);
	lk_write_abort(txn);
}

/* A key that is none in the table is found when the old ones go. */
static void test_reply_key_of_another_length_is_corrupt(void **state)
{
	static const size_t lengths[] = {3, 7, 8, 39, 41};
	struct lk_fixture *fixture = *state;

	for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
		struct lk_kept_reply reply = {.response = (uint8_t *)(uintptr_t) "r", .response_len = 1};
		struct lk_key bad = {.len = lengths[i]};
		struct request request;
		struct lk_txn *txn = NULL;
		make_request(&request, "uid:1000", NOW_MS, "request");
		assert_int_equal(lk_write_begin(fixture->store, &txn), LK_OK);
		/* Behind the first key there can be, and before every time of this century. */
		bad.data[2] = lengths[i] < 8;
		lk_txn_put(txn, LK_TABLE_REPLY, &bad, "x", 1, 0);
		lk_reply_keep(txn, &fixture->arena, &request.reply_id, &reply, LK_FIXTURE_TIME_US);
		assert_int_equal(lk_write_commit(txn), LK_CORRUPT);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, lk_fixture_setup, lk_fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_reply_that_was_kept_is_found),
		TEST(test_reply_that_is_empty_is_found),
		TEST(test_reply_to_another_request_of_the_same_id_is_refused),
		TEST(test_reply_request_digest_tells_method_from_request),
		TEST(test_reply_is_its_callers_own),
		TEST(test_reply_of_an_id_that_differs_in_one_bit_is_not_there),
		TEST(test_reply_goes_when_its_time_is_over_and_not_before),
		TEST(test_reply_table_shrinks_to_what_is_needed),
		TEST(test_reply_goes_without_another_that_takes_it_along),
		TEST(test_reply_that_outlived_its_daemon_goes_when_the_writer_starts),
		TEST(test_reply_leaves_neither_id_nor_response_in_the_file),
		TEST(test_reply_that_was_altered_is_corrupt),
		TEST(test_reply_in_anothers_place_is_corrupt),
		TEST(test_reply_key_of_another_length_is_corrupt),
	};

	return cmocka_run_group_tests_name("store reply", tests, NULL, NULL);
}
