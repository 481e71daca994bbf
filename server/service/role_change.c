#include "server/service/role_change.h"

#include <inttypes.h>
#include <string.h>

#include "server/core/grant.h"
#include "server/core/mask.h"
#include "server/core/permission.h"
#include "server/core/text.h"
#include "server/service/access.h"
#include "server/service/build.h"
#include "server/store/change.h"
#include "server/store/find.h"

#define DESCRIPTION_MAX 256

/* A role that a request names, with its tenant. What is not there is NULL. */
struct place {
	Latchkey__Store__TenantRecord *tenant;
	Latchkey__Store__RoleRecord *role;
};

/* Finds it, and sees that the caller may change it. The request's faults come before what is not there. */
static enum lk_err find_place(
	struct lk_request *request, const char *tenant, const char *field, const char *role, struct place *ret_place)
{
	enum lk_err err = lk_access_tenant(request, tenant, &ret_place->tenant);

	if (err == LK_OK) {
		err = lk_access_whole_tenant(request, "roles");
	}
	if (err != LK_OK) {
		return err;
	}
	lk_text_check_id(&request->faults, field, role);
	if (ret_place->tenant != NULL) {
		ret_place->role = lk_find_role(request->txn, request->arena, ret_place->tenant->number, role);
	}
	return LK_OK;
}

/* The faults so far; or that the tenant, or the role, is not there. */
static enum lk_err check_found(
	struct lk_request *request, const struct place *place, const char *tenant, const char *role)
{
	enum lk_err err = lk_request_check(request);

	if (err != LK_OK) {
		return err;
	}
	if (place->tenant == NULL) {
		return lk_access_no_tenant(request, tenant);
	}
	return place->role == NULL ? lk_request_not_found(request, "role", role) : LK_OK;
}

/* The record of the role that the request asks for, every fault of it gathered. NULL where the arena is exhausted. */
static Latchkey__Store__RoleRecord *draft(struct lk_request *request, const Latchkey__V1__CreateRoleRequest *message)
{
	Latchkey__Store__RoleRecord *record = lk_arena_alloc(request->arena, sizeof *record);

	if (record == NULL) {
		return NULL;
	}
	latchkey__store__role_record__init(record);
	lk_permission_check_list(&request->faults, "permissions", message->permissions, message->n_permissions);
	record->id = message->role;
	record->description = (char *)(uintptr_t)lk_text_check(
		&request->faults, "description", message->description, DESCRIPTION_MAX, false);
	record->permissions = message->permissions;
	record->n_permissions = message->n_permissions;
	record->create_us = request->now_us;
	record->update_us = request->now_us;
	return record;
}

/* Whether the tenant may have one more role, of this id. */
static enum lk_err check_free(struct lk_request *request, const struct place *place, const char *id)
{
	if (place->role != NULL) {
		return lk_request_fail(
			request, LK_ALREADY_EXISTS, "tenant \"%s\" has a role \"%s\" already", place->tenant->id, id);
	}
	if (lk_find_count_roles(request->txn, place->tenant->number) >= LK_TENANT_ROLES_MAX) {
		return lk_request_fail(request, LK_FAILED_PRECONDITION,
			"tenant \"%s\" has %d roles, the most that a tenant may have: delete one that no key has",
			place->tenant->id, LK_TENANT_ROLES_MAX);
	}
	return lk_request_check(request);
}

enum lk_err lk_role_create_build(struct lk_request *request, const Latchkey__V1__CreateRoleRequest *message,
	Latchkey__Store__Change *change, Latchkey__V1__Role *response)
{
	struct place place = {0};

	enum lk_err err = find_place(request, message->tenant, "role", message->role, &place);
	if (err != LK_OK) {
		return err;
	}
	if (place.tenant != NULL && strcmp(place.tenant->id, LK_TENANT_SYSTEM) == 0) {
		lk_fault_add(&request->faults, "tenant",
			"\"" LK_TENANT_SYSTEM "\" has root keys alone, whose grants say what they may do: choose "
			"another tenant");
	}
	Latchkey__Store__RoleRecord *record = draft(request, message);
	err = record == NULL ? LK_NO_MEMORY : lk_request_check(request);
	if (err != LK_OK) {
		return err;
	}
	if (place.tenant == NULL) {
		return lk_access_no_tenant(request, message->tenant);
	}
	err = check_free(request, &place, record->id);
	if (err != LK_OK) {
		return err;
	}
	record->tenant = place.tenant->number;
	if (!message->validate_only) {
		lk_build_expect_tenant(request, change, place.tenant->id, place.tenant->revision);
		lk_change_expect_role(request->arena, change, place.tenant->number, record->id, 0);
		lk_change_expect_role_room(request->arena, change, place.tenant->number);
		lk_change_put_role(request->arena, change, record);
	}
	lk_view_role(request, record, place.tenant->id, 0, response);
	return lk_request_check(request);
}

