#include "server/store/chain.h"

#include <inttypes.h>
#include <sodium.h>
#include <string.h>

#include "latchkey/store/record.pb-c.h"
#include "server/store/store.h"

/* A part of a proof. */
struct proof {
	struct lk_txn *txn;
	struct lk_arena *arena;
	/* Of this state: read before anything can fail. */
	struct lk_head head;
	uint8_t key[LK_SECRET_KEY_LEN];
	struct lk_chain_position *position;
	struct lk_chain_break *broken;
};

static void break_at(struct proof *proof, uint64_t number, const char *description)
{
	*proof->broken = (struct lk_chain_break){
		.number = number,
		.description = description == NULL ? "it is not as it was written" : description,
	};
}

/* Where the store itself is damaged, the record behind the last that was proved is broken; no other failure is a break. */
static void break_unreadable(struct proof *proof, const char *description)
{
	if (lk_txn_err(proof->txn) == LK_CORRUPT) {
		break_at(proof, proof->position->number + 1, description);
	}
}

/* Why a record's hash is not the one that it should be. */
static const char *explain(struct proof *proof, uint64_t number, const struct lk_value *value)
{
	struct lk_arena scratch = {0};
	const char *description = "it was altered, or its hash was";

	if (lk_arena_init(&scratch, 4096, (size_t)1 << 20) != LK_OK) {
		return description;
	}
	const Latchkey__Store__AuditRecord *record = latchkey__store__audit_record__unpack(
		&scratch.allocator, value->len - LK_DIGEST_LEN, value->data + LK_DIGEST_LEN);
	if (record == NULL) {
		description = "it was altered: it does not even unpack";
	} else if (record->number != number && record->number != 0) {
		description = lk_arena_printf(proof->arena,
			"it was altered, or another stands in its place: it says it is number %" PRIu64,
			record->number);
	}
	lk_arena_done(&scratch);
	return description;
}

/* Proves the record where the walk stands; false where it is broken. */
static bool prove_record(struct proof *proof, const struct lk_walk *walk)
{
	uint64_t expected = proof->position->number + 1;
	struct lk_value key = lk_walk_key(walk);
	struct lk_value value = lk_walk_value(walk);
	uint8_t hash[LK_DIGEST_LEN] = {0};

	if (key.len != sizeof(uint64_t) || lk_read_u64(key.data) < expected) {
		break_at(proof, expected, "before it stands an entry that nobody wrote");
		return false;
	}
	if (expected > proof->head.last_audit) {
		break_at(proof, lk_read_u64(key.data),
			lk_arena_printf(proof->arena, "it was put in behind the head, which is number %" PRIu64,
				proof->head.last_audit));
		return false;
	}
	if (lk_read_u64(key.data) != expected) {
		break_at(proof, expected,
			lk_arena_printf(proof->arena, "it is missing: the next record there is has number %" PRIu64,
				lk_read_u64(key.data)));
		return false;
	}
	if (value.len < LK_DIGEST_LEN) {
		break_at(proof, expected, "it was altered: it is too short for its hash");
		return false;
	}
	lk_audit_hash(proof->key, proof->position->hash, value.data + LK_DIGEST_LEN, value.len - LK_DIGEST_LEN, hash);
	if (memcmp(hash, value.data, LK_DIGEST_LEN) != 0) {
		break_at(proof, expected, explain(proof, expected, &value));
		return false;
	}
	proof->position->number = expected;
	memcpy(proof->position->hash, hash, LK_DIGEST_LEN);
	return true;
}

/* No further record is there: the head must be the last one. */
static void prove_end(struct proof *proof)
{
	const struct lk_chain_position *position = proof->position;
	uint64_t last = proof->head.last_audit;

	if (position->number < last) {
		break_at(proof, position->number + 1,
			lk_arena_printf(proof->arena,
				"it is missing, and so is all behind it: the head says that the last is number "
				"%" PRIu64,
				last));
	} else if (memcmp(position->hash, proof->head.audit_hash, LK_DIGEST_LEN) != 0) {
		break_at(proof, position->number == 0 ? 1 : position->number,
			"it is not the one that the head names: its hash is another, or the head's was altered");
	}
}

/* Walks on; true where `most` was reached before the end. */
static bool prove_records(struct proof *proof, struct lk_walk *walk, size_t most)
{
	/* From the very first key on, whatever it is; later, from the least that can stand behind the last that was proved. */
	struct lk_key from = {0};

	if (proof->position->number > 0) {
		from = lk_key_u64(proof->position->number);
		from.data[from.len++] = 0;
	}
	bool more = lk_walk_seek(walk, &from);
	for (size_t i = 0; i < most && more; i++) {
		if (!prove_record(proof, walk)) {
			return false;
		}
		more = lk_walk_next(walk);
	}
	if (lk_txn_err(proof->txn) != LK_OK) {
		break_unreadable(proof, "the store is damaged there, and cannot be read");
		return false;
	}
	if (!more) {
		prove_end(proof);
	}
	return more;
}

bool lk_chain_prove(struct lk_txn *txn, struct lk_arena *arena, struct lk_chain_position *position, size_t most,
	struct lk_chain_break *ret_break)
{
	struct proof proof = {
		.txn = txn, .arena = arena, .head = *lk_txn_head(txn), .position = position, .broken = ret_break};

	*ret_break = (struct lk_chain_break){0};
	if (lk_txn_err(txn) != LK_OK) {
		break_unreadable(&proof, "the head of the chain is damaged, and cannot be read");
		return false;
	}
	if (position->number > proof.head.last_audit) {
		break_at(&proof, proof.head.last_audit + 1,
			"it is missing, and was there before: the store is an older one, or was cut off at its end");
		return false;
	}
	lk_seal_subkey(lk_store_keyring(lk_txn_store(txn)), LK_SEAL_AUDIT, NULL, 0, proof.key);
	struct lk_walk *walk = lk_walk_new(txn, LK_TABLE_AUDIT);
	bool more = prove_records(&proof, walk, most);
	lk_walk_free(walk);
	sodium_memzero(proof.key, sizeof proof.key);
	return more;
}
