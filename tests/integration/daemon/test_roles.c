/* Roles and owners on a real daemon: many callers at once, and what is left after a kill -9. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>

#include <latchkey/latchkey.h>

#include "tests/lib/check.h"
#include "tests/lib/daemon.h"
#include "tests/lib/place.h"

#define TIMEOUT_MS 20000
/* The most roles that a tenant may have. */
#define ROLES   1000
#define THREADS 8

struct fixture {
	struct daemon daemon;
	struct lk_channel *channel;
};

static void connect_to(struct fixture *fixture)
{
	const char *const urls[] = {fixture->daemon.url};
	const struct lk_channel_options options = {.urls = urls, .n_urls = 1};

	CHECK(lk_channel_open(&options, &fixture->channel) == LK_OK);
}

static int set_up(void **state)
{
	struct fixture *fixture = calloc(1, sizeof *fixture);

	CHECK(fixture != NULL);
	daemon_start(&fixture->daemon);
	connect_to(fixture);
	place_make(fixture->channel);
	*state = fixture;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;

	lk_channel_close(fixture->channel);
	daemon_remove(&fixture->daemon);
	free(fixture);
	return 0;
}

/* Any thread. */
static enum lk_err create_role(struct lk_channel *channel, const char *id)
{
	Latchkey__V1__CreateRoleRequest request = LATCHKEY__V1__CREATE_ROLE_REQUEST__INIT;
	Latchkey__V1__Role *response = NULL;
	struct lk_call call = {.timeout_ms = TIMEOUT_MS};
	char *permissions[] = {TEXT("agents:list")};

	request.tenant = TEXT("acme");
	request.role = TEXT(id);
	request.permissions = permissions;
	request.n_permissions = 1;
	enum lk_err err = latchkey_v1_role_create(channel, &request, &response, &call);
	if (err == LK_OK) {
		CHECK(strcmp(response->id, id) == 0);
		latchkey__v1__role__free_unpacked(response, NULL);
	}
	lk_call_done(&call);
	return err;
}

static size_t count_roles(struct fixture *fixture)
{
	Latchkey__V1__ListRolesRequest request = LATCHKEY__V1__LIST_ROLES_REQUEST__INIT;
	Latchkey__V1__ListRolesResponse *response = NULL;
	struct lk_call call = {.timeout_ms = TIMEOUT_MS};

	request.tenant = TEXT("acme");
	request.page_size = ROLES;
	CHECK_MSG(latchkey_v1_role_list(fixture->channel, &request, &response, &call) == LK_OK, call.message);
	size_t count = response->n_roles;
	CHECK(response->next_page_token[0] == '\0' || count == ROLES);
	latchkey__v1__list_roles_response__free_unpacked(response, NULL);
	lk_call_done(&call);
	return count;
}

/* One of the threads that make roles: "role-FIRST" and each `step`th after it, `count` of them. */
struct maker {
	pthread_t thread;
	struct lk_channel *channel;
	size_t first;
	size_t step;
	size_t count;
	/* How many calls were answered so. */
	size_t made;
	size_t taken;
	size_t refused;
};

static void *run_maker(void *argument)
{
	struct maker *maker = argument;
	char id[32];

	for (size_t i = 0; i < maker->count; i++) {
		(void)snprintf(id, sizeof id, "role-%zu", maker->first + i * maker->step);
		enum lk_err err = create_role(maker->channel, id);
		maker->made += err == LK_OK;
		maker->taken += err == LK_ALREADY_EXISTS;
		maker->refused += err == LK_FAILED_PRECONDITION;
	}
	return NULL;
}

/* All at once; what came of it, added up. */
static struct maker make_roles(struct fixture *fixture, size_t first, size_t step, size_t spread, size_t count)
{
	struct maker makers[THREADS] = {0};
	struct maker sum = {0};

	for (size_t i = 0; i < THREADS; i++) {
		makers[i].channel = fixture->channel;
		makers[i].first = first + i * spread;
		makers[i].step = step;
		makers[i].count = count;
		CHECK(pthread_create(&makers[i].thread, NULL, run_maker, &makers[i]) == 0);
	}
	for (size_t i = 0; i < THREADS; i++) {
		CHECK(pthread_join(makers[i].thread, NULL) == 0);
		sum.made += makers[i].made;
		sum.taken += makers[i].taken;
		sum.refused += makers[i].refused;
	}
	return sum;
}

/* Of many that want the last places, as many get one as there are. */
static void test_roles_of_many_callers_end_at_the_limit(void **state)
{
	struct fixture *fixture = *state;
	struct maker sum = make_roles(fixture, 0, THREADS, 1, (ROLES - THREADS) / THREADS);

	assert_int_equal(sum.made, ROLES - THREADS);
	sum = make_roles(fixture, ROLES, THREADS, 1, 5);
	assert_int_equal(sum.made, THREADS);
	assert_int_equal(sum.refused, 4 * THREADS);
	assert_int_equal(count_roles(fixture), ROLES);
}

