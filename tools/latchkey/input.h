/*
 * What comes in from files and from standard input: credentials, tokens, JSON.
 *
 * All of it is treated as secret: it is read past stdio's buffers into one that is wiped when it is let go. Faults are said on
 * standard error. From one thread.
 */
#ifndef LK_CLI_INPUT_H
#define LK_CLI_INPUT_H

#include <stddef.h>

#include "tools/latchkey/say.h"

/* The most that is read: a request's limit for the largest methods. */
#define LK_INPUT_MAX ((size_t)1 << 20)

/* Text that ends in a NUL, which `len` does not count; it may hold others. */
struct lk_input {
	char *text;
	size_t len;
};

/* Wipes and frees. Takes one that was zeroed or done already. */
void lk_input_done(struct lk_input *input);

/*
 * Reads a file. LK_EXIT_USAGE: it cannot be read, or holds more than `max` bytes. `what` names it in the words for that:
 * "the credential".
 */
enum lk_exit lk_input_read_file(const char *path, const char *what, size_t max, struct lk_input *ret);

/* As above, and the file is one that others than its owner and group may neither read nor write. */
enum lk_exit lk_input_read_private_file(const char *path, const char *what, size_t max, struct lk_input *ret);

/* Reads standard input to its end, as lk_input_read_file(). */
enum lk_exit lk_input_read_stdin(const char *what, size_t max, struct lk_input *ret);

/*
 * Reads a secret from standard input: on a terminal one line, asked for by `prompt` on standard error and not shown, else
 * everything. The newline at the end is cut.
 */
enum lk_exit lk_input_read_secret(const char *prompt, const char *what, size_t max, struct lk_input *ret);

/* Cuts one newline, "\n" or "\r\n", off the end. */
void lk_input_cut_newline(struct lk_input *input);

#endif
