/*
 * Rate charges as they are typed: "NAME" or "NAME=COST".
 */
#ifndef LK_CLI_RATES_H
#define LK_CLI_RATES_H

#include <jansson.h>

#include "tools/latchkey/say.h"

/*
 * Adds what `text` says to the rate_charges of a request. What is wrong is said. LK_EXIT_USAGE: there is no name, the cost is
 * no whole number above 0, or the text is not UTF-8; whether the name is one, the daemon says.
 */
enum lk_exit lk_rates_add_charge(json_t *request, const char *text);

/*
 * Where a RateState stands, in one line for a person: "day: 2 left now, 100 a period, all again at 2026-02-01 12:00:00". To be
 * free()d; NULL: out of memory.
 */
char *lk_rates_shown(const json_t *state);

#endif
