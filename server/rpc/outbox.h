/*
 * The replies of a connection that wait to be sent. Private to the transport.
 *
 * They come in two ways. Who receives on the connection, and so answers most requests, writes replies straight behind one another
 * into the tray: a buffer that the connection keeps, so that nothing is allocated. Everybody else, and whatever is too large for
 * the tray, brings a reply in memory of its own.
 *
 * Who sends is one thread at a time, by turns whichever finds that something waits and nobody sends: lk_outbox_claim(). It sends
 * what lk_outbox_next() gives it until that gives nothing; then it sends no more. Nobody takes a lock. Nothing can be left
 * behind: whoever adds looks, behind that, whether somebody sends; who stops sending looks, behind that, whether something came.
 * One of the two sees the other (all of this is sequentially consistent), and goes on.
 */
#ifndef LK_SERVER_RPC_OUTBOX_H
#define LK_SERVER_RPC_OUTBOX_H

#include <nng/nng.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "server/rpc/sp.h"

/* A reply in one piece: room for its head and backtrace, then its bytes. */
struct lk_reply {
	struct lk_reply *next;
	/* From `start` to `end` it is sent. */
	size_t start;
	size_t end;
	uint8_t bytes[];
};

/* The largest reply that may go into the tray, head and backtrace included; it always has room for several. */
#define LK_TRAY_REPLY_MAX ((size_t)16 << 10)
#define LK_TRAY_LEN       (4 * LK_TRAY_REPLY_MAX)

/* As many pieces as nng sends at once. */
#define LK_OUTBOX_PIECES 8

struct lk_outbox {
	/* Bytes that wait, in the tray and elsewhere; and the same of all connections, kept by each. */
	atomic_size_t size;
	atomic_size_t *total;
	/* Replies that were brought, the newest first. */
	_Atomic(struct lk_reply *) brought;
	atomic_bool sending;
	/* How far the tray is filled for who sends, and, in the upper half, how far it is sent. One number, so that they fit. */
	atomic_uint_fast64_t tray_marks;

	/* The receiver's: how far the tray is filled. */
	size_t tray_end;

	/* The sender's: what was brought, the oldest first; and what is under way, from `at`. */
	struct lk_reply *first;
	struct lk_reply *last;
	nng_iov pieces[LK_OUTBOX_PIECES];
	unsigned n_pieces;
	unsigned at;
	/* The first piece is the tray's. */
	bool has_tray;

	uint8_t tray[LK_TRAY_LEN];
};

/* A reply of `len` bytes, at `*ret_data`; NULL without memory. */
struct lk_reply *lk_reply_new(size_t len, uint8_t **ret_data);
/* Wipes and frees a reply and those behind it; takes NULL. */
void lk_reply_free(struct lk_reply *reply);
/* Puts head and backtrace before the reply's bytes. */
void lk_reply_address(struct lk_reply *reply, bool ipc, const uint8_t *backtrace, size_t backtrace_len);

/* Starts with nothing; only the tray's bytes are left as they are. */
void lk_outbox_init(struct lk_outbox *outbox, atomic_size_t *total);
/* Wipes and frees what was not sent. Nobody uses it any more. */
void lk_outbox_done(struct lk_outbox *outbox);

/* Any thread. Brings a reply, which is the outbox's from then on; to be followed by lk_outbox_claim(), at once or soon. */
void lk_outbox_add(struct lk_outbox *outbox, struct lk_reply *reply);

/*
 * Whoever receives. Whether the tray has room for a reply of any size that may go there; false where it is to wait until all that
 * is in it was sent. Begins anew at its start where it can.
 */
bool lk_outbox_has_room(struct lk_outbox *outbox);
/* Where the next reply goes, LK_TRAY_REPLY_MAX bytes after lk_outbox_has_room(); and says that `len` bytes are one. */
uint8_t *lk_outbox_place(struct lk_outbox *outbox);
void lk_outbox_put(struct lk_outbox *outbox, size_t len);
/* Hands over what was put there; to be followed by lk_outbox_claim(). */
void lk_outbox_hand_over(struct lk_outbox *outbox);

/* Any thread. Whether the tray is sent to its end, as far as it was handed over. */
bool lk_outbox_tray_is_sent(const struct lk_outbox *outbox);

/*
 * Any thread. Becomes who sends, where something waits and nobody does: returns how many pieces are to be sent, as
 * lk_outbox_next() does. 0: there is nothing for the caller to do.
 */
unsigned lk_outbox_claim(struct lk_outbox *outbox, const nng_iov **ret_pieces);
/* Who sends. `len` bytes more were sent. True where they were the last that waited on any connection. */
bool lk_outbox_sent(struct lk_outbox *outbox, size_t len);
/* Who sends. The next pieces, good until they are sent; 0: the caller does not send any more. */
unsigned lk_outbox_next(struct lk_outbox *outbox, const nng_iov **ret_pieces);

#endif
