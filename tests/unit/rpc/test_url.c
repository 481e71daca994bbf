/* The URLs to listen on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "server/rpc/url.h"

static void test_url_takes_what_it_should(void **state)
{
	static const struct {
		const char *text;
		enum lk_scheme scheme;
		const char *rest;
		bool loopback;
	} cases[] = {
		{"ipc:///run/lk/latchkey.sock", LK_SCHEME_IPC, "/run/lk/latchkey.sock", true},
		{"ipc:///s", LK_SCHEME_IPC, "/s", true},
		{"tcp://127.0.0.1:4711", LK_SCHEME_TCP, "127.0.0.1:4711", true},
		{"tcp://127.255.3.4:0", LK_SCHEME_TCP, "127.255.3.4:0", true},
		{"tcp://localhost:65535", LK_SCHEME_TCP, "localhost:65535", true},
		{"tcp://[::1]:1", LK_SCHEME_TCP, "[::1]:1", true},
		{"tcp://0.0.0.0:1", LK_SCHEME_TCP, "0.0.0.0:1", false},
		{"tcp://*:1", LK_SCHEME_TCP, "*:1", false},
		{"tcp://[::]:1", LK_SCHEME_TCP, "[::]:1", false},
		{"tcp://[::ffff:127.0.0.1]:1", LK_SCHEME_TCP, "[::ffff:127.0.0.1]:1", false},
		{"tcp://127.1:1", LK_SCHEME_TCP, "127.1:1", false},
		{"tcp://128.0.0.1:1", LK_SCHEME_TCP, "128.0.0.1:1", false},
		{"tcp://localhost.example.org:1", LK_SCHEME_TCP, "localhost.example.org:1", false},
		{"tcp://127.0.0.1.example.org:1", LK_SCHEME_TCP, "127.0.0.1.example.org:1", false},
	};
	char fault[LK_URL_FAULT_LEN] = "";
	struct lk_url url = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(lk_url_parse(cases[i].text, &url, fault), LK_OK);
		assert_int_equal(url.scheme, cases[i].scheme);
		assert_string_equal(url.rest, cases[i].rest);
		assert_int_equal(url.loopback, cases[i].loopback);
	}
}

static void test_url_refuses_and_says_why(void **state)
{
	static const struct {
		const char *text;
		const char *fault;
	} cases[] = {
		{"", "schemes"},
		{"/run/lk.sock", "schemes"},
		{"http://127.0.0.1:80", "schemes"},
		{"tls+tcp://127.0.0.1:80", "schemes"},
		{"IPC:///run/lk.sock", "schemes"},
		{"ipc://", "absolute"},
		{"ipc://run/lk.sock", "absolute"},
		{"ipc:///run/lk/", "not a directory"},
		{"tcp://127.0.0.1", "port"},
		{"tcp://127.0.0.1:", "port"},
		{"tcp://127.0.0.1:65536", "port"},
		{"tcp://127.0.0.1:000080", "port"},
		{"tcp://127.0.0.1:80/", "port"},
		{"tcp://127.0.0.1:http", "port"},
		{"tcp://:4711", "no host"},
		{"tcp://::1:4711", "no host"},
		{"tcp://[::1:4711", "no host"},
		{"tcp://[]:4711", "no host"},
		{"tcp://[127.0.0.1]:4711", "no host"},
		{"tcp://user@127.0.0.1:4711", "no host"},
		{"inproc://x", "schemes"},
	};
	char fault[LK_URL_FAULT_LEN] = "";
	struct lk_url url = {.rest = "untouched"};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(lk_url_parse(cases[i].text, &url, fault), LK_INVALID_ARGUMENT);
		assert_non_null(strstr(fault, cases[i].fault));
		assert_string_equal(url.rest, "untouched");
	}
}

/* "ipc:///ddd/sss" of so many bytes. */
static void ipc_url(char *out, size_t directory_len, size_t path_len)
{
	memcpy(out, "ipc:///", 8);
	memset(out + 7, 'd', directory_len - 1);
	out[6 + directory_len] = '/';
	memset(out + 7 + directory_len, 's', path_len - directory_len - 1);
	out[6 + path_len] = '\0';
}

static void test_url_bounds_an_ipc_path(void **state)
{
	char fault[LK_URL_FAULT_LEN] = "";
	struct lk_url url = {0};
	char text[256] = "";

	(void)state;
	ipc_url(text, 20, LK_URL_PATH_MAX);
	assert_int_equal(strlen(text), 6 + 107);
	assert_int_equal(lk_url_parse(text, &url, fault), LK_OK);
	ipc_url(text, 20, LK_URL_PATH_MAX + 1);
	assert_int_equal(lk_url_parse(text, &url, fault), LK_INVALID_ARGUMENT);
	assert_string_equal(fault, "the path has 108 bytes; a Unix socket's has at most 107");
	ipc_url(text, 94, 96);
	assert_int_equal(lk_url_parse(text, &url, fault), LK_OK);
	ipc_url(text, 95, 97);
	assert_int_equal(lk_url_parse(text, &url, fault), LK_INVALID_ARGUMENT);
	assert_string_equal(fault, "the path's directory has 95 bytes; it may have at most 94");
}

static void test_url_survives_a_long_host(void **state)
{
	char fault[LK_URL_FAULT_LEN] = "";
	char text[1024] = "tcp://";
	struct lk_url url = {0};

	(void)state;
	memset(text + 6, 'h', 1000);
	memcpy(text + 1006, ":1", 3);
	assert_int_equal(lk_url_parse(text, &url, fault), LK_INVALID_ARGUMENT);
	assert_non_null(strstr(fault, "too long"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_url_takes_what_it_should),
		cmocka_unit_test(test_url_refuses_and_says_why),
		cmocka_unit_test(test_url_bounds_an_ipc_path),
		cmocka_unit_test(test_url_survives_a_long_host),
	};

	return cmocka_run_group_tests_name("url", tests, NULL, NULL);
}
