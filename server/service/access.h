/*
 * Access: which tenant, keyspace and key a request names, and whether the caller is granted them.
 *
 * A tenant that the caller is not granted is PERMISSION_DENIED before any lookup; a key that is not in a granted tenant and
 * keyspace, or is another's where the caller is granted its own alone, is NOT_FOUND, like one that does not exist. What is
 * malformed is a fault of its field, gathered with all others.
 */
#ifndef LK_SERVER_SERVICE_ACCESS_H
#define LK_SERVER_SERVICE_ACCESS_H

#include "server/service/request.h"

/*
 * The id of the tenant that `given` names: the one that the caller is granted where it is empty or "active". On LK_OK,
 * `*ret_tenant` is NULL where a fault of field "tenant" was added. LK_PERMISSION_DENIED.
 */
LK_MUST_CHECK enum lk_err lk_access_tenant_id(struct lk_request *request, const char *given, const char **ret_tenant);

/* As above, and the tenant's record: NULL where there was a fault, or where there is no such tenant. */
LK_MUST_CHECK enum lk_err lk_access_tenant(
	struct lk_request *request, const char *given, Latchkey__Store__TenantRecord **ret_tenant);

/* LK_NOT_FOUND, naming the tenant that `given` names; or the faults so far, or what sticks to the transaction. */
enum lk_err lk_access_no_tenant(struct lk_request *request, const char *given);

/*
 * Whether the caller may change what all keyspaces of a tenant share: the tenant itself, its roles, the limits of its owners.
 * Only one that is granted every keyspace may, for the others' would change with it; to read them the tenant is enough.
 * `what`: "roles", "limits of owners". LK_PERMISSION_DENIED.
 */
LK_MUST_CHECK enum lk_err lk_access_whole_tenant(struct lk_request *request, const char *what);

/* Checks the id of a keyspace, and that the caller is granted it. A malformed one is a fault of `field`. */
LK_MUST_CHECK enum lk_err lk_access_keyspace_id(struct lk_request *request, const char *field, const char *keyspace);

/*
 * The keyspace of this id in the tenant that `given` names, and both are there. Every fault so far is reported first.
 * LK_INVALID_ARGUMENT, LK_PERMISSION_DENIED, LK_NOT_FOUND.
 */
LK_MUST_CHECK enum lk_err lk_access_keyspace(struct lk_request *request, const char *given, const char *keyspace,
	Latchkey__Store__TenantRecord **ret_tenant, Latchkey__Store__KeyspaceRecord **ret_keyspace);

/* A key, and where it belongs. */
struct lk_located_key {
	Latchkey__Store__KeyRecord *key;
	Latchkey__Store__KeyspaceRecord *keyspace;
	Latchkey__Store__TenantRecord *tenant;
};

/*
 * Looks for the key that `key`, an id or a number, names in the tenant that `given` names. What is malformed is a fault of
 * `field`. On LK_OK, what is not there stays NULL: the request's other faults come before that, and then lk_request_not_found().
 * LK_PERMISSION_DENIED.
 */
LK_MUST_CHECK enum lk_err lk_access_locate_key(struct lk_request *request, const char *given, const char *field,
	const char *key, struct lk_located_key *ret_located);

/*
 * As above, of field "key", and the key is there. Every fault so far is reported first.
 * LK_INVALID_ARGUMENT, LK_PERMISSION_DENIED, LK_NOT_FOUND.
 */
LK_MUST_CHECK enum lk_err lk_access_key(
	struct lk_request *request, const char *given, const char *key, struct lk_located_key *ret_located);

/*
 * Whether `etag`, which a client gave, is that of the record's revision; an empty one is that of any. LK_ABORTED. On the writer's
 * transaction too: a client that gave one wants no other state changed.
 */
LK_MUST_CHECK enum lk_err lk_access_etag(struct lk_request *request, const char *etag, uint64_t revision);

/* LK_FAILED_PRECONDITION: what ("tenant") of this id has `live` keys, and is not deleted without force. */
enum lk_err lk_access_still_live(struct lk_request *request, const char *what, const char *id, uint64_t live);

#endif
