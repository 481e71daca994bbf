#include "server/core/time.h"
#include "server/service/key_handlers.h"
#include "server/service/key_subject.h"

/* How long the secret so far stays good. Below a microsecond it is not at all. */
static int64_t check_overlap(struct lk_request *request, const Google__Protobuf__Duration *overlap)
{
	int64_t us = 0;

	if (overlap == NULL) {
		return 0;
	}
	if (!lk_time_from_duration(overlap, &us)) {
		lk_fault_add(&request->faults, "overlap",
			"%lld s and %d ns is no Duration: give at most 10,000 years, and both parts with the same sign",
			(long long)overlap->seconds, overlap->nanos);
		return 0;
	}
	if (us < 0 || overlap->nanos < 0) {
		lk_fault_add(&request->faults, "overlap",
			"%lld s and %d ns is past: give how long the secret so far stays good, or 0 to end it now",
			(long long)overlap->seconds, overlap->nanos);
		return 0;
	}
	if (us > LK_TIME_MAX_US - request->now_us) {
		char text[LK_SPAN_TEXT_LEN];
		lk_time_format_span(us, text);
		lk_fault_add(&request->faults, "overlap", "%s ends after the year 9999: give a shorter time", text);
		return 0;
	}
	return us;
}

/* Makes the newest secret the one before; the one before that is forgotten, whatever was left of its overlap. */
static void replace_secret(struct lk_request *request, Latchkey__Store__KeyRecord *record, int64_t overlap_us)
{
	record->previous_digest = record->digest;
	record->previous_kind = record->secret_kind;
	/* Not now: it has ended, even for a clock that is set back. */
	record->previous_until_us = overlap_us == 0 ? 0 : request->now_us + overlap_us;
}

enum lk_err lk_key_rotate_build(struct lk_request *request, const Latchkey__V1__RotateKeyRequest *message,
	Latchkey__Store__Change *change, Latchkey__V1__RotateKeyResponse *response)
{
	struct lk_located_key subject = {0};
	bool changes = false;

	int64_t overlap_us = check_overlap(request, message->overlap);
	enum lk_err err = lk_key_find_subject(request, message->tenant, message->key, &subject);
	if (err == LK_OK) {
		err = lk_key_check_scope(request, subject.key);
	}
	if (err == LK_OK) {
		err = lk_key_transition(request, subject.key, LATCHKEY__V1__KEY_ACTION__KEY_ACTION_ROTATE, &changes);
	}
	if (err != LK_OK) {
		return err;
	}
	replace_secret(request, subject.key, overlap_us);
	err = lk_key_mint(request, subject.keyspace, subject.key, &response->token);
	if (err != LK_OK) {
		return err;
	}
	response->key = lk_arena_alloc(request->arena, sizeof *response->key);
	if (response->key == NULL) {
		return LK_NO_MEMORY;
	}
	latchkey__v1__key__init(response->key);
	lk_key_put_subject(request, &subject, change);
	lk_key_show_subject(request, &subject, response->key);
	return lk_request_check(request);
}

void lk_key_rotate_reply(struct lk_request *request, const Latchkey__V1__RotateKeyRequest *message,
	const Latchkey__Store__Change *change, Latchkey__V1__RotateKeyResponse *response)
{
	(void)message;
	lk_key_show_change(request, change, response->key);
}
