/*
 * Own keys: what a caller whose grant says own_only has to do with, which is the keys whose owner is its subject. A caller
 * without a subject owns none. Every other caller has to do with all.
 */
#ifndef LK_SERVER_SERVICE_OWN_H
#define LK_SERVER_SERVICE_OWN_H

#include <stdbool.h>

#include "server/service/request.h"

/* Whether the caller may see, and act on, a key of this owner. */
bool lk_own_sees(const struct lk_request *request, const char *owner);

/*
 * The owner that a request means by `given`, of `field`: the caller's subject where it may act on its own alone and names
 * none. Before any lookup. LK_PERMISSION_DENIED: it names another, or has no subject.
 */
LK_MUST_CHECK enum lk_err lk_own_resolve(
	struct lk_request *request, const char *field, const char *given, const char **ret_owner);

/* As above of the owner that a record is to have. */
LK_MUST_CHECK enum lk_err lk_own_check(struct lk_request *request, const char *field, const char *owner);

#endif
