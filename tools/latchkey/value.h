/*
 * One flag's value: from what was typed to the JSON that the field takes.
 */
#ifndef LK_CLI_VALUE_H
#define LK_CLI_VALUE_H

#include <jansson.h>
#include <time.h>

#include "tools/latchkey/flags.h"
#include "tools/latchkey/say.h"

/*
 * Reads `text` for `flag`, of a map the value of one entry. `*ret` is to be json_decref()ed. LK_EXIT_USAGE: it was said what
 * is wrong.
 */
enum lk_exit lk_value_read(const struct lk_flag *flag, const char *text, time_t now, json_t **ret);

#endif
