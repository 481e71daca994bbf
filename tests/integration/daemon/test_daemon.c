/* latchkeyd as a process: how it starts, what it bears, and how it stops. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client/envelope.h"
#include "tests/lib/bystander.h"
#include "tests/lib/daemon.h"
#include "tests/lib/sp_raw.h"

#define CHECK_HEALTH "latchkey.v1.HealthService/Check"
#define WHO_AM_I     "latchkey.v1.AdminService/WhoAmI"
#define DESCRIPTORS  "latchkey.v1.ReflectionService/GetDescriptors"

extern char **environ;

static int set_up(void **state)
{
	struct daemon *daemon = calloc(1, sizeof(*daemon));

	*state = daemon;
	if (daemon == NULL) {
		return -1;
	}
	daemon_start(daemon);
	return 0;
}

static int tear_down(void **state)
{
	daemon_remove(*state);
	free(*state);
	return 0;
}

/* Runs the program with these arguments to its end; its exit code, and what it said on both outputs. */
static int run(const struct daemon *daemon, const char *const *arguments, char *out, size_t size)
{
	char *all[16] = {(char *)(uintptr_t)daemon->program};
	posix_spawn_file_actions_t actions;
	int ends[2] = {-1, -1};
	int status = 0;
	pid_t pid = 0;
	size_t len = 0;
	ssize_t n = 0;

	for (size_t i = 0; arguments[i] != NULL; i++) {
		all[i + 1] = (char *)(uintptr_t)arguments[i];
	}
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_int_equal(posix_spawn_file_actions_init(&actions), 0);
	assert_int_equal(posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO), 0);
	assert_int_equal(posix_spawn_file_actions_adddup2(&actions, ends[1], STDERR_FILENO), 0);
	assert_int_equal(posix_spawn(&pid, daemon->program, &actions, NULL, all, environ), 0);
	(void)posix_spawn_file_actions_destroy(&actions);
	(void)close(ends[1]);
	while (len + 1 < size && (n = read(ends[0], out + len, size - len - 1)) > 0) {
		len += (size_t)n;
	}
	out[len] = '\0';
	(void)close(ends[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* A request's envelope with an empty message. */
static size_t pack(const char *method, uint8_t out[static 256])
{
	struct lk_request_envelope request = {
		.method = {.data = (const uint8_t *)method, .len = strlen(method)},
	};

	return lk_envelope_request_pack(&request, out);
}

/* The code that a connection answers some bytes with; UINT32_MAX where it answers none. Asserts nothing. */
static uint32_t ask_bytes(struct sp_raw raw, const void *data, size_t len)
{
	struct lk_response_envelope response = {0};
	static _Thread_local uint8_t out[1 << 20];
	uint32_t id = 0;
	ssize_t n = -1;

	if (raw.fd >= 0 && sp_raw_send(raw, 5, data, len)) {
		n = sp_raw_receive(raw, &id, out, sizeof(out));
	}
	if (n < 0 || id != 5 || lk_envelope_scan_response(out, (size_t)n, &response) != LK_OK) {
		return UINT32_MAX;
	}
	return response.code;
}

static uint32_t ask(struct sp_raw raw, const char *method)
{
	uint8_t envelope[256];

	return ask_bytes(raw, envelope, pack(method, envelope));
}

static uint32_t ask_anew(const char *url, const char *method)
{
	struct sp_raw raw = sp_raw_open(url);
	uint32_t code = ask(raw, method);

	sp_raw_close(raw);
	return code;
}

/* What a bystander asks. */
static bool ask_health(struct sp_raw raw)
{
	return ask(raw, CHECK_HEALTH) == LK_OK;
}

static void test_daemon_second_one_says_who_serves(void **state)
{
	struct daemon *daemon = *state;
	const char *const arguments[] = {"--data", daemon->data, NULL};
	char expected[64] = "";
	char out[4096] = "";

	assert_int_equal(run(daemon, arguments, out, sizeof(out)), 1);
	(void)snprintf(expected, sizeof(expected), "process %ld serves", (long)daemon->pid);
	assert_non_null(strstr(out, expected));
	assert_int_equal(ask_anew(daemon->url, CHECK_HEALTH), LK_OK);
}

static void test_daemon_tells_a_wrong_command_line(void **state)
{
	struct daemon *daemon = *state;
	const char *const no_data[] = {"--log-level", "loud", NULL};
	const char *const plaintext[] = {"--data", daemon->data, "--listen", "tcp://0.0.0.0:0", NULL};
	const char *const help[] = {"--help", NULL};
	const char *const version[] = {"--version", NULL};
	char out[8192] = "";

	assert_int_equal(run(daemon, no_data, out, sizeof(out)), 2);
	assert_string_equal(out, "--log-level: \"loud\": give error, warn, info or debug\n"
				 "--data is missing: where are store, keys and socket?\n");
	assert_int_equal(run(daemon, plaintext, out, sizeof(out)), 2);
	assert_non_null(strstr(out, "needs --allow-plaintext"));
	assert_int_equal(run(daemon, help, out, sizeof(out)), 0);
	assert_non_null(strstr(out, "Usage: latchkeyd"));
	assert_int_equal(run(daemon, version, out, sizeof(out)), 0);
	assert_int_equal(strncmp(out, "latchkeyd ", 10), 0);
}

static void test_daemon_tells_a_wrong_config_file(void **state)
{
	struct daemon *daemon = *state;
	char path[96] = "";
	const char *const arguments[] = {"--config", path, NULL};
	char expected[512] = "";
	char out[4096] = "";
	FILE *file = NULL;

	(void)snprintf(path, sizeof(path), "%s/lk.conf", daemon->root);
	file = fopen(path, "we");
	assert_non_null(file);
	(void)fprintf(file, "[server]\ndata = %s\nports = 12\n\n[limits]\nconnections_max = 0\n", daemon->data);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(run(daemon, arguments, out, sizeof(out)), 2);
	(void)snprintf(expected, sizeof(expected),
		"%s:3: there is no option \"ports\" in [server]\n%s:6: limits.connections_max: \"0\": give 1 to "
		"65536\n",
		path, path);
	assert_string_equal(out, expected);
}

static void test_daemon_leaves_no_core(void **state)
{
	struct daemon *daemon = *state;
	char path[64] = "";
	char text[4096] = "";
	FILE *file = NULL;
	bool found = false;

	(void)snprintf(path, sizeof(path), "/proc/%ld/limits", (long)daemon->pid);
	file = fopen(path, "re");
	assert_non_null(file);
	while (fgets(text, sizeof(text), file) != NULL) {
		found = found || strncmp(text, "Max core file size        0                    0 ", 48) == 0;
	}
	(void)fclose(file);
	assert_true(found);
}

static int bind_notify(const struct daemon *daemon)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	const struct timeval timeout = {.tv_sec = 10};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s/notify", daemon->root);
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)), 0);
	assert_int_equal(setenv("NOTIFY_SOCKET", address.sun_path, 1), 0);
	return fd;
}

