/*
 * latchkey key export: a file of keys (import_line.h), page after page; the next is asked for while one is written.
 */
#ifndef LK_CLI_EXPORT_H
#define LK_CLI_EXPORT_H

#include "tools/latchkey/command.h"

/* lk_command.run of it. LK_EXIT_USAGE: it cannot be written where it was to be. LK_EXIT_REFUSED, LK_EXIT_UNREACHABLE. */
enum lk_exit lk_export_run(struct lk_run *run);

#endif
