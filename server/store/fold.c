#include "server/store/fold.h"

#include "server/store/change.h"
#include "server/store/slots.h"
#include "server/store/store.h"

#define HOUR_US (INT64_C(3600) * 1000000)
/* A use may reach its slot a moment after the instant that it says. */
#define LATE_US (INT64_C(60) * 1000000)

/* An entry of the index. */
struct entry {
	uint32_t keyspace;
	int64_t at_us;
	uint64_t slot;
};

/* A part of a round. */
struct part {
	struct lk_txn *txn;
	struct lk_arena *arena;
	/* Over the key records, to see which entries are of keys that are gone. */
	struct lk_walk *keys;
	Latchkey__Store__Change *change;
};

static bool is_due(const struct lk_fold *fold, int64_t now_us)
{
	/* A clock that was set back does not put the round off. */
	return fold->round_us == 0 || now_us < fold->round_us || now_us - fold->round_us >= LK_FOLD_ROUND_US;
}

static bool read_entry(struct lk_txn *txn, const struct lk_walk *walk, struct entry *ret_entry)
{
	struct lk_value key = lk_walk_key(walk);

	if (key.len != LK_KEY_BY_USED_LEN) {
		lk_txn_fail(txn, LK_CORRUPT);
		return false;
	}
	ret_entry->keyspace = lk_read_u32(key.data);
	ret_entry->at_us = (int64_t)lk_read_u64(key.data + sizeof(uint32_t));
	ret_entry->slot = lk_read_u64(key.data + sizeof(uint32_t) + sizeof(uint64_t));
	return true;
}

/* The entries of one instant are in the order of their slots, as the records are: most seeks stay on a page. */
static bool has_record(const struct part *part, uint64_t slot)
{
	struct lk_key key = lk_key_u64(slot);

	return lk_walk_seek(part->keys, &key) && lk_walk_in(part->keys, &key);
}

/* Adds the move of an entry that is not where it should be. */
static void look_at(struct part *part, const struct entry *entry)
{
	struct lk_usage usage = lk_slots_usage(lk_store_slots(lk_txn_store(part->txn)), entry->slot);
	int64_t to_us = usage.last_used_us - usage.last_used_us % HOUR_US;

	/* Of a key that is gone, apply only takes the entry out. */
	if (to_us != entry->at_us || !has_record(part, entry->slot)) {
		lk_change_fold_use(part->arena, part->change, entry->keyspace, entry->slot, entry->at_us, to_us);
	}
}

static struct lk_key key_of(const struct entry *entry)
{
	return lk_key_by_used(entry->keyspace, entry->at_us, entry->slot);
}

/*
 * Looks at the next entries. The round is past those before the first that moves: whether a move is made shows when the next part
 * begins there and does not find it again. Returns whether the end was reached and nothing moves.
 */
static bool look(struct lk_fold *fold, struct part *part)
{
	struct lk_walk *walk = lk_walk_new(part->txn, LK_TABLE_KEY_BY_USED);
	struct entry entry = {0};
	bool more = lk_walk_seek(walk, &fold->from);

	for (size_t i = 0; more && i < LK_FOLD_EXAMINE_MAX && part->change->n_mutations < LK_FOLD_MOVES_MAX; i++) {
		if (!read_entry(part->txn, walk, &entry)) {
			break;
		}
		if (part->change->n_mutations == 0) {
			fold->from = key_of(&entry);
		}
		look_at(part, &entry);
		if (part->arena->exhausted) {
			break;
		}
		more = lk_walk_next(walk);
	}
	bool failed = part->arena->exhausted || lk_txn_err(part->txn) != LK_OK;
	if (more && part->change->n_mutations == 0 && !failed) {
		entry.slot++;
		fold->from = key_of(&entry);
	}
	lk_walk_free(walk);
	return !more && part->change->n_mutations == 0;
}

enum lk_err lk_fold_build(
	void *context, struct lk_txn *txn, struct lk_arena *arena, int64_t now_us, Latchkey__Store__Change *change)
{
	struct lk_fold *fold = context;
	struct part part = {.txn = txn, .arena = arena, .change = change};

	if (!fold->under_way) {
		if (!is_due(fold, now_us)) {
			return LK_OK;
		}
		*fold = (struct lk_fold){.under_way = true, .round_us = now_us};
	}
	part.keys = lk_walk_new(txn, LK_TABLE_KEY);
	bool over = look(fold, &part);
	lk_walk_free(part.keys);
	if (arena->exhausted) {
		return LK_NO_MEMORY;
	}
	if (over && lk_txn_err(txn) == LK_OK) {
		fold->under_way = false;
		lk_store_set_folded(lk_txn_store(txn), fold->round_us - LATE_US);
	}
	return lk_txn_err(txn);
}
