#include "tools/latchkey/canary.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <latchkey/v1/health.client.h>
#include <latchkey/v1/key.client.h>
#include <latchkey/v1/keyspace.client.h>
#include <latchkey/v1/tenant.client.h>

#include "latchkey/v1/descriptors.h"
#include "tools/latchkey/progress.h"
#include "tools/latchkey/session.h"
#include "tools/latchkey/stop.h"

/* Of a tenant of our own. */
#define OWN_KEYSPACE "canaries"
#define OWN_PREFIX   "selftest_"
#define REASON       "latchkey selftest"
/* A canary that could not be removed ends by itself, in a keyspace of shorter lives sooner. */
#define TTL_SECONDS 3600
#define TTL_DIVISOR 6
#define TTL_LEAST_S 10

/* Texts of requests are not const in protobuf-c's types; nothing writes to them. */
#define TEXT(text) ((char *)(uintptr_t)(text))

int64_t lk_canary_now_ns(void)
{
	struct timespec now = {0};

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

enum lk_err lk_canaries_init(struct lk_canaries *canaries, struct lk_channel *channel, uint32_t timeout_ms, size_t n,
	const char *tenant, const char *keyspace)
{
	*canaries = (struct lk_canaries){
		.channel = channel, .timeout_ms = timeout_ms, .is_own = !tenant, .ttl_s = TTL_SECONDS};
	snprintf(canaries->name, sizeof(canaries->name), "selftest-%08x", (unsigned)randombytes_random());
	canaries->tenant = tenant ? tenant : canaries->name;
	canaries->keyspace = keyspace ? keyspace : OWN_KEYSPACE;
	canaries->keys = calloc(n, sizeof(*canaries->keys));
	canaries->n = n;
	if (!canaries->keys) {
		return LK_NO_MEMORY;
	}
	return lk_schema_open(latchkey_v1_descriptor_set, latchkey_v1_descriptor_set_len, &canaries->schema);
}

/* Makes a call whose answer is of no interest unless it is asked for, to be freed. */
static enum lk_exit call(struct lk_canaries *canaries, const struct lk_method *method, const ProtobufCMessage *request,
	ProtobufCMessage **ret_response)
{
	struct lk_call call = {.timeout_ms = canaries->timeout_ms};
	ProtobufCMessage *response = NULL;
	enum lk_err err = lk_channel_call(canaries->channel, method, request, &response, &call);
	enum lk_exit code = LK_EXIT_OK;

	if (err != LK_OK) {
		code = lk_session_refused(lk_schema_method(canaries->schema, method->name), err, &call);
	} else if (ret_response) {
		*ret_response = response;
	} else {
		protobuf_c_message_free_unpacked(response, NULL);
	}
	lk_call_done(&call);
	return code;
}

static enum lk_exit make_own_place(struct lk_canaries *canaries)
{
	Latchkey__V1__CreateTenantRequest tenant = LATCHKEY__V1__CREATE_TENANT_REQUEST__INIT;
	Latchkey__V1__CreateKeyspaceRequest keyspace = LATCHKEY__V1__CREATE_KEYSPACE_REQUEST__INIT;
	Latchkey__V1__KeyPolicy policy = LATCHKEY__V1__KEY_POLICY__INIT;
	enum lk_exit code;

	tenant.tenant = TEXT(canaries->tenant);
	policy.token_prefix = TEXT(OWN_PREFIX);
	keyspace.tenant = TEXT(canaries->tenant);
	keyspace.keyspace = TEXT(canaries->keyspace);
	keyspace.policy = &policy;
	code = call(canaries, &latchkey_v1_tenant_create_method, &tenant.base, NULL);
	/* One that was not answered may be there. */
	canaries->is_own_made = code != LK_EXIT_REFUSED;
	if (code == LK_EXIT_OK) {
		code = call(canaries, &latchkey_v1_keyspace_create_method, &keyspace.base, NULL);
	}
	return code;
}

/* Whether something can be done about why a key was refused: a keyspace's policy asks for less life, or for an owner. */
static bool learn(struct lk_canaries *canaries, const struct lk_call *call)
{
	bool learnt = false;

	for (size_t i = 0; i < call->n_violations; i++) {
		const char *field = call->violations[i].field;

		if (strcmp(field, "owner") == 0 && !canaries->needs_owner) {
			canaries->needs_owner = learnt = true;
		} else if (strcmp(field, "ttl") == 0 && canaries->ttl_s / TTL_DIVISOR >= TTL_LEAST_S) {
			canaries->ttl_s /= TTL_DIVISOR;
			learnt = true;
		}
	}
	return learnt;
}

/* Creates a key of this name; what was refused for the keyspace's policy is tried as it asks. */
static enum lk_exit create(struct lk_canaries *canaries, const char *name, Latchkey__V1__CreateKeyResponse **ret)
{
	Latchkey__V1__CreateKeyRequest request = LATCHKEY__V1__CREATE_KEY_REQUEST__INIT;
	Google__Protobuf__Duration ttl = GOOGLE__PROTOBUF__DURATION__INIT;
	struct lk_call call = {.timeout_ms = canaries->timeout_ms};
	bool again;
	enum lk_exit code = LK_EXIT_OK;

	request.tenant = TEXT(canaries->tenant);
	request.keyspace = TEXT(canaries->keyspace);
	request.name = TEXT(name);
	request.expiry_case = LATCHKEY__V1__CREATE_KEY_REQUEST__EXPIRY_TTL;
	request.ttl = &ttl;
	do {
		lk_call_done(&call);
		call = (struct lk_call){.timeout_ms = canaries->timeout_ms};
		ttl.seconds = canaries->ttl_s;
		request.owner = canaries->needs_owner ? canaries->name : request.owner;
		enum lk_err err = latchkey_v1_key_create(canaries->channel, &request, ret, &call);
		again = err == LK_INVALID_ARGUMENT && learn(canaries, &call);
		code = err == LK_OK || again ? LK_EXIT_OK
					     : lk_session_refused(lk_schema_method(canaries->schema,
									  latchkey_v1_key_create_method.name),
						       err, &call);
	} while (again);
	lk_call_done(&call);
	return code;
}

static enum lk_exit make_one(struct lk_canaries *canaries, size_t index)
{
	struct lk_canary *canary = &canaries->keys[index];
	Latchkey__V1__CreateKeyResponse *response = NULL;
	char name[64];
	enum lk_exit code;

	snprintf(name, sizeof(name), "%s-%zu", canaries->name, index + 1);
	code = create(canaries, name, &response);
	if (code == LK_EXIT_UNREACHABLE && !canaries->is_own) {
		lk_say("key %s of keyspace %s, tenant %s, may have been made: it expires within the hour", name,
			canaries->keyspace, canaries->tenant);
	}
	if (code != LK_EXIT_OK) {
		return code;
	}
	canary->id = strdup(response->key ? response->key->id : "");
	canary->token = strdup(response->token);
	sodium_memzero(response->token, strlen(response->token));
	latchkey__v1__create_key_response__free_unpacked(response, NULL);
	return canary->id && canary->token ? LK_EXIT_OK : lk_say_no_memory();
}

/* Before anything is made, so that what is not there leaves nothing to be removed. */
static enum lk_exit find_daemon(struct lk_canaries *canaries)
{
	Latchkey__V1__CheckHealthRequest request = LATCHKEY__V1__CHECK_HEALTH_REQUEST__INIT;

	return call(canaries, &latchkey_v1_health_check_method, &request.base, NULL);
}

enum lk_exit lk_canaries_make(struct lk_canaries *canaries)
{
	struct lk_progress progress;
	enum lk_exit code = find_daemon(canaries);

	if (code == LK_EXIT_OK && canaries->is_own) {
		code = make_own_place(canaries);
	}
	lk_progress_start(&progress, canaries->n);
	progress.unit = "keys made";
	for (size_t i = 0; code == LK_EXIT_OK && i < canaries->n && !lk_stop_is_wanted(); i++) {
		lk_progress_tell(&progress, i, i);
		code = make_one(canaries, i);
	}
	lk_progress_hide(&progress);
	return code;
}

enum lk_exit lk_canaries_revoke(struct lk_canaries *canaries, size_t index, int64_t *ret_took_ns)
{
	Latchkey__V1__RevokeKeyRequest request = LATCHKEY__V1__REVOKE_KEY_REQUEST__INIT;
	struct lk_canary *canary = &canaries->keys[index];
	struct lk_call call = {.timeout_ms = canaries->timeout_ms};
	Latchkey__V1__Key *response = NULL;
	int64_t began_ns = lk_canary_now_ns(), acked_ns;
	enum lk_err err;

	request.tenant = TEXT(canaries->tenant);
	request.key = canary->id;
	request.reason = TEXT(REASON);
	atomic_store(&canary->is_sent, true);
	err = latchkey_v1_key_revoke(canaries->channel, &request, &response, &call);
	acked_ns = lk_canary_now_ns();
	if (err != LK_OK) {
		enum lk_exit code = lk_session_refused(
			lk_schema_method(canaries->schema, latchkey_v1_key_revoke_method.name), err, &call);

		lk_call_done(&call);
		return code;
	}
	atomic_store(&canary->acked_ns, acked_ns);
	*ret_took_ns = acked_ns - began_ns;
	latchkey__v1__key__free_unpacked(response, NULL);
	lk_call_done(&call);
	return LK_EXIT_OK;
}

static enum lk_exit remove_own_place(struct lk_canaries *canaries)
{
	Latchkey__V1__DeleteTenantRequest request = LATCHKEY__V1__DELETE_TENANT_REQUEST__INIT;
	enum lk_exit code;

	request.tenant = TEXT(canaries->tenant);
	request.force = true;
	code = call(canaries, &latchkey_v1_tenant_delete_method, &request.base, NULL);
	if (code != LK_EXIT_OK) {
		lk_say("tenant %s could not be removed: latchkey tenant delete --tenant %s --force", canaries->tenant,
			canaries->tenant);
	}
	return code;
}

static enum lk_exit remove_one(struct lk_canaries *canaries, const struct lk_canary *canary)
{
	Latchkey__V1__DeleteKeyRequest request = LATCHKEY__V1__DELETE_KEY_REQUEST__INIT;
	struct lk_call call = {.timeout_ms = canaries->timeout_ms};
	Latchkey__V1__DeleteKeyResponse *response = NULL;
	enum lk_exit code = LK_EXIT_OK;
	enum lk_err err;

	request.tenant = TEXT(canaries->tenant);
	request.key = canary->id;
	err = latchkey_v1_key_delete(canaries->channel, &request, &response, &call);
	if (err == LK_OK) {
		latchkey__v1__delete_key_response__free_unpacked(response, NULL);
	} else if (err != LK_NOT_FOUND) {
		/* One that is not there is what a keyspace has made of it whose keys are deleted when they are revoked. */
		code = lk_session_refused(
			lk_schema_method(canaries->schema, latchkey_v1_key_delete_method.name), err, &call);
	}
	lk_call_done(&call);
	return code;
}

enum lk_exit lk_canaries_remove(struct lk_canaries *canaries)
{
	struct lk_progress progress;
	enum lk_exit code = LK_EXIT_OK;
	size_t left = 0;

	if (canaries->is_own) {
		return canaries->is_own_made ? remove_own_place(canaries) : LK_EXIT_OK;
	}
	lk_progress_start(&progress, canaries->n);
	progress.unit = "keys removed";
	for (size_t i = 0; i < canaries->n; i++) {
		const struct lk_canary *canary = &canaries->keys[i];

		if (!canary->id) {
			continue;
		}
		lk_progress_tell(&progress, i, i);
		/* What went wrong with one goes wrong with the others: it is said once. */
		code = code == LK_EXIT_OK ? remove_one(canaries, canary) : code;
		left += code != LK_EXIT_OK;
	}
	lk_progress_hide(&progress);
	if (left > 0) {
		lk_say("%zu canaries could not be removed: keys %s-* of keyspace %s, tenant %s; they expire within the "
		       "hour",
			left, canaries->name, canaries->keyspace, canaries->tenant);
	}
	return code;
}

void lk_canaries_done(struct lk_canaries *canaries)
{
	for (size_t i = 0; canaries->keys && i < canaries->n; i++) {
		struct lk_canary *canary = &canaries->keys[i];

		if (canary->token) {
			sodium_memzero(canary->token, strlen(canary->token));
		}
		free(canary->token);
		free(canary->id);
	}
	free(canaries->keys);
	lk_schema_free(canaries->schema);
	*canaries = (struct lk_canaries){0};
}
