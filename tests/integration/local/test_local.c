/* The in-process verifier beside a daemon, that is asked and told things over its socket, killed, and started again. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <latchkey/local.h>

#include "tests/lib/caller.h"
#include "tests/lib/check.h"
#include "tests/lib/daemon.h"
#include "tests/lib/verbs.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define THREADS      8
#define KEYS         40
/* Requests that are put together by chance. */
#define RANDOM_ROUNDS 3000

struct world {
	struct daemon daemon;
	struct caller operator;
	struct lk_local *local;
	struct lk_local_verifier *verifier;
	struct lk_call call;
};

static int set_up(void **state)
{
	struct world *world = calloc(1, sizeof *world);
	char message[LK_LOCAL_MESSAGE_LEN] = "";

	*state = world;
	CHECK(world != NULL);
	daemon_start(&world->daemon);
	caller_open(&world->operator, world->daemon.url, NULL);
	Latchkey__V1__KeyPolicy policy = LATCHKEY__V1__KEY_POLICY__INIT;
	policy.token_prefix = TEXT("sk-");
	CHECK(say_create_tenant(&world->operator, "acme") != NULL);
	CHECK(say_create_keyspace(&world->operator, "acme", "prod", &policy) != NULL);
	struct lk_local_options options = {.dir = world->daemon.data};
	CHECK_MSG(lk_local_open(&options, &world->local, message) == LK_OK, message);
	CHECK(lk_local_verifier_new(world->local, &world->verifier) == LK_OK);
	return 0;
}

static int tear_down(void **state)
{
	struct world *world = *state;

	lk_call_done(&world->call);
	lk_local_verifier_free(world->verifier);
	lk_local_close(world->local);
	caller_close(&world->operator);
	daemon_remove(&world->daemon);
	free(world);
	return 0;
}

static const Latchkey__V1__CreateKeyResponse *create(struct world *world, const char *name)
{
	const Latchkey__V1__CreateKeyResponse *made = say_create(
		&world->operator, &(struct new_key){.tenant = "acme", .keyspace = "prod", .name = name});

	assert_non_null(made);
	return made;
}

static Latchkey__V1__VerifyCode ask(struct lk_local_verifier *verifier, const char *token)
{
	Latchkey__V1__VerifyKeyRequest request = LATCHKEY__V1__VERIFY_KEY_REQUEST__INIT;
	struct lk_local_reply reply = {0};

	request.token = TEXT(token);
	return lk_local_verify_packed(verifier, &request, &reply, NULL) == LK_OK ? reply.code : VERDICT(UNSPECIFIED);
}

static void test_local_sees_each_change_that_the_daemon_acknowledged(void **state)
{
	struct world *world = *state;

	for (int i = 0; i < KEYS; i++) {
		const Latchkey__V1__CreateKeyResponse *made = create(world, NULL);
		assert_int_equal(ask(world->verifier, made->token), VERDICT(VALID));
		assert_non_null(say_suspend(&world->operator, "acme", made->key->id, ""));
		assert_int_equal(ask(world->verifier, made->token), VERDICT(SUSPENDED));
		assert_non_null(say_activate(&world->operator, "acme", made->key->id));
		assert_int_equal(ask(world->verifier, made->token), VERDICT(VALID));
		assert_non_null(say_revoke(&world->operator, "acme", made->key->id, ""));
		assert_int_equal(ask(world->verifier, made->token), VERDICT(REVOKED));
		assert_non_null(say_delete(&world->operator, "acme", made->key->id));
		assert_int_equal(ask(world->verifier, made->token), VERDICT(NOT_FOUND));
	}
}

