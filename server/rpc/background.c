#include "server/rpc/background.h"

#include <stdlib.h>

#include "server/log.h"
#include "server/rpc/refusals.h"
#include "server/store/chores.h"
#include "server/store/fold.h"
#include "server/store/job.h"
#include "server/store/reap.h"

/* A look at an empty table is a microsecond: chores that have mostly nothing to do need nobody to wake them. */
#define LOOK_EVERY_US INT64_C(1000000)

struct lk_background {
	struct lk_chores *chores;
	struct lk_job_chore jobs;
	struct lk_fold fold;
};

static void report(void *context, const char *chore, enum lk_err err)
{
	(void)context;
	if (err == LK_OK) {
		LK_LOG(LK_LOG_INFO, "chore works again", LK_STR("chore", chore));
	} else {
		LK_LOG(LK_LOG_ERROR, "chore failed", LK_STR("chore", chore), LK_STR("code", lk_err_name(err)));
	}
}

static enum lk_err start(struct lk_background *background, struct lk_store *store, struct lk_writer *writer,
	struct lk_refusals *refusals)
{
	const struct lk_chore table[] = {
		{.name = "latchkeyd/jobs",
			.build = lk_job_build,
			.context = &background->jobs,
			.every_us = LOOK_EVERY_US,
			.urgent = true},
		{.name = "latchkeyd/reap", .build = lk_reap_build, .every_us = LOOK_EVERY_US, .urgent = true},
		{.name = "latchkeyd/fold",
			.build = lk_fold_build,
			.context = &background->fold,
			.every_us = LK_FOLD_EVERY_US},
		{.name = "latchkeyd/refusals",
			.build = lk_refusals_build,
			.context = refusals,
			.every_us = LOOK_EVERY_US},
	};
	const struct lk_chores_options options = {
		.store = store,
		.writer = writer,
		.table = table,
		.count = sizeof table / sizeof table[0],
		.report = report,
	};

	enum lk_err err = lk_job_chore_init(store, &background->jobs);
	return err != LK_OK ? err : lk_chores_start(&options, &background->chores);
}

enum lk_err lk_background_start(struct lk_store *store, struct lk_writer *writer, struct lk_refusals *refusals,
	struct lk_background **ret_background)
{
	struct lk_background *background = calloc(1, sizeof *background);

	if (background == NULL) {
		return LK_NO_MEMORY;
	}
	enum lk_err err = start(background, store, writer, refusals);
	if (err != LK_OK) {
		free(background);
		return err;
	}
	*ret_background = background;
	return LK_OK;
}

void lk_background_stop(struct lk_background *background)
{
	if (background != NULL) {
		lk_chores_stop(background->chores);
		free(background);
	}
}
