/*
 * Replies kept for a retry: a change with a request_id happens once, and its retry gets the same answer.
 *
 * The response, which may hold a token, is sealed under a key that follows from seal.key and the whole request_id; the id itself
 * is not stored, only its hash with the caller. So a reply can be opened by its own retry alone. A reply is kept for
 * LK_REPLY_KEEP_MS after the time in its id, which is longer than a retry is accepted.
 */
#ifndef LK_SERVER_STORE_REPLY_H
#define LK_SERVER_STORE_REPLY_H

#include <stddef.h>
#include <stdint.h>

#include <latchkey/call.h>
#include <latchkey/error.h>

#include "server/core/arena.h"
#include "server/store/txn.h"

/* How old and how far ahead the time of a request_id may be, and how long its reply is kept, in milliseconds. */
#define LK_REPLY_BEHIND_MS INT64_C(600000)
#define LK_REPLY_AHEAD_MS  INT64_C(120000)
#define LK_REPLY_KEEP_MS   INT64_C(660000)

/* Whose request it is, and which. Borrows. */
struct lk_reply_id {
	const uint8_t *request_id;
	/* The time in it. */
	uint64_t time_ms;
	/* The caller's name, as in audit records. */
	const char *caller;
	/* lk_reply_request_digest() */
	uint8_t request_digest[LK_DIGEST_LEN];
};

struct lk_kept_reply {
	/* In the arena. */
	uint8_t *response;
	size_t response_len;
	uint64_t revision;
};

/* What is asked under an id. */
struct lk_reply_request {
	const char *method;
	/* What an empty tenant in the request stands for; "" where it stands for none. */
	const char *tenant;
	const uint8_t *data;
	size_t len;
};

/*
 * BLAKE2b-256 of what is asked, keyed with the request_id: tells a retry from another request under the same id. A request
 * may hold a secret, as an Import does; whoever reads the store knows no id, and so cannot try secrets on its digest.
 */
void lk_reply_request_digest(const uint8_t request_id[static LK_REQUEST_ID_LEN], const struct lk_reply_request *request,
	uint8_t ret_digest[static LK_DIGEST_LEN]);

/* BLAKE2b-256 of caller and request_id: what is stored in the id's place. */
void lk_reply_hash(const struct lk_reply_id *id, uint8_t ret_hash[static LK_DIGEST_LEN]);

/*
 * Looks for the reply to a retry. LK_NOT_FOUND: there is none. LK_INVALID_ARGUMENT: the id was used for another request.
 * LK_CORRUPT, LK_NO_MEMORY, and what sticks to `txn`.
 */
LK_MUST_CHECK enum lk_err lk_reply_find(
	struct lk_txn *txn, struct lk_arena *arena, const struct lk_reply_id *id, struct lk_kept_reply *ret_reply);

/* Keeps a reply, and lets go of a few whose time is over. Errors stick to `txn`. */
void lk_reply_keep(struct lk_txn *txn, struct lk_arena *arena, const struct lk_reply_id *id,
	const struct lk_kept_reply *reply, int64_t now_us);

/* Lets go of replies whose time is over, at most `most` of them. Errors stick to `txn`. */
void lk_reply_purge(struct lk_txn *txn, int64_t now_us, size_t most);

#endif
