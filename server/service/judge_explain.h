/*
 * What each gate of Verify says of a token, in words for a person. For judges that were asked to explain; allocates as it likes.
 */
#ifndef LK_SERVER_SERVICE_JUDGE_EXPLAIN_H
#define LK_SERVER_SERVICE_JUDGE_EXPLAIN_H

#include "server/core/arena.h"
#include "server/service/judge.h"

/*
 * Every gate in the order of the codes, MALFORMED to CREDITS_EXHAUSTED, in the arena: `ret_count` of them. `answer` is the
 * judge's to `question`, on the snapshot `txn`. Of a token that was not found nothing is told but that: not even whether
 * there is a key that the caller may not see. Never with the token. NULL, and 0, where the arena is exhausted; an error may
 * stick to `txn`.
 */
Latchkey__V1__Gate **lk_judge_explain(struct lk_arena *arena, struct lk_txn *txn, const struct lk_question *question,
	const struct lk_answer *answer, size_t *ret_count);

#endif
