/*
 * The caller: who sends a request, and whether that may call a method. The one place where this is decided.
 */
#ifndef LK_SERVER_RPC_CALLER_H
#define LK_SERVER_RPC_CALLER_H

#include "client/envelope.h"
#include "server/rpc/exchange.h"
#include "server/service/request.h"

/*
 * Fills in request->caller. A credential is a root key and is looked up anew for each request; one that fails is
 * LK_UNAUTHENTICATED, never a fall back to the uid. Without one, the daemon's own user and root are the operator over ipc, and
 * everybody else is nobody. Also what sticks to the transaction.
 */
LK_MUST_CHECK enum lk_err lk_caller_identify(
	struct lk_request *request, const struct lk_peer *peer, struct lk_span credential);

/* Whether the caller may call a method of this access. LK_UNAUTHENTICATED for nobody, LK_PERMISSION_DENIED. */
LK_MUST_CHECK enum lk_err lk_caller_allow(struct lk_request *request, const char *access);

#endif