/* How many keys have it, the build has seen. */
static void reply(struct lk_request *request, const Latchkey__Store__Change *change, Latchkey__V1__Role *response)
{
	if (change->n_mutations > 0) {
		lk_view_role(request, change->mutations[0]->put_role, response->tenant, response->key_count, response);
	}
}

void lk_role_create_reply(struct lk_request *request, const Latchkey__V1__CreateRoleRequest *message,
	const Latchkey__Store__Change *change, Latchkey__V1__Role *response)
{
	(void)message;
	reply(request, change, response);
}

/* What an Update may change. */
enum {
	DESCRIPTION,
	PERMISSIONS,
};
static const char *const paths[] = {
	[DESCRIPTION] = "description",
	[PERMISSIONS] = "permissions",
};

static bool same_permissions(const Latchkey__Store__RoleRecord *record, const Latchkey__V1__Role *given)
{
	bool same = record->n_permissions == given->n_permissions;

	for (size_t i = 0; same && i < given->n_permissions; i++) {
		same = strcmp(record->permissions[i], given->permissions[i]) == 0;
	}
	return same;
}

/* Checks what is named, and puts it in its place in the record, where there is one. Returns whether that changes it. */
static bool change_record(struct lk_request *request, Latchkey__Store__RoleRecord *record,
	const Latchkey__V1__Role *given, struct lk_mask mask)
{
	bool changes = false;

	if (lk_mask_names(mask, DESCRIPTION)) {
		const char *description = lk_text_check(
			&request->faults, "role.description", given->description, DESCRIPTION_MAX, false);
		if (record != NULL && strcmp(record->description, description) != 0) {
			record->description = (char *)(uintptr_t)description;
			changes = true;
		}
	}
	if (lk_mask_names(mask, PERMISSIONS)) {
		lk_permission_check_list(
			&request->faults, "role.permissions", given->permissions, given->n_permissions);
		if (record != NULL && !same_permissions(record, given)) {
			record->permissions = given->permissions;
			record->n_permissions = given->n_permissions;
			changes = true;
		}
	}
	return changes;
}

enum lk_err lk_role_update_build(struct lk_request *request, const Latchkey__V1__UpdateRoleRequest *message,
	Latchkey__Store__Change *change, Latchkey__V1__Role *response)
{
	const Latchkey__V1__Role *given = message->role;
	struct place place = {0};

	if (given == NULL) {
		lk_fault_add(&request->faults, "role", "is needed: give its id, and the new values");
		return lk_request_check(request);
	}
	enum lk_err err = find_place(request, message->tenant, "role.id", given->id, &place);
	if (err != LK_OK) {
		return err;
	}
	struct lk_mask mask = lk_mask_check(
		&request->faults, message->update_mask, paths, sizeof paths / sizeof paths[0]);
	bool changes = change_record(request, place.role, given, mask);
	err = check_found(request, &place, message->tenant, given->id);
	if (err == LK_OK) {
		err = lk_access_etag(request, message->etag, place.role->revision);
	}
	if (err != LK_OK) {
		return err;
	}
	if (changes) {
		/* What ends all that a role grants waits for nobody, and finds room on a full disk. */
		request->urgent = lk_mask_names(mask, PERMISSIONS) && place.role->n_permissions == 0;
		lk_build_expect_tenant(request, change, place.tenant->id, place.tenant->revision);
		lk_change_expect_role(
			request->arena, change, place.tenant->number, place.role->id, place.role->revision);
		place.role->update_us = request->now_us;
		lk_change_put_role(request->arena, change, place.role);
	}
	lk_view_role(
		request, place.role, place.tenant->id, lk_find_role_use(request->txn, place.role->number), response);
	return lk_request_check(request);
}

void lk_role_update_reply(struct lk_request *request, const Latchkey__V1__UpdateRoleRequest *message,
	const Latchkey__Store__Change *change, Latchkey__V1__Role *response)
{
	(void)message;
	reply(request, change, response);
}

enum lk_err lk_role_delete_build(struct lk_request *request, const Latchkey__V1__DeleteRoleRequest *message,
	Latchkey__Store__Change *change, Latchkey__V1__DeleteRoleResponse *response)
{
	struct place place = {0};

	(void)response;
	request->urgent = true;
	enum lk_err err = find_place(request, message->tenant, "role", message->role, &place);
	if (err == LK_OK) {
		err = check_found(request, &place, message->tenant, message->role);
	}
	if (err != LK_OK) {
		return err;
	}
	uint64_t use = lk_find_role_use(request->txn, place.role->number);
	if (use > 0) {
		return lk_request_fail(request, LK_FAILED_PRECONDITION,
			"%" PRIu64 " %s role \"%s\", revoked ones counted: \"key list --role %s\" (KeyFilter.role) "
			"finds them; to end at once what it grants, update it to no permissions",
			use, use == 1 ? "key has" : "keys have", place.role->id, place.role->id);
	}
	lk_build_expect_tenant(request, change, place.tenant->id, place.tenant->revision);
	lk_change_expect_role_unused(request->arena, change, place.role->number);
	lk_change_delete_role(request->arena, change, place.role->number);
	return lk_request_check(request);
}
