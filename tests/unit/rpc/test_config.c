/* The configuration, from command lines and files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <unistd.h>

#include "server/config.h"

struct fixture {
	char path[64];
	struct lk_config config;
	char *faults;
};

static int set_up(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	*state = fixture;
	if (fixture == NULL) {
		return -1;
	}
	(void)snprintf(fixture->path, sizeof(fixture->path), "/tmp/latchkey-config-XXXXXX");
	int fd = mkstemp(fixture->path);

	return fd < 0 ? -1 : close(fd);
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;

	(void)unlink(fixture->path);
	lk_config_done(&fixture->config);
	free(fixture->faults);
	free(fixture);
	return 0;
}

/* Loads with the arguments up to a NULL. */
#define LOAD(fixture, ...) load((fixture), (const char *const[]){"latchkeyd", __VA_ARGS__, NULL})

static enum lk_err load(struct fixture *fixture, const char *const argv[])
{
	int argc = 0;

	while (argv[argc] != NULL) {
		argc++;
	}
	lk_config_done(&fixture->config);
	free(fixture->faults);
	return lk_config_load(argc, (char *const *)(uintptr_t)argv, &fixture->config, &fixture->faults);
}

static void write_file(const struct fixture *fixture, const char *text)
{
	FILE *file = fopen(fixture->path, "we");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static void assert_faults(const struct fixture *fixture, const char *expected)
{
	assert_non_null(fixture->faults);
	assert_string_equal(fixture->faults, expected);
	assert_null(fixture->config.data_dir);
	assert_int_equal(fixture->config.n_listen, 0);
}

static void test_config_has_defaults(void **state)
{
	struct fixture *fixture = *state;
	const struct lk_config *config = &fixture->config;

	assert_int_equal(LOAD(fixture, "--data", "/var/lib/lk"), LK_OK);
	assert_null(fixture->faults);
	assert_int_equal(config->action, LK_CONFIG_RUN);
	assert_string_equal(config->data_dir, "/var/lib/lk");
	assert_int_equal(config->n_listen, 1);
	assert_string_equal(config->listen[0], "ipc:///var/lib/lk/latchkey.sock");
	assert_false(config->allow_plaintext);
	assert_int_equal(config->log_level, LK_LOG_INFO);
	assert_int_equal(config->exchanges_max, 1024);
	assert_int_equal(config->exchanges_reserved, 32);
	assert_int_equal(config->connections_max, 1024);
	assert_int_equal(config->in_flight_max, 256);
	assert_int_equal(config->writer_queue, 1024);
	assert_int_equal(config->map_size, 64ull << 30);
	assert_int_equal(config->slots_max, 1ull << 28);
	assert_int_equal(config->slots_sync_s, 60);
	assert_int_equal(config->drain_ms, 3000);
}

static void test_config_takes_flags(void **state)
{
	struct fixture *fixture = *state;
	const struct lk_config *config = &fixture->config;

	assert_int_equal(LOAD(fixture, "--data=/d", "--listen", "tcp://0.0.0.0:1", "--listen=ipc:///run/s",
				 "--allow-plaintext", "--log-level", "debug", "--map-size", "512MiB"),
		LK_OK);
	assert_int_equal(config->n_listen, 2);
	assert_string_equal(config->listen[0], "tcp://0.0.0.0:1");
	assert_string_equal(config->listen[1], "ipc:///run/s");
	assert_true(config->allow_plaintext);
	assert_int_equal(config->log_level, LK_LOG_DEBUG);
	assert_int_equal(config->map_size, 512ull << 20);
}

static void test_config_makes_the_directory_absolute(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(chdir("/tmp"), 0);
	assert_int_equal(LOAD(fixture, "--data", "lk"), LK_OK);
	assert_string_equal(fixture->config.data_dir, "/tmp/lk");
	assert_string_equal(fixture->config.listen[0], "ipc:///tmp/lk/latchkey.sock");
}

static void test_config_reads_a_file(void **state)
{
	struct fixture *fixture = *state;
	const struct lk_config *config = &fixture->config;

	write_file(fixture,
		"; a comment\n# another\n\n[server]\n  data = /var/lib/lk\n  listen = ipc:///run/a  ; first\n"
		"listen=ipc:///run/b\r\n\tlog_level = warn\nallow_plaintext = true\n"
		"[limits]\nexchanges_max = 8\nexchanges_reserved = 4\nin_flight_max = 9\n"
		"[store]\nmap_size = 1TiB\nslots_sync_s = 1");
	assert_int_equal(LOAD(fixture, "--config", fixture->path), LK_OK);
	assert_string_equal(config->data_dir, "/var/lib/lk");
	assert_int_equal(config->n_listen, 2);
	assert_string_equal(config->listen[0], "ipc:///run/a");
	assert_string_equal(config->listen[1], "ipc:///run/b");
	assert_int_equal(config->log_level, LK_LOG_WARN);
	assert_true(config->allow_plaintext);
	assert_int_equal(config->exchanges_max, 8);
	assert_int_equal(config->exchanges_reserved, 4);
	assert_int_equal(config->in_flight_max, 9);
	assert_int_equal(config->map_size, 1ull << 40);
	assert_int_equal(config->slots_sync_s, 1);
}

static void test_config_flags_win_over_the_file(void **state)
{
	struct fixture *fixture = *state;

	write_file(fixture, "[server]\ndata = /file\nlisten = ipc:///run/file\nlog_level = warn\n");
	assert_int_equal(
		LOAD(fixture, "--data", "/flag", "--config", fixture->path, "--listen", "ipc:///run/flag"), LK_OK);
	assert_string_equal(fixture->config.data_dir, "/flag");
	assert_int_equal(fixture->config.n_listen, 1);
	assert_string_equal(fixture->config.listen[0], "ipc:///run/flag");
	assert_int_equal(fixture->config.log_level, LK_LOG_WARN);
}

static void test_config_reports_all_faults_of_a_file(void **state)
{
	struct fixture *fixture = *state;
	char expected[2048] = "";
	const char *f = fixture->path;

	write_file(fixture, "data = /d\n[server]\nbogus = 1\ndata = /a\ndata = /b\n[wrong]\nx = 1\ny = 2\n[empty]\n"
			    "[limits]\nexchanges_max = 99999\nin_flight_max = -1\ndrain_ms = 10s\nconnections_max =\n"
			    "[store]\nmap_size = 64GB\nmap_size = 1\nslots_max = 18446744073709551617\n");
	assert_int_equal(LOAD(fixture, "--config", f), LK_INVALID_ARGUMENT);
	(void)snprintf(expected, sizeof(expected),
		"%s:1: \"data\" stands outside of any section\n"
		"%s:3: there is no option \"bogus\" in [server]\n"
		"%s:5: server.data: is given twice; first in line 4\n"
		"%s:6: there is no section [wrong]: give [server], [store], [limits] or [issuer \"NAME\"]\n"
		"%s:9: there is no section [empty]: give [server], [store], [limits] or [issuer \"NAME\"]\n"
		"%s:11: limits.exchanges_max: \"99999\": give 2 to 16384\n"
		"%s:12: limits.in_flight_max: \"-1\": give a whole number\n"
		"%s:13: limits.drain_ms: \"10s\": give a whole number\n"
		"%s:14: limits.connections_max: \"\": give a whole number\n"
		"%s:16: store.map_size: \"64GB\": give bytes, or a whole number of KiB, MiB, GiB or TiB: 64GiB\n"
		"%s:17: store.map_size: is given twice; first in line 16\n"
		"%s:18: store.slots_max: \"18446744073709551617\": give a whole number",
		f, f, f, f, f, f, f, f, f, f, f, f);
	assert_faults(fixture, expected);
}

static void test_config_reports_a_line_that_is_none(void **state)
{
	struct fixture *fixture = *state;
	char text[1024] = "[server]\ndata = ";
	char expected[512] = "";

	write_file(fixture, "[server]\ndata = /d\nnonsense\n");
	assert_int_equal(LOAD(fixture, "--config", fixture->path), LK_INVALID_ARGUMENT);
	(void)snprintf(expected, sizeof(expected), "%s:3: is neither [section] nor key = value", fixture->path);
	assert_faults(fixture, expected);
	/* A value that is too long for inih is neither cut off nor continued on a line of its own. */
	memset(text + strlen(text), 'x', 600);
	write_file(fixture, text);
	assert_int_equal(LOAD(fixture, "--data", "/d", "--config", fixture->path), LK_INVALID_ARGUMENT);
	(void)snprintf(expected, sizeof(expected), "%s:2: the line is too long; 197 bytes are allowed", fixture->path);
	assert_faults(fixture, expected);
}

static void test_config_checks_an_overridden_line_only_for_its_key(void **state)
{
	struct fixture *fixture = *state;

	write_file(fixture, "[server]\nlog_level = loud\n");
	assert_int_equal(LOAD(fixture, "--data", "/d", "--log-level", "error", "--config", fixture->path), LK_OK);
	assert_int_equal(fixture->config.log_level, LK_LOG_ERROR);
}

static void test_config_reports_all_faults_of_a_command_line(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(
		LOAD(fixture, "--map-size", "1MiB", "--log-level", "loud", "--log-level", "info", "--bogus", "--listen",
			"http://x", "--listen", "tcp://10.0.0.1:1", "--listen", "inproc://x", "--data"),
		LK_INVALID_ARGUMENT);
	assert_faults(fixture, "--log-level: is given twice\n"
			       "there is no option --bogus; see latchkeyd --help\n"
			       "--data needs a value\n"
			       "--map-size: \"1MiB\": give 256MiB to 1TiB\n"
			       "--log-level: \"loud\": give error, warn, info or debug\n"
			       "--data is missing: where are store, keys and socket?\n"
			       "cannot listen on \"http://x\": the schemes are ipc:// and tcp://\n"
			       "will not listen on \"tcp://10.0.0.1:1\": tcp is not encrypted, so beyond 127.0.0.0/8, "
			       "[::1] and localhost it "
			       "needs --allow-plaintext\n"
			       "cannot listen on \"inproc://x\": the schemes are ipc:// and tcp://");
	assert_int_equal(LOAD(fixture, "--data", "/d", "start"), LK_INVALID_ARGUMENT);
	assert_faults(fixture, "\"start\" stands behind no option");
	assert_int_equal(LOAD(fixture, "--data", ""), LK_INVALID_ARGUMENT);
	assert_int_equal(
		LOAD(fixture, "--data", "/d", "--listen", "ipc:///a", "--listen", "ipc:///a"), LK_INVALID_ARGUMENT);
	assert_faults(fixture, "--listen: \"ipc:///a\": is given twice");
}

static void test_config_refuses_a_socket_path_that_is_too_long(void **state)
{
	struct fixture *fixture = *state;
	char directory[101] = "/";

	memset(directory + 1, 'd', 99);
	assert_int_equal(LOAD(fixture, "--data", directory), LK_INVALID_ARGUMENT);
	assert_non_null(strstr(fixture->faults, "the path has 114 bytes; a Unix socket's has at most 107"));
	/* The data may lie there, when the socket lies elsewhere. */
	assert_int_equal(LOAD(fixture, "--data", directory, "--listen", "ipc:///run/s"), LK_OK);
}

static void test_config_refuses_a_reserve_that_does_not_fit(void **state)
{
	struct fixture *fixture = *state;

	write_file(fixture, "[limits]\nexchanges_reserved = 1024\n");
	assert_int_equal(LOAD(fixture, "--data", "/d", "--config", fixture->path), LK_INVALID_ARGUMENT);
	assert_faults(fixture, "limits: exchanges_reserved (1024) must be less than exchanges_max (1024)");
}

static void test_config_reports_a_file_that_cannot_be_read(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(LOAD(fixture, "--data", "/d", "--config", "/nonexistent/lk.conf"), LK_INVALID_ARGUMENT);
	assert_faults(fixture, "cannot open the config file /nonexistent/lk.conf: No such file or directory");
	assert_int_equal(LOAD(fixture, "--data", "/d", "--config", "/tmp"), LK_INVALID_ARGUMENT);
	assert_faults(fixture, "cannot read the config file /tmp");
}

static void test_config_asks_for_help_whatever_else_is_wrong(void **state)
{
	struct fixture *fixture = *state;
	char *help = lk_config_help();

	assert_non_null(help);
	assert_non_null(strstr(help, "--map-size SIZE"));
	assert_non_null(strstr(help, "slots_sync_s"));
	free(help);
	assert_int_equal(LOAD(fixture, "--bogus", "--help"), LK_OK);
	assert_int_equal(fixture->config.action, LK_CONFIG_HELP);
	assert_int_equal(LOAD(fixture, "--version"), LK_OK);
	assert_int_equal(fixture->config.action, LK_CONFIG_VERSION);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_config_has_defaults, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_config_takes_flags, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_config_makes_the_directory_absolute, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_config_reads_a_file, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_config_flags_win_over_the_file, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_config_reports_all_faults_of_a_file, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_config_reports_a_line_that_is_none, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_config_checks_an_overridden_line_only_for_its_key, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_config_reports_all_faults_of_a_command_line, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_config_refuses_a_socket_path_that_is_too_long, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_config_refuses_a_reserve_that_does_not_fit, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_config_reports_a_file_that_cannot_be_read, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_config_asks_for_help_whatever_else_is_wrong, set_up, tear_down),
	};

	return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
