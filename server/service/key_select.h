/*
 * The keys of a request that is about many: the keyspaces that it may see, and walks over all keys in them that pass a filter.
 */
#ifndef LK_SERVER_SERVICE_KEY_SELECT_H
#define LK_SERVER_SERVICE_KEY_SELECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/service/key_filter.h"
#include "server/service/request.h"
#include "server/store/key_peek.h"

/* Keyspaces: their numbers, and by the same index their ids. In the request's arena. */
struct lk_spaces {
	uint32_t *numbers;
	const char **ids;
	size_t count;
};

/*
 * The keyspaces of the tenant that the filter leaves and the caller is granted; never one that is closed. LK_NOT_FOUND: the
 * filter names one that is not there. The faults so far, and what sticks to the transaction.
 */
LK_MUST_CHECK enum lk_err lk_spaces_select(struct lk_request *request, const Latchkey__Store__TenantRecord *tenant,
	const struct lk_key_filter *filter, struct lk_spaces *ret_spaces);

/* Gets a key that was selected, which lies in LMDB's map. Returns false to end the selection. */
typedef bool (*lk_key_selected)(void *context, const struct lk_key_peek *key);

/*
 * Hands every key of the tenant that passes the filter to `selected`, once, in no certain order, all of request->txn's one state:
 * a snapshot, or the write transaction. LK_DEADLINE_EXCEEDED where the request's time ran out meanwhile, which is looked at every
 * LK_RENEW_ROWS rows; otherwise as lk_spaces_select().
 */
LK_MUST_CHECK enum lk_err lk_key_select(struct lk_request *request, const Latchkey__Store__TenantRecord *tenant,
	const struct lk_key_filter *filter, lk_key_selected selected, void *context);

/*
 * Counts the keys in `spaces` that pass the filter: from the counters of the gates, which costs next to nothing; where those do
 * not know it and `look` is set, from an index alone, or by looking at each key. `*ret_count` is -1 where nobody counted.
 * Looking renews request->txn, which must be a snapshot, every LK_RENEW_ROWS rows, so that it pins none for long: whatever was
 * read from it before is of an older state then. `*ret_renewed` tells whether it did. LK_DEADLINE_EXCEEDED, and what sticks to
 * the transaction.
 */
LK_MUST_CHECK enum lk_err lk_key_count(struct lk_request *request, const struct lk_spaces *spaces,
	const struct lk_key_filter *filter, bool look, int64_t *ret_count, bool *ret_renewed);

#endif
