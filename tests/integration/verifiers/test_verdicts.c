/*
 * One table of questions, and all who answer them: Verify over a socket, the batching client, alone and in full batches, and the
 * in-process verifier. They must agree in every verdict of tests/lib/verdict_cases.h, in who the token stands for, and in what is
 * wrong with a bad question: code, message and violations.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "server/store/store.h"
#include "tests/integration/verifiers/drivers.h"
#include "tests/lib/check.h"
#include "tests/lib/verbs.h"
#include "tests/lib/verdict_cases.h"

/* The most calls of a crowded verifier that find nobody under way: those at its beginning. */
#define ALONE_MAX 4

struct world {
	struct daemon daemon;
	char **tokens;
	/* Of who may verify in every tenant that can be granted: not in "system". */
	struct caller operator;
	const char *credential;
};

/* A daemon whose store has the cases' keys, which nobody has asked about yet. */
static void start(struct world *world)
{
	struct lk_store_options options = {0};
	char message[LK_STORE_MESSAGE_LEN] = "";
	struct lk_store *store = NULL;
	struct timespec now = {0};

	daemon_start(&world->daemon);
	daemon_stop(&world->daemon);
	CHECK(clock_gettime(CLOCK_REALTIME, &now) == 0);
	options.dir = world->daemon.data;
	options.now_us = now.tv_sec * 1000000;
	CHECK_MSG(lk_store_open(&options, &store, message) == LK_OK, message);
	world->tokens = verdict_cases_make(store);
	lk_store_close(store);
	daemon_restart(&world->daemon, NULL);
}

static void stop(struct world *world)
{
	verdict_cases_free(world->tokens);
	daemon_remove(&world->daemon);
}

/* A driver that is asked, and what it said of who the tokens stand for. */
struct asking {
	const struct driver *driver;
	void *state;
	FILE *identities;
};

/* All of an identity but what no two runs have alike. */
static void write_identity(FILE *file, const Latchkey__V1__KeyIdentity *identity)
{
	uint8_t packed[8192];

	if (identity == NULL) {
		(void)fputs("-\n", file);
		return;
	}
	Latchkey__V1__KeyIdentity same = *identity;
	same.id = TEXT("");
	same.expire_time = NULL;
	CHECK(latchkey__v1__key_identity__get_packed_size(&same) <= sizeof packed);
	size_t len = latchkey__v1__key_identity__pack(&same, packed);
	for (size_t i = 0; i < len; i++) {
		(void)fprintf(file, "%02x", packed[i]);
	}
	(void)fputs(identity->expire_time == NULL ? "\n" : " expires\n", file);
}

static const Latchkey__V1__VerifyKeyResponse *ask(void *context, const Latchkey__V1__VerifyKeyRequest *request)
{
	struct asking *asking = context;
	struct lk_call call = {.timeout_ms = DRIVER_TIMEOUT_MS};
	const Latchkey__V1__VerifyKeyResponse *response = NULL;

	enum lk_err err = asking->driver->ask(asking->state, request, &response, &call);
	if (err != LK_OK) {
		print_message("%s: %s: %s\n", asking->driver->name, lk_err_name(err), call.message);
		response = NULL;
	} else {
		write_identity(asking->identities, response->key);
		CHECK(call.revision > 0);
	}
	lk_call_done(&call);
	return response;
}

/* All questions of the table, to one driver; what it said of identities is to be free()d. */
static char *answer_all(const struct driver *driver)
{
	struct world world = {0};
	struct asking asking = {.driver = driver};
	char *identities = NULL;
	size_t len = 0;

	start(&world);
	asking.identities = open_memstream(&identities, &len);
	asking.state = driver->open(&world.daemon, NULL);
	size_t mismatches = verdict_cases_ask(world.tokens, ask, &asking);
	bool is_crowded = driver != &driver_crowded || driver_crowded_alone(asking.state) <= ALONE_MAX;
	driver->close(asking.state);
	CHECK(fclose(asking.identities) == 0);
	stop(&world);
	if (mismatches > 0) {
		print_message("%s: %zu answers are wrong\n", driver->name, mismatches);
	}
	assert_int_equal(mismatches, 0);
	assert_true(is_crowded);
	return identities;
}

static void test_verdicts_of_all_drivers_are_those_of_the_table(void **state)
{
	(void)state;
	char *first = answer_all(drivers[0]);

	for (size_t i = 1; i < driver_count; i++) {
		char *identities = answer_all(drivers[i]);
		assert_string_equal(identities, first);
		free(identities);
	}
	free(first);
}

#define LONG_63   "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define MAX_COST  UINT64_C(1000000000000)
#define ANY_TOKEN "sk-0123456789ABCDEFGHIJKLMNOPQRSTUV1ZZLQw"

/* A question that cannot be answered, and the status that says so. */
struct bad_question {
	const char *token;
	const char *tenant;
	const char *keyspace;
	const char *expression;
	/* In its place: so many times "a OR ", and an "a". */
	size_t long_expression;
	const char *client_ip;
	uint64_t cost;
	struct {
		const char *name;
		uint64_t cost;
	} charges[10];
	enum lk_err err;
	/* How many fields are named. */
	size_t n_violations;
};

