#include <sodium.h>
#include <string.h>

#include "server/core/grant.h"
#include "server/core/secret.h"
#include "server/core/time.h"
#include "server/core/verdict.h"
#include "server/service/access.h"
#include "server/service/key_handlers.h"
#include "server/store/find.h"
#include "server/store/slots.h"
#include "server/store/verdict_record.h"

/* The field of VerifyKeyResponse that holds the identity. */
#define IDENTITY_TAG 3

/* What Verify was asked, and what it found. */
struct question {
	const char *token;
	size_t token_len;
	/* NULL: any that the caller is granted. */
	const char *tenant;
	/* "": any. */
	const char *keyspace;
	struct lk_verdict verdict;
	struct lk_gate gate;
};

static enum lk_err understand(
	struct lk_request *request, const Latchkey__V1__VerifyKeyRequest *message, struct question *ret_question)
{
	enum lk_err err = LK_OK;

	ret_question->token = message->token;
	ret_question->token_len = strlen(message->token);
	ret_question->keyspace = message->keyspace;
	if (message->tenant[0] != '\0') {
		err = lk_access_tenant_id(request, message->tenant, &ret_question->tenant);
	}
	if (err == LK_OK && message->keyspace[0] != '\0') {
		err = lk_access_keyspace_id(request, "keyspace", message->keyspace);
	}
	return err != LK_OK ? err : lk_request_check(request);
}

/* Whether the key is one that the caller may ask about, within what was asked. */
static bool is_in_reach(const struct lk_request *request, const struct question *question)
{
	const Latchkey__Store__GrantRecord *grant = request->caller.grant;
	bool tenant_wide = (question->verdict.head.flags & LK_VERDICT_TENANT_SCOPE) != 0;

	if (question->tenant != NULL ? strcmp(question->tenant, question->gate.tenant_id) != 0
				     : !lk_grant_allows_tenant(grant, question->gate.tenant_id)) {
		return false;
	}
	/* A keyspace that was asked for is granted; a key of another keyspace can be good in it. */
	return (tenant_wide && question->keyspace[0] != '\0') ||
	       lk_grant_allows_keyspace(grant, question->gate.keyspace_id);
}

static bool keyspace_fits(struct lk_request *request, const struct question *question)
{
	if (question->keyspace[0] == '\0' || strcmp(question->keyspace, question->gate.keyspace_id) == 0) {
		return true;
	}
	return (question->verdict.head.flags & LK_VERDICT_TENANT_SCOPE) != 0 &&
	       lk_find_has_keyspace(request->txn, question->gate.tenant, question->keyspace);
}

/* A record of one kind is no answer to a digest of the other. */
static bool find(struct lk_request *request, const uint8_t *digest, bool is_sha256, struct question *question)
{
	return lk_verdict_find(request->txn, digest, &question->verdict) &&
	       ((question->verdict.head.flags & LK_VERDICT_SHA256) != 0) == is_sha256;
}

static void digest_by_sha256(struct lk_request *request, const struct question *question, uint8_t *ret_digest)
{
	uint8_t sha256[LK_SHA256_LEN];

	lk_token_sha256(question->token, question->token_len, sha256);
	lk_token_digest_sha256(lk_store_keyring(request->store), sha256, ret_digest);
	sodium_memzero(sha256, sizeof sha256);
}

/* Looks the token up; false where there is no key that the caller may ask about. */
static bool look_up(struct lk_request *request, struct question *question)
{
	uint8_t digest[LK_DIGEST_LEN];

	if (!lk_verdict_can_look_up(question->token, question->token_len)) {
		return false;
	}
	lk_token_digest(lk_store_keyring(request->store), question->token, question->token_len, digest);
	if (!find(request, digest, false, question)) {
		/* A second digest and a second descent, paid for only where a key was imported that needs them. */
		if (lk_txn_head(request->txn)->sha256_secrets == 0) {
			return false;
		}
		digest_by_sha256(request, question, digest);
		if (!find(request, digest, true, question)) {
			return false;
		}
	}
	return lk_gate_get(request->txn, question->verdict.head.keyspace, &question->gate) &&
	       question->gate.closed == 0 && is_in_reach(request, question);
}

/*
 * Puts the identity into the response as it is stored: packed. To protobuf-c it is a field that it does not know, whose bytes
 * it copies; they lie in the snapshot, which outlives the packing.
 */
static void put_identity(
	struct lk_request *request, const struct lk_verdict *verdict, Latchkey__V1__VerifyKeyResponse *response)
{
	ProtobufCMessageUnknownField *field = lk_arena_alloc(request->arena, sizeof *field);

	if (field != NULL) {
		field->tag = IDENTITY_TAG;
		field->wire_type = PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED;
		field->len = verdict->head.identity_len;
		field->data = (uint8_t *)(uintptr_t)verdict->identity;
		response->base.n_unknown_fields = 1;
		response->base.unknown_fields = field;
	}
}

static Latchkey__V1__VerifyCode code_of_unknown(struct lk_request *request, const struct question *question)
{
	const struct lk_head *head = lk_txn_head(request->txn);
	bool imports = head->foreign_secrets + head->sha256_secrets > 0;

	return lk_verdict_of_unknown(question->token, question->token_len, imports);
}

enum lk_err lk_key_verify(struct lk_request *request, const Latchkey__V1__VerifyKeyRequest *message,
	Latchkey__V1__VerifyKeyResponse *response)
{
	struct question question = {0};

	enum lk_err err = understand(request, message, &question);
	if (err != LK_OK) {
		return err;
	}
	if (!look_up(request, &question)) {
		response->code = code_of_unknown(request, &question);
		return lk_request_check(request);
	}
	struct lk_verdict_facts facts = lk_verdict_facts_of(&question.verdict);
	facts.keyspace_fits = keyspace_fits(request, &question);
	response->code = lk_verdict_decide(&facts, request->now_us);
	response->valid = response->code == LATCHKEY__V1__VERIFY_CODE__VERIFY_CODE_VALID;
	put_identity(request, &question.verdict, response);
	if (response->valid) {
		response->secret_expire_time = lk_time_to_timestamp(request->arena, lk_verdict_secret_end(&facts));
	}
	err = lk_request_check(request);
	if (err == LK_OK && response->valid) {
		lk_slots_use(lk_store_slots(request->store), question.verdict.head.slot, request->now_us);
	}
	return err;
}
