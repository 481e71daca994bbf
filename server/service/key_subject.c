#include "server/service/key_subject.h"

#include <string.h>

#include "server/core/grant.h"
#include "server/core/lifecycle.h"
#include "server/core/secret.h"
#include "server/service/build.h"
#include "server/service/own.h"
#include "server/service/rights.h"
#include "server/service/signing_key.h"
#include "server/service/view.h"

enum lk_err lk_key_check_grant(struct lk_request *request, const Latchkey__Store__KeyRecord *key)
{
	if (key->grant == NULL ||
		(lk_grant_within(key->grant, request->caller.grant) && lk_own_sees(request, key->owner))) {
		return LK_OK;
	}
	return lk_request_fail(request, LK_PERMISSION_DENIED,
		"the grant of \"%s\" exceeds your own: only a caller that may do all of it may change or end it",
		key->id);
}

void lk_key_check_rights(
	struct lk_request *request, const char *prefix, const Latchkey__Store__KeyRecord *record, bool methods)
{
	const char *grant = lk_arena_printf(request->arena, "%sgrant", prefix);
	const char *owner = lk_arena_printf(request->arena, "%sowner", prefix);

	/* Where there is no memory left, the arena says so. */
	if (record->grant == NULL || grant == NULL || owner == NULL) {
		return;
	}
	if (methods) {
		lk_rights_check(&request->faults, grant, record->grant);
	}
	if (record->grant->own_only && record->owner[0] == '\0') {
		lk_fault_add(&request->faults, owner,
			"is needed where the grant says own_only: it is the owner of the keys that the grant is of");
	}
}

enum lk_err lk_key_check_scope(struct lk_request *request, const Latchkey__Store__KeyRecord *key)
{
	if (!key->tenant_scope || lk_grant_allows_keyspace(request->caller.grant, LK_GRANT_ANY)) {
		return LK_OK;
	}
	return lk_request_fail(request, LK_PERMISSION_DENIED,
		"a key of scope TENANT is good in every keyspace, and you are not granted keyspace \"" LK_GRANT_ANY
		"\": give scope KEYSPACE");
}

enum lk_err lk_key_find_subject(
	struct lk_request *request, const char *tenant, const char *key, struct lk_located_key *ret_subject)
{
	struct lk_located_key subject = {0};

	enum lk_err err = lk_access_key(request, tenant, key, &subject);
	if (err == LK_OK) {
		err = lk_key_check_grant(request, subject.key);
	}
	if (err == LK_OK) {
		*ret_subject = subject;
	}
	return err;
}

enum lk_err lk_key_transition(struct lk_request *request, const Latchkey__Store__KeyRecord *key,
	Latchkey__V1__KeyAction action, bool *ret_changes)
{
	Latchkey__V1__KeyState state = lk_lifecycle_state(key->state, key->expire_us, request->now_us);
	enum lk_transition transition = lk_lifecycle_transition(state, action);

	if (transition == LK_TRANSITION_REFUSED) {
		return lk_request_fail(request, LK_FAILED_PRECONDITION, "key \"%s\" %s", key->id,
			lk_lifecycle_refusal(request->arena, state, action));
	}
	*ret_changes = transition == LK_TRANSITION_YES;
	return LK_OK;
}

void lk_key_touch_subject(
	struct lk_request *request, const struct lk_located_key *subject, Latchkey__Store__Change *change)
{
	lk_build_expect_keyspace(
		request, change, subject->keyspace->tenant, subject->keyspace->id, subject->keyspace->revision);
	lk_build_expect_key(request, change, subject->key->slot, subject->key->revision);
	subject->key->update_us = request->now_us;
}

void lk_key_put_subject(
	struct lk_request *request, const struct lk_located_key *subject, Latchkey__Store__Change *change)
{
	lk_key_touch_subject(request, subject, change);
	lk_build_put_key(request, change, subject->key);
}

void lk_key_show_subject(struct lk_request *request, const struct lk_located_key *subject, Latchkey__V1__Key *ret_view)
{
	lk_view_key(request, subject->key, subject->tenant->id, subject->keyspace->id, ret_view);
}

void lk_key_show_change(struct lk_request *request, const Latchkey__Store__Change *change, Latchkey__V1__Key *view)
{
	/* A key that the change removed is shown as it was last. */
	if (change->n_mutations > 0 && change->mutations[0]->what_case == LATCHKEY__STORE__MUTATION__WHAT_PUT_KEY) {
		lk_view_key(request, change->mutations[0]->put_key, view->tenant, view->keyspace, view);
	}
}

enum lk_err lk_key_name_taken(struct lk_request *request, const char *field, const char *name, const char *keyspace)
{
	lk_fault_add(&request->faults, field, "\"%s\" is taken by another key of keyspace \"%s\"", name, keyspace);
	return lk_request_fail(request, LK_ALREADY_EXISTS, "name \"%s\" is taken", name);
}

static enum lk_err mint_opaque(struct lk_request *request, const char *prefix, char **ret_token)
{
	char *token = lk_arena_alloc(request->arena, LK_TOKEN_MINTED_MAX);

	if (token == NULL) {
		return LK_NO_MEMORY;
	}
	(void)lk_token_mint(prefix, token);
	*ret_token = token;
	return LK_OK;
}

enum lk_err lk_key_mint(struct lk_request *request, const Latchkey__Store__KeyspaceRecord *keyspace,
	Latchkey__Store__KeyRecord *record, char **ret_token)
{
	const Latchkey__Store__PolicyRecord *policy = keyspace->policy;
	char *token = NULL;
	enum lk_err err = policy->is_jwt ? lk_signing_key_mint(request, keyspace, record, &token)
					 : mint_opaque(request, policy->token_prefix, &token);

	if (err != LK_OK) {
		return err;
	}
	uint8_t *digest = lk_arena_alloc(request->arena, LK_DIGEST_LEN);
	char *shown = lk_arena_text(request->arena, token, policy->display_length);
	if (digest == NULL || shown == NULL) {
		return LK_NO_MEMORY;
	}
	lk_token_digest(lk_store_keyring(request->store), token, strlen(token), digest);
	record->digest = (ProtobufCBinaryData){LK_DIGEST_LEN, digest};
	record->secret_kind = LATCHKEY__STORE__SECRET_KIND__SECRET_KIND_MINTED;
	record->display_prefix = shown;
	*ret_token = token;
	return LK_OK;
}
