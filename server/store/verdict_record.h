/*
 * The two records that a verdict is made from: one descent to `verdict` says everything of the key, one to `gate` everything of
 * its keyspace and tenant, in the same snapshot.
 *
 * Both are laid out as they lie in memory, in this machine's byte order, like the integer key of `verdict`; they are copied out
 * before use, since LMDB aligns nothing. Nobody but apply writes them.
 */
#ifndef LK_SERVER_STORE_VERDICT_RECORD_H
#define LK_SERVER_STORE_VERDICT_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "latchkey/store/record.pb-c.h"
#include "server/core/text.h"
#include "server/core/verdict.h"
#include "server/store/txn.h"

#define LK_DIGEST_REST_LEN (LK_DIGEST_LEN - sizeof(uint64_t))

enum lk_verdict_flag {
	/* Good in every keyspace of its tenant. */
	LK_VERDICT_TENANT_SCOPE = 1 << 0,
	/* Of a secret that Rotate replaced: until when it verifies follows the grant, 8 bytes. */
	LK_VERDICT_REPLACED = 1 << 1,
	/* The digest is lk_token_digest_sha256()'s, of a token that was imported by its SHA-256. */
	LK_VERDICT_SHA256 = 1 << 2,
};

/* What precedes each record; where the first 8 bytes of two digests are the same, their records follow one another. */
struct lk_verdict_head {
	/* The digest behind the 8 bytes that are the key. */
	uint8_t digest_rest[LK_DIGEST_REST_LEN];
	uint64_t slot;
	/* 0: never. */
	int64_t expire_us;
	/* 0: from the start. */
	int64_t not_before_us;
	uint32_t keyspace;
	/* What follows the head: the KeyIdentity, packed, its length before it as protobuf writes it; then a GrantRecord, packed; then
	 * the key's rules (rules.h); of a secret that was replaced, 8 bytes. */
	uint32_t identity_len;
	uint16_t grant_len;
	/* Latchkey__Store__StoredState */
	uint8_t state;
	/* enum lk_verdict_flag */
	uint8_t flags;
	/* 0: it has none, like most keys. */
	uint16_t rules_len;
	uint8_t reserved[2];
};

/* What every verdict asks of the key's keyspace and tenant. */
struct lk_gate {
	uint32_t tenant;
	/* Not 0: the keyspace, or its tenant, was deleted, and none of its keys is there any more. */
	uint16_t closed;
	/* Not 0: the keyspace has a list of addresses, in LK_TABLE_GATE_CIDRS. */
	uint16_t has_cidrs;
	/* Keys by stored state. */
	uint64_t active;
	uint64_t suspended;
	uint64_t revoked;
	/* The ids, with a NUL behind. */
	char tenant_id[LK_ID_MAX + 1];
	char keyspace_id[LK_ID_MAX + 1];
};

/* A key that was found by its digest. The pointers lie in LMDB's map: good as long as the snapshot. */
struct lk_verdict {
	struct lk_verdict_head head;
	const uint8_t *identity;
	const uint8_t *grant;
	/* head.rules_len bytes, for rules.h. */
	const uint8_t *rules;
	/* Of a secret that was replaced; else 0. */
	int64_t replaced_until_us;
};

/* Finds the record of `digest`, of whatever kind. False where there is none or an error sticks to `txn`. */
bool lk_verdict_find(struct lk_txn *txn, const uint8_t digest[static LK_DIGEST_LEN], struct lk_verdict *ret_verdict);

/* What the gates ask of the key; that keyspace and address fit, and that it is permitted, is for the caller to say. */
struct lk_verdict_facts lk_verdict_facts_of(const struct lk_verdict *verdict);

/* The KeyIdentity of a verdict, packed, without the length that stands before it; stores its length. */
const uint8_t *lk_verdict_identity(const struct lk_verdict *verdict, size_t *ret_len);

/* Reads the gate of a keyspace. False where an error sticks; a keyspace without a gate makes LK_CORRUPT stick. */
bool lk_gate_get(struct lk_txn *txn, uint32_t keyspace, struct lk_gate *ret_gate);
void lk_gate_put(struct lk_txn *txn, uint32_t keyspace, const struct lk_gate *gate);

/*
 * Moves the records of a key's secrets, its own and the one that Rotate replaced, from `before` to `after`, and the head's
 * counts of imported ones; NULL for a key that was not there, or no longer is. Where another key has one of the digests already,
 * LK_INTERNAL sticks; where a record of `before` is not there, LK_CORRUPT.
 */
void lk_verdict_move(struct lk_txn *txn, const Latchkey__Store__KeyRecord *before,
	const Latchkey__Store__KeyRecord *after, const struct lk_gate *gate);

#endif
