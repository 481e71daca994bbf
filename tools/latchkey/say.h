/*
 * Words for the person at the terminal, on standard error. Data go to standard output, elsewhere.
 *
 * What is said is made harmless (text.h), since it may quote a stranger. From one thread.
 */
#ifndef LK_CLI_SAY_H
#define LK_CLI_SAY_H

#include <stdbool.h>

/* The exit codes, which scripts rely on. */
enum lk_exit {
	LK_EXIT_OK = 0,
	/* A verdict other than VALID. */
	LK_EXIT_VERDICT = 1,
	/* What was asked for cannot be asked: a wrong flag, a file that cannot be read, a full disk here. */
	LK_EXIT_USAGE = 2,
	/* The daemon refused. */
	LK_EXIT_REFUSED = 3,
	/* No daemon answered. */
	LK_EXIT_UNREACHABLE = 4,
	/* An audit record is not as it was written. */
	LK_EXIT_BROKEN = 5,
};

/* Says "latchkey: ..." and ends the line. */
void lk_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Says a line as it is given, without a name before it. */
void lk_say_line(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Tells whether something stands on the terminal's line that has to go before anything is said: a bar that is drawn over and over. */
void lk_say_line_taken(bool taken);

/* Says that memory ran out, and returns the exit code for that. */
enum lk_exit lk_say_no_memory(void);

#endif
