/*
 * Canaries: keys that are made to be revoked, and removed when it is over. What goes wrong is said on standard error.
 *
 * From one thread, but for the members that verifiers write.
 */
#ifndef LK_CLI_CANARY_H
#define LK_CLI_CANARY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <latchkey/channel.h>

#include "tools/latchkey/say.h"
#include "tools/latchkey/schema.h"

/* The most ways of asking for a verdict. */
#define LK_VERIFIERS_MAX 4

struct lk_canary {
	/* NULL: it was not made. */
	char *id;
	char *token;
	/* Revoke is on its way: the verdict may be either from now on. */
	_Atomic bool is_sent;
	/* When Revoke's acknowledgement had arrived, on CLOCK_MONOTONIC in nanoseconds; 0: it has not. */
	_Atomic int64_t acked_ns;
	/* Of each verifier: it was told VALID, and it has asked, in a call that began after the acknowledgement. */
	_Atomic bool is_known[LK_VERIFIERS_MAX];
	_Atomic bool is_asked[LK_VERIFIERS_MAX];
};

struct lk_canaries {
	/* Borrowed. */
	struct lk_channel *channel;
	uint32_t timeout_ms;
	/* Of what methods call themselves when they are refused. */
	struct lk_schema *schema;
	/* Where they are: borrowed, or ours. */
	const char *tenant;
	const char *keyspace;
	/* The beginning of all their names, and the name of the tenant that is made for them. */
	char name[32];
	/* The tenant is ours, to be made and deleted. */
	bool is_own;
	bool is_own_made;
	/* What was learnt from refusals: how long a key may live, and that each needs an owner. */
	int64_t ttl_s;
	bool needs_owner;
	struct lk_canary *keys;
	size_t n;
};

/* CLOCK_MONOTONIC in nanoseconds. */
int64_t lk_canary_now_ns(void);

/*
 * Sets up `n` canaries, of which none is made yet, in this keyspace; NULL: in a tenant of their own. It must not
 * be moved. LK_NO_MEMORY. lk_canaries_done() takes it whatever came of it.
 */
LK_MUST_CHECK enum lk_err lk_canaries_init(struct lk_canaries *canaries, struct lk_channel *channel,
	uint32_t timeout_ms, size_t n, const char *tenant, const char *keyspace);

/* Makes them, until lk_stop_is_wanted(). */
enum lk_exit lk_canaries_make(struct lk_canaries *canaries);

/* Revokes one, and notes when that was acknowledged. */
enum lk_exit lk_canaries_revoke(struct lk_canaries *canaries, size_t index, int64_t *ret_took_ns);

/* Removes all that was made; what cannot be removed is named, and has the exit code of its reason. */
enum lk_exit lk_canaries_remove(struct lk_canaries *canaries);

/* Wipes and frees; removes nothing. Takes a zero one. */
void lk_canaries_done(struct lk_canaries *canaries);

#endif
