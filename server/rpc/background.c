#include "server/rpc/background.h"

#include "server/log.h"
#include "server/store/reap.h"

/* A look at an empty table is a microsecond: chores that have mostly nothing to do need nobody to wake them. */
#define LOOK_EVERY_US INT64_C(1000000)

static void report(void *context, const char *chore, enum lk_err err)
{
	(void)context;
	if (err == LK_OK) {
		LK_LOG(LK_LOG_INFO, "chore works again", LK_STR("chore", chore));
	} else {
		LK_LOG(LK_LOG_ERROR, "chore failed", LK_STR("chore", chore), LK_STR("code", lk_err_name(err)));
	}
}

enum lk_err lk_background_start(struct lk_store *store, struct lk_writer *writer, struct lk_chores **ret_chores)
{
	const struct lk_chore table[] = {
		{.name = "latchkeyd/reap", .build = lk_reap_build, .every_us = LOOK_EVERY_US, .urgent = true},
	};
	const struct lk_chores_options options = {
		.store = store,
		.writer = writer,
		.table = table,
		.count = sizeof table / sizeof table[0],
		.report = report,
	};

	return lk_chores_start(&options, ret_chores);
}
