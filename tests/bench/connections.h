/*
 * Drives a server over a number of connections from one thread, for the peers whose clients have connections: each connection has
 * one ask under way at a time. One connection of a closed loop is simply blocked on; more are waited for with epoll.
 */
#ifndef LK_TESTS_BENCH_CONNECTIONS_H
#define LK_TESTS_BENCH_CONNECTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/bench/figures.h"
#include "tests/bench/histogram.h"

/* What a peer's client does. */
struct lk_connection_kind {
	/* Its socket. */
	int (*fd)(void *connection);
	/* Sends the next ask. Small enough for the socket's buffer: it never blocks. */
	void (*ask)(void *connection);
	/*
	 * Takes what has come; true once the whole ask was answered. `block`: waits for it. Else it is called when the socket is
	 * readable, and must not block. Ends the program where the answer is not what it should be.
	 */
	bool (*answer)(void *connection, bool block);
	/* Verdicts in an ask: the latency of each is the ask's. */
	uint64_t weight;
};

struct lk_connection_run {
	/* `count` pointers, one for each connection. */
	void **connections;
	size_t count;
	int64_t length_ns;
	/* Verdicts a second, an open loop; 0: a closed one. */
	uint64_t rate;
};

/* Asks for so long, and until all is answered. Adds to `latencies`; `ret_figures` has been stopped. */
void lk_connections_run(const struct lk_connection_kind *kind, const struct lk_connection_run *run,
	struct lk_figures *ret_figures, struct lk_histogram *latencies);

#endif
