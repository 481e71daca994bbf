/*
 * The permission expressions that were compiled lately, by their text: a service asks for the same few for ever.
 *
 * Bounded: at most 1,024 are kept, and a new one takes the place of one that was not asked for lately, which stays good until the
 * last who holds it lets go. Any thread. Nobody waits for more than another's lookup.
 */
#ifndef LK_SERVER_SERVICE_EXPRESSIONS_H
#define LK_SERVER_SERVICE_EXPRESSIONS_H

#include "server/core/expression.h"

struct lk_expressions;

/* LK_NO_MEMORY. */
LK_MUST_CHECK enum lk_err lk_expressions_new(struct lk_expressions **ret_expressions);
/* Nobody may hold an expression of it any more. Takes NULL. */
void lk_expressions_free(struct lk_expressions *expressions);

/*
 * The expression of this text, compiled now where it was not before; as lk_expression_compile(). Held until
 * lk_expressions_release(). `expressions` NULL: it is compiled, and freed by the release.
 */
LK_MUST_CHECK enum lk_err lk_expressions_get(struct lk_expressions *expressions, const char *text, size_t len,
	const struct lk_expression **ret_expression, char ret_fault[static LK_EXPRESSION_FAULT_LEN]);
/* Lets go of it. Takes a NULL expression. */
void lk_expressions_release(struct lk_expressions *expressions, const struct lk_expression *expression);

#endif
