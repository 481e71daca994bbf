#include "tests/bench/server.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/lib/check.h"

#define MS INT64_C(1000000)

/* A server is told "s": it spins until it has had so much processor time; "c": it makes a child that does; "w": it waits for that. */
#define SPIN_NS (50 * MS)
/* The kernel tells of a child that was waited for in ticks, each of its two times rounded down. */
#define TICKS_NS (25 * MS)

static void spin(void)
{
	struct timespec used = {0};

	while (used.tv_sec == 0 && used.tv_nsec < SPIN_NS) {
		CHECK(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used) == 0);
	}
}

/* The child stays when it has spun, until it is killed. */
static pid_t make_spinner(void)
{
	int ends[2] = {0};
	char byte = 0;

	CHECK(pipe(ends) == 0);
	pid_t child = fork();
	CHECK(child >= 0);
	if (child == 0) {
		spin();
		CHECK(write(ends[1], "", 1) == 1);
		for (;;) {
			(void)pause();
		}
	}
	CHECK(read(ends[0], &byte, 1) == 1);
	CHECK(close(ends[0]) == 0 && close(ends[1]) == 0);
	return child;
}

static void serve(int orders, int answers)
{
	char order = 0;
	pid_t child = 0;

	while (read(orders, &order, 1) == 1) {
		if (order == 's') {
			spin();
		} else if (order == 'c') {
			child = make_spinner();
		} else {
			CHECK(kill(child, SIGKILL) == 0 && waitpid(child, NULL, 0) == child);
		}
		CHECK(write(answers, &order, 1) == 1);
	}
	_exit(0);
}

struct server {
	pid_t pid;
	int orders;
	int answers;
};

static int setup(void **state)
{
	static struct server server;
	int orders[2] = {0};
	int answers[2] = {0};

	CHECK(pipe(orders) == 0 && pipe(answers) == 0);
	server.pid = fork();
	CHECK(server.pid >= 0);
	if (server.pid == 0) {
		CHECK(close(orders[1]) == 0 && close(answers[0]) == 0);
		serve(orders[0], answers[1]);
	}
	CHECK(close(orders[0]) == 0 && close(answers[1]) == 0);
	server.orders = orders[1];
	server.answers = answers[0];
	*state = &server;
	return 0;
}

static int teardown(void **state)
{
	struct server *server = *state;

	CHECK(close(server->orders) == 0 && close(server->answers) == 0);
	CHECK(waitpid(server->pid, NULL, 0) == server->pid);
	return 0;
}

static int64_t cost_of(struct server *server, const char *order)
{
	int64_t before_ns = lk_server_cpu_ns(server->pid);
	char byte = 0;

	CHECK(write(server->orders, order, 1) == 1);
	CHECK(read(server->answers, &byte, 1) == 1 && byte == order[0]);
	return lk_server_cpu_ns(server->pid) - before_ns;
}

static void test_server_costs_what_it_uses(void **state)
{
	/* What it had used before counts into the time until which it spins. */
	assert_true(cost_of(*state, "s") > SPIN_NS / 2);
}

static void test_server_costs_what_its_children_use(void **state)
{
	assert_true(cost_of(*state, "c") >= SPIN_NS);
	/* Waited for, the child has cost no more, and no less, than it did alive. */
	int64_t waited_ns = cost_of(*state, "w");
	assert_true(waited_ns > -TICKS_NS && waited_ns < SPIN_NS);
}

static void test_server_must_be_there(void **state)
{
	int status = 0;
	pid_t child = fork();

	(void)state;
	CHECK(child >= 0);
	if (child == 0) {
		(void)close(STDERR_FILENO);
		/* No number of a process is as high as this. */
		(void)lk_server_cpu_ns(INT32_MAX);
		_exit(0);
	}
	CHECK(waitpid(child, &status, 0) == child);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_server_costs_what_it_uses, setup, teardown),
		cmocka_unit_test_setup_teardown(test_server_costs_what_its_children_use, setup, teardown),
		cmocka_unit_test(test_server_must_be_there),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
