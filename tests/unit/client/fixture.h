/*
 * What the tests of the channel share: a peer at a fresh address and a channel to it, both ended by the teardown.
 */
#ifndef TESTS_UNIT_CLIENT_FIXTURE_H
#define TESTS_UNIT_CLIENT_FIXTURE_H

#include <stdbool.h>

#include <latchkey/channel.h>

#include "latchkey/v1/key.pb-c.h"
#include "peer.h"

struct fixture {
	struct address address;
	struct peer peer;
	bool peer_runs;
	struct lk_channel *channel;
};

/* A read, a change, a long read, and a change with large requests: all take a VerifyKeyRequest and
 * return a VerifyKeyResponse. */
extern const struct lk_method method_verify, method_create, method_scan, method_large;

int fixture_setup(void **state);
int fixture_teardown(void **state);

/* Starts the peer; opens the channel. */
struct fixture *fixture_run(void **state, peer_script script);
void fixture_start_peer(struct fixture *fixture, peer_script script);
void fixture_open_channel(struct fixture *fixture, unsigned connections, const char *credential);

/* A call with a request that holds `text`; a response, if any, is freed. */
enum lk_err call_text(struct fixture *fixture, const struct lk_method *method, const char *text, struct lk_call *call);

/* For scripts: a VerifyKeyResponse; one with the key's name being the request's text. */
void peer_verdict(struct peer *peer, bool valid, int code);
void peer_echo(struct peer *peer, const struct lk_request_envelope *request);
/* A script that echoes whatever comes, and one that never answers. */
void script_echo(struct peer *peer, unsigned index, const struct lk_request_envelope *request);
void script_silent(struct peer *peer, unsigned index, const struct lk_request_envelope *request);

#endif
