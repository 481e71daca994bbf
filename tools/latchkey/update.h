/*
 * What an update changes: from the flags that were given to the request's update_mask, so that nobody has to say both.
 *
 * What is wrong is said on standard error. From one thread.
 */
#ifndef LK_CLI_UPDATE_H
#define LK_CLI_UPDATE_H

#include <jansson.h>

#include "tools/latchkey/command.h"

/* All zero is none. */
struct lk_changes {
	/* The paths from lk_update.message on, in the order in which they were given, each with the name of its flag. */
	json_t *set;
	json_t *cleared;
};

void lk_changes_done(struct lk_changes *changes);

/* Notes that `flag` was given; one that stands beside what is changed, such as --etag, adds nothing. */
enum lk_exit lk_changes_set(struct lk_changes *changes, const struct lk_command *command, const struct lk_flag *flag);

/* The same of the field at `path`, from the request on, for which there is an own flag called `name`. */
enum lk_exit lk_changes_set_path(
	struct lk_changes *changes, const struct lk_command *command, const char *path, const char *name);

/* Notes that the field of the flag called `name` is to be cleared. LK_EXIT_USAGE: there is no such flag, or it cannot be. */
enum lk_exit lk_changes_clear(struct lk_changes *changes, const struct lk_command *command, const char *name);

/* Puts the mask into `request`. LK_EXIT_USAGE: nothing is to be changed, or one field both set and cleared. */
enum lk_exit lk_changes_end(struct lk_changes *changes, const struct lk_command *command, json_t *request);

#endif
