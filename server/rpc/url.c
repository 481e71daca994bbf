#include "server/rpc/url.h"

#include <arpa/inet.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static enum lk_err __attribute__((format(printf, 2, 3))) fault(char *out, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void)vsnprintf(out, LK_URL_FAULT_LEN, format, args);
	va_end(args);
	return LK_INVALID_ARGUMENT;
}

static enum lk_err parse_ipc(struct lk_url *url, char *ret_fault)
{
	const char *slash = strrchr(url->rest, '/');
	size_t len = strlen(url->rest);

	if (url->rest[0] != '/') {
		return fault(ret_fault, "an ipc path is absolute: ipc:///run/latchkey/latchkey.sock");
	}
	if (slash[1] == '\0') {
		return fault(ret_fault, "an ipc path names a socket, not a directory");
	}
	if (len > LK_URL_PATH_MAX) {
		return fault(ret_fault, "the path has %zu bytes; a Unix socket's has at most %d", len, LK_URL_PATH_MAX);
	}
	len = (size_t)(slash - url->rest);
	if (len + 1 + LK_URL_PRIVATE_NAME_LEN > LK_URL_PATH_MAX) {
		return fault(ret_fault, "the path's directory has %zu bytes; it may have at most %d", len,
			LK_URL_PATH_MAX - 1 - LK_URL_PRIVATE_NAME_LEN);
	}
	url->loopback = true;
	return LK_OK;
}

static bool is_port(const char *text)
{
	size_t digits = strspn(text, "0123456789");
	unsigned port = 0;

	if (digits == 0 || digits > 5 || text[digits] != '\0') {
		return false;
	}
	for (; *text != '\0'; text++) {
		port = port * 10 + (unsigned)(*text - '0');
	}
	return port <= UINT16_MAX;
}

static bool is_loopback(const char *host)
{
	struct in_addr four = {0};

	if (host[0] == '[') {
		return strcmp(host, "[::1]") == 0;
	}
	if (inet_pton(AF_INET, host, &four) == 1) {
		return ntohl(four.s_addr) >> 24 == 127;
	}
	return strcmp(host, "localhost") == 0;
}

static bool is_host(const char *host)
{
	struct in6_addr address = {0};
	size_t len = strlen(host);
	char inner[INET6_ADDRSTRLEN] = "";

	if (host[0] != '[') {
		return len > 0 && strpbrk(host, ":/@?#[] ") == NULL;
	}
	if (len < 3 || host[len - 1] != ']' || len - 2 >= sizeof(inner)) {
		return false;
	}
	memcpy(inner, host + 1, len - 2);
	return inet_pton(AF_INET6, inner, &address) == 1;
}

static enum lk_err parse_tcp(struct lk_url *url, char *ret_fault)
{
	const char *colon = strrchr(url->rest, ':');
	char host[256] = "";

	if (colon == NULL || !is_port(colon + 1)) {
		return fault(ret_fault, "a tcp URL ends in a port, 0 to 65535: tcp://127.0.0.1:4711");
	}
	if ((size_t)(colon - url->rest) >= sizeof(host)) {
		return fault(ret_fault, "the host's name is too long");
	}
	memcpy(host, url->rest, (size_t)(colon - url->rest));
	if (!is_host(host)) {
		return fault(
			ret_fault, "\"%s\" is no host: give an address, [an IPv6 address], a name, or * for all", host);
	}
	url->loopback = is_loopback(host);
	return LK_OK;
}

enum lk_err lk_url_parse(const char *text, struct lk_url *ret, char ret_fault[static LK_URL_FAULT_LEN])
{
	static const struct {
		const char *prefix;
		enum lk_scheme scheme;
		enum lk_err (*parse)(struct lk_url *url, char *ret_fault);
	} schemes[] = {
		{"ipc://", LK_SCHEME_IPC, parse_ipc},
		{"tcp://", LK_SCHEME_TCP, parse_tcp},
	};

	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
		size_t len = strlen(schemes[i].prefix);
		struct lk_url url = {.scheme = schemes[i].scheme, .rest = text + len};

		if (strncmp(text, schemes[i].prefix, len) != 0) {
			continue;
		}
		enum lk_err err = schemes[i].parse(&url, ret_fault);

		if (err == LK_OK) {
			*ret = url;
		}
		return err;
	}
	return fault(ret_fault, "the schemes are ipc:// and tcp://");
}
