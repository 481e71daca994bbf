/*
 * The permission expressions that were compiled lately, by their text: a service asks for the same few for ever.
 *
 * Bounded: at most LK_EXPRESSIONS_KEPT are kept, with LK_EXPRESSIONS_LEN characters in all, and a new one takes the places of
 * those that were asked for longest ago. One that is held keeps its place; where all are held, a new one is compiled for whoever
 * asked, and freed by its release.
 *
 * One thread at a time: whoever answers requests has one of its own. What was found takes no lock and allocates nothing.
 */
#ifndef LK_SERVER_SERVICE_EXPRESSIONS_H
#define LK_SERVER_SERVICE_EXPRESSIONS_H

#include "server/core/expression.h"

#define LK_EXPRESSIONS_KEPT 64
#define LK_EXPRESSIONS_LEN  8192

struct lk_expressions;

/* Takes little memory until the first expression comes. LK_NO_MEMORY. */
LK_MUST_CHECK enum lk_err lk_expressions_new(struct lk_expressions **ret_expressions);
/* Nobody may hold an expression of it any more. Takes NULL. */
void lk_expressions_free(struct lk_expressions *expressions);

/*
 * The expression of this text, compiled now where it was not before; as lk_expression_compile(). Held until
 * lk_expressions_release(). `expressions` NULL: it is compiled, and freed by the release.
 */
LK_MUST_CHECK enum lk_err lk_expressions_get(struct lk_expressions *expressions, const char *text, size_t len,
	const struct lk_expression **ret_expression, char ret_fault[static LK_EXPRESSION_FAULT_LEN]);
/* Lets go of it, once for each time that it was got. Takes a NULL expression. */
void lk_expressions_release(struct lk_expressions *expressions, const struct lk_expression *expression);

#endif
