#include "server/service/judge.h"

#include <sodium.h>
#include <string.h>
#include <time.h>

#include "client/varint.h"
#include "server/core/grant.h"
#include "server/core/secret.h"
#include "server/core/time.h"
#include "server/service/judge_charge.h"
#include "server/store/denials.h"
#include "server/store/find.h"
#include "server/store/held.h"
#include "server/store/slots.h"

/* The field of KeyIdentity that holds the owner. */
#define IDENTITY_OWNER 7
/*
 * How often a key is looked up anew that was changed while it was judged: a change takes a commit, so that even two in a row
 * are rare.
 */
#define TRIES 4
/* A line of the cache; of a record longer than so many the processor sees by itself that it is read from end to end. */
#define LINE         64
#define PREFETCH_MAX (8 * LINE)

const char *lk_judge_owner(const struct lk_answer *answer, size_t *ret_len)
{
	const uint8_t *owner = NULL;
	size_t len = 0;
	size_t identity_len = 0;
	const uint8_t *identity = lk_verdict_identity(&answer->verdict, &identity_len);

	*ret_len = lk_varint_find_bytes(identity, identity_len, IDENTITY_OWNER, &owner, &len) ? len : 0;
	return (const char *)owner;
}

static bool is_own(const struct lk_question *question, const struct lk_answer *answer)
{
	size_t len = 0;
	const char *owner = lk_judge_owner(answer, &len);

	return len > 0 && strlen(question->subject) == len && memcmp(question->subject, owner, len) == 0;
}

/* Whether the key is good in the keyspace that was asked for, which is another one than its own. */
static bool is_good_elsewhere(struct lk_txn *txn, const struct lk_question *question, const struct lk_answer *answer)
{
	return (answer->verdict.head.flags & LK_VERDICT_TENANT_SCOPE) != 0 &&
	       lk_find_has_keyspace(txn, answer->gate.tenant, question->keyspace);
}

static bool keyspace_fits(struct lk_txn *txn, const struct lk_question *question, const struct lk_answer *answer)
{
	return question->keyspace[0] == '\0' || strcmp(question->keyspace, answer->gate.keyspace_id) == 0 ||
	       is_good_elsewhere(txn, question, answer);
}

/* Whether the key is one that the caller may ask about, within what was asked. */
static bool is_in_reach(struct lk_txn *txn, const struct lk_question *question, const struct lk_answer *answer)
{
	if (question->tenant != NULL ? strcmp(question->tenant, answer->gate.tenant_id) != 0
				     : !lk_grant_allows_tenant(question->grant, answer->gate.tenant_id)) {
		return false;
	}
	/* A keyspace that was asked for is granted. That its name is, tells nothing of a tenant which has none of that name. */
	if (!lk_grant_allows_keyspace(question->grant, answer->gate.keyspace_id) &&
		(question->keyspace[0] == '\0' || !is_good_elsewhere(txn, question, answer))) {
		return false;
	}
	return !question->grant->own_only || is_own(question, answer);
}

/* A record of one kind is no answer to a digest of the other. */
static bool find(struct lk_txn *txn, const uint8_t *digest, bool is_sha256, struct lk_verdict *verdict)
{
	return lk_verdict_find(txn, digest, verdict) && ((verdict->head.flags & LK_VERDICT_SHA256) != 0) == is_sha256;
}

static void digest_by_sha256(const struct lk_court *court, const char *token, size_t token_len, uint8_t *ret_digest)
{
	uint8_t sha256[LK_SHA256_LEN];

	lk_token_sha256(token, token_len, sha256);
	lk_token_digest_sha256(court->keyring, sha256, ret_digest);
	sodium_memzero(sha256, sizeof sha256);
}

/* Looks the token up; false where there is no key of it. */
static bool look_up(const struct lk_court *court, const char *token, size_t token_len, struct lk_verdict *ret_verdict)
{
	uint8_t digest[LK_DIGEST_LEN];

	if (!lk_verdict_can_look_up(token, token_len)) {
		return false;
	}
	lk_token_digest(court->keyring, token, token_len, digest);
	if (find(court->txn, digest, false, ret_verdict)) {
		return true;
	}
	/* A second digest and a second descent, paid for only where a key was imported that needs them. */
	if (lk_txn_head(court->txn)->sha256_secrets == 0) {
		return false;
	}
	digest_by_sha256(court, token, token_len, digest);
	return find(court->txn, digest, true, ret_verdict);
}

