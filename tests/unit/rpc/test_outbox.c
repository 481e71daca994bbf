#include "server/rpc/outbox.h"

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "tests/lib/check.h"

static const uint8_t backtrace[] = {0, 0, 0, 1, 0x80, 0, 0, 2};

struct fixture {
	struct lk_outbox outbox;
	atomic_size_t total;
};

static int setup(void **state)
{
	struct fixture *fixture = malloc(sizeof *fixture);

	*state = fixture;
	if (fixture == NULL || sodium_init() < 0) {
		return -1;
	}
	/* What was there before means nothing. */
	memset(fixture, 0xa5, sizeof *fixture);
	atomic_init(&fixture->total, 0);
	lk_outbox_init(&fixture->outbox, &fixture->total);
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	lk_outbox_done(&fixture->outbox);
	size_t left = atomic_load(&fixture->total);
	free(fixture);
	return left == 0 ? 0 : -1;
}

static struct lk_reply *make_reply(const void *data, size_t len, bool ipc)
{
	uint8_t *out = NULL;
	struct lk_reply *reply = lk_reply_new(len, &out);

	CHECK(reply != NULL);
	memcpy(out, data, len);
	lk_reply_address(reply, ipc, backtrace, sizeof backtrace);
	return reply;
}

static void put(struct lk_outbox *outbox, const void *data, size_t len)
{
	memcpy(lk_outbox_place(outbox), data, len);
	lk_outbox_put(outbox, len);
}

static void test_outbox_puts_head_and_backtrace_before_a_reply(void **state)
{
	struct lk_outbox *outbox = &((struct fixture *)*state)->outbox;
	const nng_iov *pieces = NULL;

	assert_int_equal(lk_outbox_claim(outbox, &pieces), 0);
	lk_outbox_add(outbox, make_reply("abc", 3, true));
	lk_outbox_add(outbox, make_reply("", 0, false));
	assert_int_equal(lk_outbox_claim(outbox, &pieces), 2);
	assert_int_equal(pieces[0].iov_len, 20);
	assert_memory_equal(pieces[0].iov_buf, "\1\0\0\0\0\0\0\0\x0b\0\0\0\1\x80\0\0\2abc", 20);
	assert_int_equal(pieces[1].iov_len, 16);
	assert_memory_equal(pieces[1].iov_buf, "\0\0\0\0\0\0\0\x08\0\0\0\1\x80\0\0\2", 16);
	assert_true(lk_outbox_sent(outbox, 36));
	assert_int_equal(lk_outbox_next(outbox, &pieces), 0);
	assert_int_equal(atomic_load(&outbox->size), 0);
	assert_int_equal(lk_outbox_claim(outbox, &pieces), 0);
}

/* One sends at a time, and sends what comes meanwhile, too. */
static void test_outbox_has_one_who_sends(void **state)
{
	struct lk_outbox *outbox = &((struct fixture *)*state)->outbox;
	const nng_iov *pieces = NULL;
	const nng_iov *others = NULL;

	assert_true(lk_outbox_has_room(outbox));
	put(outbox, "kept back", 9);
	assert_int_equal(lk_outbox_claim(outbox, &pieces), 0);
	lk_outbox_hand_over(outbox);
	lk_outbox_hand_over(outbox);
	assert_int_equal(atomic_load(&outbox->size), 9);
	assert_int_equal(lk_outbox_claim(outbox, &pieces), 1);
	lk_outbox_add(outbox, make_reply("later", 5, true));
	put(outbox, "and later", 9);
	lk_outbox_hand_over(outbox);
	assert_int_equal(lk_outbox_claim(outbox, &others), 0);
	assert_false(lk_outbox_sent(outbox, 4));
	assert_int_equal(lk_outbox_next(outbox, &pieces), 1);
	assert_int_equal(pieces[0].iov_len, 5);
	assert_memory_equal(pieces[0].iov_buf, " back", 5);
	assert_false(lk_outbox_sent(outbox, 5));
	/* What is in the tray goes first. */
	assert_int_equal(lk_outbox_next(outbox, &pieces), 2);
	assert_memory_equal(pieces[0].iov_buf, "and later", 9);
	assert_int_equal(pieces[1].iov_len, 22);
	assert_true(lk_outbox_sent(outbox, 31));
	assert_int_equal(lk_outbox_next(outbox, &pieces), 0);
	assert_int_equal(lk_outbox_claim(outbox, &others), 0);
}

