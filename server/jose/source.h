/*
 * Where the keys of an issuer come from: a file, or a URL.
 */
#ifndef LK_SERVER_JOSE_SOURCE_H
#define LK_SERVER_JOSE_SOURCE_H

#include <stdatomic.h>
#include <stddef.h>

#include <latchkey/error.h>

#include "server/jose/issuer_config.h"
#include "server/jose/keyset.h"

#define LK_SOURCE_DIGEST_LEN 32
#define LK_SOURCE_WHY_LEN    512

/*
 * Reads the keys of an issuer. `digest` is of the document that was read last, all zero before, and becomes that of this one.
 * LK_OK with `*ret_set` untouched: the document is the same still. Blocks: see fetch.h.
 *
 * A failure, with `ret_why`: LK_FAILED_PRECONDITION: no key set, or a file that anybody may write, or that holds a shared
 * secret and that anybody may read. LK_UNAVAILABLE: it could not be had. LK_NO_MEMORY.
 */
LK_MUST_CHECK enum lk_err lk_source_read(const struct lk_issuer_config *config, const atomic_bool *stop,
	uint8_t digest[static LK_SOURCE_DIGEST_LEN], struct lk_keyset **ret_set,
	char ret_why[static LK_SOURCE_WHY_LEN]);

#endif
