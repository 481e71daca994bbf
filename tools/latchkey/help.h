/*
 * Help: what there is, at the level that was asked for, and what was meant where a word is none.
 */
#ifndef LK_CLI_HELP_H
#define LK_CLI_HELP_H

#include <stdio.h>

#include "tools/latchkey/command.h"

/* The nouns, in the order in which help shows them; `*ret_n` of them. */
const struct lk_noun *const *lk_help_nouns(size_t *ret_n);

/* Print help on everything, on a noun, on a command. */
void lk_help_print(FILE *file);
void lk_help_print_noun(FILE *file, const struct lk_noun *noun);
void lk_help_print_command(FILE *file, const struct lk_noun *noun, const struct lk_command *command);

/* Find a noun or a verb by its name; where there is none, say so and what might have been meant, and return NULL. */
const struct lk_noun *lk_help_find_noun(const char *name);
const struct lk_command *lk_help_find_verb(const struct lk_noun *noun, const char *verb);

#endif
