/*
 * The flags that every command takes, wherever on the line they stand: where the daemon is, who asks, how the answer looks.
 */
#ifndef LK_CLI_OPTIONS_H
#define LK_CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "tools/latchkey/say.h"

#define LK_OPTIONS_DEFAULT_URL        "ipc:///run/latchkey/latchkey.sock"
#define LK_OPTIONS_DEFAULT_TIMEOUT_MS 5000

struct lk_options {
	const char *url;
	/* NULL: LATCHKEY_CREDENTIAL, or none. */
	const char *credential_file;
	uint32_t timeout_ms;
	bool json;
	bool help;
	bool version;
	/* What is left of the line, in its order: the noun, the verb, the verb's own flags. Borrowed from argv. */
	char **words;
	size_t n_words;
};

/*
 * Reads the line and the environment; moves the words to the front of `argv`, and borrows all from there. What stands behind a
 * "--" is left to the command, and the "--" is taken away.
 * LK_EXIT_USAGE: a flag that was given wrong; it was said.
 */
enum lk_exit lk_options_read(int argc, char **argv, struct lk_options *ret);

/* Prints what these flags are. */
void lk_options_print_help(FILE *file);

/* The name of the `i`th flag, with its dashes; NULL behind the last. For lk_suggest(). */
const char *lk_options_name(const void *unused, size_t i);

#endif
