/*
 * A request, as a service sees it: who asks, of which state, at what time, and room for the answer.
 *
 * A service validates, authorises, and composes core and store. It knows no nng and no LMDB, keeps nothing between requests,
 * and may be run again for the same request on a newer state (method.h).
 */
#ifndef LK_SERVER_SERVICE_REQUEST_H
#define LK_SERVER_SERVICE_REQUEST_H

#include <stdbool.h>
#include <stdint.h>

#include <latchkey/error.h>

#include "client/envelope.h"
#include "latchkey/store/record.pb-c.h"
#include "latchkey/v1/admin.pb-c.h"
#include "server/core/arena.h"
#include "server/core/faults.h"
#include "server/core/secret.h"
#include "server/store/store.h"
#include "server/store/txn.h"

/* Who calls. */
struct lk_caller {
	/* UNSPECIFIED: nobody. */
	Latchkey__V1__CallerKind kind;
	/* As audit records name it: "uid:1000", "key:key_...", "jwt:ISSUER:SUBJECT", "" for nobody. */
	const char *name;
	/* The slot of a root key; 0 of anyone else. */
	uint64_t slot;
	/* The digest of its secret, which may be the one before the newest. */
	uint8_t digest[LK_DIGEST_LEN];
	/* Who it is to the keys: the owner of a root key, the subject of a JWT; "" of anyone else. */
	const char *subject;
	/* When the credential ends; 0: not by itself. */
	int64_t expire_us;
	/* What the caller may do. Never NULL: nobody's is empty, an operator's is everything. */
	const Latchkey__Store__GrantRecord *grant;
};

struct lk_expressions;

struct lk_request {
	/* Lives until the reply is sent; wiped then. */
	struct lk_arena *arena;
	/* Everything that is wrong with the request; any at all make the answer INVALID_ARGUMENT. */
	struct lk_faults faults;
	struct lk_store *store;
	/* The permission expressions that were compiled lately; NULL: each is compiled anew. */
	struct lk_expressions *expressions;
	/* The state to read. */
	struct lk_txn *txn;
	struct lk_caller caller;
	/* CLOCK_REALTIME, read once. */
	int64_t now_us;
	/* On CLOCK_MONOTONIC: from then on nobody waits for the answer; 0: that never comes. */
	int64_t deadline_us;
	/* The full name of the method. */
	const char *method;
	/* The change ends keys: it goes ahead of the others that wait. Set by a service's build. */
	bool urgent;
	/*
	 * What the first run of a build of bulk work keeps for those on newer data, in the arena; NULL until then. It must be
	 * good on any state: a selection that is fixed, not what was read of it.
	 */
	void *kept;
	/* What the answer says of an error; set by lk_request_fail(). */
	const char *message;
};

/* After so many rows a long read looks at its deadline, and renews its snapshot where it may. */
#define LK_RENEW_ROWS 10000

/* LK_OK; or, where the request's time is over, LK_DEADLINE_EXCEEDED with a message. For long reads. */
LK_MUST_CHECK enum lk_err lk_request_in_time(struct lk_request *request);

/* Says for a person what went wrong, and returns `err`, which is not LK_OK. Never with a secret. */
enum lk_err lk_request_fail(struct lk_request *request, enum lk_err err, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* LK_OK; or, where there are faults, LK_INVALID_ARGUMENT with a message; or what sticks to the transaction. */
LK_MUST_CHECK enum lk_err lk_request_check(struct lk_request *request);

/* The faults as a Response's encoded violations, in the arena; empty where there are none, or no memory. */
struct lk_span lk_request_violations(const struct lk_request *request);

/* The error of a record that was looked for and is NULL: what sticks to the transaction, or LK_NOT_FOUND saying what. */
enum lk_err lk_request_not_found(struct lk_request *request, const char *what, const char *name);

#endif
