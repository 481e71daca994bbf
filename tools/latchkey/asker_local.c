/* The in-process verifiers as askers; see asker.h. */
#include <latchkey/local.h>
#include <stdlib.h>

#include "tools/latchkey/asker.h"

struct lk_asker {
	struct lk_local_verifier *verifier;
};

static void close_local(struct lk_asker *asker)
{
	if (!asker) {
		return;
	}
	lk_local_verifier_free(asker->verifier);
	free(asker);
}

static enum lk_exit open_local(const struct lk_asker_options *options, struct lk_asker **ret)
{
	struct lk_asker *asker = calloc(1, sizeof(*asker));
	enum lk_err err = asker ? lk_local_verifier_new(options->local, &asker->verifier) : LK_NO_MEMORY;

	if (err != LK_OK) {
		lk_say("no in-process verifier could be made: %s", lk_err_text(err));
		close_local(asker);
		return LK_EXIT_USAGE;
	}
	*ret = asker;
	return LK_EXIT_OK;
}

static enum lk_err ask_local(struct lk_asker *asker, const Latchkey__V1__VerifyKeyRequest *request,
	Latchkey__V1__VerifyCode *ret_code, struct lk_call *call)
{
	struct lk_local_reply reply = {0};
	enum lk_err err = lk_local_verify_packed(asker->verifier, request, &reply, call);

	if (err == LK_OK) {
		*ret_code = reply.code;
	}
	return err;
}

const struct lk_asker_kind lk_asker_local[LK_ASKERS_LOCAL] = {
	{.name = "in-process 1", .threads = 1, .open = open_local, .ask = ask_local, .close = close_local},
	{.name = "in-process 2", .threads = 1, .open = open_local, .ask = ask_local, .close = close_local},
};