static void test_daemon_notifies_systemd(void **state)
{
	struct daemon *daemon = *state;
	char text[256] = "";
	int fd = bind_notify(daemon);

	daemon_stop(daemon);
	daemon_restart(daemon, NULL);
	assert_int_equal(unsetenv("NOTIFY_SOCKET"), 0);
	assert_true(recv(fd, text, sizeof(text) - 1, 0) > 0);
	assert_string_equal(text, "READY=1");
	memset(text, 0, sizeof(text));
	daemon_stop(daemon);
	assert_true(recv(fd, text, sizeof(text) - 1, 0) > 0);
	assert_string_equal(text, "STOPPING=1");
	(void)close(fd);
}

/* With idle clients, one in the middle of a request, and one that reads nothing. */
static void test_daemon_stops_whatever_its_clients_do(void **state)
{
	struct daemon *daemon = *state;
	struct sp_raw raws[8];
	uint8_t envelope[256];
	size_t len = pack(DESCRIPTORS, envelope);

	for (size_t i = 0; i < 8; i++) {
		raws[i] = sp_raw_open(daemon->url);
	}
	assert_true(sp_raw_send_header(raws[0], 1000));
	for (uint32_t i = 0; i < 64; i++) {
		assert_true(sp_raw_send(raws[1], i, envelope, len));
	}
	daemon_stop(daemon);
	assert_int_equal(access(daemon->url + 6, F_OK), -1);
	for (size_t i = 0; i < 8; i++) {
		sp_raw_close(raws[i]);
	}
	daemon_restart(daemon, NULL);
	assert_int_equal(ask_anew(daemon->url, CHECK_HEALTH), LK_OK);
}