static void test_local_counts_where_the_daemon_counts(void **state)
{
	struct world *world = *state;
	const Latchkey__V1__CreateKeyResponse *made = create(world, "counted");

	for (int i = 0; i < 100; i++) {
		assert_int_equal(ask(world->verifier, made->token), VERDICT(VALID));
		assert_int_equal(verdict_on(&world->operator, made->token), VERDICT(VALID));
	}
	const Latchkey__V1__Key *key = say_get(&world->operator, "acme", made->key->id);
	assert_int_equal(key->usage_count, 200);
	assert_non_null(key->last_used_time);
	assert_non_null(say_suspend(&world->operator, "acme", made->key->id, ""));
	assert_int_equal(ask(world->verifier, made->token), VERDICT(SUSPENDED));
	key = say_get(&world->operator, "acme", made->key->id);
	assert_int_equal(key->usage_count, 200);
	assert_non_null(key->last_denial);
	assert_int_equal(key->last_denial->code, VERDICT(SUSPENDED));
}

static void test_local_shares_limits_and_credits_with_the_daemon(void **state)
{
	struct world *world = *state;
	Latchkey__V1__RateLimit limit = LATCHKEY__V1__RATE_LIMIT__INIT;
	Latchkey__V1__RateLimit *limits[] = {&limit};
	Latchkey__V1__Credits credits = LATCHKEY__V1__CREDITS__INIT;
	Google__Protobuf__Duration day = duration_of(US_PER_DAY);
	size_t valid[2] = {0};

	limit.name = TEXT("day");
	limit.limit = 100;
	limit.period = &day;
	const Latchkey__V1__CreateKeyResponse *limited = say_create(
		&world->operator, &(struct new_key){
			.tenant = "acme", .keyspace = "prod", .rate_limits = limits, .n_rate_limits = 1});
	credits.balance = 100;
	const Latchkey__V1__CreateKeyResponse *paid = say_create(
		&world->operator, &(struct new_key){.tenant = "acme", .keyspace = "prod", .credits = &credits});
	assert_non_null(limited);
	assert_non_null(paid);
	for (int i = 0; i < 80; i++) {
		valid[0] += ask(world->verifier, limited->token) == VERDICT(VALID);
		valid[0] += verdict_on(&world->operator, limited->token) == VERDICT(VALID);
		valid[1] += ask(world->verifier, paid->token) == VERDICT(VALID);
		valid[1] += verdict_on(&world->operator, paid->token) == VERDICT(VALID);
	}
	assert_int_equal(valid[0], 100);
	assert_int_equal(valid[1], 100);
	assert_int_equal(ask(world->verifier, limited->token), VERDICT(RATE_LIMITED));
	assert_int_equal(ask(world->verifier, paid->token), VERDICT(CREDITS_EXHAUSTED));
}

static void test_local_goes_on_without_the_daemon_and_with_the_next(void **state)
{
	struct world *world = *state;
	const Latchkey__V1__CreateKeyResponse *made = create(world, "kept");
	const Latchkey__V1__CreateKeyResponse *ended = create(world, "ended");

	assert_non_null(say_revoke(&world->operator, "acme", ended->key->id, ""));
	for (int round = 0; round < 3; round++) {
		daemon_kill(&world->daemon);
		assert_int_equal(ask(world->verifier, made->token), VERDICT(VALID));
		assert_int_equal(ask(world->verifier, ended->token), VERDICT(REVOKED));
		daemon_restart(&world->daemon, NULL);
		assert_int_equal(ask(world->verifier, made->token), VERDICT(VALID));
		const Latchkey__V1__CreateKeyResponse *next = create(world, NULL);
		assert_int_equal(ask(world->verifier, next->token), VERDICT(VALID));
		assert_non_null(say_revoke(&world->operator, "acme", next->key->id, ""));
		assert_int_equal(ask(world->verifier, next->token), VERDICT(REVOKED));
	}
	assert_int_equal(say_get(&world->operator, "acme", made->key->id)->usage_count, 6);
	daemon_stop(&world->daemon);
	assert_int_equal(ask(world->verifier, made->token), VERDICT(VALID));
	daemon_restart(&world->daemon, NULL);
	assert_int_equal(say_get(&world->operator, "acme", made->key->id)->usage_count, 7);
}

