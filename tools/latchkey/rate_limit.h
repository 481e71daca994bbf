/*
 * Rate limits as they are typed and shown: "NAME=LIMIT/PERIOD[:BURST]", such as "requests=600/1m" or "requests=600/1m:20".
 *
 * For a flag of a command that makes or changes what has rate limits: see LK_OWN_RATE_LIMIT in command.h.
 */
#ifndef LK_CLI_RATE_LIMIT_H
#define LK_CLI_RATE_LIMIT_H

#include <jansson.h>
#include <stdio.h>

#include "tools/latchkey/say.h"

#define LK_RATE_LIMIT_METAVAR "NAME=LIMIT/PERIOD[:BURST]"

/*
 * Adds what `text` says, as a latchkey.v1.RateLimit, to the list called `name` in `holder`, which is made where it is not
 * there. Bounds, and which names are good, the daemon knows. LK_EXIT_USAGE: it was said what is wrong.
 */
enum lk_exit lk_rate_limit_add(json_t *holder, const char *name, const char *text);

/* Writes a RateLimit as it is typed; without its burst where that is the limit. What it does not understand it leaves out. */
void lk_rate_limit_write(FILE *out, const json_t *limit);

#endif
