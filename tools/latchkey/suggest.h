/*
 * "Did you mean": the nearest of some words to one that is none of them. Pure.
 */
#ifndef LK_CLI_SUGGEST_H
#define LK_CLI_SUGGEST_H

#include <stddef.h>

/* Gives word `i`, or NULL behind the last. */
typedef const char *(*lk_suggest_word_fn)(const void *words, size_t i);

/*
 * The word nearest to `typed` by letters added, dropped, changed or swapped with their neighbour, or one that `typed` is the
 * beginning of; NULL where none is near enough to be meant.
 */
const char *lk_suggest(const char *typed, lk_suggest_word_fn word, const void *words);

#endif
