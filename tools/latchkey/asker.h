/*
 * Askers: the ways there are to ask for a verdict, each with what it needs to ask, behind one function.
 */
#ifndef LK_CLI_ASKER_H
#define LK_CLI_ASKER_H

#include <stddef.h>

#include <latchkey/call.h>
#include <latchkey/v1/key.pb-c.h>

#include "tools/latchkey/session.h"

struct lk_asker;
struct lk_local;

struct lk_asker_options {
	/* Borrowed; an asker that calls has a connection of its own. */
	const struct lk_session *session;
	/* The daemon's data directory, for askers that do not call; NULL: there are none. */
	struct lk_local *local;
};

struct lk_asker_kind {
	const char *name;
	/* How many threads ask in this way at a time. */
	unsigned threads;
	/* What goes wrong is said. */
	enum lk_exit (*open)(const struct lk_asker_options *options, struct lk_asker **ret);
	/* For one of the threads; `*ret_code` is untouched on failure. */
	enum lk_err (*ask)(struct lk_asker *asker, const Latchkey__V1__VerifyKeyRequest *request,
		Latchkey__V1__VerifyCode *ret_code, struct lk_call *call);
	/* Takes NULL. */
	void (*close)(struct lk_asker *asker);
};

/* Verify itself, one call at a time. */
extern const struct lk_asker_kind lk_asker_unary;

/* The batching client, for several callers at a time. */
extern const struct lk_asker_kind lk_asker_batching;

/* In this process, on the store itself. */
#define LK_ASKERS_LOCAL 2
extern const struct lk_asker_kind lk_asker_local[LK_ASKERS_LOCAL];

#endif
