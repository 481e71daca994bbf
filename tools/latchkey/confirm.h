/*
 * Asking whether it is meant, where there is somebody to ask. From one thread.
 */
#ifndef LK_CLI_CONFIRM_H
#define LK_CLI_CONFIRM_H

#include <stdbool.h>

/* Whether standard input is a terminal, and so somebody there to answer. */
bool lk_confirm_can_ask(void);

/* Asks on standard error, adding " [y/N] ", and reads a line: true for "y" and "yes" in any case, false for all else. */
bool lk_confirm(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