/* Of many that want one id, one gets it. */
static void test_roles_of_one_id_are_made_once(void **state)
{
	struct fixture *fixture = *state;
	struct maker sum = make_roles(fixture, 0, 1, 0, 20);

	assert_int_equal(sum.made, 20);
	assert_int_equal(sum.taken, 20 * (THREADS - 1));
	assert_int_equal(count_roles(fixture), 20);
}

static void assert_role_is_there(struct fixture *fixture, const char *permission)
{
	Latchkey__V1__GetRoleRequest request = LATCHKEY__V1__GET_ROLE_REQUEST__INIT;
	Latchkey__V1__Role *role = NULL;
	struct lk_call call = {.timeout_ms = TIMEOUT_MS};

	request.tenant = TEXT("acme");
	request.role = TEXT("reader");
	CHECK_MSG(latchkey_v1_role_get(fixture->channel, &request, &role, &call) == LK_OK, call.message);
	assert_int_equal(role->n_permissions, 1);
	assert_string_equal(role->permissions[0], permission);
	latchkey__v1__role__free_unpacked(role, NULL);
	lk_call_done(&call);
}

static void update_role(struct fixture *fixture, const char *permission)
{
	Latchkey__V1__UpdateRoleRequest request = LATCHKEY__V1__UPDATE_ROLE_REQUEST__INIT;
	Latchkey__V1__Role given = LATCHKEY__V1__ROLE__INIT;
	Latchkey__V1__Role *role = NULL;
	Google__Protobuf__FieldMask mask = GOOGLE__PROTOBUF__FIELD_MASK__INIT;
	struct lk_call call = {.timeout_ms = TIMEOUT_MS};
	char *paths[] = {TEXT("permissions")};
	char *permissions[] = {TEXT(permission)};

	mask.paths = paths;
	mask.n_paths = 1;
	given.id = TEXT("reader");
	given.permissions = permissions;
	given.n_permissions = 1;
	request.tenant = TEXT("acme");
	request.role = &given;
	request.update_mask = &mask;
	CHECK_MSG(latchkey_v1_role_update(fixture->channel, &request, &role, &call) == LK_OK, call.message);
	latchkey__v1__role__free_unpacked(role, NULL);
	lk_call_done(&call);
}

static void create_owner(struct fixture *fixture, const char *id)
{
	Latchkey__V1__CreateOwnerRequest request = LATCHKEY__V1__CREATE_OWNER_REQUEST__INIT;
	Latchkey__V1__RateLimit limit = LATCHKEY__V1__RATE_LIMIT__INIT;
	Latchkey__V1__RateLimit *limits[] = {&limit};
	Google__Protobuf__Duration period = GOOGLE__PROTOBUF__DURATION__INIT;
	Latchkey__V1__Owner *owner = NULL;
	struct lk_call call = {.timeout_ms = TIMEOUT_MS};

	period.seconds = 86400;
	limit.name = TEXT("calls");
	limit.limit = 100;
	limit.period = &period;
	request.tenant = TEXT("acme");
	request.owner = TEXT(id);
	request.rate_limits = limits;
	request.n_rate_limits = 1;
	CHECK_MSG(latchkey_v1_owner_create(fixture->channel, &request, &owner, &call) == LK_OK, call.message);
	assert_int_equal(owner->rate_states[0]->remaining, 100);
	latchkey__v1__owner__free_unpacked(owner, NULL);
	lk_call_done(&call);
}

static void assert_owner_is_there(struct fixture *fixture, const char *id)
{
	Latchkey__V1__GetOwnerRequest request = LATCHKEY__V1__GET_OWNER_REQUEST__INIT;
	Latchkey__V1__Owner *owner = NULL;
	struct lk_call call = {.timeout_ms = TIMEOUT_MS};

	request.tenant = TEXT("acme");
	request.owner = TEXT(id);
	CHECK_MSG(latchkey_v1_owner_get(fixture->channel, &request, &owner, &call) == LK_OK, call.message);
	assert_int_equal(owner->rate_limits[0]->limit, 100);
	latchkey__v1__owner__free_unpacked(owner, NULL);
	lk_call_done(&call);
}

/* What was acknowledged is there. */
static void test_roles_and_owners_outlive_a_kill(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(create_role(fixture->channel, "reader"), LK_OK);
	for (int round = 0; round < 3; round++) {
		char text[32];
		(void)snprintf(text, sizeof text, "agents:%d", round);
		update_role(fixture, text);
		(void)snprintf(text, sizeof text, "user %d", round);
		create_owner(fixture, text);
		daemon_kill(&fixture->daemon);
		lk_channel_close(fixture->channel);
		daemon_restart(&fixture->daemon, NULL);
		connect_to(fixture);
		(void)snprintf(text, sizeof text, "agents:%d", round);
		assert_role_is_there(fixture, text);
		for (int i = 0; i <= round; i++) {
			(void)snprintf(text, sizeof text, "user %d", i);
			assert_owner_is_there(fixture, text);
		}
	}
}