/* Two replies that nothing was consumed between, to the last byte. */
static void assert_alike(const Latchkey__V1__VerifyKeyResponse *one, const Latchkey__V1__VerifyKeyResponse *other)
{
	static uint8_t packed[2][65536];

	size_t len = latchkey__v1__verify_key_response__get_packed_size(one);
	assert_int_equal(len, latchkey__v1__verify_key_response__get_packed_size(other));
	assert_true(len <= sizeof packed[0]);
	(void)latchkey__v1__verify_key_response__pack(one, packed[0]);
	(void)latchkey__v1__verify_key_response__pack(other, packed[1]);
	assert_memory_equal(packed[0], packed[1], len);
}

/* The daemon and the verifier are asked the same; what they say of an error must be the same in all. */
static void assert_same(struct world *world, const Latchkey__V1__VerifyKeyRequest *request)
{
	const Latchkey__V1__VerifyKeyResponse *response = NULL;

	const Latchkey__V1__VerifyKeyResponse *expected = say_verify_for(&world->operator, request);
	struct lk_call *call = &world->operator.call;
	enum lk_err err = lk_local_verify(world->verifier, request, &response, &world->call);
	assert_int_equal(err, world->operator.err);
	if (err == LK_OK) {
		assert_int_equal(response->code, expected->code);
		assert_alike(response, expected);
		return;
	}
	assert_string_equal(world->call.message, call->message);
	assert_int_equal(world->call.n_violations, call->n_violations);
	for (size_t i = 0; i < call->n_violations; i++) {
		assert_string_equal(world->call.violations[i].field, call->violations[i].field);
		assert_string_equal(world->call.violations[i].description, call->violations[i].description);
	}
}

static void test_local_refuses_what_the_daemon_refuses_in_its_words(void **state)
{
	static const struct {
		const char *token;
		const char *tenant;
		const char *keyspace;
		const char *expression;
		const char *address;
		uint64_t cost;
		const char *charges[10];
	} cases[] = {
		{.token = ""},
		{.token = "\xff\xfe"},
		{.token = "sk-\xe2\x82"},
		{.token = "sk-\xe2\x82\xac"},
		{.tenant = "Not An Id"},
		{.tenant = "nobody"},
		{.keyspace = "nowhere", .tenant = "acme"},
		{.keyspace = "\xc3"},
		{.keyspace = "../prod"},
		{.tenant = "a123456789a123456789a123456789a123456789a123456789a123456789abcd"},
		{.expression = "a AND"},
		{.expression = "((((("},
		{.expression = "a:b OR c"},
		{.address = "10.0.0.1:80"},
		{.address = "fe80::1%eth0"},
		{.address = "a123456789a123456789a123456789a123456789a123456789a123456789abcdef"},
		{.cost = UINT64_MAX},
		{.charges = {"a", "b", "a"}},
		{.charges = {"A name with spaces", ""}},
		{.charges = {"\xff"}},
		{.charges = {"a", "b", "c", "d", "e", "f", "g", "h", "i"}},
		{.expression = "a AND", .address = "nowhere", .cost = UINT64_MAX, .charges = {"A", "A"}},
		{.tenant = "A", .keyspace = "B", .expression = "(", .address = "x"},
	};
	struct world *world = *state;
	const Latchkey__V1__CreateKeyResponse *made = create(world, "asked");

	for (size_t i = 0; i < COUNT(cases); i++) {
		Latchkey__V1__VerifyKeyRequest request = LATCHKEY__V1__VERIFY_KEY_REQUEST__INIT;
		Latchkey__V1__RateCharge charges[10];
		Latchkey__V1__RateCharge *list[10];
		request.token = TEXT(cases[i].token == NULL ? made->token : cases[i].token);
		request.tenant = TEXT(cases[i].tenant == NULL ? "" : cases[i].tenant);
		request.keyspace = TEXT(cases[i].keyspace == NULL ? "" : cases[i].keyspace);
		request.permission_expression = TEXT(cases[i].expression == NULL ? "" : cases[i].expression);
		request.client_ip = TEXT(cases[i].address == NULL ? "" : cases[i].address);
		request.cost = cases[i].cost;
		for (size_t j = 0; cases[i].charges[j] != NULL; j++) {
			latchkey__v1__rate_charge__init(&charges[j]);
			charges[j].name = TEXT(cases[i].charges[j]);
			list[j] = &charges[j];
			request.n_rate_charges = j + 1;
		}
		request.rate_charges = list;
		assert_same(world, &request);
	}
}

