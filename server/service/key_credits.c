/* AdjustCredits. */
#include "server/core/credits.h"
#include "server/service/key_handlers.h"
#include "server/service/key_subject.h"
#include "server/store/slots.h"

/* What a member of the request's oneof does. */
struct adjustment {
	const char *field;
	enum lk_credits_adjustment does;
	uint64_t amount;
};

/* What is asked; false, and a fault, where it is none. */
static bool read_adjustment(struct lk_request *request, const Latchkey__V1__AdjustCreditsRequest *message,
	struct adjustment *ret_adjustment)
{
	struct adjustment adjustment = {0};

	if (message->adjustment_case == LATCHKEY__V1__ADJUST_CREDITS_REQUEST__ADJUSTMENT_SET) {
		adjustment = (struct adjustment){"set", LK_CREDITS_SET, message->set};
	} else if (message->adjustment_case == LATCHKEY__V1__ADJUST_CREDITS_REQUEST__ADJUSTMENT_ADD) {
		adjustment = (struct adjustment){"add", LK_CREDITS_ADD, message->add};
	} else if (message->adjustment_case == LATCHKEY__V1__ADJUST_CREDITS_REQUEST__ADJUSTMENT_TAKE) {
		adjustment = (struct adjustment){"take", LK_CREDITS_TAKE, message->take};
	} else {
		lk_fault_add(&request->faults, "adjustment", "is needed: give set, add or take, and how many");
		return false;
	}
	if (adjustment.amount > LK_CREDITS_MAX) {
		lk_fault_add(&request->faults, adjustment.field, "%llu is too many: give at most %lld",
			(unsigned long long)adjustment.amount, (long long)LK_CREDITS_MAX);
		return false;
	}
	*ret_adjustment = adjustment;
	return true;
}

/* What the key has spent, as its slot counts it. */
static uint64_t spent_of(struct lk_request *request, const Latchkey__Store__KeyRecord *key)
{
	return lk_slots_spending(lk_store_slots(request->store), key->slot).spent;
}

/* Whether the key has credits, and may be changed. */
static enum lk_err check_subject(struct lk_request *request, const Latchkey__Store__KeyRecord *key)
{
	bool changes = false;

	enum lk_err err = lk_key_check_scope(request, key);
	if (err == LK_OK) {
		err = lk_key_transition(request, key, LATCHKEY__V1__KEY_ACTION__KEY_ACTION_UPDATE, &changes);
	}
	if (err == LK_OK && key->credits == NULL) {
		return lk_request_fail(request, LK_FAILED_PRECONDITION,
			"key \"%s\" needs no credits, so there are none to adjust: give it some by an Update of its "
			"credits",
			key->id);
	}
	return err;
}

enum lk_err lk_key_adjust_credits_build(struct lk_request *request, const Latchkey__V1__AdjustCreditsRequest *message,
	Latchkey__Store__Change *change, Latchkey__V1__Key *response)
{
	struct lk_located_key subject = {0};
	struct adjustment adjustment = {0};

	bool is_asked = read_adjustment(request, message, &adjustment);
	enum lk_err err = lk_key_find_subject(request, message->tenant, message->key, &subject);
	if (err == LK_OK && is_asked) {
		err = check_subject(request, subject.key);
	}
	if (err != LK_OK) {
		return err;
	}
	/* None more or none less is what there is; but a balance that is set begins anew, even where it is the same. */
	if (is_asked && (adjustment.does == LK_CREDITS_SET || adjustment.amount != 0)) {
		lk_credits_adjust(subject.key->credits, adjustment.does, adjustment.amount,
			spent_of(request, subject.key), request->now_us);
		lk_key_put_subject(request, &subject, change);
	}
	lk_key_show_subject(request, &subject, response);
	return lk_request_check(request);
}

void lk_key_adjust_credits_reply(struct lk_request *request, const Latchkey__V1__AdjustCreditsRequest *message,
	const Latchkey__Store__Change *change, Latchkey__V1__Key *response)
{
	(void)message;
	lk_key_show_change(request, change, response);
}
