/*
 * A caller of a daemon, for a test: a connection of its own, with the credential that it calls by.
 *
 * Every response is kept until caller_forget() or caller_close(), so that a test may hold on to what it was told. What came of
 * the last call stands in `err` and `call` until the next one. One thread at a time. Fails the test by abort() only where the
 * ground that it stands on gives way.
 */
#ifndef LK_TESTS_LIB_CALLER_H
#define LK_TESTS_LIB_CALLER_H

#include <stdbool.h>
#include <stddef.h>

#include <latchkey/latchkey.h>

/* Long enough for a busy machine: a daemon that does not answer fails its test anyway. */
#define CALLER_TIMEOUT_MS 30000

struct caller {
	struct lk_channel *channel;
	/*
	 * Set: every call that changes something and was answered OK is made a second time under the same request_id, with this
	 * in between, and the second answer must be OK too, with the token of the first. That of the first is what counts.
	 */
	void (*between)(void *context);
	void *context;
	/* Of the last call. */
	enum lk_err err;
	struct lk_call call;
	/* What caller_forget() frees. */
	ProtobufCMessage **kept;
	size_t n_kept;
	size_t room;
};

/* Opens a connection. `credential` NULL: none, which over ipc is the operator. */
void caller_open(struct caller *caller, const char *url, const char *credential);
/* Closes it and frees what was kept. Takes a zero one. */
void caller_close(struct caller *caller);
/* Frees the responses so far. */
void caller_forget(struct caller *caller);

/* Calls `method` with `request`, a message of its kind. NULL where it was not answered OK. */
const void *caller_ask(struct caller *caller, const struct lk_method *method, const void *request);

/* Whether the last call's violations name `field`. */
bool caller_was_told_of(const struct caller *caller, const char *field);
/* What was said of `field`; "" where nothing was. */
const char *caller_description(const struct caller *caller, const char *field);

#endif