/* What texts are put together of: what is right in some field, or is at a limit, or wrong in all. */
static const char *const pieces[] = {
	"acme",
	"prod",
	"system",
	"a",
	"a:b",
	"a:*",
	"*",
	" AND ",
	" or ",
	"(",
	")",
	"OR",
	"10.0.0.1",
	"::1",
	"/8",
	"%",
	".",
	"-",
	"_",
	"A",
	"9",
	" ",
	"\t",
	"\n",
	"\x01",
	"\x7f",
	"\"",
	"\\",
	"\xc3\xa9",
	"\xe2\x82\xac",
	"\xf0\x9f\x98\x80",
	"\xff",
	"\xc0\x80",
	"\xed\xa0\x80",
	"\xe2\x82",
	"\xf4\x90\x80\x80",
	"sk-",
	"aaaaaaaa",
	"0123456789abcdef0123456789abcde",
	"0123456789abcdef0123456789abcdef",
	"a:b OR a:b OR a:b OR a:b OR a:b OR a:b OR a:b OR a:b OR a:b OR a:b OR a:b OR a:b",
};

static uint64_t chance(uint64_t *seed, uint64_t below)
{
	*seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (*seed >> 33) % below;
}

/* Writes a text of up to `most` pieces, often none and mostly short. */
static char *random_text(uint64_t *seed, uint64_t most, size_t size, char *text)
{
	uint64_t count = chance(seed, 3) == 0 ? 0 : 1 + chance(seed, chance(seed, 8) == 0 ? most : 2);
	size_t len = 0;

	text[0] = '\0';
	for (uint64_t i = 0; i < count; i++) {
		const char *piece = pieces[chance(seed, COUNT(pieces))];
		if (len + strlen(piece) < size) {
			len += (size_t)snprintf(text + len, size - len, "%s", piece);
		}
	}
	return text;
}

static void test_local_answers_at_random_as_the_daemon_does(void **state)
{
	static char texts[4][5000];
	static char names[10][100];
	static const uint64_t costs[] = {0, 1, 2, 1000000, UINT64_C(1) << 32, UINT64_C(1) << 48, UINT64_MAX};
	struct world *world = *state;
	const Latchkey__V1__CreateKeyResponse *made = create(world, "random");
	char *token = strdup(made->token);
	uint64_t seed = 5;

	for (int i = 0; i < RANDOM_ROUNDS; i++) {
		Latchkey__V1__VerifyKeyRequest request = LATCHKEY__V1__VERIFY_KEY_REQUEST__INIT;
		Latchkey__V1__RateCharge charges[10];
		Latchkey__V1__RateCharge *list[10];
		request.token = chance(&seed, 2) == 0 ? token : random_text(&seed, 200, sizeof texts[0], texts[0]);
		request.tenant = chance(&seed, 2) == 0 ? TEXT("acme")
						       : random_text(&seed, 3, sizeof texts[1], texts[1]);
		request.keyspace = chance(&seed, 2) == 0 ? TEXT("") : random_text(&seed, 3, 100, texts[2]);
		request.permission_expression = chance(&seed, 2) == 0 ? TEXT("")
								      : random_text(&seed, 40, 5000, texts[3]);
		char address[200];
		request.client_ip = chance(&seed, 2) == 0 ? TEXT("") : random_text(&seed, 4, sizeof address, address);
		request.cost = costs[chance(&seed, COUNT(costs))];
		request.n_rate_charges = chance(&seed, 2) == 0 ? 0 : chance(&seed, COUNT(charges));
		for (size_t j = 0; j < request.n_rate_charges; j++) {
			latchkey__v1__rate_charge__init(&charges[j]);
			charges[j].name = random_text(&seed, 2, sizeof names[j], names[j]);
			charges[j].cost = costs[chance(&seed, COUNT(costs))];
			list[j] = &charges[j];
		}
		request.rate_charges = list;
		request.dry_run = chance(&seed, 2) == 0;
		request.explain = chance(&seed, 4) == 0;
		/* Only an operator of the daemon itself may name it. */
		if (strcmp(request.tenant, "system") != 0) {
			assert_same(world, &request);
		}
	}
	free(token);
}

