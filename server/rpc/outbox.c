#include "server/rpc/outbox.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

/* What stands before a reply's bytes at most. */
#define BEFORE (LK_SP_HEAD_MAX + LK_SP_BACKTRACE_MAX)

struct lk_reply *lk_reply_new(size_t len, uint8_t **ret_data)
{
	struct lk_reply *reply = malloc(sizeof(*reply) + BEFORE + len);

	if (reply == NULL) {
		return NULL;
	}
	reply->next = NULL;
	reply->start = BEFORE;
	reply->end = BEFORE + len;
	*ret_data = reply->bytes + BEFORE;
	return reply;
}

void lk_reply_free(struct lk_reply *reply)
{
	while (reply != NULL) {
		struct lk_reply *next = reply->next;

		/* It may hold a new key's token. */
		sodium_memzero(reply->bytes + BEFORE, reply->end - BEFORE);
		free(reply);
		reply = next;
	}
}

void lk_reply_address(struct lk_reply *reply, bool ipc, const uint8_t *backtrace, size_t backtrace_len)
{
	size_t head_len = lk_sp_head_len(ipc);

	reply->start -= backtrace_len;
	memcpy(reply->bytes + reply->start, backtrace, backtrace_len);
	reply->start -= head_len;
	lk_sp_write_head(ipc, reply->end - reply->start - head_len, reply->bytes + reply->start);
}

static size_t size_of(const struct lk_reply *reply)
{
	return sizeof(*reply) + reply->end;
}

size_t lk_outbox_add(struct lk_outbox *outbox, struct lk_reply *reply)
{
	if (outbox->last != NULL) {
		outbox->last->next = reply;
	} else {
		outbox->first = reply;
	}
	outbox->last = reply;
	outbox->size += size_of(reply);
	return size_of(reply);
}

unsigned lk_outbox_pieces(const struct lk_outbox *outbox, nng_iov ret_pieces[static LK_OUTBOX_PIECES])
{
	unsigned n = 0;

	for (struct lk_reply *reply = outbox->first; reply != NULL && n < LK_OUTBOX_PIECES; reply = reply->next) {
		ret_pieces[n].iov_buf = reply->bytes + reply->start;
		ret_pieces[n].iov_len = reply->end - reply->start;
		n++;
	}
	return n;
}

struct lk_reply *lk_outbox_sent(struct lk_outbox *outbox, size_t len, size_t *ret_size)
{
	struct lk_reply *first = outbox->first;
	struct lk_reply *last = NULL;

	*ret_size = 0;
	while (outbox->first != NULL && len >= outbox->first->end - outbox->first->start) {
		last = outbox->first;
		len -= last->end - last->start;
		*ret_size += size_of(last);
		outbox->first = last->next;
	}
	outbox->size -= *ret_size;
	if (outbox->first == NULL) {
		outbox->last = NULL;
	} else {
		outbox->first->start += len;
	}
	if (last == NULL) {
		return NULL;
	}
	last->next = NULL;
	return first;
}
