/*
 * A session: the channel to the daemon, the credential, and calls whose requests and answers are JSON.
 *
 * What goes wrong is said on standard error, with every violation that the daemon found. From one thread.
 */
#ifndef LK_CLI_SESSION_H
#define LK_CLI_SESSION_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <latchkey/channel.h>

#include "tools/latchkey/options.h"
#include "tools/latchkey/say.h"
#include "tools/latchkey/schema.h"

struct lk_session;

/*
 * Opens the channel, without waiting for it, and reads the credential. `options` is borrowed.
 * LK_EXIT_USAGE: a URL that is none, a credential that cannot be read.
 */
enum lk_exit lk_session_open(const struct lk_options *options, struct lk_session **ret);

/* Wipes and frees. Takes NULL. */
void lk_session_close(struct lk_session *session);

/*
 * Calls `method` of `schema` and waits for its answer, to be json_decref()ed.
 * LK_EXIT_USAGE: `request` is not the method's request. LK_EXIT_REFUSED, LK_EXIT_UNREACHABLE.
 */
enum lk_exit lk_session_call(struct lk_session *session, const struct lk_schema *schema,
	const struct lk_schema_method *method, const json_t *request, json_t **ret_response);

/* The channel, for calls that are made from several threads; `timeout_ms` of each is the caller's to set. */
struct lk_channel *lk_session_channel(const struct lk_session *session);

/*
 * Opens one channel more, with the same credential, to be lk_channel_close()d before the session is. LK_EXIT_USAGE: as above, and
 * it was said.
 */
enum lk_exit lk_session_dial(const struct lk_session *session, struct lk_channel **ret);

/* Says why a call of `method` came to nothing, and gives the exit code for it. */
enum lk_exit lk_session_refused(const struct lk_schema_method *method, enum lk_err err, const struct lk_call *call);

/* The description of the API that the daemon has, by reflection. To be lk_schema_free()d. */
enum lk_exit lk_session_reflect(struct lk_session *session, struct lk_schema **ret);

#endif
