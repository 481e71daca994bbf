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

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_roles_of_many_callers_end_at_the_limit),
		TEST(test_roles_of_one_id_are_made_once),
		TEST(test_roles_and_owners_outlive_a_kill),
	};

	return cmocka_run_group_tests_name("roles", tests, NULL, NULL);
}
