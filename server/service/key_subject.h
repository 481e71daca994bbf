/*
 * The key that a call changes, and what all such calls owe: that the caller may change it, that its state allows it, and that
 * the change depends on what was read.
 */
#ifndef LK_SERVER_SERVICE_KEY_SUBJECT_H
#define LK_SERVER_SERVICE_KEY_SUBJECT_H

#include "latchkey/store/change.pb-c.h"
#include "latchkey/v1/key.pb-c.h"
#include "server/service/access.h"

#define LK_REASON_MAX 256

/*
 * LK_OK where the key is no root key, or the caller may itself do all that the root key may. LK_PERMISSION_DENIED: nobody
 * changes or ends a credential that is stronger than his own.
 */
LK_MUST_CHECK enum lk_err lk_key_check_grant(struct lk_request *request, const Latchkey__Store__KeyRecord *key);

/*
 * Adds faults of what a root key's record says of its rights, under fields that begin with `prefix`: rights that no method
 * needs, where `methods` is set, and own_only without an owner, which would grant nothing.
 */
void lk_key_check_rights(
	struct lk_request *request, const char *prefix, const Latchkey__Store__KeyRecord *record, bool methods);

/*
 * LK_OK where the key is good in its own keyspace alone, or the caller is granted every keyspace. LK_PERMISSION_DENIED: nobody
 * makes, changes, activates or holds the secret of a key that is good where he may do nothing. To suspend, revoke or delete
 * it, its own keyspace is enough.
 */
LK_MUST_CHECK enum lk_err lk_key_check_scope(struct lk_request *request, const Latchkey__Store__KeyRecord *key);

/* Finds the key, as lk_access_key(), and checks its grant as above. */
LK_MUST_CHECK enum lk_err lk_key_find_subject(
	struct lk_request *request, const char *tenant, const char *key, struct lk_located_key *ret_subject);

/* What `action` does to the key now: whether it changes it. LK_FAILED_PRECONDITION where it cannot be. */
LK_MUST_CHECK enum lk_err lk_key_transition(struct lk_request *request, const Latchkey__Store__KeyRecord *key,
	Latchkey__V1__KeyAction action, bool *ret_changes);

/* Expects the subject and its keyspace as they were read, and sets the subject's time of update. */
void lk_key_touch_subject(
	struct lk_request *request, const struct lk_located_key *subject, Latchkey__Store__Change *change);
/* As above, and puts the subject, changed as it now is. */
void lk_key_put_subject(
	struct lk_request *request, const struct lk_located_key *subject, Latchkey__Store__Change *change);

/* The subject as the API shows it. */
void lk_key_show_subject(struct lk_request *request, const struct lk_located_key *subject, Latchkey__V1__Key *ret_view);

/* Completes a view that lk_key_show_subject() made, from the change as it was applied. */
void lk_key_show_change(struct lk_request *request, const Latchkey__Store__Change *change, Latchkey__V1__Key *view);

/* LK_ALREADY_EXISTS, with a fault of `field`, which is the name. */
enum lk_err lk_key_name_taken(struct lk_request *request, const char *field, const char *name, const char *keyspace);

/*
 * Mints a token by the policy of the keyspace, of a record whose other fields stand: the digest and the first characters into the
 * record, the token, in the request's arena, to `ret_token`. LK_NO_MEMORY; of a JWT also what lk_signing_key_mint() returns.
 */
LK_MUST_CHECK enum lk_err lk_key_mint(struct lk_request *request, const Latchkey__Store__KeyspaceRecord *keyspace,
	Latchkey__Store__KeyRecord *record, char **ret_token);

#endif
