/*
 * Text on a terminal: how wide it is, and what of it must not reach a terminal as it stands.
 *
 * Names, owners and metadata were written by strangers. A control character, an escape sequence or a change of direction in one
 * could move the cursor, retitle the window or make a key look like another; here they come out as "\x1b" or "\u{202e}",
 * which anybody can see and nothing obeys. What is no UTF-8 comes out as "\xff".
 *
 * lk_text_init() must have been called first. Then everything may be called from any thread.
 */
#ifndef LK_CLI_TEXT_H
#define LK_CLI_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include <latchkey/error.h>

/* Chooses UTF-8 for characters and their widths, whatever the user's locale. */
void lk_text_init(void);

/* A copy of `text` that is harmless on a terminal, to be free()d; NULL: out of memory. */
char *lk_text_harmless(const char *text);

/* How many columns harmless text takes. */
size_t lk_text_width(const char *text);

/* How many bytes of harmless text fit into `columns`, and in `*ret_columns` how many of those they take. */
size_t lk_text_fit(const char *text, size_t columns, size_t *ret_columns);

/*
 * The width to lay text out for on `file`: what COLUMNS says, else what the terminal says; 0, which is no limit, where
 * `file` is neither.
 */
size_t lk_text_columns(FILE *file);

/* Whether `file` is a terminal that shows colours, and nobody asked for none (https://no-color.org). */
bool lk_text_coloured(FILE *file);

#endif
