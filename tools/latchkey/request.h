/*
 * From flags to a request: the words behind NOUN and VERB, read by the command's flags into a JSON object.
 *
 * A flag is "--name VALUE" or "--name=VALUE"; one for yes or no is "--name" or "--name=false". What is wrong is said on standard
 * error, with the flag, the value and what would be right.
 */
#ifndef LK_CLI_REQUEST_H
#define LK_CLI_REQUEST_H

#include <stddef.h>
#include <time.h>

#include "tools/latchkey/command.h"

/*
 * Reads `n` words for `command`, with spans counted from `now`. `*ret_request` is to be json_decref()ed; `ret_own` gets what
 * was given for the command's own flags, borrowed from `words`. LK_EXIT_USAGE: both are untouched.
 */
enum lk_exit lk_request_read(const struct lk_command *command, char **words, size_t n, time_t now, json_t **ret_request,
	const char *ret_own[static LK_OWN_FLAGS]);

#endif
