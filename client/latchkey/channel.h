/*
 * A channel: connections to one or several daemons, over which any number of threads make calls.
 *
 * Connections are made in the background and again when they break. A call goes out on any connection that is up; a call that
 * finds none waits for one within its timeout. The channel retries, inside the call's timeout and with jittered exponential
 * backoff, what is safe to retry: an answer UNAVAILABLE, a connection that was reset, and a read that got no answer in time;
 * a change is retried only under its request_id, by which the daemon does it once. A read waits for its first answer half of
 * the time that is left, and asks once more for all the rest; a change waits for its answer to the end.
 *
 * A channel may be used from several threads at once. No fork() after the first channel was opened: nng does not survive it.
 */
#ifndef LATCHKEY_CHANNEL_H
#define LATCHKEY_CHANNEL_H

#include <protobuf-c/protobuf-c.h>
#include <stddef.h>
#include <stdint.h>

#include <latchkey/call.h>
#include <latchkey/error.h>
#include <latchkey/method.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The most bytes of a credential. A root key has 42, a JWT what its issuer writes into it. */
#define LK_CREDENTIAL_MAX 8192

struct lk_channel;

struct lk_channel_options {
	/*
	 * Where the daemons listen: "ipc:///run/latchkey/latchkey.sock", "tcp://127.0.0.1:7707", "tls+tcp://...". At least
	 * one.
	 */
	const char *const *urls;
	size_t n_urls;
	/* Connections to each URL; 0: 1. */
	unsigned connections;
	/* The root key or the JWT that calls carry unless they name their own; NULL: none. Copied, wiped on close. */
	const char *credential;
};

/*
 * Opens a channel. Does not block and does not need a daemon to be there yet.
 * LK_INVALID_ARGUMENT: no URL, or one that cannot be dialed; a credential over LK_CREDENTIAL_MAX bytes. LK_NO_MEMORY.
 * `*ret_channel` is untouched on failure.
 */
LK_MUST_CHECK enum lk_err lk_channel_open(const struct lk_channel_options *options, struct lk_channel **ret_channel);

/* Ends the calls under way with LK_CANCELLED, waits for their callbacks, closes. Takes NULL. Not from a callback. */
void lk_channel_close(struct lk_channel *channel);

/*
 * Calls `method` and blocks until it is answered or its timeout has passed. `call` may be NULL.
 * On LK_OK `*ret_response` is the caller's, to be freed with protobuf_c_message_free_unpacked(response, NULL); on failure
 * it is untouched, and `call` says why. LK_UNAVAILABLE: no connection within the timeout. LK_DEADLINE_EXCEEDED: no answer
 * within it; a change may have been made. LK_PROTOCOL: an answer that is none. Any code of the server's.
 */
LK_MUST_CHECK enum lk_err lk_channel_call(struct lk_channel *channel, const struct lk_method *method,
	const ProtobufCMessage *request, ProtobufCMessage **ret_response, struct lk_call *call);

/* As lk_channel_call(), of a method that this program was not built with: encoded messages, `*ret_response` to be free()d. */
LK_MUST_CHECK enum lk_err lk_channel_call_raw(struct lk_channel *channel, const char *method, enum lk_effect effect,
	const uint8_t *request, size_t request_len, uint8_t **ret_response, size_t *ret_response_len,
	struct lk_call *call);

/*
 * What is told when an asynchronous call ends. `response` is the callback's to free, NULL unless `err` is LK_OK.
 * It runs on a thread of nng's, or on the one that closes the channel: it must not block, nor make a synchronous call; it may
 * start another asynchronous one.
 */
typedef void (*lk_done_fn)(enum lk_err err, ProtobufCMessage *response, struct lk_call *call, void *context);

/*
 * Starts a call and returns at once. `request` is encoded before it returns; `call` must live until `done` was called, and
 * must not be NULL. `done` is called exactly once where LK_OK is returned, and never otherwise.
 * LK_INVALID_ARGUMENT: the request or a text in `call` is too large. LK_CANCELLED: the channel is being closed.
 * LK_RESOURCE_EXHAUSTED: 65,536 calls are under way. LK_NO_MEMORY.
 */
LK_MUST_CHECK enum lk_err lk_channel_start(struct lk_channel *channel, const struct lk_method *method,
	const ProtobufCMessage *request, struct lk_call *call, lk_done_fn done, void *context);

#ifdef __cplusplus
}
#endif

#endif