static void test_outbox_tray_begins_anew_when_all_is_sent(void **state)
{
	static const uint8_t zeros[LK_TRAY_REPLY_MAX];
	uint8_t reply[LK_TRAY_REPLY_MAX];
	struct lk_outbox *outbox = &((struct fixture *)*state)->outbox;
	const nng_iov *pieces = NULL;
	size_t n = 0;

	memset(reply, 'r', sizeof reply);
	uint8_t *begin = lk_outbox_place(outbox);
	while (lk_outbox_has_room(outbox)) {
		put(outbox, reply, sizeof reply);
		n++;
	}
	assert_int_equal(n, LK_TRAY_LEN / LK_TRAY_REPLY_MAX);
	lk_outbox_hand_over(outbox);
	assert_false(lk_outbox_tray_is_sent(outbox));
	assert_int_equal(lk_outbox_claim(outbox, &pieces), 1);
	assert_int_equal(pieces[0].iov_len, n * sizeof reply);
	/* All but a byte: there is no room yet. */
	assert_false(lk_outbox_sent(outbox, n * sizeof reply - 1));
	assert_false(lk_outbox_has_room(outbox));
	assert_int_equal(lk_outbox_next(outbox, &pieces), 1);
	assert_true(lk_outbox_sent(outbox, 1));
	assert_true(lk_outbox_tray_is_sent(outbox));
	assert_true(lk_outbox_has_room(outbox));
	assert_ptr_equal(lk_outbox_place(outbox), begin);
	/* Nothing of what was sent stays. */
	for (size_t i = 0; i < n; i++) {
		assert_memory_equal(begin + i * sizeof zeros, zeros, sizeof zeros);
	}
	assert_int_equal(lk_outbox_next(outbox, &pieces), 0);
}

/* What is left when a connection ends is counted no longer, wherever it is; the teardown looks. */
static void test_outbox_ends_with_replies_left(void **state)
{
	struct fixture *fixture = *state;
	const nng_iov *pieces = NULL;

	lk_outbox_add(&fixture->outbox, make_reply("under way", 9, true));
	lk_outbox_add(&fixture->outbox, make_reply("under way", 9, true));
	assert_int_equal(lk_outbox_claim(&fixture->outbox, &pieces), 2);
	(void)lk_outbox_sent(&fixture->outbox, pieces[0].iov_len + 3);
	lk_outbox_add(&fixture->outbox, make_reply("brought", 7, true));
	put(&fixture->outbox, "put", 3);
	lk_outbox_hand_over(&fixture->outbox);
	put(&fixture->outbox, "not handed over", 15);
	assert_true(atomic_load(&fixture->total) > 0);
}

enum {
	REPLIES = 20
};

/* However the bytes go out, every byte goes once and in order. */
static void test_outbox_sends_in_any_steps(void **state)
{
	struct lk_outbox *outbox = &((struct fixture *)*state)->outbox;

	for (size_t step = 1; step < 80; step++) {
		char all[REPLIES * 40] = "in the tray";
		char sent[REPLIES * 40] = "";
		size_t n_all = strlen(all);
		size_t n_sent = 0;
		const nng_iov *pieces = NULL;

		assert_true(lk_outbox_has_room(outbox));
		put(outbox, all, n_all);
		lk_outbox_hand_over(outbox);
		for (int i = 0; i < REPLIES; i++) {
			struct lk_reply *reply = make_reply(&"abcdefghijklmnopqrst"[i], 1, i % 2 == 0);
			memcpy(all + n_all, reply->bytes + reply->start, reply->end - reply->start);
			n_all += reply->end - reply->start;
			lk_outbox_add(outbox, reply);
		}
		for (unsigned n = lk_outbox_claim(outbox, &pieces); n > 0; n = lk_outbox_next(outbox, &pieces)) {
			size_t left = step;
			for (unsigned i = 0; i < n && left > 0; i++) {
				size_t len = pieces[i].iov_len < left ? pieces[i].iov_len : left;
				memcpy(sent + n_sent, pieces[i].iov_buf, len);
				n_sent += len;
				left -= len;
			}
			assert_int_equal(lk_outbox_sent(outbox, step - left), n_sent == n_all);
		}
		assert_int_equal(n_sent, n_all);
		assert_memory_equal(sent, all, n_all);
		assert_int_equal(atomic_load(&outbox->size), 0);
	}
}

/* As many bring replies; one more puts its own into the tray. */
#define BRINGERS 4
#define EACH     20000

/* What a reply says: whose it is, and which. */
struct word {
	uint32_t from;
	uint32_t number;
};

#define FRAME_LEN (9 + sizeof backtrace + sizeof(struct word))