/* What the threads hammer while the keys are made and ended. */
struct hammer {
	struct world *world;
	pthread_t thread;
	/* The token of the key that is there now, and of the one that was acknowledged as ended. */
	const char *_Atomic *there;
	const char *_Atomic *ended;
	const _Atomic bool *over;
	size_t verdicts;
	size_t wrong;
};

static void *hammer(void *argument)
{
	struct hammer *self = argument;
	struct lk_local_verifier *verifier = NULL;

	CHECK(lk_local_verifier_new(self->world->local, &verifier) == LK_OK);
	while (!atomic_load(self->over)) {
		const char *ended = atomic_load(self->ended);
		self->wrong += ended != NULL && ask(verifier, ended) != VERDICT(REVOKED);
		Latchkey__V1__VerifyCode code = ask(verifier, atomic_load(self->there));
		self->wrong += code != VERDICT(VALID) && code != VERDICT(REVOKED);
		self->verdicts++;
	}
	lk_local_verifier_free(verifier);
	return NULL;
}

static void test_local_threads_are_never_told_of_a_revoked_key_that_it_is_valid(void **state)
{
	struct world *world = *state;
	struct hammer hammers[THREADS];
	const char *_Atomic there = create(world, NULL)->token;
	const char *_Atomic ended = NULL;
	_Atomic bool over = false;
	size_t verdicts = 0;

	for (size_t i = 0; i < THREADS; i++) {
		hammers[i] = (struct hammer){.world = world, .there = &there, .ended = &ended, .over = &over};
		assert_int_equal(pthread_create(&hammers[i].thread, NULL, hammer, &hammers[i]), 0);
	}
	for (int i = 0; i < KEYS; i++) {
		const Latchkey__V1__CreateKeyResponse *made = create(world, NULL);
		atomic_store(&there, made->token);
		if (say_revoke(&world->operator, "acme", made->key->id, "") != NULL) {
			atomic_store(&ended, made->token);
		}
	}
	atomic_store(&over, true);
	for (size_t i = 0; i < THREADS; i++) {
		assert_int_equal(pthread_join(hammers[i].thread, NULL), 0);
		assert_int_equal(hammers[i].wrong, 0);
		verdicts += hammers[i].verdicts;
	}
	assert_true(verdicts > 0);
	assert_non_null(atomic_load(&ended));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_local_sees_each_change_that_the_daemon_acknowledged),
		cmocka_unit_test(test_local_counts_where_the_daemon_counts),
		cmocka_unit_test(test_local_shares_limits_and_credits_with_the_daemon),
		cmocka_unit_test(test_local_goes_on_without_the_daemon_and_with_the_next),
		cmocka_unit_test(test_local_refuses_what_the_daemon_refuses_in_its_words),
		cmocka_unit_test(test_local_answers_at_random_as_the_daemon_does),
		cmocka_unit_test(test_local_threads_are_never_told_of_a_revoked_key_that_it_is_valid),
	};

	return cmocka_run_group_tests_name("local", tests, set_up, tear_down);
}
