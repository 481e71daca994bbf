/*
 * The issuers that are configured, and the one question that is asked of them: who is it that sends this token?
 */
#ifndef LK_SERVER_JOSE_ISSUERS_H
#define LK_SERVER_JOSE_ISSUERS_H

#include <stddef.h>
#include <stdint.h>

#include <latchkey/error.h>

#include "server/core/arena.h"
#include "server/jose/identity.h"
#include "server/jose/issuer_config.h"

/*
 * Of tokens that are refused, so many are logged a second, after a burst: whoever sends them may be anybody. How many were
 * left out stands in the next line.
 */
#define LK_ISSUERS_LOG_RATE  2
#define LK_ISSUERS_LOG_BURST 100

struct lk_issuers;

/*
 * Starts with the keys of each; see lk_issuer_open(). Configurations are borrowed. A failure is logged, and of one issuer is
 * that of all. lk_fetch_set_up() comes before it.
 */
LK_MUST_CHECK enum lk_err lk_issuers_start(
	const struct lk_issuer_config *configs, size_t count, struct lk_issuers **ret_issuers);

/* Ends their threads; frees. Nobody asks any more. Takes NULL. */
void lk_issuers_stop(struct lk_issuers *issuers);

/*
 * Who sends `token`: checks its form, its issuer, its signature and its claims, anew each time. `now_us` is CLOCK_REALTIME.
 * What it gives lives in the arena, and borrows of the configuration. Any thread.
 *
 * LK_UNAUTHENTICATED: it is not good; why is logged, and nobody else's business. LK_UNAVAILABLE: the issuer's keys are being
 * read; a retry is told. Both with `*ret_message`, in the arena or static. LK_NO_MEMORY.
 */
LK_MUST_CHECK enum lk_err lk_issuers_identify(struct lk_issuers *issuers, struct lk_arena *arena, const char *token,
	size_t len, int64_t now_us, struct lk_identity *ret_identity, const char **ret_message);

#endif
