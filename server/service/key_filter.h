/*
 * Which keys a request is about: a KeyFilter, checked, and matched.
 *
 * A filter is checked once, all of its faults gathered, and then matched against the packed record of a key, of which only what
 * the filter asks about is read. EXPIRED is computed from request->now_us, and the last use is read from the slots at that
 * moment: what matches is exact, whatever the index that led there.
 */
#ifndef LK_SERVER_SERVICE_KEY_FILTER_H
#define LK_SERVER_SERVICE_KEY_FILTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "latchkey/v1/key.pb-c.h"
#include "server/service/request.h"
#include "server/store/key_peek.h"

/* What a filter may ask about a key; its keyspace apart, which whoever walks chooses by. */
enum lk_key_ask {
	LK_ASK_STATE = 1 << 0,
	LK_ASK_OWNER = 1 << 1,
	LK_ASK_NAME = 1 << 2,
	LK_ASK_PERMISSION = 1 << 3,
	LK_ASK_CREATED = 1 << 4,
	LK_ASK_EXPIRES = 1 << 5,
	LK_ASK_USED = 1 << 6,
	LK_ASK_ROLE = 1 << 7,
};

/* The questions whose answers stand far behind the rest of a record (key_peek.h). */
#define LK_ASK_RIGHTS (LK_ASK_PERMISSION | LK_ASK_ROLE)

#define LK_ASK_ALL (~0U)

/* Instants of a key: none but from the first to the last of them. */
struct lk_instants {
	int64_t first_us;
	int64_t last_us;
};

/* A filter that was checked. It borrows from the message. */
struct lk_key_filter {
	/* enum lk_key_ask, of whatever the filter asks about. */
	unsigned asks;
	/* "": every keyspace. */
	const char *keyspace;
	/* 1 << latchkey.v1.KeyState, of each state that may be. */
	unsigned states;
	const char *owner;
	/* It is asked for by the caller's grant, and not by the filter. */
	bool owner_forced;
	const char *name_prefix;
	const char *permission;
	/* By its number. */
	uint32_t role;
	struct lk_instants created;
	/* The last instant at which it may expire; those that never do are not among them. */
	int64_t expires_last_us;
	/* The last instant at which it may have been used; 0: it never was. */
	int64_t used_last_us;
};

/*
 * Checks `message`; NULL is one that says nothing. `tenant`: whose roles it may name; NULL where it is not there. Each fault is
 * one of "filter.<field>"; what is faulty is left out of the
 * result. A keyspace that the caller is not granted is LK_PERMISSION_DENIED, and so is an owner other than the caller where
 * that is granted its own keys alone; the filter then asks for the caller's own, whatever it says. Whether there is such a
 * keyspace is seen later.
 */
LK_MUST_CHECK enum lk_err lk_key_filter_check(struct lk_request *request, const Latchkey__Store__TenantRecord *tenant,
	const Latchkey__V1__KeyFilter *message, struct lk_key_filter *ret_filter);

/* Whether it says nothing: all keys pass that the caller may see. */
bool lk_key_filter_is_empty(const struct lk_key_filter *filter);

/* Whether a key passes what the filter asks about it, of the questions `asks`: LK_ASK_ALL, or those that an index leaves open. */
bool lk_key_filter_match(
	struct lk_request *request, const struct lk_key_filter *filter, unsigned asks, const struct lk_key_peek *key);

#endif