/* Looks the token up, unless it was; false where there is no key that the caller may ask about. */
static bool find_key(const struct lk_court *court, const struct lk_question *question, const struct lk_lookup *lookup,
	struct lk_answer *answer)
{
	bool found = false;

	if (lookup != NULL) {
		found = lookup->found;
		answer->verdict = lookup->verdict;
	} else {
		found = look_up(court, question->token, question->token_len, &answer->verdict);
	}
	if (!found) {
		return false;
	}
	if (lookup == NULL) {
		/* The slot's line is in nobody's cache: it comes while the gates are asked. */
		lk_slots_fetch(court->slots, answer->verdict.head.slot);
	}
	return lk_gate_get(court->txn, answer->verdict.head.keyspace, &answer->gate) && answer->gate.closed == 0 &&
	       is_in_reach(court->txn, question, answer);
}

static Latchkey__V1__VerifyCode code_of_unknown(const struct lk_court *court, const struct lk_question *question)
{
	const struct lk_head *head = lk_txn_head(court->txn);
	bool imports = head->foreign_secrets + head->sha256_secrets > 0;

	return lk_verdict_of_unknown(question->token, question->token_len, imports);
}

bool lk_judge_keyspace_cidrs(struct lk_txn *txn, const struct lk_answer *answer, struct lk_rules *ret_cidrs)
{
	if (answer->gate.has_cidrs == 0) {
		return false;
	}
	if (lk_gate_cidrs_find(txn, answer->verdict.head.keyspace, ret_cidrs)) {
		return true;
	}
	/* A list that there should be is not there: that must not open the gate. */
	lk_txn_fail(txn, LK_CORRUPT);
	return false;
}

static bool ip_fits(struct lk_txn *txn, const struct lk_question *question, const struct lk_answer *answer)
{
	struct lk_rules cidrs = {0};

	return lk_rules_admit(&answer->rules, &question->address) &&
	       (!lk_judge_keyspace_cidrs(txn, answer, &cidrs) || lk_rules_admit(&cidrs, &question->address));
}

static bool is_permitted(struct lk_txn *txn, const struct lk_question *question, const struct lk_answer *answer)
{
	struct lk_held held;
	size_t len = 0;

	const uint8_t *identity = lk_verdict_identity(&answer->verdict, &len);
	lk_held_init(&held, txn, identity, len, &answer->rules);
	return lk_expression_evaluate(question->expression, lk_held_covers, &held);
}

/* Whether what comes next is to be asked: no gate so far has refused, or each is to be explained. */
static bool goes_on(const struct lk_question *question, const struct lk_answer *answer)
{
	return question->explain ||
	       lk_verdict_decide(&answer->facts, answer->now_us) == LATCHKEY__V1__VERIFY_CODE__VERIFY_CODE_VALID;
}

/*
 * Gathers what the gates ask of a key that was found, what costs most last and only where it matters; false where an error
 * sticks.
 */
static bool gather(const struct lk_court *court, const struct lk_question *question, struct lk_answer *answer)
{
	if (!lk_rules_read(answer->verdict.rules, answer->verdict.head.rules_len, &answer->rules)) {
		lk_txn_fail(court->txn, LK_CORRUPT);
		return false;
	}
	answer->facts = lk_verdict_facts_of(&answer->verdict);
	answer->facts.keyspace_fits = keyspace_fits(court->txn, question, answer);
	answer->facts.ip_fits = true;
	answer->facts.permitted = true;
	if ((answer->rules.n_cidrs > 0 || answer->gate.has_cidrs != 0) && goes_on(question, answer)) {
		answer->facts.ip_fits = ip_fits(court->txn, question, answer);
	}
	if (question->expression != NULL && goes_on(question, answer)) {
		answer->facts.permitted = is_permitted(court->txn, question, answer);
	}
	return lk_txn_err(court->txn) == LK_OK;
}

static bool is_too_long(const struct lk_question *question, const struct lk_answer *answer)
{
	return question->identity_max != 0 && answer->verdict.head.identity_len > question->identity_max;
}

