#include "tests/unit/local/local_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "server/store/store.h"
#include "tests/lib/draft.h"
#include <cmocka.h>

static bool make_store(struct local *local)
{
	struct lk_fixture *store = &local->store;

	if (lk_fixture_open(store) != LK_OK) {
		return false;
	}
	local->tenant = lk_fixture_tenant(store, "acme");
	local->keyspace = lk_fixture_keyspace(store, local->tenant, "prod");
	Latchkey__Store__Change *change = lk_draft_new(&store->arena);
	Latchkey__Store__KeyRecord *key = lk_draft_put_key(
		&store->arena, change, local->tenant, local->keyspace, "one");
	lk_token_digest(lk_store_keyring(store->store), LOCAL_TOKEN, strlen(LOCAL_TOKEN), key->digest.data);
	key->owner = TEXT("alice");
	bool made = lk_fixture_apply(store, change) == LK_OK;
	local->slot = key->slot;
	lk_fixture_close(store);
	return made;
}

void local_open(struct local *local)
{
	struct lk_local_options options = {.dir = local->store.dir};
	char message[LK_LOCAL_MESSAGE_LEN] = "";

	if (lk_local_open(&options, &local->local, message) != LK_OK) {
		fail_msg("%s", message);
	}
	assert_int_equal(lk_local_verifier_new(local->local, &local->verifier), LK_OK);
}

void local_close(struct local *local)
{
	lk_local_verifier_free(local->verifier);
	lk_local_close(local->local);
	local->verifier = NULL;
	local->local = NULL;
}

int local_setup(void **state)
{
	struct local *local = calloc(1, sizeof *local);

	if (local == NULL || lk_fixture_init(&local->store) != 0) {
		return -1;
	}
	*state = local;
	/* Enough for a file of slots of several steps. */
	local->store.options.max_slots = (uint64_t)1 << 22;
	if (!make_store(local)) {
		return -1;
	}
	local_open(local);
	return 0;
}

int local_teardown(void **state)
{
	struct local *local = *state;

	lk_call_done(&local->call);
	local_close(local);
	lk_fixture_done(&local->store);
	free(local);
	return 0;
}

void local_change(struct local *local, bool (*change)(struct local *local))
{
	int status = 0;

	pid_t daemon = fork();
	if (daemon == 0) {
		bool changed = lk_fixture_open(&local->store) == LK_OK && change(local);
		lk_fixture_close(&local->store);
		_exit(changed ? 0 : 1);
	}
	assert_int_equal(waitpid(daemon, &status, 0), daemon);
	assert_int_equal(status, 0);
}

Latchkey__V1__VerifyCode local_verdict(struct local *local, const char *token)
{
	Latchkey__V1__VerifyKeyRequest request = LATCHKEY__V1__VERIFY_KEY_REQUEST__INIT;
	struct lk_local_reply reply = {0};

	request.token = TEXT(token);
	enum lk_err err = lk_local_verify_packed(local->verifier, &request, &reply, &local->call);
	return err == LK_OK ? reply.code : VERDICT(UNSPECIFIED);
}
