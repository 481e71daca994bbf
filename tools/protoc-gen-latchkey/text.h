/*
 * Text that grows: what the emitters write into, and how they write.
 *
 * An emitter's templates look like the code that they become, with @names@ where it differs:
 *
 *	LK_TEXT_EXPAND(text, "extern const struct lk_method @method@;\n", {"method", "latchkey_v1_key_verify_method"});
 */
#ifndef LK_GENERATOR_TEXT_H
#define LK_GENERATOR_TEXT_H

#include <stddef.h>

#include "tools/protoc-gen-latchkey/pool.h"

/* All zero: empty. */
struct lk_text {
	/* Ends with a NUL where it is not NULL. */
	char *data;
	size_t len;
	size_t size;
};

/* What stands for @name@ in a template. */
struct lk_text_variable {
	const char *name;
	const char *value;
};

void lk_text_done(struct lk_text *text);

/* Adds `added` as it is. */
void lk_text_add(struct lk_text *text, const char *added);

/* Adds a template; `variables` end with one without a name. A name that none of them has is the emitter's mistake: aborts. */
void lk_text_expand(struct lk_text *text, const char *pattern, const struct lk_text_variable *variables);

/* lk_text_expand() with the variables as further arguments. */
#define LK_TEXT_EXPAND(text, pattern, ...)                                                                             \
	lk_text_expand(text, pattern, (const struct lk_text_variable[]){__VA_ARGS__, {0}})

/* `string` as a literal of C, in its quotes; "NULL" for NULL. */
const char *lk_text_literal(struct lk_pool *pool, const char *string);

/* `comment` in one line; "" for NULL. */
const char *lk_text_one_line(struct lk_pool *pool, const char *comment);

/*
 * `comment`, one or several lines, as a comment of C in lines of their own, each behind `indent`. What would end a comment, or
 * seem to begin another, is broken by a space. "" for NULL.
 */
const char *lk_text_comment(struct lk_pool *pool, const char *indent, const char *comment);

#endif
