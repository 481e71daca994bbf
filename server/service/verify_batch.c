#include <time.h>

#include "server/core/time.h"
#include "server/service/judge.h"
#include "server/service/key_handlers.h"
#include "server/service/verify_outcome.h"
#include "server/service/verify_question.h"
#include "server/service/verify_reply.h"

/* So many are looked up before they are judged: as many lines of memory as a processor fetches at a time. */
#define GROUP 16
/*
 * For how long a call is judged: others wait for the thread. An ordinary thousand takes a millisecond or two; an expression, or an
 * explanation, of the worst kind as long alone, so that behind those the clock is read each time, and else behind so many.
 */
#define JUDGE_MS     20
#define CLOCK_ROUNDS 8

struct batch {
	struct lk_request *request;
	const Latchkey__V1__VerifyBatchRequest *message;
	struct lk_court court;
	struct lk_outcomes outcomes;
	/* How the items without options of their own are asked about: read with the first of them. */
	struct lk_asked shared;
	bool shared_read;
	enum lk_err shared_err;
	/* The outcome that its faults are, of each of those items; of length 0: none yet. */
	size_t refusal_offset;
	size_t refusal_len;
	/* When the items are judged: as the request came, or, once the snapshot was renewed, then. */
	int64_t now_us;
	/* What was looked up of this group is good. */
	bool looked_up;
	struct lk_lookup lookups[GROUP];
	/* On CLOCK_MONOTONIC: when the answer is what there is by then. */
	int64_t stop_us;
	/* What came last may have taken long. */
	bool is_slow;
};

static int64_t clock_us(void)
{
	struct timespec now = {0};

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * LK_US_PER_SECOND + now.tv_nsec / 1000;
}

static const char *token_of(const Latchkey__V1__VerifyBatchItem *item)
{
	return item->token.len == 0 ? "" : (const char *)item->token.data;
}

/* What fails the whole call: a token where none is read, which may be one that was meant. */
static enum lk_err check(struct lk_request *request, const Latchkey__V1__VerifyBatchRequest *message)
{
	static const char is_given[] = "is given: the token of each item is its \"token\", and its options have none";

	if (message->n_items == 0) {
		lk_fault_add(&request->faults, "items", "is empty: give at least one token");
	}
	if (message->options != NULL && message->options->token[0] != '\0') {
		lk_fault_add(&request->faults, "options.token", "%s", is_given);
	}
	for (size_t i = 0; i < message->n_items; i++) {
		const Latchkey__V1__VerifyKeyRequest *options = message->items[i]->options;
		if (options != NULL && options->token[0] != '\0') {
			const char *field = lk_arena_printf(request->arena, "items[%zu].options.token", i);
			lk_fault_add(&request->faults, field == NULL ? "items" : field, "%s", is_given);
		}
	}
	return lk_request_check(request);
}

/*
 * Adds what is wrong with an item. What could not be said for want of memory is said without words, and ends the batch: the
 * outcomes before it stand, for what they took is taken.
 */
static bool refuse(struct batch *batch, enum lk_err err)
{
	struct lk_request *request = batch->request;

	batch->is_slow = true;
	if (request->arena->exhausted) {
		request->message = NULL;
		err = LK_RESOURCE_EXHAUSTED;
	}
	bool has_room = lk_outcomes_add_error(&batch->outcomes, request, err) && !request->arena->exhausted;
	request->arena->exhausted = false;
	request->message = NULL;
	/* The next one's, in the same place. */
	request->faults.count = 0;
	if (lk_txn_err(request->txn) != LK_OK) {
		/* What is wrong with one record is nothing to the next. */
		batch->looked_up = false;
		has_room = has_room && lk_snapshot_begin(request->txn) == LK_OK;
	}
	return has_room;
}

/* The first outcome of an answer must fit; later ones wait for the next call. */
static bool refuse_too_long(struct batch *batch)
{
	if (batch->outcomes.count > 0) {
		return false;
	}
	(void)lk_request_fail(
		batch->request, LK_RESOURCE_EXHAUSTED, "the verdict does not fit into a reply: ask for less of it");
	return refuse(batch, LK_RESOURCE_EXHAUSTED);
}

static bool explain(struct batch *batch, const struct lk_question *question, const struct lk_answer *answer)
{
	Latchkey__V1__VerifyKeyResponse response = LATCHKEY__V1__VERIFY_KEY_RESPONSE__INIT;

	batch->is_slow = true;
	lk_verify_reply(batch->request, question, answer, &response);
	enum lk_err err = lk_request_check(batch->request);
	if (err != LK_OK || batch->request->arena->exhausted) {
		return refuse(batch, err);
	}
	return lk_outcomes_add_response(&batch->outcomes, &response) || refuse_too_long(batch);
}

/* Judges once. Where the snapshot was renewed, what was looked up on the old one is forgotten. */
static enum lk_err judge_now(
	struct batch *batch, struct lk_question *question, const struct lk_lookup *lookup, struct lk_answer *answer)
{
	question->now_us = batch->now_us;
	enum lk_err err = lk_judge_looked_up(&batch->court, question, batch->looked_up ? lookup : NULL, answer);
	if (answer->renewed) {
		batch->now_us = answer->now_us;
		batch->looked_up = false;
		batch->is_slow = true;
	}
	return err;
}

