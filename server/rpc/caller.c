#include "server/rpc/caller.h"

#include <string.h>
#include <time.h>
#include <unistd.h>

#include "latchkey/v1/key.pb-c.h"
#include "server/core/grant.h"
#include "server/core/policy.h"
#include "server/core/secret.h"
#include "server/core/time.h"
#include "server/core/verdict.h"
#include "server/service/rights.h"
#include "server/store/find.h"
#include "server/store/slots.h"
#include "server/store/verdict_record.h"

static char all[] = "*";
static char system_tenant[] = LK_TENANT_SYSTEM;
static char *all_methods[] = {all};
static char *all_tenants[] = {all, system_tenant};
static char *all_keyspaces[] = {all};

/* What an operator may do: everything. */
static const Latchkey__Store__GrantRecord operator_grant = {
	.base = PROTOBUF_C_MESSAGE_INIT(&latchkey__store__grant_record__descriptor),
	.n_methods = 1,
	.methods = all_methods,
	.n_tenants = 2,
	.tenants = all_tenants,
	.n_keyspaces = 1,
	.keyspaces = all_keyspaces,
};

/* What nobody may do. */
static const Latchkey__Store__GrantRecord empty_grant = LATCHKEY__STORE__GRANT_RECORD__INIT;

static enum lk_err refuse(struct lk_request *request)
{
	return lk_request_fail(request, LK_UNAUTHENTICATED, "the credential is not a root key that is good now");
}

/* The root key that `credential` is, good at this moment. */
static bool find_root_key(struct lk_request *request, struct lk_span credential, struct lk_verdict *ret_verdict,
	uint8_t ret_digest[static LK_DIGEST_LEN])
{
	const char *token = (const char *)credential.data;
	struct lk_gate gate;

	if (!lk_verdict_can_look_up(token, credential.len)) {
		return false;
	}
	lk_token_digest(lk_store_keyring(request->store), token, credential.len, ret_digest);
	if (!lk_verdict_find(request->txn, ret_digest, ret_verdict) ||
		!lk_gate_get(request->txn, ret_verdict->head.keyspace, &gate) ||
		strcmp(gate.tenant_id, LK_TENANT_SYSTEM) != 0 || gate.closed != 0) {
		return false;
	}
	struct lk_verdict_facts facts = lk_verdict_facts_of(ret_verdict);
	facts.keyspace_fits = facts.ip_fits = facts.permitted = true;
	return lk_verdict_decide(&facts, request->now_us) == LATCHKEY__V1__VERIFY_CODE__VERIFY_CODE_VALID;
}

/* `kind` and `id` in one text, in the arena; no printf, for every request comes through here. NULL where that is exhausted. */
static const char *name_of(struct lk_arena *arena, const char *kind, const char *id)
{
	size_t kind_len = strlen(kind);
	size_t id_len = strlen(id);
	char *name = lk_arena_alloc(arena, kind_len + id_len + 1);

	if (name != NULL) {
		memcpy(name, kind, kind_len);
		memcpy(name + kind_len, id, id_len + 1);
	}
	return name;
}

/* "uid:1000", as above. */
static const char *name_of_uid(struct lk_arena *arena, uid_t uid)
{
	char digits[24];
	char *at = digits + sizeof digits - 1;
	unsigned long rest = uid;

	*at = '\0';
	do {
		*--at = (char)('0' + rest % 10);
		rest /= 10;
	} while (rest > 0);
	return name_of(arena, "uid:", at);
}

static enum lk_err identify_root_key(struct lk_request *request, struct lk_span credential)
{
	uint8_t digest[LK_DIGEST_LEN];
	struct lk_verdict verdict;

	if (!find_root_key(request, credential, &verdict, digest)) {
		return lk_txn_err(request->txn) == LK_OK ? refuse(request) : lk_request_check(request);
	}
	size_t identity_len = 0;
	const uint8_t *packed = lk_verdict_identity(&verdict, &identity_len);
	Latchkey__V1__KeyIdentity *identity = latchkey__v1__key_identity__unpack(
		&request->arena->allocator, identity_len, packed);
	Latchkey__Store__GrantRecord *grant = latchkey__store__grant_record__unpack(
		&request->arena->allocator, verdict.head.grant_len, verdict.grant);
	const char *name = identity == NULL ? NULL : name_of(request->arena, "key:", identity->id);
	if (grant == NULL || name == NULL) {
		return lk_request_fail(request, request->arena->exhausted ? LK_NO_MEMORY : LK_CORRUPT,
			"the root key's record cannot be read");
	}
	request->caller = (struct lk_caller){
		.kind = LATCHKEY__V1__CALLER_KIND__CALLER_KIND_ROOT_KEY,
		.name = name,
		.subject = identity->owner,
		.expire_us = verdict.head.expire_us,
		.slot = verdict.head.slot,
		.grant = grant,
	};
	memcpy(request->caller.digest, digest, sizeof digest);
	lk_slots_use(lk_store_slots(request->store), verdict.head.slot, request->now_us);
	return LK_OK;
}

/* Whether a credential is meant as a JWT: it has dots, and no root key has any. */
static bool is_jws(struct lk_span credential)
{
	const size_t prefix_len = strlen(LK_ROOT_KEY_PREFIX);

	return (credential.len < prefix_len || memcmp(credential.data, LK_ROOT_KEY_PREFIX, prefix_len) != 0) &&
	       memchr(credential.data, '.', credential.len) != NULL;
}

