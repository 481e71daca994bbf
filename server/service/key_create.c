#include <sodium.h>
#include <string.h>

#include "server/core/grant.h"
#include "server/core/id.h"
#include "server/core/policy.h"
#include "server/service/access.h"
#include "server/service/build.h"
#include "server/service/key_handlers.h"
#include "server/service/key_roles.h"
#include "server/service/key_subject.h"
#include "server/service/own.h"
#include "server/service/view.h"
#include "server/store/find.h"

/* Where the new key will belong. */
struct place {
	Latchkey__Store__TenantRecord *tenant;
	Latchkey__Store__KeyspaceRecord *keyspace;
	bool is_system;
	/* Whose key it will be, as far as the request says, or the caller's grant. */
	const char *owner;
};

/* Finds the place. What is not there stays NULL: the request's other faults come before that. */
static enum lk_err find_place(
	struct lk_request *request, const Latchkey__V1__CreateKeyRequest *message, struct place *ret_place)
{
	enum lk_err err = lk_access_tenant(request, message->tenant, &ret_place->tenant);

	if (err == LK_OK) {
		err = lk_access_keyspace_id(request, "keyspace", message->keyspace);
	}
	if (err == LK_OK) {
		err = lk_own_resolve(request, "owner", message->owner, &ret_place->owner);
	}
	if (err != LK_OK || ret_place->tenant == NULL) {
		return err;
	}
	ret_place->is_system = strcmp(ret_place->tenant->id, LK_TENANT_SYSTEM) == 0;
	ret_place->keyspace = lk_find_keyspace(
		request->txn, request->arena, ret_place->tenant->number, message->keyspace);
	return LK_OK;
}

static enum lk_err check(struct lk_request *request, const Latchkey__V1__CreateKeyRequest *message,
	const struct place *place, Latchkey__Store__KeyRecord *record)
{
	const Latchkey__Store__PolicyRecord *policy = place->keyspace == NULL ? NULL : place->keyspace->policy;
	/* Of a tenant that is not known, nobody can say that its keys have no grant. */
	const struct lk_key_rules rules = {
		.policy = policy,
		.is_system = place->tenant == NULL ? message->grant != NULL : place->is_system,
		.now_us = request->now_us,
		.credits_us = request->now_us,
		.defaults = true,
	};
	struct lk_key_fields fields = {0};

	if (!lk_key_fields_of_create(request->arena, message, &fields)) {
		return LK_NO_MEMORY;
	}
	fields.owner = place->owner;
	lk_policy_check_key(&request->faults, &rules, &fields, record);
	if (!rules.is_system) {
		lk_key_resolve_roles(
			request, &request->faults, place->tenant, "roles", fields.roles, fields.n_roles, record);
	}
	lk_key_check_rights(request, "", record, true);
	enum lk_err err = lk_request_check(request);
	if (err != LK_OK) {
		return err;
	}
	if (place->tenant == NULL) {
		return lk_access_no_tenant(request, message->tenant);
	}
	if (place->keyspace == NULL) {
		return lk_request_not_found(request, "keyspace", message->keyspace);
	}
	if (record->grant != NULL && !lk_grant_within(record->grant, request->caller.grant)) {
		return lk_request_fail(
			request, LK_PERMISSION_DENIED, "the grant exceeds your own: leave out what you may not do");
	}
	/* Again, of what the policy made of it. */
	err = lk_own_check(request, "owner", record->owner);
	if (err == LK_OK) {
		err = lk_key_check_scope(request, record);
	}
	if (err != LK_OK) {
		return err;
	}
	if (policy->name_unique && lk_find_name_taken(request->txn, place->keyspace->number, record->name)) {
		return lk_key_name_taken(request, "name", record->name, place->keyspace->id);
	}
	return lk_request_check(request);
}

static enum lk_err identify(struct lk_request *request, Latchkey__Store__KeyRecord *record)
{
	uint8_t random[LK_KEY_ID_RANDOM_LEN] = {0};
	char *id = lk_arena_alloc(request->arena, LK_KEY_ID_LEN);

	if (id == NULL) {
		return LK_NO_MEMORY;
	}
	randombytes_buf(random, sizeof random);
	lk_key_id_make(request->now_us, random, id);
	record->id = id;
	return LK_OK;
}

/* What the record of a new key says beside what was asked for; all but its identity and its secret. */
static void settle(struct lk_request *request, const struct place *place, Latchkey__Store__KeyRecord *record)
{
	record->tenant = place->tenant->number;
	record->keyspace = place->keyspace->number;
	record->state = LATCHKEY__STORE__STORED_STATE__STORED_STATE_ACTIVE;
	record->create_us = request->now_us;
	record->update_us = request->now_us;
	record->created_by = (char *)(uintptr_t)request->caller.name;
}

static void expect(struct lk_request *request, const struct place *place, const Latchkey__Store__KeyRecord *record,
	Latchkey__Store__Change *change)
{
	lk_build_expect_keyspace(
		request, change, place->tenant->number, place->keyspace->id, place->keyspace->revision);
	if (place->keyspace->policy->name_unique) {
		lk_build_expect_name_free(request, change, place->keyspace->number, record->name);
	}
	lk_key_expect_roles(request, change, NULL, record);
}

static Latchkey__V1__Key *view(
	struct lk_request *request, const Latchkey__Store__KeyRecord *record, const char *tenant, const char *keyspace)
{
	Latchkey__V1__Key *key = lk_arena_alloc(request->arena, sizeof *key);

	if (key != NULL) {
		latchkey__v1__key__init(key);
		lk_view_key(request, record, tenant, keyspace, key);
	}
	return key;
}

enum lk_err lk_key_create_build(struct lk_request *request, const Latchkey__V1__CreateKeyRequest *message,
	Latchkey__Store__Change *change, Latchkey__V1__CreateKeyResponse *response)
{
	struct place place = {0};
	Latchkey__Store__KeyRecord *record = lk_arena_alloc(request->arena, sizeof *record);

	if (record == NULL) {
		return LK_NO_MEMORY;
	}
	latchkey__store__key_record__init(record);
	enum lk_err err = find_place(request, message, &place);
	if (err == LK_OK) {
		err = check(request, message, &place, record);
	}
	if (err == LK_OK) {
		settle(request, &place, record);
	}
	/* A key that is only checked has neither id nor token: it is not there. */
	if (err == LK_OK && !message->validate_only) {
		err = identify(request, record);
	}
	if (err == LK_OK && !message->validate_only) {
		err = lk_key_mint(request, place.keyspace, record, &response->token);
	}
	if (err == LK_OK && !message->validate_only) {
		expect(request, &place, record, change);
		lk_build_put_key(request, change, record);
	}
	if (err == LK_OK) {
		response->key = view(request, record, place.tenant->id, place.keyspace->id);
	}
	return err;
}

void lk_key_create_reply(struct lk_request *request, const Latchkey__V1__CreateKeyRequest *message,
	const Latchkey__Store__Change *change, Latchkey__V1__CreateKeyResponse *response)
{
	(void)message;
	if (change->n_mutations > 0 && response->key != NULL) {
		lk_view_key(request, change->mutations[0]->put_key, response->key->tenant, response->key->keyspace,
			response->key);
	}
}