/* Judges where there is room for the answer, so that nothing is taken that cannot be told; makes more as it is needed. */
static enum lk_err judge_within(
	struct batch *batch, struct lk_question *question, const struct lk_lookup *lookup, struct lk_answer *answer)
{
	if (question->explain) {
		question->identity_max = 0;
		return judge_now(batch, question, lookup, answer);
	}
	for (;;) {
		enum lk_err err = LK_RESOURCE_EXHAUSTED;
		question->identity_max = lk_outcomes_identity_max(&batch->outcomes);
		if (question->identity_max > 0) {
			err = judge_now(batch, question, lookup, answer);
		}
		if (err != LK_RESOURCE_EXHAUSTED || lk_txn_err(batch->court.txn) != LK_OK ||
			!lk_outcomes_grow(&batch->outcomes)) {
			return err;
		}
	}
}

/* Judges one token, and adds what came of it; false: the answer ends before it, or with it. */
static bool judge(struct batch *batch, const Latchkey__V1__VerifyBatchItem *item, struct lk_asked *asked,
	const struct lk_lookup *lookup)
{
	struct lk_question *question = &asked->question;
	struct lk_answer answer;

	question->token = token_of(item);
	question->token_len = item->token.len;
	enum lk_err err = judge_within(batch, question, lookup, &answer);
	if (err == LK_RESOURCE_EXHAUSTED && lk_txn_err(batch->court.txn) == LK_OK) {
		return refuse_too_long(batch);
	}
	if (err != LK_OK) {
		return refuse(batch, lk_verify_judged(batch->request, err));
	}
	if (question->explain) {
		return explain(batch, question, &answer);
	}
	batch->is_slow = batch->is_slow || question->expression != NULL;
	lk_outcomes_add_verdict(&batch->outcomes, &answer);
	return true;
}

/* Answers an item that is asked about as the request says for all. */
static bool answer_shared(
	struct batch *batch, const Latchkey__V1__VerifyBatchItem *item, const struct lk_lookup *lookup)
{
	static const Latchkey__V1__VerifyKeyRequest defaults = LATCHKEY__V1__VERIFY_KEY_REQUEST__INIT;
	const Latchkey__V1__VerifyKeyRequest *options = batch->message->options;

	if (!batch->shared_read) {
		batch->shared_read = true;
		batch->shared_err = lk_verify_read(
			batch->request, options == NULL ? &defaults : options, &batch->shared);
	}
	if (batch->shared_err == LK_OK) {
		return judge(batch, item, &batch->shared, lookup);
	}
	if (batch->refusal_len > 0) {
		return lk_outcomes_add_again(&batch->outcomes, batch->refusal_offset, batch->refusal_len);
	}
	batch->refusal_offset = batch->outcomes.len;
	bool has_room = refuse(batch, batch->shared_err);
	batch->refusal_len = batch->outcomes.len - batch->refusal_offset;
	return has_room;
}

static bool answer_item(struct batch *batch, size_t i, const struct lk_lookup *lookup)
{
	const Latchkey__V1__VerifyBatchItem *item = batch->message->items[i];
	struct lk_asked own = {0};

	batch->is_slow = false;
	if (item->options == NULL) {
		return answer_shared(batch, item, lookup);
	}
	enum lk_err err = lk_verify_read(batch->request, item->options, &own);
	bool has_room = err == LK_OK ? judge(batch, item, &own, lookup) : refuse(batch, err);
	lk_verify_release(batch->request, &own);
	batch->is_slow = true;
	return has_room;
}

/* Looks up `count` items from `first` on. */
static void look_up(struct batch *batch, size_t first, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const Latchkey__V1__VerifyBatchItem *item = batch->message->items[first + i];
		lk_judge_look_up(&batch->court, token_of(item), item->token.len, &batch->lookups[i]);
	}
	batch->looked_up = lk_txn_err(batch->request->txn) == LK_OK;
	if (!batch->looked_up) {
		/* Whose record it is that cannot be read shows when they are judged one by one. What fails then, fails each. */
		(void)!lk_snapshot_begin(batch->request->txn);
	}
}

static bool is_over(const struct batch *batch, size_t i)
{
	return i > 0 && (batch->is_slow || i % CLOCK_ROUNDS == 0) && clock_us() >= batch->stop_us;
}

static void answer_all(struct batch *batch)
{
	size_t n_items = batch->message->n_items;

	for (size_t i = 0; i < n_items && !is_over(batch, i); i++) {
		size_t in_group = i % GROUP;
		if (in_group == 0) {
			look_up(batch, i, n_items - i < GROUP ? n_items - i : GROUP);
		}
		if (!answer_item(batch, i, &batch->lookups[in_group])) {
			return;
		}
	}
}

enum lk_err lk_key_verify_batch(struct lk_request *request, const Latchkey__V1__VerifyBatchRequest *message,
	Latchkey__V1__VerifyBatchResponse *response)
{
	struct batch batch = {
		.request = request,
		.message = message,
		.court = lk_verify_court(request),
		.now_us = request->now_us,
		.stop_us = clock_us() + JUDGE_MS * LK_US_PER_MS,
	};

	enum lk_err err = check(request, message);
	if (err != LK_OK) {
		return err;
	}
	if (request->deadline_us != 0 && request->deadline_us < batch.stop_us) {
		batch.stop_us = request->deadline_us;
	}
	if (!lk_outcomes_init(&batch.outcomes, request->arena, message->n_items)) {
		return LK_NO_MEMORY;
	}
	answer_all(&batch);
	lk_verify_release(request, &batch.shared);
	lk_outcomes_put(&batch.outcomes, response);
	return LK_OK;
}