static const struct bad_question bad_questions[] = {
	/* Expressions. */
	{.expression = "(chat:read", .err = LK_INVALID_ARGUMENT, .n_violations = 1},
	{.expression = "chat:read OR", .err = LK_INVALID_ARGUMENT, .n_violations = 1},
	{.expression = "AND", .err = LK_INVALID_ARGUMENT, .n_violations = 1},
	{.expression = "a)", .err = LK_INVALID_ARGUMENT, .n_violations = 1},
	{.expression = "chat:*", .err = LK_INVALID_ARGUMENT, .n_violations = 1},
	{.expression = "a b", .err = LK_INVALID_ARGUMENT, .n_violations = 1},
	{.expression = " ", .err = LK_INVALID_ARGUMENT, .n_violations = 1},
	{.expression = "chat:\xc3\xa9", .err = LK_INVALID_ARGUMENT, .n_violations = 1},
	{.expression = "a\x01", .err = LK_INVALID_ARGUMENT, .n_violations = 1},
	{.long_expression = 200, .err = LK_INVALID_ARGUMENT, .n_violations = 1},
	/* No text at all, in each field that is one. */
	{.token = "\xff", .err = LK_INVALID_ARGUMENT, .n_violations = 1},
	{.token = "sk-\xed\xa0\x80", .err = LK_INVALID_ARGUMENT, .n_violations = 1},
	{.tenant = "\xc3", .err = LK_INVALID_ARGUMENT, .n_violations = 1},
	{.keyspace = "\xf8", .err = LK_INVALID_ARGUMENT, .n_violations = 1},
	{.expression = "\x80", .err = LK_INVALID_ARGUMENT, .n_violations = 1},
	{.client_ip = "\xfe", .err = LK_INVALID_ARGUMENT, .n_violations = 1},
	{.charges = {{"\xc0\x80", 1}}, .err = LK_INVALID_ARGUMENT, .n_violations = 1},
	/* Addresses. */
	{.client_ip = "10.0.0.1:80", .err = LK_INVALID_ARGUMENT, .n_violations = 1},
	{.client_ip = "10.0.0.256", .err = LK_INVALID_ARGUMENT, .n_violations = 1},
	{.client_ip = "010.0.0.1", .err = LK_INVALID_ARGUMENT, .n_violations = 1},
	{.client_ip = "localhost", .err = LK_INVALID_ARGUMENT, .n_violations = 1},
	{.client_ip = " 10.0.0.1", .err = LK_INVALID_ARGUMENT, .n_violations = 1},
	{.client_ip = "10.0.0.0/8", .err = LK_INVALID_ARGUMENT, .n_violations = 1},
	{.client_ip = "fe80::1%eth0", .err = LK_INVALID_ARGUMENT, .n_violations = 1},
	{.client_ip = LONG_63 "aa", .err = LK_INVALID_ARGUMENT, .n_violations = 1},
	/* Costs. */
	{.cost = MAX_COST + 1, .err = LK_INVALID_ARGUMENT, .n_violations = 1},
	{.cost = UINT64_MAX, .err = LK_INVALID_ARGUMENT, .n_violations = 1},
	{.charges = {{"day", MAX_COST + 1}}, .err = LK_INVALID_ARGUMENT, .n_violations = 1},
	{.charges = {{"Day", 1}}, .err = LK_INVALID_ARGUMENT, .n_violations = 1},
	{.charges = {{"", 1}}, .err = LK_INVALID_ARGUMENT, .n_violations = 1},
	{.charges = {{"day", 1}, {"hour", 1}, {"day", 2}}, .err = LK_INVALID_ARGUMENT, .n_violations = 1},
	{.charges = {{"a", 1}, {"b", 1}, {"c", 1}, {"d", 1}, {"e", 1}, {"f", 1}, {"g", 1}, {"h", 1}, {"i", 1}},
		.err = LK_INVALID_ARGUMENT,
		.n_violations = 1},
	{.charges = {{"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 1}}, .err = LK_INVALID_ARGUMENT, .n_violations = 1},
	/* Places. */
	{.tenant = "system", .err = LK_PERMISSION_DENIED},
	{.tenant = "system", .keyspace = "root-keys", .err = LK_PERMISSION_DENIED},
	{.tenant = "system", .expression = "(", .err = LK_PERMISSION_DENIED},
	{.keyspace = LONG_63 "a", .err = LK_INVALID_ARGUMENT, .n_violations = 1},
	{.tenant = LONG_63 "a", .err = LK_INVALID_ARGUMENT, .n_violations = 1},
	{.tenant = "active", .keyspace = "prod", .err = LK_INVALID_ARGUMENT, .n_violations = 1},
	/* All at once. */
	{.expression = "(",
		.client_ip = "x",
		.cost = MAX_COST + 1,
		.charges = {{"A", 1}, {"b", 1}, {"b", 1}},
		.err = LK_INVALID_ARGUMENT,
		.n_violations = 5},
	{.token = "\xff", .expression = "(", .client_ip = "x", .err = LK_INVALID_ARGUMENT, .n_violations = 1},
};

/* Asks; what was answered as a text: the status, its message, and every violation. */
static void ask_bad(FILE *file, const struct driver *driver, void *state, const struct bad_question *bad, bool checks)
{
	Latchkey__V1__VerifyKeyRequest request = LATCHKEY__V1__VERIFY_KEY_REQUEST__INIT;
	Latchkey__V1__RateCharge charges[10];
	Latchkey__V1__RateCharge *list[10];
	const Latchkey__V1__VerifyKeyResponse *response = NULL;
	struct lk_call call = {.timeout_ms = DRIVER_TIMEOUT_MS};
	char expression[2048] = "";

	for (size_t i = 0; i < bad->long_expression; i++) {
		(void)snprintf(expression + 5 * i, sizeof expression - 5 * i, "a OR a");
	}
	request.token = TEXT(bad->token == NULL ? ANY_TOKEN : bad->token);
	request.tenant = TEXT(bad->tenant == NULL ? "" : bad->tenant);
	request.keyspace = TEXT(bad->keyspace == NULL ? "" : bad->keyspace);
	request.permission_expression = bad->expression == NULL ? expression : TEXT(bad->expression);
	request.client_ip = TEXT(bad->client_ip == NULL ? "" : bad->client_ip);
	request.cost = bad->cost;
	request.rate_charges = list;
	for (; bad->charges[request.n_rate_charges].name != NULL; request.n_rate_charges++) {
		list[request.n_rate_charges] = &charges[request.n_rate_charges];
		latchkey__v1__rate_charge__init(list[request.n_rate_charges]);
		list[request.n_rate_charges]->name = TEXT(bad->charges[request.n_rate_charges].name);
		list[request.n_rate_charges]->cost = bad->charges[request.n_rate_charges].cost;
	}
	enum lk_err err = driver->ask(state, &request, &response, &call);
	(void)fprintf(file, "%zu: %s: %s\n", (size_t)(bad - bad_questions), lk_err_name(err),
		call.message == NULL ? "" : call.message);
	for (size_t i = 0; i < call.n_violations; i++) {
		(void)fprintf(file, "\t%s: %s\n", call.violations[i].field, call.violations[i].description);
	}
	if (checks && (err != bad->err || call.n_violations != bad->n_violations)) {
		(void)fprintf(stderr, "question %zu: %s with %zu violations: %s\n", (size_t)(bad - bad_questions),
			lk_err_name(err), call.n_violations, call.message == NULL ? "" : call.message);
	}
	assert_true(!checks || (err == bad->err && call.n_violations == bad->n_violations));
	lk_call_done(&call);
}

/* Every bad question, to one driver; what it answered is to be free()d. */
static char *answer_bad(const struct driver *driver, const struct world *world, bool checks)
{
	char *answers = NULL;
	size_t len = 0;
	FILE *file = open_memstream(&answers, &len);
	void *state = driver->open(&world->daemon, world->credential);

	CHECK(file != NULL);
	for (size_t i = 0; i < sizeof(bad_questions) / sizeof(bad_questions[0]); i++) {
		ask_bad(file, driver, state, &bad_questions[i], checks);
	}
	driver->close(state);
	CHECK(fclose(file) == 0);
	return answers;
}

static void test_verdicts_that_cannot_be_are_refused_alike(void **state)
{
	struct world *world = *state;
	/* What Verify itself says is checked against the table, and the others against that. */
	char *first = answer_bad(drivers[0], world, true);

	for (size_t i = 1; i < driver_count; i++) {
		char *answers = answer_bad(drivers[i], world, false);
		if (strcmp(answers, first) != 0) {
			print_message("%s:\n%s\nand not\n%s\n", drivers[i]->name, answers, first);
		}
		assert_string_equal(answers, first);
		free(answers);
	}
	free(first);
}

static int set_up(void **state)
{
	static const char *const methods[] = {"keys.verify", NULL};
	static const char *const tenants[] = {"*", NULL};
	struct world *world = calloc(1, sizeof *world);

	*state = world;
	if (world == NULL) {
		return -1;
	}
	start(world);
	caller_open(&world->operator, world->daemon.url, NULL);
	const Latchkey__V1__CreateKeyResponse *key = say_create_root_key(
		&world->operator, "verifier", methods, tenants);
	CHECK(key != NULL);
	world->credential = key->token;
	return 0;
}

static int tear_down(void **state)
{
	struct world *world = *state;

	caller_close(&world->operator);
	stop(world);
	free(world);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_verdicts_of_all_drivers_are_those_of_the_table),
		cmocka_unit_test_setup_teardown(test_verdicts_that_cannot_be_are_refused_alike, set_up, tear_down),
	};

	return cmocka_run_group_tests_name("verdicts of all verifiers", tests, NULL, NULL);
}
