/* The framing of SP, and the outbox that replies leave from. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "server/rpc/outbox.h"
#include "server/rpc/sp.h"

static void test_sp_head_is_read_as_it_was_written(void **state)
{
	static const uint64_t lengths[] = {0, 1, 255, 256, 65536, UINT64_C(1) << 40, UINT64_MAX};
	uint8_t head[LK_SP_HEAD_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		for (int ipc = 0; ipc < 2; ipc++) {
			uint64_t len = 42;

			lk_sp_write_head(ipc, lengths[i], head);
			assert_true(lk_sp_read_head(ipc, head, &len));
			assert_int_equal(len, lengths[i]);
		}
	}
	lk_sp_write_head(true, 0x0102, head);
	assert_memory_equal(head, "\1\0\0\0\0\0\0\1\2", 9);
	lk_sp_write_head(false, 0x0102, head);
	assert_memory_equal(head, "\0\0\0\0\0\0\1\2", 8);
}

static void test_sp_head_over_ipc_has_its_type(void **state)
{
	uint64_t len = 42;

	(void)state;
	assert_false(lk_sp_read_head(true, (const uint8_t *)"\0\0\0\0\0\0\0\0\1", &len));
	assert_false(lk_sp_read_head(true, (const uint8_t *)"\2\0\0\0\0\0\0\0\1", &len));
	assert_int_equal(len, 42);
}

static void test_sp_backtrace_ends_with_the_id(void **state)
{
	static const struct {
		const char *data;
		size_t len;
		size_t expected;
	} cases[] = {
		{"", 0, 0},
		{"\x80\0\0", 3, 0},
		{"\x80\0\0\1", 4, 4},
		{"\x80\0\0\1rest", 8, 4},
		{"\0\0\0\1\x80\0\0\2", 8, 8},
		{"\0\0\0\1\x80\0\0", 7, 0},
		{"\0\0\0\1", 4, 0},
		{"\x7f\xff\xff\xff\x7f\xff\xff\xff\xff\0\0\0z", 13, 12},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		/* At the end of its allocation, so that a read past the end shows. */
		uint8_t *copy = malloc(cases[i].len + 1);

		assert_non_null(copy);
		memcpy(copy + 1, cases[i].data, cases[i].len);
		assert_int_equal(lk_sp_backtrace_len(copy + 1, cases[i].len), cases[i].expected);
		free(copy);
	}
}

static struct lk_reply *make_reply(const char *text, bool ipc)
{
	uint8_t *out = NULL;
	struct lk_reply *reply = lk_reply_new(strlen(text), &out);

	assert_non_null(reply);
	memcpy(out, text, strlen(text));
	lk_reply_address(reply, ipc, (const uint8_t *)"\0\0\0\1\x80\0\0\2", 8);
	return reply;
}

static void test_outbox_puts_head_and_backtrace_before_a_reply(void **state)
{
	nng_iov pieces[LK_OUTBOX_PIECES];
	struct lk_outbox outbox = {0};
	size_t size = 0;

	(void)state;
	assert_int_equal(lk_outbox_pieces(&outbox, pieces), 0);
	(void)lk_outbox_add(&outbox, make_reply("abc", true));
	(void)lk_outbox_add(&outbox, make_reply("", false));
	assert_int_equal(lk_outbox_pieces(&outbox, pieces), 2);
	assert_int_equal(pieces[0].iov_len, 20);
	assert_memory_equal(pieces[0].iov_buf, "\1\0\0\0\0\0\0\0\x0b\0\0\0\1\x80\0\0\2abc", 20);
	assert_int_equal(pieces[1].iov_len, 16);
	assert_memory_equal(pieces[1].iov_buf, "\0\0\0\0\0\0\0\x08\0\0\0\1\x80\0\0\2", 16);
	lk_reply_free(lk_outbox_sent(&outbox, 36, &size));
	assert_int_equal(outbox.size, 0);
	assert_null(outbox.first);
	assert_null(outbox.last);
}

/* However the bytes go out, every byte goes once and in order, and every reply is given back when its last byte is gone. */
static void test_outbox_sends_in_any_steps(void **state)
{
	enum {
		REPLIES = 20
	};

	(void)state;
	for (size_t step = 1; step < 80; step++) {
		struct lk_outbox outbox = {0};
		char all[REPLIES * 40] = "";
		char sent[REPLIES * 40] = "";
		size_t n_all = 0;
		size_t n_sent = 0;
		unsigned freed = 0;
		size_t queued = 0;

		for (int i = 0; i < REPLIES; i++) {
			struct lk_reply *reply = make_reply(&"abcdefghijklmnopqrst"[i], i % 2 == 0);

			memcpy(all + n_all, reply->bytes + reply->start, reply->end - reply->start);
			n_all += reply->end - reply->start;
			queued += lk_outbox_add(&outbox, reply);
		}
		while (n_sent < n_all) {
			nng_iov pieces[LK_OUTBOX_PIECES];
			unsigned n = lk_outbox_pieces(&outbox, pieces);
			size_t left = step;
			size_t size = 0;

			assert_true(n > 0);
			for (unsigned i = 0; i < n && left > 0; i++) {
				size_t len = pieces[i].iov_len < left ? pieces[i].iov_len : left;

				memcpy(sent + n_sent, pieces[i].iov_buf, len);
				n_sent += len;
				left -= len;
			}
			struct lk_reply *done = lk_outbox_sent(&outbox, step - left, &size);

			for (struct lk_reply *reply = done; reply != NULL; reply = reply->next) {
				freed++;
			}
			lk_reply_free(done);
			queued -= size;
			assert_int_equal(outbox.size, queued);
		}
		assert_memory_equal(sent, all, n_all);
		assert_int_equal(freed, REPLIES);
		assert_int_equal(queued, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sp_head_is_read_as_it_was_written),
		cmocka_unit_test(test_sp_head_over_ipc_has_its_type),
		cmocka_unit_test(test_sp_backtrace_ends_with_the_id),
		cmocka_unit_test(test_outbox_puts_head_and_backtrace_before_a_reply),
		cmocka_unit_test(test_outbox_sends_in_any_steps),
	};

	return cmocka_run_group_tests_name("sp", tests, NULL, NULL);
}
