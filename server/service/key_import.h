/*
 * Import: what its parts share. key_import.c composes, key_import_key.c checks one key and makes its record, key_import_secret.c
 * reads secrets, key_import_seen.c finds what is given twice.
 *
 * One build runs on one thread, and everything lives in the request's arena.
 */
#ifndef LK_SERVER_SERVICE_KEY_IMPORT_H
#define LK_SERVER_SERVICE_KEY_IMPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "latchkey/store/change.pb-c.h"
#include "latchkey/v1/key.pb-c.h"
#include "server/core/secret.h"
#include "server/service/request.h"

/* "keys[1023]." and a NUL. */
#define LK_IMPORT_PREFIX_LEN 16

/* Which of the keys of one message had a thing first: the digest of a secret, an id, a name in its keyspace. */
struct lk_import_seen {
	/* By hash; the index of a key and 1, 0 where it is free. */
	uint16_t *slots;
	size_t n_slots;
	/* Of the key of each index: what it had. NULL where nothing was noted. */
	const void **things;
	size_t *lens;
	uint32_t *groups;
};

/* Room for `count` keys; false where the arena is exhausted. */
LK_MUST_CHECK bool lk_import_seen_init(struct lk_import_seen *seen, struct lk_arena *arena, size_t count);

/* Whether a key had these `len` bytes in `group` (a keyspace's number, or 0); says which. */
bool lk_import_seen_find(
	const struct lk_import_seen *seen, uint32_t group, const void *thing, size_t len, size_t *ret_index);

/* Notes that the key at `index` has them, which none had; `thing` is borrowed. At most one thing a key. */
void lk_import_seen_add(struct lk_import_seen *seen, uint32_t group, const void *thing, size_t len, size_t index);

/* A keyspace that keys of the message name. */
struct lk_import_keyspace {
	const char *id;
	/* NULL: there is none. */
	Latchkey__Store__KeyspaceRecord *record;
	/* The Change depends on it. */
	bool expected;
};

struct lk_import {
	struct lk_request *request;
	const Latchkey__V1__ImportKeysRequest *message;
	Latchkey__Store__TenantRecord *tenant;
	/* Of every key, by index: one of `keyspaces`, or NULL where it names none. */
	struct lk_import_keyspace **keyspace_of;
	struct lk_import_keyspace *keyspaces;
	size_t n_keyspaces;
	struct lk_import_seen digests, ids, names;
	/* Of keys whose token was given: what their token would be known by had it been given as SHA-256. */
	struct lk_import_seen other_digests;

	/* Of the key that is being checked. */

	/* The request's own; with skip_faulty those of one key after the other. */
	struct lk_faults *faults;
	/* Of each fault, whether it is a duplicate. */
	bool is_duplicate[LK_FAULTS_MAX];
	size_t index;
	char prefix[LK_IMPORT_PREFIX_LEN];
	const Latchkey__V1__ImportedKey *given;
	const Latchkey__Store__KeyspaceRecord *keyspace;
	Latchkey__Store__KeyRecord *record;
	/* See `other_digests`; NULL where the token was not given. */
	const uint8_t *other_digest;
};

/* Adds a fault of a field of the key, of the whole key where `field` is "". */
void lk_import_fault(struct lk_import *import, const char *field, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* The same of what is there already. */
void lk_import_duplicate(struct lk_import *import, const char *field, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/*
 * Checks the key at import->index, all of it, and makes its record; what is wrong is added to import->faults. True where nothing
 * is in there, of this key or of those before. A key that is good, or any where none is left out, is noted, so that a later one that is like it is found.
 * LK_NO_MEMORY and what sticks to the transaction are not told here.
 */
LK_MUST_CHECK bool lk_import_check_key(struct lk_import *import);

/*
 * Reads the key's secret: its digest and kind into the record. `*ret_field` is the field that it was given in, NULL where there is
 * none. False, with a fault, where it is none.
 */
LK_MUST_CHECK bool lk_import_read_secret(struct lk_import *import, const char **ret_field);

/* Reads 32 bytes in hex, or in base64 of either alphabet, padded or not. False, and `ret_bytes` is undefined, where they are none. */
LK_MUST_CHECK bool lk_import_read_bytes(const char *text, uint8_t ret_bytes[static LK_DIGEST_LEN]);

/* How many characters may be shown of a token under a policy: at most a quarter of what stands behind the policy's prefix. */
size_t lk_import_shown(const Latchkey__Store__PolicyRecord *policy, const char *token, size_t token_len);

#endif
