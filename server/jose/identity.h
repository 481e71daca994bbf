/*
 * Who a token stands for, and what that caller may do: from claims that were found good, by what is configured of their issuer.
 */
#ifndef LK_SERVER_JOSE_IDENTITY_H
#define LK_SERVER_JOSE_IDENTITY_H

#include <jansson.h>
#include <stdint.h>

#include "latchkey/store/record.pb-c.h"
#include "server/core/arena.h"
#include "server/jose/issuer_config.h"

/* Lives in the arena that it was made in; of the configuration it borrows. */
struct lk_identity {
	/* As audit records name it: "jwt:ISSUER:SUBJECT", ISSUER being the name in the configuration. */
	const char *name;
	const char *subject;
	/* When the token ends, by its own word. */
	int64_t expire_us;
	/* Of the first line whose condition holds; one without methods where none does: a caller who may do nothing. */
	const Latchkey__Store__GrantRecord *grant;
};

/*
 * NULL on success; else a static text of what is wrong, for a log, without any value: no subject, or one that could not be a
 * key's owner; no tenant, over LK_ISSUER_TENANTS_MAX, or one that is no tenant's id, "system" or "active". Where the arena is
 * exhausted, it says so itself.
 */
const char *lk_identity_make(struct lk_arena *arena, const struct lk_issuer_config *config, const json_t *claims,
	struct lk_identity *ret_identity);

#endif
