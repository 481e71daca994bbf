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

/* What it takes in memory. */
static size_t size_of(const struct lk_reply *reply)
{
	return sizeof(*reply) + reply->end;
}

static size_t filled_of(uint_fast64_t marks)
{
	return (uint32_t)marks;
}

static size_t sent_of(uint_fast64_t marks)
{
	return marks >> 32;
}

void lk_outbox_init(struct lk_outbox *outbox, atomic_size_t *total)
{
	memset(outbox, 0, offsetof(struct lk_outbox, tray));
	outbox->total = total;
}

void lk_outbox_done(struct lk_outbox *outbox)
{
	uint_fast64_t marks = atomic_load(&outbox->tray_marks);

	(void)atomic_fetch_sub(outbox->total, atomic_load(&outbox->size));
	lk_reply_free(atomic_load(&outbox->brought));
	lk_reply_free(outbox->first);
	sodium_memzero(outbox->tray + sent_of(marks), outbox->tray_end - sent_of(marks));
}

/* Before anybody can send it, and count it as sent. */
static void count(struct lk_outbox *outbox, size_t size)
{
	(void)atomic_fetch_add(&outbox->size, size);
	(void)atomic_fetch_add(outbox->total, size);
}

void lk_outbox_add(struct lk_outbox *outbox, struct lk_reply *reply)
{
	count(outbox, size_of(reply));
	reply->next = atomic_load(&outbox->brought);
	while (!atomic_compare_exchange_weak(&outbox->brought, &reply->next, reply)) {
		continue;
	}
}

bool lk_outbox_tray_is_sent(const struct lk_outbox *outbox)
{
	uint_fast64_t marks = atomic_load(&outbox->tray_marks);

	return sent_of(marks) == filled_of(marks);
}

bool lk_outbox_has_room(struct lk_outbox *outbox)
{
	uint_fast64_t marks = atomic_load(&outbox->tray_marks);

	/* All sent: nobody but the caller touches it. Its start is what the processor still knows best. */
	if (outbox->tray_end > 0 && sent_of(marks) == outbox->tray_end) {
		atomic_store(&outbox->tray_marks, 0);
		outbox->tray_end = 0;
	}
	return outbox->tray_end + LK_TRAY_REPLY_MAX <= LK_TRAY_LEN;
}

uint8_t *lk_outbox_place(struct lk_outbox *outbox)
{
	return outbox->tray + outbox->tray_end;
}

void lk_outbox_put(struct lk_outbox *outbox, size_t len)
{
	outbox->tray_end += len;
}

void lk_outbox_hand_over(struct lk_outbox *outbox)
{
	size_t len = outbox->tray_end - filled_of(atomic_load(&outbox->tray_marks));

	if (len > 0) {
		count(outbox, len);
		(void)atomic_fetch_add(&outbox->tray_marks, len);
	}
}

/* Puts what was brought meanwhile in the order in which it came. */
static void sort_in(struct lk_outbox *outbox)
{
	struct lk_reply *newest = atomic_exchange(&outbox->brought, NULL);
	struct lk_reply *oldest = NULL;
	struct lk_reply *last = newest;

	while (newest != NULL) {
		struct lk_reply *next = newest->next;

		newest->next = oldest;
		oldest = newest;
		newest = next;
	}
	if (oldest == NULL) {
		return;
	}
	if (outbox->first == NULL) {
		outbox->first = oldest;
	} else {
		outbox->last->next = oldest;
	}
	outbox->last = last;
}

/* Chooses what is sent next: first what stands in the tray, for who put it there waits for room. */
static void choose(struct lk_outbox *outbox)
{
	uint_fast64_t marks = atomic_load(&outbox->tray_marks);
	size_t len = filled_of(marks) - sent_of(marks);
	unsigned n = 0;

	outbox->at = 0;
	outbox->has_tray = len > 0;
	if (outbox->has_tray) {
		outbox->pieces[n].iov_buf = outbox->tray + sent_of(marks);
		outbox->pieces[n].iov_len = len;
		n++;
	}
	sort_in(outbox);
	for (struct lk_reply *reply = outbox->first; reply != NULL && n < LK_OUTBOX_PIECES; reply = reply->next) {
		outbox->pieces[n].iov_buf = reply->bytes + reply->start;
		outbox->pieces[n].iov_len = reply->end - reply->start;
		n++;
	}
	outbox->n_pieces = n;
}

unsigned lk_outbox_claim(struct lk_outbox *outbox, const nng_iov **ret_pieces)
{
	while (!lk_outbox_tray_is_sent(outbox) || atomic_load(&outbox->brought) != NULL) {
		if (atomic_exchange(&outbox->sending, true)) {
			/* Who sends looks for more when it has done so. */
			return 0;
		}
		choose(outbox);
		if (outbox->n_pieces > 0) {
			*ret_pieces = outbox->pieces;
			return outbox->n_pieces;
		}
		/* Somebody else sent it meanwhile. */
		atomic_store(&outbox->sending, false);
	}
	return 0;
}

unsigned lk_outbox_next(struct lk_outbox *outbox, const nng_iov **ret_pieces)
{
	if (outbox->at == outbox->n_pieces) {
		choose(outbox);
	}
	if (outbox->n_pieces > 0) {
		*ret_pieces = outbox->pieces + outbox->at;
		return outbox->n_pieces - outbox->at;
	}
	atomic_store(&outbox->sending, false);
	return lk_outbox_claim(outbox, ret_pieces);
}

/* Sent, and so counted no longer; true where nothing else is counted. */
static bool discount(struct lk_outbox *outbox, size_t size)
{
	(void)atomic_fetch_sub(&outbox->size, size);
	return atomic_fetch_sub(outbox->total, size) == size;
}

/* The piece at `at` is sent to its end. The tray's room is given back last, or what comes there next would count beside it. */
static bool end_piece(struct lk_outbox *outbox)
{
	struct lk_reply *reply = outbox->first;
	bool last = false;

	if (outbox->at == 0 && outbox->has_tray) {
		const nng_iov *piece = &outbox->pieces[0];
		uint8_t *begin = outbox->tray + sent_of(atomic_load(&outbox->tray_marks));
		size_t size = (size_t)((uint8_t *)piece->iov_buf + piece->iov_len - begin);
		sodium_memzero(begin, size);
		last = discount(outbox, size);
		(void)atomic_fetch_add(&outbox->tray_marks, (uint_fast64_t)size << 32);
		return last;
	}
	last = discount(outbox, size_of(reply));
	outbox->first = reply->next;
	reply->next = NULL;
	lk_reply_free(reply);
	return last;
}

bool lk_outbox_sent(struct lk_outbox *outbox, size_t len)
{
	bool last = false;

	while (outbox->at < outbox->n_pieces && len >= outbox->pieces[outbox->at].iov_len) {
		len -= outbox->pieces[outbox->at].iov_len;
		last = end_piece(outbox);
		outbox->at++;
	}
	if (outbox->at < outbox->n_pieces) {
		nng_iov *piece = &outbox->pieces[outbox->at];
		piece->iov_buf = (uint8_t *)piece->iov_buf + len;
		piece->iov_len -= len;
	}
	return last;
}
