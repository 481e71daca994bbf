/*
 * A transport on real sockets, and a handler that does what the first byte of a request says:
 *
 *	E	answers with the request
 *	L	answers with as many bytes as follow in decimal
 *	U	answers with the peer's uid in decimal, or "unknown"
 *	T	answers with the peer's text
 *	A	answers "accepting" or "draining"
 *	N	answers nothing, which closes the connection
 *	P	parks, and answers "parked" when harness_answer_parked() is called; "refused" where it cannot park
 *	Q	the same, urgently
 *
 * The handler also keeps what uids came with requests that begin with a given byte.
 */
#ifndef LK_TESTS_TRANSPORT_HARNESS_H
#define LK_TESTS_TRANSPORT_HARNESS_H

#include <pthread.h>
#include <stdatomic.h>

#include "server/rpc/transport.h"
#include "tests/lib/sp_raw.h"

#define PARKED_MAX 2048

struct harness {
	struct lk_transport *transport;
	char directory[64];
	/* "ipc://DIRECTORY/lk.sock", "tcp://127.0.0.1:PORT" */
	char ipc[128];
	const char *tcp;
	atomic_uint opened;
	atomic_uint handled;
	/* By the first byte: requests with an unknown uid, and the highest and lowest uid known. */
	struct {
		atomic_uint unknown;
		atomic_uint known;
		atomic_uint lowest;
		atomic_uint highest;
	} seen[256];
	pthread_mutex_t lock;
	/* A request was handled, or parked. */
	pthread_cond_t changed;
	struct lk_exchange *parked[PARKED_MAX];
	size_t n_parked;
};

/* Makes a directory; opens nothing. */
int harness_set_up(void **state);
/* Drains and closes, and sees that nothing is left. */
int harness_tear_down(void **state);

/* The handler that is described above. */
struct lk_rpc_handler harness_handler(struct harness *harness);

/* Opens with small numbers where `limits` is NULL: 256 exchanges, 8 of them reserved, 64 connections, 32 in flight. */
void harness_open(struct harness *harness, const struct lk_transport_limits *limits);
enum lk_err harness_close(struct harness *harness);

/* Waits until so many requests came to the handler since the opening, or are parked; false where that never comes. */
bool harness_wait_handled(struct harness *harness, unsigned n);
bool harness_wait_parked(struct harness *harness, size_t n);
void harness_answer_parked(struct harness *harness);

/* One request and its reply on a connection; the reply as a text, "" on failure. */
const char *harness_ask(struct sp_raw raw, const char *request, char *out, size_t size);
/* The same on a connection of its own. */
bool harness_ask_anew(const char *url, const char *request, char *out, size_t size);
/* The same, with a new one where that one is refused or cut: as a client does that reconnects. */
bool harness_ask_until_answered(const char *url, const char *request, char *out, size_t size);

/*
 * Waits until no connection is left and nothing under way; false where that never comes. The transport tells nobody of it, so
 * this asks on a connection of its own and looks at each answer whether that connection is the last.
 */
bool harness_wait_idle(struct harness *harness);

uint64_t harness_now_ms(void);

#endif
