/*
 * The caller: who sends a request, and whether that may call a method. The one place where this is decided.
 */
#ifndef LK_SERVER_RPC_CALLER_H
#define LK_SERVER_RPC_CALLER_H

#include <latchkey/method.h>

#include "client/envelope.h"
#include "server/jose/issuers.h"
#include "server/rpc/exchange.h"
#include "server/service/request.h"

/*
 * Fills in request->caller. A credential is a root key, which is looked up, or, where there are `issuers`, a JWT of one of
 * them, which is checked, anew for each request; one that fails is LK_UNAUTHENTICATED, never a fall back to the uid. Without
 * one, the daemon's own user and root are the operator over ipc, and everybody else is nobody. LK_UNAVAILABLE: the keys of a
 * JWT's issuer are being read. Also what sticks to the transaction. `issuers` NULL: there are none.
 */
LK_MUST_CHECK enum lk_err lk_caller_identify(
	struct lk_request *request, const struct lk_peer *peer, struct lk_span credential, struct lk_issuers *issuers);

/* Whether the caller may call a method. LK_UNAUTHENTICATED for nobody, LK_PERMISSION_DENIED. */
LK_MUST_CHECK enum lk_err lk_caller_allow(struct lk_request *request, const struct lk_method *method);

/*
 * Whether the caller is still who it was, and may still do what it might, on the state that `request` reads now: for what has
 * waited since. Stores the revision of a root key; untouched of anyone else, who is always the same but that a credential ends.
 * LK_UNAUTHENTICATED: the credential, or the root key's secret, is not good any more. LK_UNAVAILABLE: its grant has shrunk,
 * or it has another owner; a retry is judged by what is left.
 */
LK_MUST_CHECK enum lk_err lk_caller_check_again(struct lk_request *request, uint64_t *ret_revision);

#endif
