/*
 * Fetching a key set over HTTP. What answers may be anybody's: so everything of it is bounded, and nothing but a plain 200 is
 * taken.
 */
#ifndef LK_SERVER_JOSE_FETCH_H
#define LK_SERVER_JOSE_FETCH_H

#include <stdatomic.h>
#include <stddef.h>

#include <latchkey/error.h>

#define LK_FETCH_CONNECT_MS 3000
#define LK_FETCH_TOTAL_MS   5000
#define LK_FETCH_BODY_MAX   ((size_t)1 << 20)
#define LK_FETCH_WHY_LEN    256

/* Once for the process, before it has threads. LK_INTERNAL where libcurl cannot start. */
LK_MUST_CHECK enum lk_err lk_fetch_set_up(void);

/*
 * Whether keys may be fetched from a URL: https, or http from a loopback host, without a user, a password or a fragment. NULL
 * where they may; else a static text of what would be right.
 */
const char *lk_fetch_check_url(const char *url);

/*
 * Gets a document, to be free()d. Blocks for LK_FETCH_TOTAL_MS at most; about a second where `stop` comes true meanwhile.
 *
 * LK_UNAVAILABLE, with `ret_why` saying why: no connection, a certificate that is not good, any status but 200 (a redirection
 * too), a body over LK_FETCH_BODY_MAX, out of time, stopped. LK_NO_MEMORY.
 */
LK_MUST_CHECK enum lk_err lk_fetch(const char *url, const atomic_bool *stop, char **ret_body, size_t *ret_len,
	char ret_why[static LK_FETCH_WHY_LEN]);

#endif
