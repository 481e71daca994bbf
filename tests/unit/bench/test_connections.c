#include "tests/bench/connections.h"

#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/lib/check.h"

#define CONNECTIONS 4
/* Bytes of an answer; they are sent one by one, so that answers come in parts. */
#define PARTS 3

struct connection {
	int socket;
	bool under_way;
	size_t parts;
	uint64_t asks;
};

/* A server that answers each byte with PARTS bytes, until all of its clients are gone. */
struct echo {
	pthread_t thread;
	struct pollfd sockets[CONNECTIONS];
};

struct world {
	struct connection connections[CONNECTIONS];
	void *list[CONNECTIONS];
	struct echo echo;
	struct lk_histogram *latencies;
};

static void *serve(void *argument)
{
	struct echo *echo = argument;
	size_t open = CONNECTIONS;

	while (open > 0) {
		CHECK(poll(echo->sockets, CONNECTIONS, -1) > 0);
		for (size_t i = 0; i < CONNECTIONS; i++) {
			char byte = 0;
			if (echo->sockets[i].revents == 0) {
				continue;
			}
			if (read(echo->sockets[i].fd, &byte, 1) != 1) {
				CHECK(close(echo->sockets[i].fd) == 0);
				echo->sockets[i].fd = -1;
				open--;
				continue;
			}
			for (size_t part = 0; part < PARTS; part++) {
				CHECK(write(echo->sockets[i].fd, &byte, 1) == 1);
			}
		}
	}
	return NULL;
}

static int setup(void **state)
{
	static struct world world;

	world = (struct world){.latencies = lk_histogram_new()};
	for (size_t i = 0; i < CONNECTIONS; i++) {
		int ends[2] = {-1, -1};
		CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
		world.connections[i].socket = ends[0];
		world.list[i] = &world.connections[i];
		world.echo.sockets[i] = (struct pollfd){.fd = ends[1], .events = POLLIN};
	}
	CHECK(pthread_create(&world.echo.thread, NULL, serve, &world.echo) == 0);
	*state = &world;
	return 0;
}

static int teardown(void **state)
{
	struct world *world = *state;

	for (size_t i = 0; i < CONNECTIONS; i++) {
		CHECK(close(world->connections[i].socket) == 0);
	}
	CHECK(pthread_join(world->echo.thread, NULL) == 0);
	lk_histogram_free(world->latencies);
	return 0;
}

static int fd_of(void *connection)
{
	return ((struct connection *)connection)->socket;
}

static void ask(void *argument)
{
	struct connection *connection = argument;

	CHECK(!connection->under_way);
	connection->under_way = true;
	connection->parts = 0;
	connection->asks++;
	CHECK(write(connection->socket, "?", 1) == 1);
}

static bool answer(void *argument, bool block)
{
	struct connection *connection = argument;
	char byte = 0;

	CHECK(connection->under_way);
	/* Where it must not block, it was told that there is something. */
	CHECK(recv(connection->socket, &byte, 1, block ? 0 : MSG_DONTWAIT) == 1);
	connection->under_way = ++connection->parts < PARTS;
	return !connection->under_way;
}

static uint64_t run(struct world *world, size_t count, uint64_t rate, uint64_t weight)
{
	struct lk_connection_kind kind = {.fd = fd_of, .ask = ask, .answer = answer, .weight = weight};
	struct lk_connection_run run = {
		.connections = world->list, .count = count, .length_ns = 1000000000, .rate = rate};
	struct lk_figures figures = {0};
	uint64_t asks = 0;

	lk_connections_run(&kind, &run, &figures, world->latencies);
	for (size_t i = 0; i < CONNECTIONS; i++) {
		assert_false(world->connections[i].under_way);
		asks += world->connections[i].asks;
	}
	assert_true(figures.wall_ns > 0 && figures.cpu_ns > 0);
	assert_int_equal(lk_histogram_count(world->latencies), asks * weight);
	return asks;
}

static void test_connections_one_asks_as_fast_as_it_is_answered(void **state)
{
	struct world *world = *state;

	assert_true(run(world, 1, 0, 1) > 0);
	assert_int_equal(world->connections[1].asks, 0);
}

static void test_connections_all_ask_at_a_time(void **state)
{
	struct world *world = *state;

	assert_true(run(world, CONNECTIONS, 0, 64) >= CONNECTIONS);
	for (size_t i = 0; i < CONNECTIONS; i++) {
		assert_true(world->connections[i].asks > 0);
	}
}

/* However slow this machine is: what was planned is asked. */
static void test_connections_ask_all_that_was_planned(void **state)
{
	assert_int_equal(run(*state, CONNECTIONS, 500, 1), 500);
}

static void test_connections_one_asks_all_that_was_planned(void **state)
{
	assert_int_equal(run(*state, 1, 500, 1), 500);
}

/* A rate is of verdicts, so of fewer asks where an ask has several. */
static void test_connections_plan_by_the_verdict(void **state)
{
	assert_int_equal(run(*state, CONNECTIONS, 640, 64), 10);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_connections_one_asks_as_fast_as_it_is_answered, setup, teardown),
		cmocka_unit_test_setup_teardown(test_connections_all_ask_at_a_time, setup, teardown),
		cmocka_unit_test_setup_teardown(test_connections_ask_all_that_was_planned, setup, teardown),
		cmocka_unit_test_setup_teardown(test_connections_one_asks_all_that_was_planned, setup, teardown),
		cmocka_unit_test_setup_teardown(test_connections_plan_by_the_verdict, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