/* A key of "acme" that has role "reader"; its token. */
static void create_key(struct fixture *fixture, size_t size, char *ret_token)
{
	Latchkey__V1__CreateKeyRequest request = LATCHKEY__V1__CREATE_KEY_REQUEST__INIT;
	Latchkey__V1__CreateKeyResponse *response = NULL;
	struct lk_call call = {.timeout_ms = TIMEOUT_MS};
	char *roles[] = {TEXT("reader")};

	request.tenant = TEXT("acme");
	request.keyspace = TEXT("prod");
	request.roles = roles;
	request.n_roles = 1;
	CHECK_MSG(latchkey_v1_key_create(fixture->channel, &request, &response, &call) == LK_OK, call.message);
	(void)snprintf(ret_token, size, "%s", response->token);
	latchkey__v1__create_key_response__free_unpacked(response, NULL);
	lk_call_done(&call);
}

/* Asks, until it is told to stop, whether the key may do what its role grants in even states, and not in odd ones. */
struct asker {
	pthread_t thread;
	struct lk_channel *channel;
	const char *token;
	/*
	 * Counts the role's changes: a state is reached once the call that makes it has returned, and left when the next
	 * begins.
	 */
	const atomic_uint *reached;
	const atomic_uint *left;
	const atomic_bool *stop;
	/* How many verdicts were of one state, and how many of those were wrong. */
	atomic_size_t judged;
	size_t wrong;
};

static bool is_valid(struct lk_channel *channel, const char *token)
{
	Latchkey__V1__VerifyKeyRequest request = LATCHKEY__V1__VERIFY_KEY_REQUEST__INIT;
	Latchkey__V1__VerifyKeyResponse *response = NULL;
	struct lk_call call = {.timeout_ms = TIMEOUT_MS};

	request.token = TEXT(token);
	request.permission_expression = TEXT("agents:list");
	CHECK_MSG(latchkey_v1_key_verify(channel, &request, &response, &call) == LK_OK, call.message);
	bool valid = response->valid;
	CHECK(valid || response->code == LATCHKEY__V1__VERIFY_CODE__VERIFY_CODE_INSUFFICIENT_PERMISSIONS);
	latchkey__v1__verify_key_response__free_unpacked(response, NULL);
	lk_call_done(&call);
	return valid;
}

static void *run_asker(void *argument)
{
	struct asker *asker = argument;

	while (!atomic_load(asker->stop)) {
		unsigned state = atomic_load(asker->reached);
		bool valid = is_valid(asker->channel, asker->token);
		/* The next change had not begun when the answer was there: it can be of this state alone. */
		if (atomic_load(asker->left) == state) {
			asker->wrong += valid != (state % 2 == 0);
			atomic_fetch_add(&asker->judged, 1);
		}
	}
	return NULL;
}

#define CHANGES 40

/* When an Update has returned, no verdict that begins afterwards goes by what the role was. */
static void test_role_update_holds_when_it_returns(void **state)
{
	struct fixture *fixture = *state;
	struct asker askers[THREADS] = {0};
	atomic_uint reached = 0;
	atomic_uint left = 0;
	atomic_bool stop = false;
	char token[64];

	assert_int_equal(create_role(fixture->channel, "reader"), LK_OK);
	create_key(fixture, sizeof token, token);
	for (size_t i = 0; i < THREADS; i++) {
		askers[i].channel = fixture->channel;
		askers[i].token = token;
		askers[i].reached = &reached;
		askers[i].left = &left;
		askers[i].stop = &stop;
		CHECK(pthread_create(&askers[i].thread, NULL, run_asker, &askers[i]) == 0);
	}
	for (unsigned change = 1; change <= CHANGES; change++) {
		atomic_store(&left, change);
		update_role(fixture, change % 2 == 0 ? "agents:*" : "agents:get");
		atomic_store(&reached, change);
		/* And at once, for the one that changed it. */
		CHECK(is_valid(fixture->channel, token) == (change % 2 == 0));
		size_t judged = atomic_load(&askers[0].judged);
		while (atomic_load(&askers[0].judged) == judged) {
			CHECK(is_valid(fixture->channel, token) == (change % 2 == 0));
		}
	}
	atomic_store(&stop, true);
	for (size_t i = 0; i < THREADS; i++) {
		CHECK(pthread_join(askers[i].thread, NULL) == 0);
	}
	for (size_t i = 0; i < THREADS; i++) {
		assert_int_equal(askers[i].wrong, 0);
		assert_true(atomic_load(&askers[i].judged) > 0);
	}
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_roles_of_many_callers_end_at_the_limit),
		TEST(test_roles_of_one_id_are_made_once),
		TEST(test_roles_and_owners_outlive_a_kill),
		TEST(test_role_update_holds_when_it_returns),
	};

	return cmocka_run_group_tests_name("roles", tests, NULL, NULL);
}
