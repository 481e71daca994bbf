/*
 * A link: one connection of a channel to one URL, dialed again whenever it breaks. It speaks nng's request/reply protocol
 * (https://nanomsg.org/rfcs/: sp-ipc-v1, sp-tcp-v1, sp-reqrep-v1) over nng's byte streams, with many requests under way.
 *
 * Not nng's own REQ socket: in 1.5.2 a connection that is closed while a message comes in on it can stop the process's one
 * reaper thread for good (the transports start to read the body on an aio that is closed already, and nobody is told). From
 * then on no dialer dials again, and no socket can be closed: the first restart of a busy daemon cuts its clients off. Streams
 * are free of that, and the buffers are ours to wipe.
 *
 * All functions but lk_link_make() and lk_link_free() are called with the channel's lock held, and none blocks.
 */
#ifndef LK_CLIENT_LINK_H
#define LK_CLIENT_LINK_H

#include <latchkey/error.h>
#include <nng/nng.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/buffer.h"

struct lk_channel;

enum lk_link_state {
	/* Waits before it dials. */
	LK_LINK_RESTING,
	LK_LINK_DIALING,
	/* Connected, and waiting for the peer to say that it answers requests. */
	LK_LINK_GREETING,
	LK_LINK_UP,
	/* Broken; its operations are on their way back. */
	LK_LINK_BROKEN,
	/* Closed for good. */
	LK_LINK_CLOSED,
};

struct lk_link {
	struct lk_channel *channel;
	enum lk_link_state state;
	nng_stream_dialer *dialer;
	nng_stream *stream;
	/* Dials, and waits before it does. */
	nng_aio *dial_aio;
	nng_aio *send_aio;
	nng_aio *receive_aio;
	/* An operation of that aio is under way, or its callback still runs. */
	bool sending;
	bool receiving;
	/* Bytes before each message: a type and a length over ipc, a length over tcp. */
	size_t head_len;
	/* What is being sent, how far it is, and what goes next. */
	struct lk_buffer out;
	size_t out_sent;
	struct lk_buffer next;
	struct lk_buffer in;
	/* Since it was up last. */
	unsigned n_failures;
};

/* Makes a link that does nothing yet. LK_INVALID_ARGUMENT: a URL that nng cannot dial. LK_NO_MEMORY. */
LK_MUST_CHECK enum lk_err lk_link_make(struct lk_link *link, struct lk_channel *channel, const char *url);

/* Frees a link that was closed, or made and never dialed; waits for its callbacks, so without the lock. Takes a zero one. */
void lk_link_free(struct lk_link *link);

/* Dials. From here on the link calls lk_flight_link_ready() and its neighbours. */
void lk_link_dial(struct lk_link *link);

/* Ends it; what is under way is lost without a word. */
void lk_link_close(struct lk_link *link);

/* Whether a request can go out now: it is connected, and its peer reads. */
bool lk_link_is_ready(const struct lk_link *link);

/*
 * Lays a message of `len` bytes behind what goes out next, and returns where the caller writes them before it calls
 * lk_link_flush(); NULL without memory. `id` comes back with the reply; its highest bit is set.
 */
uint8_t *lk_link_frame(struct lk_link *link, uint32_t id, size_t len);

/* Sends what was laid out, at once or behind what is being sent. */
void lk_link_flush(struct lk_link *link);

#endif
