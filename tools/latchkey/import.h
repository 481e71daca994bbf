/*
 * latchkey key import: a file of keys (import_line.h), batch by batch, several of them under way.
 */
#ifndef LK_CLI_IMPORT_H
#define LK_CLI_IMPORT_H

#include "tools/latchkey/command.h"

/* lk_command.run of it. LK_EXIT_USAGE: a line that is no key; LK_EXIT_REFUSED: keys that the daemon refused. */
enum lk_exit lk_import_run(struct lk_run *run);

#endif
