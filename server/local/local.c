#include <latchkey/local.h>

#include <stdio.h>
#include <stdlib.h>

#include "server/local/verifier.h"
#include "server/service/expressions.h"
#include "server/store/attach.h"

/* A packed verdict needs none of it; the most is an explained one of a key that has the most of everything. */
#define ARENA_FIRST ((size_t)8 << 10)
#define ARENA_CAP   ((size_t)4 << 20)

/* More than the reply about an ordinary key has. */
#define PACKED_FIRST ((size_t)2 << 10)

/* Texts of records are not const in protobuf-c's types; nothing writes to them. */
static char any[] = "*";
static char *all[] = {any};

/* What the caller may ask about: the keys of every tenant but "system", which "*" never includes. */
static const Latchkey__Store__GrantRecord grant = {
	.base = PROTOBUF_C_MESSAGE_INIT(&latchkey__store__grant_record__descriptor),
	.n_methods = 1,
	.methods = all,
	.n_tenants = 1,
	.tenants = all,
	.n_keyspaces = 1,
	.keyspaces = all,
};

_Static_assert(LK_LOCAL_MESSAGE_LEN >= LK_STORE_MESSAGE_LEN, "what the store says has room");

static enum lk_err say(char *ret_message, enum lk_err err, const char *text)
{
	(void)snprintf(ret_message, LK_LOCAL_MESSAGE_LEN, "%s", text);
	return err;
}

enum lk_err lk_local_open(
	const struct lk_local_options *options, struct lk_local **ret_local, char ret_message[LK_LOCAL_MESSAGE_LEN])
{
	if (options == NULL || options->dir == NULL) {
		return say(ret_message, LK_INVALID_ARGUMENT,
			"options.dir: name the data directory, as latchkeyd's --data");
	}
	struct lk_store_options store_options = {.dir = options->dir};
	struct lk_local *local = calloc(1, sizeof *local);
	if (local == NULL) {
		return say(ret_message, LK_NO_MEMORY, "no memory");
	}
	enum lk_err err = lk_store_attach(&store_options, &local->store, ret_message);
	if (err != LK_OK) {
		free(local);
		return err;
	}
	*ret_local = local;
	return LK_OK;
}

void lk_local_close(struct lk_local *local)
{
	if (local != NULL) {
		lk_store_close(local->store);
		free(local);
	}
}

/* Takes the reader slot at once, so that no verdict is refused for want of one. */
static enum lk_err take_slot(struct lk_request *request)
{
	if (!lk_store_has_readers_left(request->store)) {
		return LK_RESOURCE_EXHAUSTED;
	}
	enum lk_err err = lk_snapshot_new(request->store, &request->txn);
	if (err == LK_OK) {
		err = lk_snapshot_begin(request->txn);
	}
	if (err == LK_OK) {
		lk_snapshot_end(request->txn);
	}
	return err;
}

enum lk_err lk_local_verifier_new(struct lk_local *local, struct lk_local_verifier **ret_verifier)
{
	/* In a child, LMDB would hand out its parent's slots. */
	if (lk_store_fault(local->store) != NULL) {
		return LK_FAILED_PRECONDITION;
	}
	struct lk_local_verifier *verifier = calloc(1, sizeof *verifier);
	if (verifier == NULL) {
		return LK_NO_MEMORY;
	}
	struct lk_request *request = &verifier->request;
	*request = (struct lk_request){
		.arena = &verifier->arena,
		.store = local->store,
		.caller =
			{
				.kind = LATCHKEY__V1__CALLER_KIND__CALLER_KIND_OPERATOR,
				.name = "local",
				.subject = "",
				.grant = &grant,
			},
		.method = "latchkey.v1.KeyService/Verify",
	};
	verifier->packed = malloc(PACKED_FIRST);
	verifier->packed_size = PACKED_FIRST;
	enum lk_err err = verifier->packed == NULL ? LK_NO_MEMORY
						   : lk_arena_init(&verifier->arena, ARENA_FIRST, ARENA_CAP);
	if (err == LK_OK) {
		err = lk_expressions_new(&request->expressions);
	}
	if (err == LK_OK) {
		err = take_slot(request);
	}
	if (err != LK_OK) {
		lk_local_verifier_free(verifier);
		return err;
	}
	*ret_verifier = verifier;
	return LK_OK;
}

void lk_local_verifier_free(struct lk_local_verifier *verifier)
{
	if (verifier == NULL) {
		return;
	}
	lk_snapshot_free(verifier->request.txn);
	lk_expressions_free(verifier->request.expressions);
	lk_arena_done(&verifier->arena);
	free(verifier->packed);
	free(verifier);
}
