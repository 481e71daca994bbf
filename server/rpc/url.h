/*
 * The URLs that the daemon listens on. Pure.
 */
#ifndef LK_SERVER_RPC_URL_H
#define LK_SERVER_RPC_URL_H

#include <stdbool.h>
#include <stddef.h>

#include <latchkey/error.h>

/* The longest path that a Unix socket can have: sun_path, but for its NUL. */
#define LK_URL_PATH_MAX 107

/* A listener is bound to "DIR/.lk-" and eight digits, and then renamed (listener.h): DIR must leave room for that too. */
#define LK_URL_PRIVATE_NAME_LEN 12

#define LK_URL_FAULT_LEN 256

enum lk_scheme {
	LK_SCHEME_IPC,
	LK_SCHEME_TCP,
};

struct lk_url {
	enum lk_scheme scheme;
	/* What follows "://", in the caller's text. */
	const char *rest;
	/*
	 * False where what is sent may leave the machine. tcp is taken for loopback at an address in 127.0.0.0/8, at [::1] and
	 * at localhost; at no other name, whatever it resolves to.
	 */
	bool loopback;
};

/*
 * Takes `text` apart: ipc:///absolute/path, tcp://host:port, tcp://[address]:port.
 * LK_INVALID_ARGUMENT, with what is wrong and what would be right in `ret_fault`; `*ret` is then untouched.
 */
LK_MUST_CHECK enum lk_err lk_url_parse(const char *text, struct lk_url *ret, char ret_fault[static LK_URL_FAULT_LEN]);

#endif
