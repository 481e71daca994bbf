/*
 * The replies of a connection that wait to be sent. Private to the transport; the caller sees to it that one thread at a time
 * uses an outbox.
 */
#ifndef LK_SERVER_RPC_OUTBOX_H
#define LK_SERVER_RPC_OUTBOX_H

#include <nng/nng.h>
#include <stddef.h>
#include <stdint.h>

#include "server/rpc/sp.h"

/* A reply in one piece: room for its head and backtrace, then its bytes. */
struct lk_reply {
	struct lk_reply *next;
	/* From `start` to `end` it is sent; `start` moves as it is. */
	size_t start;
	size_t end;
	uint8_t bytes[];
};

struct lk_outbox {
	struct lk_reply *first;
	struct lk_reply *last;
	/* What they take in memory. */
	size_t size;
};

/* As many pieces as nng sends at once. */
#define LK_OUTBOX_PIECES 8

/* A reply of `len` bytes, at `*ret_data`; NULL without memory. */
struct lk_reply *lk_reply_new(size_t len, uint8_t **ret_data);
/* Wipes and frees a reply and those behind it; takes NULL. */
void lk_reply_free(struct lk_reply *reply);
/* Puts head and backtrace before the reply's bytes. */
void lk_reply_address(struct lk_reply *reply, bool ipc, const uint8_t *backtrace, size_t backtrace_len);

/* Appends a reply, which is the outbox's from then on. Returns what it takes in memory. */
size_t lk_outbox_add(struct lk_outbox *outbox, struct lk_reply *reply);
/* The next pieces to send; returns how many, 0 where there are none. */
unsigned lk_outbox_pieces(const struct lk_outbox *outbox, nng_iov ret_pieces[static LK_OUTBOX_PIECES]);
/* `len` bytes were sent. Returns the replies that were sent to their end, for lk_reply_free(); `*ret_size` is what they take. */
struct lk_reply *lk_outbox_sent(struct lk_outbox *outbox, size_t len, size_t *ret_size);

#endif