struct crowd {
	struct fixture *fixture;
	/* Of who sends: nobody guards it, for there is one. */
	uint8_t *sink;
	size_t n_sunk;
	atomic_uint next;
};

/* Sends in steps that end anywhere, until there is nothing to do for it. */
static void send_all(struct crowd *crowd, unsigned *random)
{
	struct lk_outbox *outbox = &crowd->fixture->outbox;
	const nng_iov *pieces = NULL;

	for (unsigned n = lk_outbox_claim(outbox, &pieces); n > 0; n = lk_outbox_next(outbox, &pieces)) {
		size_t left = (size_t)rand_r(random) % 100 + 1;
		size_t step = 0;
		for (unsigned i = 0; i < n && left > 0; i++) {
			size_t len = pieces[i].iov_len < left ? pieces[i].iov_len : left;
			memcpy(crowd->sink + crowd->n_sunk, pieces[i].iov_buf, len);
			crowd->n_sunk += len;
			step += len;
			left -= len;
		}
		(void)lk_outbox_sent(outbox, step);
	}
}

static void *bring(void *argument)
{
	struct crowd *crowd = argument;
	unsigned from = atomic_fetch_add(&crowd->next, 1);
	unsigned random = from;

	for (uint32_t i = 0; i < EACH; i++) {
		struct word word = {from, i};
		lk_outbox_add(&crowd->fixture->outbox, make_reply(&word, sizeof word, true));
		send_all(crowd, &random);
	}
	return NULL;
}

/* As who receives: some at a time, and only where there is room. */
static void *answer(void *argument)
{
	struct crowd *crowd = argument;
	struct lk_outbox *outbox = &crowd->fixture->outbox;
	unsigned random = BRINGERS;

	for (uint32_t i = 0; i < EACH; i++) {
		struct word word = {BRINGERS, i};
		uint8_t frame[FRAME_LEN];

		while (!lk_outbox_has_room(outbox)) {
			lk_outbox_hand_over(outbox);
			send_all(crowd, &random);
			(void)sched_yield();
		}
		lk_sp_write_head(true, FRAME_LEN - 9, frame);
		memcpy(frame + 9, backtrace, sizeof backtrace);
		memcpy(frame + 9 + sizeof backtrace, &word, sizeof word);
		put(outbox, frame, sizeof frame);
		if (i % 7 == 0 || i == EACH - 1) {
			lk_outbox_hand_over(outbox);
			send_all(crowd, &random);
		}
	}
	return NULL;
}

/* All of them at once, each sending when nobody else does: every reply goes out whole, once, and in the order of who gave it. */
static void test_outbox_loses_nothing_in_a_crowd(void **state)
{
	struct crowd crowd = {.fixture = *state};
	pthread_t threads[BRINGERS + 1];
	uint32_t expected[BRINGERS + 1] = {0};
	const nng_iov *pieces = NULL;

	crowd.sink = malloc((BRINGERS + 1) * EACH * FRAME_LEN);
	assert_non_null(crowd.sink);
	for (size_t i = 0; i <= BRINGERS; i++) {
		CHECK(pthread_create(&threads[i], NULL, i < BRINGERS ? bring : answer, &crowd) == 0);
	}
	for (size_t i = 0; i <= BRINGERS; i++) {
		CHECK(pthread_join(threads[i], NULL) == 0);
	}
	/* Whoever came last has seen to it that nothing is left. */
	assert_int_equal(lk_outbox_claim(&crowd.fixture->outbox, &pieces), 0);
	assert_int_equal(crowd.n_sunk, (BRINGERS + 1) * EACH * FRAME_LEN);
	assert_int_equal(atomic_load(&crowd.fixture->total), 0);
	for (size_t at = 0; at < crowd.n_sunk; at += FRAME_LEN) {
		struct word word;
		assert_memory_equal(crowd.sink + at, "\1\0\0\0\0\0\0\0\x10\0\0\0\1\x80\0\0\2", 17);
		memcpy(&word, crowd.sink + at + 17, sizeof word);
		assert_in_range(word.from, 0, BRINGERS);
		assert_int_equal(word.number, expected[word.from]);
		expected[word.from]++;
	}
	free(crowd.sink);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_outbox_puts_head_and_backtrace_before_a_reply),
		TEST(test_outbox_has_one_who_sends),
		TEST(test_outbox_tray_begins_anew_when_all_is_sent),
		TEST(test_outbox_ends_with_replies_left),
		TEST(test_outbox_sends_in_any_steps),
		TEST(test_outbox_loses_nothing_in_a_crowd),
	};

	return cmocka_run_group_tests_name("outbox", tests, NULL, NULL);
}
