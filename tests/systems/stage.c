#include "tests/systems/stage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/lib/check.h"

#define TCP_URL "tcp://127.0.0.1:"

/* The log is written by a process of its own, perhaps later than the daemon is ready. */
static void find_tcp(struct stage *stage)
{
	char line[4096] = "";
	const char *at = NULL;

	while (at == NULL) {
		FILE *log = fopen(stage->daemon.log, "re");

		CHECK(log != NULL);
		while (at == NULL && fgets(line, sizeof line, log) != NULL) {
			at = strchr(line, '\n') == NULL ? NULL : strstr(line, TCP_URL);
		}
		(void)fclose(log);
	}
	size_t len = strlen(TCP_URL);
	len += strspn(at + len, "0123456789");
	CHECK(len < sizeof stage->tcp);
	memcpy(stage->tcp, at, len);
	stage->tcp[len] = '\0';
}

int stage_set_up(void **state)
{
	struct stage *stage = calloc(1, sizeof *stage);
	const char *const arguments[] = {"--listen", stage->daemon.url, "--listen", TCP_URL "0", NULL};

	*state = stage;
	daemon_start(&stage->daemon);
	daemon_stop(&stage->daemon);
	daemon_restart(&stage->daemon, arguments);
	find_tcp(stage);
	caller_open(&stage->operator, stage->daemon.url, NULL);
	return 0;
}

int stage_tear_down(void **state)
{
	struct stage *stage = *state;

	for (size_t i = 0; i < stage->n_callers; i++) {
		caller_close(&stage->callers[i]);
	}
	caller_close(&stage->operator);
	daemon_remove(&stage->daemon);
	free(stage);
	return 0;
}

struct caller *stage_caller(struct stage *stage, const char *credential)
{
	assert_true(stage->n_callers < STAGE_CALLERS_MAX);
	struct caller *caller = &stage->callers[stage->n_callers++];

	caller_open(caller, stage->tcp, credential);
	return caller;
}

struct caller *stage_tenant_caller(struct stage *stage, const char *tenant)
{
	static const char *const methods[] = {"keys.*", NULL};
	const char *const tenants[] = {tenant, NULL};
	const Latchkey__V1__CreateKeyResponse *root = say_create_root_key(&stage->operator, tenant, methods, tenants);

	assert_answered(&stage->operator);
	return stage_caller(stage, root->token);
}

static void write_config(const struct stage *stage, const char *path, const struct jose_peer *issuer, const char *name,
	const char *grants)
{
	FILE *file = fopen(path, "we");

	CHECK(file != NULL);
	CHECK(fprintf(file,
		      "[server]\n"
		      "listen = %s\n"
		      "listen = " TCP_URL "0\n"
		      "[issuer \"%s\"]\n"
		      "issuer = " JOSE_PEER_ISSUER "\n"
		      "audiences = account\n"
		      "required_claims = typ=Bearer\n"
		      "jwks_url = http://127.0.0.1:%d/jwks\n"
		      "tenant_claim = tenant\n"
		      "%s",
		      stage->daemon.url, name, issuer->port, grants) > 0);
	CHECK(fclose(file) == 0);
}

void stage_trust(struct stage *stage, struct jose_peer *issuer, const char *name, const char *grants)
{
	char path[96] = "";
	const char *const arguments[] = {"--config", path, NULL};

	jose_peer_start(issuer);
	jose_peer_tell(issuer, "{\"do\": \"serve\", \"keys\": [\"rsa1\"]}");
	(void)snprintf(path, sizeof path, "%s/config", stage->daemon.root);
	write_config(stage, path, issuer, name, grants);
	caller_close(&stage->operator);
	daemon_stop(&stage->daemon);
	/* The port is another now, and the log has the old one. */
	CHECK(truncate(stage->daemon.log, 0) == 0);
	daemon_restart(&stage->daemon, arguments);
	find_tcp(stage);
	caller_open(&stage->operator, stage->daemon.url, NULL);
}

struct caller *stage_person(struct stage *stage, struct jose_peer *issuer, const char *order)
{
	char *token = jose_peer_ask(issuer, "%s", order);
	struct caller *caller = stage_caller(stage, token);

	free(token);
	return caller;
}

static const char *message_of(const struct caller *caller)
{
	return caller->call.message == NULL ? "" : caller->call.message;
}

void assert_answered(const struct caller *caller)
{
	if (caller->err != LK_OK) {
		fail_msg("%s: %s", lk_err_name(caller->err), message_of(caller));
	}
}

void assert_refused(const struct caller *caller, enum lk_err err, const char *field)
{
	if (caller->err != err) {
		fail_msg("%s, not %s: %s", lk_err_name(caller->err), lk_err_name(err), message_of(caller));
	}
	if (message_of(caller)[0] == '\0') {
		fail_msg("%s without a message", lk_err_name(err));
	}
	if (field != NULL && !caller_was_told_of(caller, field)) {
		fail_msg("\"%s\" says nothing of %s", message_of(caller), field);
	}
	if (field == NULL && caller->call.n_violations > 0) {
		fail_msg("\"%s\" blames %s", message_of(caller), caller->call.violations[0].field);
	}
}

void assert_verdict(struct caller *caller, const char *token, Latchkey__V1__VerifyCode code)
{
	const Latchkey__V1__VerifyKeyResponse *verdict = say_verify(caller, NULL, NULL, token);

	assert_answered(caller);
	assert_int_equal(verdict->code, code);
	assert_int_equal(verdict->valid, code == VERDICT(VALID));
}

void assert_actions(const Latchkey__V1__Key *key, const int *actions)
{
	unsigned expected = 0;
	unsigned shown = 0;

	for (; *actions != 0; actions++) {
		expected |= 1u << *actions;
	}
	for (size_t i = 0; i < key->n_available_actions; i++) {
		/* None is told twice. */
		assert_int_equal(shown & 1u << key->available_actions[i], 0);
		shown |= 1u << key->available_actions[i];
	}
	assert_int_equal(shown, expected);
}

void assert_hides(const void *message, const char *token)
{
	size_t len = protobuf_c_message_get_packed_size(message);
	size_t secret_len = LK_TOKEN_RANDOM_LEN + LK_TOKEN_CHECKSUM_LEN;
	uint8_t *packed = malloc(len + 1);

	assert_non_null(packed);
	assert_true(strlen(token) > secret_len);
	assert_int_equal(protobuf_c_message_pack(message, packed), len);
	/* At most 8 characters of the secret are ever shown, and they are its first. */
	bool shown = memmem(packed, len, token + strlen(token) - secret_len, 9) != NULL ||
		     memmem(packed, len, token + strlen(token) - 9, 9) != NULL;
	free(packed);
	assert_false(shown);
}

const Latchkey__V1__Key *await_expiry(struct caller *caller, const char *tenant, const char *key)
{
	const Latchkey__V1__Key *shown = NULL;

	do {
		shown = say_get(caller, tenant, key);
		assert_answered(caller);
	} while (shown->state != KEY_STATE(EXPIRED));
	return shown;
}