/* Judges on the snapshot as it is. LK_ABORTED: the slots are ahead of it. */
static enum lk_err judge_once(const struct lk_court *court, const struct lk_question *question,
	const struct lk_lookup *lookup, struct lk_answer *answer)
{
	bool looks = question->dry_run || question->explain;

	answer->weighed = false;
	answer->found = find_key(court, question, lookup, answer);
	if (!answer->found) {
		answer->code = code_of_unknown(court, question);
		return lk_txn_err(court->txn);
	}
	if (is_too_long(question, answer)) {
		return LK_RESOURCE_EXHAUSTED;
	}
	if (!gather(court, question, answer)) {
		return lk_txn_err(court->txn);
	}
	answer->code = lk_verdict_decide(&answer->facts, answer->now_us);
	bool passes = answer->code == LATCHKEY__V1__VERIFY_CODE__VERIFY_CODE_VALID;
	if (!passes && !question->explain) {
		return LK_OK;
	}
	Latchkey__V1__VerifyCode weighed = lk_judge_weigh(court, question, looks, answer);
	if (lk_txn_err(court->txn) != LK_OK) {
		return lk_txn_err(court->txn);
	}
	if (weighed == LATCHKEY__V1__VERIFY_CODE__VERIFY_CODE_UNSPECIFIED) {
		return LK_ABORTED;
	}
	if (passes) {
		answer->code = weighed;
	}
	return LK_OK;
}

/* Counts the use, or notes the denial. */
static void note(const struct lk_court *court, const struct lk_answer *answer, const struct lk_address *address)
{
	struct lk_denial denial = {.code = (uint32_t)answer->code, .time_us = answer->now_us, .address = *address};

	if (answer->code == LATCHKEY__V1__VERIFY_CODE__VERIFY_CODE_VALID) {
		lk_slots_use(court->slots, answer->verdict.head.slot, answer->now_us);
	} else if (court->denials != NULL) {
		lk_denials_note(court->denials, answer->found ? answer->verdict.head.slot : 0,
			answer->found ? answer->verdict.head.keyspace : 0, &denial);
	}
}

/* What judging the key, counting the use and packing the identity will touch. */
static void prefetch(const struct lk_court *court, const struct lk_verdict *verdict)
{
	const uint8_t *end = verdict->rules + verdict->head.rules_len;

	lk_slots_fetch(court->slots, verdict->head.slot);
	for (const uint8_t *at = verdict->identity; at < end && at < verdict->identity + PREFETCH_MAX; at += LINE) {
		__builtin_prefetch(at);
	}
}

/* The newest state, and the instant that belongs to it: what a slot is ahead of is either of them. */
static enum lk_err renew(const struct lk_court *court, struct lk_answer *answer)
{
	struct timespec now = {0};

	(void)clock_gettime(CLOCK_REALTIME, &now);
	answer->now_us = now.tv_sec * LK_US_PER_SECOND + now.tv_nsec / 1000;
	answer->renewed = true;
	return lk_snapshot_begin(court->txn);
}

void lk_judge_look_up(const struct lk_court *court, const char *token, size_t token_len, struct lk_lookup *ret_lookup)
{
	ret_lookup->found = look_up(court, token, token_len, &ret_lookup->verdict);
	if (ret_lookup->found) {
		prefetch(court, &ret_lookup->verdict);
	}
}

enum lk_err lk_judge_looked_up(const struct lk_court *court, const struct lk_question *question,
	const struct lk_lookup *lookup, struct lk_answer *ret_answer)
{
	enum lk_err err = LK_ABORTED;

	ret_answer->now_us = question->now_us;
	ret_answer->renewed = false;
	ret_answer->charge.credits_ahead = 0;
	for (unsigned i = 0; err == LK_ABORTED && i < TRIES; i++) {
		err = i == 0 ? LK_OK : renew(court, ret_answer);
		if (err == LK_OK) {
			err = judge_once(court, question, i == 0 ? lookup : NULL, ret_answer);
		}
	}
	if (err == LK_OK && !question->dry_run && !question->explain) {
		note(court, ret_answer, &question->address);
	}
	return err == LK_ABORTED ? LK_UNAVAILABLE : err;
}

enum lk_err lk_judge(const struct lk_court *court, const struct lk_question *question, struct lk_answer *ret_answer)
{
	return lk_judge_looked_up(court, question, NULL, ret_answer);
}
