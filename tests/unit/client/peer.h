/*
 * A peer for tests of the channel: a REP of nng's protocol on plain sockets, which answers by a script, rightly or badly, and keeps
 * what it received. Not nng itself: it must be able to misbehave, and survive it (client/link.h says what nng does not).
 * No assert runs on its threads. Set-up failures end the test.
 */
#ifndef TESTS_UNIT_CLIENT_PEER_H
#define TESTS_UNIT_CLIENT_PEER_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/envelope.h"

#define PEER_REQUESTS_MAX    8192
#define PEER_CONNECTIONS_MAX 1024

struct peer;

/* Answers the request with number `index`, from 0, by one of the peer_ functions below; or not at all. One at a time. */
typedef void (*peer_script)(struct peer *peer, unsigned index, const struct lk_request_envelope *request);

struct peer_connection {
	struct peer *peer;
	pthread_t thread;
	int fd;
};

struct peer {
	int listener;
	pthread_t thread;
	peer_script script;
	/* The 8 bytes that it greets with. */
	const char *greeting;
	/* Held while a script runs. */
	pthread_mutex_t script_lock;
	/* Where the request at hand came from, and nng's id of it. */
	struct peer_connection *current;
	uint8_t id[4];
	/* Guards the rest. */
	pthread_mutex_t lock;
	pthread_cond_t received;
	struct peer_connection connections[PEER_CONNECTIONS_MAX];
	unsigned n_connections;
	/* The envelopes, as they came; `n` of them. */
	struct {
		uint8_t *data;
		size_t len;
	} requests[PEER_REQUESTS_MAX];
	unsigned n;
};

/* A fresh ipc address in a fresh directory; lives until address_remove(). */
struct address {
	char directory[32];
	char url[64];
};
void address_make(struct address *address);
void address_remove(const struct address *address);

/* What a peer of nng's that answers requests says first. */
#define PEER_GREETING_REP "\0SP\0\0\x31\0\0"

void peer_start(struct peer *peer, const char *url, peer_script script);
/* The same with another greeting, of 8 bytes. */
void peer_start_as(struct peer *peer, const char *url, peer_script script, const char *greeting);
/* Closes every connection, joins the threads, frees what was received. */
void peer_stop(struct peer *peer);
/* Blocks until `n` requests have come. */
void peer_await(struct peer *peer, unsigned n);
unsigned peer_count(struct peer *peer);
/* The request with this number, scanned; it must be there and valid. */
struct lk_request_envelope peer_request(struct peer *peer, unsigned index);

/* For scripts. */
void peer_reply(struct peer *peer, const struct lk_response_envelope *response);
void peer_reply_bytes(struct peer *peer, const void *data, size_t len);
void peer_reply_code(struct peer *peer, enum lk_err code, const char *message, uint32_t retry_after_ms);
/* Sends bytes that need be no message at all. */
void peer_write(struct peer *peer, const void *data, size_t len);
/* Closes the connection that the request came by. */
void peer_hang_up(struct peer *peer);

#endif
