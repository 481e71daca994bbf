/* Update, Activate, Suspend: what changes a key and leaves its secret alone. */
#include <string.h>

#include "server/core/grant.h"
#include "server/core/policy.h"
#include "server/core/text.h"
#include "server/service/build.h"
#include "server/service/key_handlers.h"
#include "server/service/key_roles.h"
#include "server/service/key_subject.h"
#include "server/service/own.h"
#include "server/service/view.h"
#include "server/store/find.h"
#include "server/store/slots.h"

#define ACTION(name) LATCHKEY__V1__KEY_ACTION__KEY_ACTION_##name

enum lk_err lk_key_activate_build(struct lk_request *request, const Latchkey__V1__ActivateKeyRequest *message,
	Latchkey__Store__Change *change, Latchkey__V1__Key *response)
{
	struct lk_located_key subject = {0};
	bool changes = false;

	enum lk_err err = lk_key_find_subject(request, message->tenant, message->key, &subject);
	/* To stop a key that is good elsewhere too is one thing, to make it good there again another. */
	if (err == LK_OK) {
		err = lk_key_check_scope(request, subject.key);
	}
	if (err == LK_OK) {
		err = lk_key_transition(request, subject.key, ACTION(ACTIVATE), &changes);
	}
	if (err != LK_OK) {
		return err;
	}
	if (changes) {
		subject.key->state = LATCHKEY__STORE__STORED_STATE__STORED_STATE_ACTIVE;
		subject.key->suspend_reason = (char *)(uintptr_t) "";
		lk_key_put_subject(request, &subject, change);
	}
	lk_key_show_subject(request, &subject, response);
	return lk_request_check(request);
}

void lk_key_activate_reply(struct lk_request *request, const Latchkey__V1__ActivateKeyRequest *message,
	const Latchkey__Store__Change *change, Latchkey__V1__Key *response)
{
	(void)message;
	lk_key_show_change(request, change, response);
}

enum lk_err lk_key_suspend_build(struct lk_request *request, const Latchkey__V1__SuspendKeyRequest *message,
	Latchkey__Store__Change *change, Latchkey__V1__Key *response)
{
	struct lk_located_key subject = {0};
	bool changes = false;

	request->urgent = true;
	const char *reason = lk_text_check(&request->faults, "reason", message->reason, LK_REASON_MAX, false);
	enum lk_err err = lk_key_find_subject(request, message->tenant, message->key, &subject);
	if (err == LK_OK) {
		err = lk_key_transition(request, subject.key, ACTION(SUSPEND), &changes);
	}
	if (err != LK_OK) {
		return err;
	}
	if (changes) {
		subject.key->state = LATCHKEY__STORE__STORED_STATE__STORED_STATE_SUSPENDED;
		subject.key->suspend_reason = (char *)(uintptr_t)reason;
		lk_key_put_subject(request, &subject, change);
	}
	lk_key_show_subject(request, &subject, response);
	return lk_request_check(request);
}

void lk_key_suspend_reply(struct lk_request *request, const Latchkey__V1__SuspendKeyRequest *message,
	const Latchkey__Store__Change *change, Latchkey__V1__Key *response)
{
	(void)message;
	lk_key_show_change(request, change, response);
}

/* What an Update is about. */
struct update {
	const Latchkey__V1__UpdateKeyRequest *message;
	struct lk_mask mask;
	/* Nothing of it where the key is not there. */
	struct lk_located_key subject;
	/* The key as it is to be. */
	Latchkey__Store__KeyRecord *wanted;
	/* What its slot says. */
	struct lk_spending spending;
};

/* Whether the key is as its caller knew it, and may be updated. LK_ABORTED, LK_FAILED_PRECONDITION. */
static enum lk_err check_state(struct lk_request *request, const struct update *update)
{
	const Latchkey__Store__KeyRecord *key = update->subject.key;
	const char *etag = update->message->etag;
	bool changes = false;

	if (etag[0] != '\0' && strcmp(etag, lk_view_etag(request->arena, key->revision)) != 0) {
		return lk_request_fail(request, LK_ABORTED,
			"key \"%s\" was changed since you read it: read it again, and update what it is now", key->id);
	}
	return lk_key_transition(request, key, ACTION(UPDATE), &changes);
}

/* The key as it stands, for what is not named. */
static enum lk_err start_values(struct lk_request *request, struct update *update, struct lk_key_fields *fields)
{
	update->wanted = lk_arena_alloc(request->arena, sizeof *update->wanted);
	if (update->wanted == NULL) {
		return LK_NO_MEMORY;
	}
	latchkey__store__key_record__init(update->wanted);
	if (update->subject.key == NULL) {
		return LK_OK;
	}
	*update->wanted = *update->subject.key;
	/* What was consumed so far, on which limits and credits that are given anew build. */
	update->spending = lk_slots_spending(lk_store_slots(request->store), update->subject.key->slot);
	return lk_key_fields_of_record(request->arena, update->subject.key, fields) ? LK_OK : LK_NO_MEMORY;
}

/*
 * Checks the values, as far as may be where the key is not there or not to be changed: against its policy only where `policy`
 * is given. LK_NO_MEMORY; all else are faults.
 */
static enum lk_err check_values(
	struct lk_request *request, struct update *update, const Latchkey__Store__PolicyRecord *policy)
{
	struct lk_key_fields fields = {.name = "", .owner = ""};
	const Latchkey__Store__KeyRecord *key = update->subject.key;

