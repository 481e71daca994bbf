/*
 * Permission expressions: what Verify asks of a key's holder.
 *
 *	expr := and (OR and)*    and := prim (AND prim)*    prim := PERM | '(' expr ')'
 *
 * PERM is a permission without '*' (permission.h); operators in any case; blanks (space, tab, CR, LF) between words, none needed
 * beside a parenthesis. At most LK_EXPRESSION_MAX characters, and parentheses at most LK_EXPRESSION_DEPTH deep. Pure.
 *
 * An expression never changes: any number of threads may evaluate it at once.
 */
#ifndef LK_SERVER_CORE_EXPRESSION_H
#define LK_SERVER_CORE_EXPRESSION_H

#include <stdbool.h>
#include <stddef.h>

#include <latchkey/error.h>

#define LK_EXPRESSION_MAX       1000
#define LK_EXPRESSION_DEPTH     64
#define LK_EXPRESSION_FAULT_LEN 256

struct lk_expression;

/*
 * Compiles `len` bytes of text. LK_INVALID_ARGUMENT: `ret_fault` says what is wrong, at which position (in characters, from
 * 1), and what would be right. LK_NO_MEMORY. The expression holds a copy of the text, and is freed by lk_expression_free().
 */
LK_MUST_CHECK enum lk_err lk_expression_compile(const char *text, size_t len, struct lk_expression **ret_expression,
	char ret_fault[static LK_EXPRESSION_FAULT_LEN]);

/* Takes NULL. */
void lk_expression_free(const struct lk_expression *expression);

/* The text that it was compiled from. */
const char *lk_expression_text(const struct lk_expression *expression, size_t *ret_len);

/* Whether the holder has the permission `asked`, `len` bytes without a NUL behind. */
typedef bool lk_expression_holds(void *context, const char *asked, size_t len);

/* Whether the expression is fulfilled. Asks `holds` for no more permissions than it takes to know. Allocates nothing. */
bool lk_expression_evaluate(const struct lk_expression *expression, lk_expression_holds *holds, void *context);

#endif
