/* Where the transport listens: paths that are free, stale, taken, or taken away. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <dirent.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/integration/transport/harness.h"

/* Tries to open at one URL with a handler that is never called. */
static enum lk_err try_open(const char *url, struct lk_transport **ret, char *fault)
{
	struct harness dummy = {.transport = NULL};
	struct lk_transport_options options = {
		.urls = &url,
		.n_urls = 1,
		.limits = {.exchanges_max = 4, .exchanges_reserved = 1, .connections_max = 8, .in_flight_max = 8},
	};

	(void)dummy;
	options.handler = harness_handler(&dummy);
	return lk_transport_open(&options, ret, fault);
}

static unsigned entries(const struct harness *harness)
{
	DIR *directory = opendir(harness->directory);
	const struct dirent *entry = NULL;
	unsigned n = 0;

	assert_non_null(directory);
	while ((entry = readdir(directory)) != NULL) {
		n += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
	}
	(void)closedir(directory);
	return n;
}

static void test_listener_socket_is_the_groups_and_goes_at_the_end(void **state)
{
	struct harness *harness = *state;
	struct stat status = {0};

	harness_open(harness, NULL);
	assert_int_equal(stat(harness->ipc + 6, &status), 0);
	assert_true(S_ISSOCK(status.st_mode));
	assert_int_equal(status.st_mode & 07777, 0660);
	assert_string_equal(lk_transport_url(harness->transport, 0), harness->ipc);
	assert_null(lk_transport_url(harness->transport, 2));
	assert_int_equal(entries(harness), 1);
	assert_int_equal(harness_close(harness), LK_OK);
	assert_int_equal(entries(harness), 0);
}

static int bind_socket(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static void test_listener_replaces_a_socket_that_nobody_serves(void **state)
{
	struct harness *harness = *state;
	char out[16] = "";

	(void)close(bind_socket(harness->ipc + 6));
	harness_open(harness, NULL);
	assert_true(harness_ask_anew(harness->ipc, "Echo", out, sizeof(out)));
}

static void test_listener_leaves_alone_what_others_serve(void **state)
{
	struct harness *harness = *state;
	char fault[LK_TRANSPORT_FAULT_LEN] = "";
	struct lk_transport *second = NULL;
	char expected[128] = "";
	char out[16] = "";

	harness_open(harness, NULL);
	(void)snprintf(expected, sizeof(expected), "cannot listen at %s: process %ld answers there", harness->ipc + 6,
		(long)getpid());
	for (int i = 0; i < 5; i++) {
		assert_int_equal(try_open(harness->ipc, &second, fault), LK_HELD);
		assert_int_equal(strncmp(fault, expected, strlen(expected)), 0);
		/* To be asked has not ended it. */
		assert_true(harness_ask_anew(harness->ipc, "Echo", out, sizeof(out)));
	}
	assert_int_equal(try_open(harness->tcp, &second, fault), LK_HELD);
	assert_non_null(strstr(fault, "in use"));
}

static void test_listener_refuses_a_path_that_is_no_socket(void **state)
{
	struct harness *harness = *state;
	char fault[LK_TRANSPORT_FAULT_LEN] = "";
	struct lk_transport *transport = NULL;
	int fd = open(harness->ipc + 6, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	(void)close(fd);
	assert_int_equal(try_open(harness->ipc, &transport, fault), LK_HELD);
	assert_non_null(strstr(fault, "exists and is no socket"));
	assert_int_equal(entries(harness), 1);
}

static void test_listener_says_why_it_cannot(void **state)
{
	struct harness *harness = *state;
	char fault[LK_TRANSPORT_FAULT_LEN] = "";
	struct lk_transport *transport = NULL;
	char url[256] = "";

	assert_int_equal(try_open("http://127.0.0.1:80", &transport, fault), LK_INVALID_ARGUMENT);
	assert_non_null(strstr(fault, "cannot listen on http://127.0.0.1:80"));
	(void)snprintf(url, sizeof(url), "%s/missing/lk.sock", harness->ipc);
	assert_int_equal(try_open(url, &transport, fault), LK_IO);
	assert_non_null(strstr(fault, url));
	assert_int_equal(try_open("tcp://192.0.2.1:4711", &transport, fault), LK_IO);
	assert_non_null(strstr(fault, "tcp://192.0.2.1:4711"));
	assert_null(transport);
}

/* A path that another has taken meanwhile is left to it at the end. */
static void test_listener_takes_away_its_own_socket_only(void **state)
{
	struct harness *harness = *state;
	struct stat status = {0};
	struct stat foreign = {0};

	harness_open(harness, NULL);
	assert_int_equal(unlink(harness->ipc + 6), 0);
	int fd = bind_socket(harness->ipc + 6);

	assert_int_equal(lstat(harness->ipc + 6, &foreign), 0);
	assert_int_equal(harness_close(harness), LK_OK);
	(void)close(fd);
	assert_int_equal(lstat(harness->ipc + 6, &status), 0);
	assert_int_equal(status.st_ino, foreign.st_ino);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			test_listener_socket_is_the_groups_and_goes_at_the_end, harness_set_up, harness_tear_down),
		cmocka_unit_test_setup_teardown(
			test_listener_replaces_a_socket_that_nobody_serves, harness_set_up, harness_tear_down),
		cmocka_unit_test_setup_teardown(
			test_listener_leaves_alone_what_others_serve, harness_set_up, harness_tear_down),
		cmocka_unit_test_setup_teardown(
			test_listener_refuses_a_path_that_is_no_socket, harness_set_up, harness_tear_down),
		cmocka_unit_test_setup_teardown(test_listener_says_why_it_cannot, harness_set_up, harness_tear_down),
		cmocka_unit_test_setup_teardown(
			test_listener_takes_away_its_own_socket_only, harness_set_up, harness_tear_down),
	};

	return cmocka_run_group_tests_name("listeners", tests, NULL, NULL);
}