	enum lk_err err = start_values(request, update, &fields);
	if (err != LK_OK) {
		return err;
	}
	if (update->message->key != NULL &&
		!lk_key_fields_overlay(request->arena, update->message->key, update->mask, &fields)) {
		return LK_NO_MEMORY;
	}
	const struct lk_key_rules rules = {
		.prefix = "key.",
		.policy = policy,
		/* Of a key that is not there, nobody can say whether it needs a grant. */
		.is_system = key == NULL ? fields.grant != NULL
					 : strcmp(update->subject.tenant->id, LK_TENANT_SYSTEM) == 0,
		.now_us = request->now_us,
		.credits_us = request->now_us,
		/* A key that has expired may be changed in all else, and stays so. */
		.past_expiry = !lk_mask_names(update->mask, LK_KEY_FIELD_EXPIRE_TIME),
		.before = key,
		.clocks = update->spending.clocks,
		.spent = update->spending.spent,
	};
	lk_policy_check_key(&request->faults, &rules, &fields, update->wanted);
	if (fields.gives_roles && !rules.is_system) {
		/* Which roles there are is asked for a key that can be changed, as its policy is. */
		lk_key_resolve_roles(request, &request->faults, policy == NULL ? NULL : update->subject.tenant,
			"key.roles", fields.roles, fields.n_roles, update->wanted);
	}
	lk_key_check_rights(request, "key.", update->wanted, lk_mask_names(update->mask, LK_KEY_FIELD_GRANT));
	return LK_OK;
}

/* Finds the key and checks all that is asked, so that every fault is in one answer. */
static enum lk_err check_update(struct lk_request *request, struct update *update)
{
	const char *id = "";
	enum lk_err state = LK_OK;

	if (update->message->key == NULL) {
		lk_fault_add(&request->faults, "key", "is needed: give the key's id or number, and the new values");
	} else {
		id = update->message->key->id;
	}
	update->mask = lk_mask_check(&request->faults, update->message->update_mask, lk_key_field_paths, LK_KEY_FIELDS);
	enum lk_err err = lk_access_locate_key(request, update->message->tenant, "key.id", id, &update->subject);
	if (err == LK_OK && update->subject.key != NULL) {
		err = lk_key_check_grant(request, update->subject.key);
	}
	if (err != LK_OK) {
		return err;
	}
	if (update->subject.key != NULL) {
		state = check_state(request, update);
	}
	/* What is wrong in any state comes first, then the state; the policy is for a key that can be changed at all. */
	bool can_change = update->subject.key != NULL && state == LK_OK;
	err = check_values(request, update, can_change ? update->subject.keyspace->policy : NULL);
	if (err == LK_OK) {
		err = lk_request_check(request);
	}
	if (err == LK_OK && update->subject.key == NULL) {
		err = lk_request_not_found(request, "key", id);
	}
	/* Neither widened, nor changed where it is wide already. */
	if (err == LK_OK) {
		err = lk_key_check_scope(request, update->subject.key);
	}
	if (err == LK_OK) {
		err = lk_key_check_scope(request, update->wanted);
	}
	return err != LK_OK ? err : state;
}

/* The name, where the policy wants it for this key alone. */
static enum lk_err check_name(struct lk_request *request, const struct update *update, Latchkey__Store__Change *change)
{
	const Latchkey__Store__KeyspaceRecord *keyspace = update->subject.keyspace;
	const Latchkey__Store__KeyRecord *key = update->subject.key;
	const char *name = update->wanted->name;

	if (!keyspace->policy->name_unique) {
		return LK_OK;
	}
	if (lk_find_name_taken_by_other(request->txn, keyspace->number, name, key->slot)) {
		return lk_key_name_taken(request, "key.name", name, keyspace->id);
	}
	/* Of a name that the key has already, nobody else can take it, as long as the policy stands. */
	if (strcmp(name, key->name) != 0) {
		lk_build_expect_name_free(request, change, keyspace->number, name);
	}
	return lk_request_check(request);
}

/* Whether both records say the same. */
static bool is_same(
	struct lk_request *request, const Latchkey__Store__KeyRecord *a, const Latchkey__Store__KeyRecord *b)
{
	size_t len = latchkey__store__key_record__get_packed_size(a);

	if (len != latchkey__store__key_record__get_packed_size(b)) {
		return false;
	}
	uint8_t *packed = lk_arena_array(request->arena, 2, len);
	if (packed == NULL) {
		return false;
	}
	(void)latchkey__store__key_record__pack(a, packed);
	(void)latchkey__store__key_record__pack(b, packed + len);
	return memcmp(packed, packed + len, len) == 0;
}

enum lk_err lk_key_update_build(struct lk_request *request, const Latchkey__V1__UpdateKeyRequest *message,
	Latchkey__Store__Change *change, Latchkey__V1__Key *response)
{
	struct update update = {.message = message};

	enum lk_err err = check_update(request, &update);
	if (err != LK_OK) {
		return err;
	}
	if (update.wanted->grant != NULL && !lk_grant_within(update.wanted->grant, request->caller.grant)) {
		return lk_request_fail(
			request, LK_PERMISSION_DENIED, "the grant exceeds your own: leave out what you may not do");
	}
	err = lk_own_check(request, "key.owner", update.wanted->owner);
	if (err != LK_OK) {
		return err;
	}
	err = check_name(request, &update, change);
	if (err != LK_OK) {
		return err;
	}
	bool changes = !is_same(request, update.subject.key, update.wanted);
	if (changes) {
		lk_key_expect_roles(request, change, update.subject.key, update.wanted);
	}
	update.subject.key = update.wanted;
	if (changes) {
		lk_key_put_subject(request, &update.subject, change);
	}
	lk_key_show_subject(request, &update.subject, response);
	return lk_request_check(request);
}

void lk_key_update_reply(struct lk_request *request, const Latchkey__V1__UpdateKeyRequest *message,
	const Latchkey__Store__Change *change, Latchkey__V1__Key *response)
{
	(void)message;
	lk_key_show_change(request, change, response);
}
