#include <string.h>

#include "server/core/grant.h"
#include "server/core/lifecycle.h"
#include "server/core/text.h"
#include "server/service/access.h"
#include "server/service/build.h"
#include "server/service/key_handlers.h"
#include "server/service/view.h"
#include "server/store/find.h"

#define REASON_MAX 256

/* Finds the key that is to end, and sees that a caller ends no root key that exceeds its own grant. */
static enum lk_err find_subject(
	struct lk_request *request, const char *tenant, const char *key, struct lk_located_key *ret_subject)
{
	request->urgent = true;
	enum lk_err err = lk_access_key(request, tenant, key, ret_subject);

	if (err == LK_OK && ret_subject->key->grant != NULL &&
		!lk_grant_within(ret_subject->key->grant, request->caller.grant)) {
		err = lk_request_fail(request, LK_PERMISSION_DENIED,
			"the grant of \"%s\" exceeds your own: only a caller that may do all of it may end it",
			ret_subject->key->id);
	}
	return err;
}

/* What `action` does to the key now. LK_FAILED_PRECONDITION where it cannot be. */
static enum lk_err transition(struct lk_request *request, const Latchkey__Store__KeyRecord *key,
	Latchkey__V1__KeyAction action, bool *ret_changes)
{
	Latchkey__V1__KeyState state = lk_lifecycle_state(key->state, key->expire_us, request->now_us);
	enum lk_transition transition = lk_lifecycle_transition(state, action);

	if (transition == LK_TRANSITION_REFUSED) {
		return lk_request_fail(
			request, LK_FAILED_PRECONDITION, "key \"%s\" is in a state that does not allow this", key->id);
	}
	*ret_changes = transition == LK_TRANSITION_YES;
	return LK_OK;
}

enum lk_err lk_key_revoke_build(struct lk_request *request, const Latchkey__V1__RevokeKeyRequest *message,
	Latchkey__Store__Change *change, Latchkey__V1__Key *response)
{
	struct lk_located_key subject = {0};
	bool changes = false;

	const char *reason = lk_text_check(&request->faults, "reason", message->reason, REASON_MAX, false);
	enum lk_err err = find_subject(request, message->tenant, message->key, &subject);
	if (err == LK_OK) {
		err = transition(request, subject.key, LATCHKEY__V1__KEY_ACTION__KEY_ACTION_REVOKE, &changes);
	}
	if (err != LK_OK) {
		return err;
	}
	if (changes) {
		lk_build_expect_keyspace(
			request, change, subject.keyspace->tenant, subject.keyspace->id, subject.keyspace->revision);
		lk_build_expect_key(request, change, subject.key->slot, subject.key->revision);
		subject.key->state = LATCHKEY__STORE__STORED_STATE__STORED_STATE_REVOKED;
		subject.key->revoke_reason = (char *)(uintptr_t)reason;
		subject.key->update_us = request->now_us;
		if (subject.keyspace->policy->revoke_deletes) {
			lk_build_delete_key(request, change, subject.key->slot);
		} else {
			lk_build_put_key(request, change, subject.key);
		}
	}
	lk_view_key(request, subject.key, subject.tenant->id, subject.keyspace->id, response);
	return lk_request_check(request);
}

void lk_key_revoke_reply(struct lk_request *request, const Latchkey__V1__RevokeKeyRequest *message,
	const Latchkey__Store__Change *change, Latchkey__V1__Key *response)
{
	(void)message;
	/* A key that revoking deleted is shown as it was last. */
	if (change->n_mutations > 0 && change->mutations[0]->what_case == LATCHKEY__STORE__MUTATION__WHAT_PUT_KEY) {
		lk_view_key(request, change->mutations[0]->put_key, response->tenant, response->keyspace, response);
	}
}

enum lk_err lk_key_delete_build(struct lk_request *request, const Latchkey__V1__DeleteKeyRequest *message,
	Latchkey__Store__Change *change, Latchkey__V1__DeleteKeyResponse *response)
{
	struct lk_located_key subject = {0};
	bool changes = false;

	(void)response;
	enum lk_err err = find_subject(request, message->tenant, message->key, &subject);
	if (err == LK_OK) {
		err = transition(request, subject.key, LATCHKEY__V1__KEY_ACTION__KEY_ACTION_DELETE, &changes);
	}
	if (err == LK_OK && changes) {
		lk_build_expect_key(request, change, subject.key->slot, subject.key->revision);
		lk_build_delete_key(request, change, subject.key->slot);
	}
	return err;
}