static void test_daemon_serves_where_it_was_killed(void **state)
{
	struct daemon *daemon = *state;
	struct stat status = {0};

	daemon_kill(daemon);
	/* Its socket is left behind. */
	assert_int_equal(lstat(daemon->url + 6, &status), 0);
	daemon_restart(daemon, NULL);
	assert_int_equal(ask_anew(daemon->url, CHECK_HEALTH), LK_OK);
	assert_int_equal(stat(daemon->url + 6, &status), 0);
	assert_int_equal(status.st_mode & 07777, 0660);
}

static void test_daemon_bears_connect_and_close(void **state)
{
	struct daemon *daemon = *state;
	struct bystander bystander;

	bystander_start(&bystander, daemon->url, ask_health);
	for (int i = 0; i < 20; i++) {
		struct sp_raw raw = sp_raw_connect(daemon->url);

		assert_true(raw.fd >= 0);
		sp_raw_close(raw);
		assert_int_equal(ask_anew(daemon->url, CHECK_HEALTH), LK_OK);
	}
	bystander_stop(&bystander);
}

static void test_daemon_cuts_off_a_peer_that_never_reads(void **state)
{
	struct daemon *daemon = *state;
	struct bystander bystander;
	uint8_t envelope[256];
	size_t len = pack(DESCRIPTORS, envelope);
	unsigned before = 0;

	bystander_start(&bystander, daemon->url, ask_health);
	struct sp_raw raw = sp_raw_open(daemon->url);

	for (uint32_t i = 0; i < 64; i++) {
		assert_true(sp_raw_send(raw, i, envelope, len));
	}
	/* Its end shows without reading anything: POLLHUP. */
	struct pollfd hung = {.fd = raw.fd, .events = 0};

	before = bystander_answered(&bystander);
	assert_int_equal(poll(&hung, 1, SP_RAW_PATIENCE_MS), 1);
	assert_true(hung.revents & POLLHUP);
	assert_true(bystander_answered(&bystander) - before > BYSTANDER_HELD_UP);
	bystander_await(&bystander);
	sp_raw_close(raw);
	bystander_stop(&bystander);
}

static void test_daemon_refuses_what_is_no_request(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
		uint32_t code;
	} cases[] = {
		{"", 0, LK_UNIMPLEMENTED},
		{"\x0a\x00", 2, LK_UNIMPLEMENTED},
		{"\xff\xff\xff\xff", 4, LK_INVALID_ARGUMENT},
		{"\x0a\x05"
		 "a",
			3, LK_INVALID_ARGUMENT},
		{"\x0a\x01\xff", 3, LK_INVALID_ARGUMENT},
		{"\x0a\x07"
		 "nothing",
			9, LK_UNIMPLEMENTED},
		{"\x0a\x1e"
		 "latchkey.v1.HealthService/Chec",
			32, LK_UNIMPLEMENTED},
		{"\x0a\x1f"
		 "latchkey.v1.HealthService/Check\x0a\x1f"
		 "latchkey.v1.HealthService/Check",
			66, LK_INVALID_ARGUMENT},
		{"\x0a\x1f"
		 "latchkey.v1.HealthService/Check\x7a\x02\x08\x01",
			37, LK_INVALID_ARGUMENT},
		{"\x0a\x1f"
		 "latchkey.v1.HealthService/Check\x7a\x01\x80",
			36, LK_INVALID_ARGUMENT},
	};
	struct daemon *daemon = *state;
	struct sp_raw raw = sp_raw_open(daemon->url);

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint32_t code = ask_bytes(raw, cases[i].bytes, cases[i].len);

		if (code != cases[i].code) {
			fail_msg("case %zu: code %u, not %u", i, code, cases[i].code);
		}
		/* On the same connection. */
		assert_int_equal(ask(raw, CHECK_HEALTH), LK_OK);
	}
	sp_raw_close(raw);
}

