/*
 * Texts that people choose: names, owners, ids.
 */
#ifndef LK_SERVER_CORE_TEXT_H
#define LK_SERVER_CORE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "server/core/faults.h"

#define LK_ID_MAX   63
#define LK_NAME_MAX 100
/* The most characters of a value that an error quotes. */
#define LK_QUOTE_MAX 60

/* Whether `text` is a tenant's or keyspace's id: [a-z0-9][a-z0-9-]{0,62}. */
bool lk_text_is_id(const char *text);

/* Adds a fault of `field` where `text` is no id; says what an id is. */
void lk_text_check_id(struct lk_faults *faults, const char *field, const char *text);

/*
 * `text` in double quotes, for an error: control characters become '?', and what is longer than LK_QUOTE_MAX is cut off with
 * "..." behind the quotes. Static text where the arena is exhausted. Never for a secret.
 */
const char *lk_text_quote(struct lk_arena *arena, const char *text);

/* Unicode code points in valid UTF-8. */
size_t lk_text_length(const char *text);

/*
 * A copy of `text` without white space at either end (White_Space of Unicode: ASCII blanks, U+0085, U+00A0, U+1680,
 * U+2000 to U+200A, U+2028, U+2029, U+202F, U+205F, U+3000). NULL where the arena is exhausted.
 */
char *lk_text_trim(struct lk_arena *arena, const char *text);

/*
 * Trims `text` and adds a fault of `field` where it then has more than `max` characters, holds a control character (Cc), or is
 * empty though `required`. Returns the trimmed text, "" where the arena is exhausted.
 */
const char *lk_text_check(struct lk_faults *faults, const char *field, const char *text, size_t max, bool required);

#endif
