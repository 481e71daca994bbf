/* The hammer, with verifiers that say what they are told to. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tools/latchkey/hammer.h"

/* One who says VALID once, then something else. */
struct lk_asker {
	pthread_mutex_t lock;
	pthread_cond_t moved;
	unsigned asked;
	Latchkey__V1__VerifyCode then;
};

static struct lk_asker the_asker = {.lock = PTHREAD_MUTEX_INITIALIZER, .moved = PTHREAD_COND_INITIALIZER};

static enum lk_exit open_asker(const struct lk_asker_options *options, struct lk_asker **ret)
{
	(void)options;
	*ret = &the_asker;
	return LK_EXIT_OK;
}

static enum lk_err ask(struct lk_asker *asker, const Latchkey__V1__VerifyKeyRequest *request,
	Latchkey__V1__VerifyCode *ret_code, struct lk_call *call)
{
	(void)request;
	(void)call;
	(void)pthread_mutex_lock(&asker->lock);
	*ret_code = asker->asked++ == 0 ? LATCHKEY__V1__VERIFY_CODE__VERIFY_CODE_VALID : asker->then;
	(void)pthread_cond_broadcast(&asker->moved);
	(void)pthread_mutex_unlock(&asker->lock);
	return LK_OK;
}

static void close_asker(struct lk_asker *asker)
{
	(void)asker;
}

static const struct lk_asker_kind kind = {
	.name = "told",
	.threads = 1,
	.open = open_asker,
	.ask = ask,
	.close = close_asker,
};

struct fixture {
	struct lk_canary canary;
	struct lk_canaries canaries;
	struct lk_hammer *hammer;
};

/* Starts, and waits until the second answer was judged: when it asks for the third. */
static int begin(void **state, Latchkey__V1__VerifyCode then)
{
	static const struct lk_asker_kind *const kinds[] = {&kind};
	static const struct lk_asker_options options = {0};
	static char id[] = "key_1", token[] = "sk-1", tenant[] = "acme";
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	if (!fixture) {
		return -1;
	}
	fixture->canary.id = id;
	fixture->canary.token = token;
	fixture->canaries = (struct lk_canaries){
		.timeout_ms = 30000, .tenant = tenant, .keyspace = tenant, .keys = &fixture->canary, .n = 1};
	the_asker.asked = 0;
	the_asker.then = then;
	if (lk_hammer_start(kinds, 1, &options, &fixture->canaries, &fixture->hammer) != LK_EXIT_OK) {
		free(fixture);
		return -1;
	}
	(void)pthread_mutex_lock(&the_asker.lock);
	while (the_asker.asked < 3) {
		(void)pthread_cond_wait(&the_asker.moved, &the_asker.lock);
	}
	(void)pthread_mutex_unlock(&the_asker.lock);
	*state = fixture;
	return 0;
}

static int begin_limited(void **state)
{
	return begin(state, LATCHKEY__V1__VERIFY_CODE__VERIFY_CODE_RATE_LIMITED);
}

static int begin_valid(void **state)
{
	return begin(state, LATCHKEY__V1__VERIFY_CODE__VERIFY_CODE_VALID);
}

static int end(void **state)
{
	struct fixture *fixture = *state;

	lk_hammer_free(fixture->hammer);
	free(fixture);
	return 0;
}

/* A keyspace with a rate limit: VALID at first, so that all flags are set, and RATE_LIMITED would then hide a VALID. */
static void test_hammer_refuses_another_verdict_behind_a_valid_one(void **state)
{
	struct fixture *fixture = *state;

	assert_true(fixture->canary.is_known[0]);
	assert_int_equal(lk_hammer_await_known(fixture->hammer, 0), LK_EXIT_REFUSED);
}

static void test_hammer_goes_on_where_all_are_valid(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(lk_hammer_await_known(fixture->hammer, 0), LK_EXIT_OK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			test_hammer_refuses_another_verdict_behind_a_valid_one, begin_limited, end),
		cmocka_unit_test_setup_teardown(test_hammer_goes_on_where_all_are_valid, begin_valid, end),
	};

	return cmocka_run_group_tests_name("hammer", tests, NULL, NULL);
}