static enum lk_err identify_jwt(struct lk_request *request, struct lk_span credential, struct lk_issuers *issuers)
{
	struct lk_identity identity = {0};
	const char *message = "";
	enum lk_err err = lk_issuers_identify(issuers, request->arena, (const char *)credential.data, credential.len,
		request->now_us, &identity, &message);

	if (err != LK_OK) {
		return err == LK_NO_MEMORY ? err : lk_request_fail(request, err, "%s", message);
	}
	request->caller = (struct lk_caller){
		.kind = LATCHKEY__V1__CALLER_KIND__CALLER_KIND_JWT,
		.name = identity.name,
		.subject = identity.subject,
		.expire_us = identity.expire_us,
		.grant = identity.grant,
	};
	return LK_OK;
}

enum lk_err lk_caller_identify(
	struct lk_request *request, const struct lk_peer *peer, struct lk_span credential, struct lk_issuers *issuers)
{
	request->caller = (struct lk_caller){.name = "", .subject = "", .grant = &empty_grant};
	if (credential.len > 0) {
		return issuers != NULL && is_jws(credential) ? identify_jwt(request, credential, issuers)
							     : identify_root_key(request, credential);
	}
	if (!peer->uid_known || (peer->uid != 0 && peer->uid != geteuid())) {
		return LK_OK;
	}
	const char *name = name_of_uid(request->arena, peer->uid);
	if (name == NULL) {
		return LK_NO_MEMORY;
	}
	request->caller = (struct lk_caller){
		.kind = LATCHKEY__V1__CALLER_KIND__CALLER_KIND_OPERATOR,
		.name = name,
		.subject = "",
		.grant = &operator_grant,
	};
	return LK_OK;
}

enum lk_err lk_caller_allow(struct lk_request *request, const struct lk_method *method)
{
	const struct lk_caller *caller = &request->caller;

	if (lk_right_is_public(method)) {
		return LK_OK;
	}
	if (caller->kind == LATCHKEY__V1__CALLER_KIND__CALLER_KIND_UNSPECIFIED) {
		return lk_request_fail(request, LK_UNAUTHENTICATED,
			"who are you? send a root key, or a token of an issuer that is configured, as the credential; "
			"only root and the daemon's own user need none, over ipc");
	}
	if (!lk_right_is_granted(caller->grant, method)) {
		return lk_request_fail(
			request, LK_PERMISSION_DENIED, "%s is not granted %s", caller->name, method->access);
	}
	if (lk_right_is_withheld(caller->grant, method)) {
		return lk_request_fail(request, LK_PERMISSION_DENIED,
			"%s is granted its own keys alone (own_only), and %s is about more than those", caller->name,
			method->access);
	}
	return LK_OK;
}

/* Whether the secret that the caller gave is one of the key still. */
static bool is_good_secret(const struct lk_request *request, const Latchkey__Store__KeyRecord *key)
{
	const uint8_t *given = request->caller.digest;

	if (memcmp(given, key->digest.data, LK_DIGEST_LEN) == 0) {
		return true;
	}
	return key->previous_digest.len == LK_DIGEST_LEN && request->now_us < key->previous_until_us &&
	       memcmp(given, key->previous_digest.data, LK_DIGEST_LEN) == 0;
}

static enum lk_err refuse_ended(struct lk_request *request, const char *how)
{
	return lk_request_fail(
		request, LK_UNAUTHENTICATED, "the credential %s while the call waited for its turn", how);
}

/* By the clock, and not by the request's own instant, which is when it came. */
static bool has_ended(int64_t expire_us)
{
	struct timespec now = {0};

	(void)clock_gettime(CLOCK_REALTIME, &now);
	return expire_us != 0 && (int64_t)now.tv_sec * LK_US_PER_SECOND + now.tv_nsec / 1000 >= expire_us;
}

/* A JWT that was past its time by less than its issuer's clock may be off is so for this call to the end. */
static bool ended_meanwhile(const struct lk_request *request)
{
	return request->now_us < request->caller.expire_us && has_ended(request->caller.expire_us);
}

enum lk_err lk_caller_check_again(struct lk_request *request, uint64_t *ret_revision)
{
	if (ended_meanwhile(request)) {
		return refuse_ended(request, "expired");
	}
	if (request->caller.slot == 0) {
		return LK_OK;
	}
	const Latchkey__Store__KeyRecord *key = lk_find_key_by_slot(request->txn, request->arena, request->caller.slot);
	enum lk_err err = lk_request_check(request);
	if (err != LK_OK) {
		return err;
	}
	if (key == NULL || key->state != LATCHKEY__STORE__STORED_STATE__STORED_STATE_ACTIVE ||
		!is_good_secret(request, key)) {
		return refuse_ended(request, "was revoked");
	}
	if (has_ended(key->expire_us)) {
		return refuse_ended(request, "expired");
	}
	/* The access was checked against what it might do then: a retry is checked against what it may do now. */
	if (key->grant == NULL || !lk_grant_within(request->caller.grant, key->grant)) {
		return lk_request_fail(request, LK_UNAVAILABLE,
			"the grant of the credential was changed while the call waited for its turn: try again");
	}
	if (strcmp(request->caller.subject, key->owner) != 0) {
		return lk_request_fail(request, LK_UNAVAILABLE,
			"the owner of the credential was changed while the call waited for its turn: try again");
	}
	*ret_revision = key->revision;
	return LK_OK;
}
