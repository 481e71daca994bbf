/*
 * Answers on standard output.
 */
#ifndef LK_CLI_OUTPUT_H
#define LK_CLI_OUTPUT_H

#include <jansson.h>

#include "tools/latchkey/say.h"
#include "tools/latchkey/table.h"

/* The page that standard output is. */
struct lk_page lk_output_page(void);

/* Prints `value`. On a terminal everything beyond ASCII is escaped, so that nothing in it acts on the terminal. */
LK_MUST_CHECK enum lk_err lk_output_json(const json_t *value);

/* Flushes standard output. LK_EXIT_USAGE, and it was said: not all of what was printed has arrived. */
enum lk_exit lk_output_end(void);

#endif
