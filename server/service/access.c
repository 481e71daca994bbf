#include "server/service/access.h"

#include <inttypes.h>
#include <string.h>

#include "server/core/grant.h"
#include "server/core/id.h"
#include "server/core/text.h"
#include "server/service/own.h"
#include "server/service/view.h"
#include "server/store/find.h"

/* Whether it names no tenant itself, but the one that the caller is granted. */
static bool is_default(const char *given)
{
	return given[0] == '\0' || strcmp(given, LK_TENANT_ACTIVE) == 0;
}

enum lk_err lk_access_tenant_id(struct lk_request *request, const char *given, const char **ret_tenant)
{
	const char *tenant = given;

	*ret_tenant = NULL;
	if (is_default(given)) {
		tenant = lk_grant_single_tenant(request->caller.grant);
		if (tenant == NULL) {
			lk_fault_add(&request->faults, "tenant",
				"must be named: you are not granted exactly one tenant, which it could default to");
			return LK_OK;
		}
	} else if (!lk_text_is_id(given)) {
		lk_text_check_id(&request->faults, "tenant", given);
		return LK_OK;
	}
	if (!lk_grant_allows_tenant(request->caller.grant, tenant)) {
		return lk_request_fail(request, LK_PERMISSION_DENIED, "you are not granted tenant \"%s\"", tenant);
	}
	*ret_tenant = tenant;
	return LK_OK;
}

enum lk_err lk_access_tenant(struct lk_request *request, const char *given, Latchkey__Store__TenantRecord **ret_tenant)
{
	const char *id = NULL;
	enum lk_err err = lk_access_tenant_id(request, given, &id);

	*ret_tenant = NULL;
	if (err == LK_OK && id != NULL) {
		*ret_tenant = lk_find_tenant(request->txn, request->arena, id);
	}
	return err;
}

enum lk_err lk_access_no_tenant(struct lk_request *request, const char *given)
{
	const char *single = is_default(given) ? lk_grant_single_tenant(request->caller.grant) : NULL;

	return lk_request_not_found(request, "tenant", single != NULL ? single : given);
}

enum lk_err lk_access_whole_tenant(struct lk_request *request, const char *what)
{
	if (lk_grant_allows_keyspace(request->caller.grant, LK_GRANT_ANY)) {
		return LK_OK;
	}
	return lk_request_fail(request, LK_PERMISSION_DENIED,
		"%s are shared by keys of every keyspace, and you are not granted all: your grant needs keyspace "
		"\"" LK_GRANT_ANY "\"",
		what);
}

enum lk_err lk_access_keyspace_id(struct lk_request *request, const char *field, const char *keyspace)
{
	if (!lk_text_is_id(keyspace)) {
		lk_text_check_id(&request->faults, field, keyspace);
		return LK_OK;
	}
	if (!lk_grant_allows_keyspace(request->caller.grant, keyspace)) {
		return lk_request_fail(request, LK_PERMISSION_DENIED, "you are not granted keyspace \"%s\"", keyspace);
	}
	return LK_OK;
}

enum lk_err lk_access_keyspace(struct lk_request *request, const char *given, const char *keyspace,
	Latchkey__Store__TenantRecord **ret_tenant, Latchkey__Store__KeyspaceRecord **ret_keyspace)
{
	Latchkey__Store__TenantRecord *tenant = NULL;
	Latchkey__Store__KeyspaceRecord *record = NULL;

	enum lk_err err = lk_access_tenant(request, given, &tenant);
	if (err == LK_OK) {
		err = lk_access_keyspace_id(request, "keyspace", keyspace);
	}
	if (err == LK_OK) {
		err = lk_request_check(request);
	}
	if (err != LK_OK) {
		return err;
	}
	if (tenant != NULL) {
		record = lk_find_keyspace(request->txn, request->arena, tenant->number, keyspace);
	}
	if (record == NULL) {
		return lk_request_not_found(request, "keyspace", keyspace);
	}
	*ret_tenant = tenant;
	*ret_keyspace = record;
	return LK_OK;
}

/* The keyspace of a key, where the caller is granted it and it is not closed. */
static Latchkey__Store__KeyspaceRecord *keyspace_of(struct lk_request *request, const Latchkey__Store__KeyRecord *key)
{
	Latchkey__Store__KeyspaceRecord *keyspace = lk_find_keyspace_by_number(
		request->txn, request->arena, key->keyspace);

	if (keyspace == NULL || keyspace->closed || !lk_grant_allows_keyspace(request->caller.grant, keyspace->id)) {
		return NULL;
	}
	return keyspace;
}

enum lk_err lk_access_locate_key(struct lk_request *request, const char *given, const char *field, const char *key,
	struct lk_located_key *ret_located)
{
	struct lk_located_key located = {0};
	uint64_t number = 0;

	enum lk_err err = lk_access_tenant(request, given, &located.tenant);
	if (err != LK_OK) {
		return err;
	}
	if (!lk_key_id_is(key) && !lk_key_number_parse(key, &number)) {
		/* Not with the value: it may be a token, in the wrong place. */
		lk_fault_add(&request->faults, field,
			"names no key: give its id, \"key_\" and 26 characters, or its number");
	} else if (located.tenant != NULL) {
		located.key = lk_find_key(request->txn, request->arena, located.tenant->number, key);
	}
	if (located.key != NULL) {
		located.keyspace = keyspace_of(request, located.key);
		located.key = located.keyspace == NULL || !lk_own_sees(request, located.key->owner) ? NULL
												    : located.key;
	}
	*ret_located = located;
	return LK_OK;
}

enum lk_err lk_access_key(
	struct lk_request *request, const char *given, const char *key, struct lk_located_key *ret_located)
{
	struct lk_located_key located = {0};

	enum lk_err err = lk_access_locate_key(request, given, "key", key, &located);
	if (err == LK_OK) {
		err = lk_request_check(request);
	}
	if (err == LK_OK && located.key == NULL) {
		err = lk_request_not_found(request, "key", key);
	}
	if (err == LK_OK) {
		*ret_located = located;
	}
	return err;
}

enum lk_err lk_access_etag(struct lk_request *request, const char *etag, uint64_t revision)
{
	if (etag[0] == '\0') {
		return LK_OK;
	}
	const char *current = lk_view_etag(request->arena, revision);
	if (strcmp(etag, current) != 0) {
		return lk_request_fail(request, LK_ABORTED,
			"etag: it was changed since it had this etag, and now has \"%s\": read it again, and decide "
			"anew",
			current);
	}
	return LK_OK;
}

enum lk_err lk_access_still_live(struct lk_request *request, const char *what, const char *id, uint64_t live)
{
	return lk_request_fail(request, LK_FAILED_PRECONDITION,
		"%s \"%s\" has %" PRIu64 " %s not revoked: revoke %s first, or give force to end %s with it", what, id,
		live, live == 1 ? "key that is" : "keys that are", live == 1 ? "it" : "them",
		live == 1 ? "it" : "all of them");
}