static void test_daemon_closes_on_what_is_no_message(void **state)
{
	struct daemon *daemon = *state;
	struct bystander bystander;

	bystander_start(&bystander, daemon->url, ask_health);
	struct sp_raw raw = sp_raw_open(daemon->url);

	assert_true(sp_raw_send_header(raw, (uint64_t)2 << 20));
	assert_true(sp_raw_is_cut(raw));
	sp_raw_close(raw);
	raw = sp_raw_connect(daemon->url);
	assert_true(sp_raw_write(raw, "GET / HTTP/1.1\r\n\r\n", 18));
	assert_true(sp_raw_is_cut(raw));
	sp_raw_close(raw);
	bystander_stop(&bystander);
}

static void test_daemon_has_a_connection_cap(void **state)
{
	struct daemon *daemon = *state;
	char path[96] = "";
	const char *const arguments[] = {"--config", path, NULL};
	struct sp_raw raws[3];
	FILE *file = NULL;

	(void)snprintf(path, sizeof(path), "%s/lk.conf", daemon->root);
	file = fopen(path, "we");
	assert_non_null(file);
	(void)fputs("[limits]\nconnections_max = 3\n", file);
	assert_int_equal(fclose(file), 0);
	daemon_stop(daemon);
	daemon_restart(daemon, arguments);
	for (size_t i = 0; i < 3; i++) {
		raws[i] = sp_raw_open(daemon->url);
		assert_int_equal(ask(raws[i], CHECK_HEALTH), LK_OK);
	}
	struct sp_raw fourth = sp_raw_connect(daemon->url);

	assert_true(sp_raw_is_cut(fourth));
	sp_raw_close(fourth);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(ask(raws[i], CHECK_HEALTH), LK_OK);
		sp_raw_close(raws[i]);
	}
}

struct nobody {
	const char *url;
	uint32_t code;
};

/* The raw system call changes this thread alone. */
static void *ask_as_nobody(void *argument)
{
	struct nobody *nobody = argument;

	if (syscall(SYS_setresuid, -1, 65534, -1) == 0) {
		nobody->code = ask_anew(nobody->url, WHO_AM_I);
	}
	return NULL;
}

/* The daemon's own user is the operator; another user of the machine is nobody, even where it may connect. */
static void test_daemon_knows_its_operator(void **state)
{
	struct daemon *daemon = *state;
	struct nobody nobody = {.url = daemon->url, .code = UINT32_MAX};
	pthread_t thread;

	assert_int_equal(ask_anew(daemon->url, WHO_AM_I), LK_OK);
	if (geteuid() != 0) {
		skip();
	}
	assert_int_equal(chmod(daemon->root, 0755), 0);
	assert_int_equal(chmod(daemon->data, 0755), 0);
	assert_int_equal(chmod(daemon->url + 6, 0666), 0);
	assert_int_equal(pthread_create(&thread, NULL, ask_as_nobody, &nobody), 0);
	(void)pthread_join(thread, NULL);
	assert_int_equal(nobody.code, LK_UNAUTHENTICATED);
	assert_int_equal(chmod(daemon->data, 0750), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_daemon_second_one_says_who_serves, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_daemon_tells_a_wrong_command_line, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_daemon_tells_a_wrong_config_file, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_daemon_leaves_no_core, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_daemon_notifies_systemd, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_daemon_stops_whatever_its_clients_do, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_daemon_serves_where_it_was_killed, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_daemon_bears_connect_and_close, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_daemon_cuts_off_a_peer_that_never_reads, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_daemon_refuses_what_is_no_request, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_daemon_closes_on_what_is_no_message, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_daemon_has_a_connection_cap, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_daemon_knows_its_operator, set_up, tear_down),
	};

	return cmocka_run_group_tests_name("daemon", tests, NULL, NULL);
}
