/* Revoke, Delete: what ends a key. */
#include "server/core/text.h"
#include "server/service/build.h"
#include "server/service/key_handlers.h"
#include "server/service/key_subject.h"

enum lk_err lk_key_revoke_build(struct lk_request *request, const Latchkey__V1__RevokeKeyRequest *message,
	Latchkey__Store__Change *change, Latchkey__V1__Key *response)
{
	struct lk_located_key subject = {0};
	bool changes = false;

	request->urgent = true;
	const char *reason = lk_text_check(&request->faults, "reason", message->reason, LK_REASON_MAX, false);
	enum lk_err err = lk_key_find_subject(request, message->tenant, message->key, &subject);
	if (err == LK_OK) {
		err = lk_key_transition(request, subject.key, LATCHKEY__V1__KEY_ACTION__KEY_ACTION_REVOKE, &changes);
	}
	if (err != LK_OK) {
		return err;
	}
	if (changes) {
		subject.key->state = LATCHKEY__STORE__STORED_STATE__STORED_STATE_REVOKED;
		subject.key->revoke_reason = (char *)(uintptr_t)reason;
		lk_key_touch_subject(request, &subject, change);
	}
	if (changes && subject.keyspace->policy->revoke_deletes) {
		lk_build_delete_key(request, change, subject.key->slot);
	} else if (changes) {
		lk_build_put_key(request, change, subject.key);
	}
	lk_key_show_subject(request, &subject, response);
	return lk_request_check(request);
}

void lk_key_revoke_reply(struct lk_request *request, const Latchkey__V1__RevokeKeyRequest *message,
	const Latchkey__Store__Change *change, Latchkey__V1__Key *response)
{
	(void)message;
	lk_key_show_change(request, change, response);
}

enum lk_err lk_key_delete_build(struct lk_request *request, const Latchkey__V1__DeleteKeyRequest *message,
	Latchkey__Store__Change *change, Latchkey__V1__DeleteKeyResponse *response)
{
	struct lk_located_key subject = {0};
	bool changes = false;

	(void)response;
	request->urgent = true;
	enum lk_err err = lk_key_find_subject(request, message->tenant, message->key, &subject);
	if (err == LK_OK) {
		err = lk_key_transition(request, subject.key, LATCHKEY__V1__KEY_ACTION__KEY_ACTION_DELETE, &changes);
	}
	if (err == LK_OK && changes) {
		lk_build_expect_key(request, change, subject.key->slot, subject.key->revision);
		lk_build_delete_key(request, change, subject.key->slot);
	}
	return err;
}
