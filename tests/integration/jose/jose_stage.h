/*
 * A daemon that trusts a stranger's issuer, for a test: latchkeyd with a config file, jose_peer.py, and the log that is watched.
 *
 * Calls are made with the bare protocol, so that any credential can be sent; over ipc, as the daemon's own user, so that one
 * that is refused would show if the daemon fell back to that.
 */
#ifndef LK_TESTS_JOSE_STAGE_H
#define LK_TESTS_JOSE_STAGE_H

#include <stddef.h>
#include <stdint.h>

#include "client/envelope.h"
#include "tests/lib/daemon.h"
#include "tests/lib/jose_peer.h"
#include "tests/lib/sp_raw.h"

struct jose_stage {
	struct daemon daemon;
	struct jose_peer peer;
	struct sp_raw connection;
	/* How much of the log was looked at. */
	size_t log_at;
	uint32_t last_id;
	/* Of the last call. */
	uint32_t code;
	char message[256];
	/* The payload of its answer. */
	uint8_t payload[4096];
	size_t payload_len;
};

/* Starts a daemon once, so that its directory is there, and the peer; the daemon is stopped then. */
void jose_stage_start(struct jose_stage *stage);
/* Starts the daemon with this config file, or again with another one. `format` makes the file. */
void jose_stage_run(struct jose_stage *stage, const char *format, ...) __attribute__((format(printf, 2, 3)));
void jose_stage_stop(struct jose_stage *stage);

/* Calls AdminService/WhoAmI, without any retry: the answer's code. */
uint32_t jose_stage_call(struct jose_stage *stage, const char *token);
/* The same, again and again as long as the answer is UNAVAILABLE: the issuer's keys are on their way. */
uint32_t jose_stage_call_patiently(struct jose_stage *stage, const char *token);

/* Waits for the next line of the log with all of these words, up to a NULL, in it; the line, to be freed. */
char *jose_stage_await_log(struct jose_stage *stage, const char *const *words);

#endif
