#include "server/store/key_source.h"

#include <string.h>

#define SLOT_LEN    sizeof(uint64_t)
#define INSTANT_LEN sizeof(uint64_t)

enum {
	LIVE,
	REVOKED
};

static const enum lk_table tables[LK_KEYS_INDEX_COUNT] = {
	[LK_KEYS_BY_CREATE] = LK_TABLE_KEY_BY_CREATE,
	[LK_KEYS_BY_OWNER] = LK_TABLE_KEY_BY_OWNER,
	[LK_KEYS_BY_EXPIRY] = LK_TABLE_KEY_BY_EXPIRY,
	[LK_KEYS_BY_NAME] = LK_TABLE_KEY_BY_NAME,
	[LK_KEYS_BY_USED] = LK_TABLE_KEY_BY_USED,
};

static bool is_by_name(const struct lk_key_range *range)
{
	return range->index == LK_KEYS_BY_NAME;
}

/* Whether it merges the runs of each name. */
static bool merges(const struct lk_key_range *range)
{
	return is_by_name(range) && !range->unordered;
}

static void extend(struct lk_key *key, const void *data, size_t len)
{
	/* Nothing that is given here is longer: names were checked at the edge, and positions by lk_key_position_is(). */
	len = len > LK_KEY_MAX - key->len ? LK_KEY_MAX - key->len : len;
	memcpy(key->data + key->len, data, len);
	key->len += len;
}

static void extend_u64(struct lk_key *key, uint64_t number)
{
	struct lk_key bytes = lk_key_u64(number);

	extend(key, bytes.data, bytes.len);
}

bool lk_key_position_is(const struct lk_key_range *range, const struct lk_key_position *after)
{
	if (after->len == 0) {
		return true;
	}
	if (!is_by_name(range)) {
		return after->len == INSTANT_LEN + SLOT_LEN;
	}
	/* What is behind the name is a NUL, and of the index's own order whether it is revoked. */
	size_t behind = SLOT_LEN + (merges(range) ? 1 : 2);
	return after->len >= behind && after->len <= LK_KEY_POSITION_MAX && after->data[after->len - behind] == '\0';
}

/* The least slot behind `after`, in the direction of the range. Slots are neither 0 nor 2^64 - 1. */
static uint64_t slot_behind(const struct lk_key_range *range, const struct lk_key_position *after)
{
	uint64_t slot = lk_read_u64(after->data + after->len - SLOT_LEN);

	return range->descending ? slot - 1 : slot + 1;
}

static bool seek(const struct lk_key_range *range, struct lk_walk *walk, const struct lk_key *key)
{
	return range->descending ? lk_walk_seek_last(walk, key) : lk_walk_seek(walk, key);
}

static bool step(const struct lk_key_range *range, struct lk_walk *walk)
{
	return range->descending ? lk_walk_prev(walk) : lk_walk_next(walk);
}

/* Where a range begins. */
static struct lk_key edge(const struct lk_key_source *source)
{
	const struct lk_key_range *range = source->range;
	struct lk_key key = source->prefix;

	if (!is_by_name(range)) {
		extend_u64(&key, range->descending ? range->last_us : range->first_us);
		extend_u64(&key, range->descending ? UINT64_MAX : 0);
	} else if (range->descending) {
		/* No name has such a byte: UTF-8 does not know it. */
		extend(&key, &(const uint8_t){0xff}, 1);
	}
	return key;
}

/* Reads where the first run stands; false where that is no longer in the range. */
static bool read_plain(struct lk_key_source *source)
{
	const struct lk_key_range *range = source->range;

	if (!source->runs[0].stands || !lk_walk_in(source->runs[0].walk, &source->prefix)) {
		return false;
	}
	struct lk_value key = lk_walk_key(source->runs[0].walk);
	size_t len = key.len - source->head_at;
	if (is_by_name(range) ? len < 2 + SLOT_LEN || len > LK_KEY_POSITION_MAX : len != INSTANT_LEN + SLOT_LEN) {
		lk_txn_fail(source->txn, LK_CORRUPT);
		return false;
	}
	source->head = key.data + source->head_at;
	source->head_len = len - SLOT_LEN;
	source->slot = lk_read_u64(source->head + source->head_len);
	uint64_t at = lk_key_source_at(source);
	return is_by_name(range) || (at >= range->first_us && at <= range->last_us);
}

static bool open_plain(struct lk_key_source *source, const struct lk_key_position *after)
{
	const struct lk_key_range *range = source->range;
	struct lk_key from = edge(source);

	if (after->len > 0) {
		from = source->prefix;
		from.len = source->head_at;
		extend(&from, after->data, after->len - SLOT_LEN);
		extend_u64(&from, slot_behind(range, after));
	}
	source->runs[0].stands = seek(range, source->runs[0].walk, &from);
	return read_plain(source);
}

/* What the keys of one run of the source's name begin with. */
static struct lk_key run_prefix(const struct lk_key_source *source, size_t run)
{
	struct lk_key key = source->name;

	extend(&key, &(const uint8_t){run == REVOKED}, 1);
	return key;
}

/* Takes both runs of the source's name to the first slot that is not before `slot`. */
static void enter_name(struct lk_key_source *source, uint64_t slot)
{
	for (size_t i = LIVE; i <= REVOKED; i++) {
		struct lk_key_run *run = &source->runs[i];
		struct lk_key prefix = run_prefix(source, i);
		struct lk_key from = prefix;
		extend_u64(&from, slot);
		run->stands = seek(source->range, run->walk, &from);
		run->in = run->stands && lk_walk_in(run->walk, &prefix);
	}
}

/* Stands on the run whose slot comes first. */
static void choose_run(struct lk_key_source *source)
{
	uint64_t slots[2] = {0};

	for (size_t i = LIVE; i <= REVOKED; i++) {
		if (source->runs[i].in) {
			struct lk_value key = lk_walk_key(source->runs[i].walk);
			slots[i] = lk_read_u64(key.data + key.len - SLOT_LEN);
		}
	}
	source->run = source->runs[LIVE].in ? LIVE : REVOKED;
	if (source->runs[LIVE].in && source->runs[REVOKED].in) {
		source->run = (slots[LIVE] < slots[REVOKED]) != source->range->descending ? LIVE : REVOKED;
	}
	source->slot = slots[source->run];
	source->head = source->name.data + source->head_at;
	source->head_len = source->name.len - source->head_at;
}

/* Takes the name of the key where a walk stands. False where that is no key of the index. */
static bool take_name(struct lk_key_source *source, const struct lk_walk *walk)
{
	struct lk_value key = lk_walk_key(walk);
	size_t behind = SLOT_LEN + 2;

	if (key.len < source->head_at + behind || key.len > source->head_at + LK_KEY_POSITION_MAX ||
		key.data[key.len - behind] != '\0' || key.data[key.len - behind + 1] > REVOKED) {
		lk_txn_fail(source->txn, LK_CORRUPT);
		return false;
	}
	source->name.len = 0;
	extend(&source->name, key.data, key.len - behind + 1);
	return true;
}

/*
 * Stands on the next key of the name, or of the next name: the run that is walked last of a name has then come to that, or, where
 * a scan begins, stands there from the start.
 */
static bool settle(struct lk_key_source *source)
{
	const struct lk_key_run *far = &source->runs[source->range->descending ? LIVE : REVOKED];

	while (!source->runs[LIVE].in && !source->runs[REVOKED].in) {
		if (!far->stands || !lk_walk_in(far->walk, &source->prefix) || !take_name(source, far->walk)) {
			return false;
		}
		enter_name(source, source->range->descending ? UINT64_MAX : 0);
	}
	choose_run(source);
	return true;
}

static bool open_by_name(struct lk_key_source *source, uint32_t keyspace, const struct lk_key_position *after)
{
	struct lk_key_run *far = &source->runs[source->range->descending ? LIVE : REVOKED];
	struct lk_key from = edge(source);

	source->runs[REVOKED].walk = lk_walk_new(source->txn, LK_TABLE_KEY_BY_NAME);
	if (after->len == 0) {
		far->stands = seek(source->range, far->walk, &from);
	} else {
		source->name = lk_key_u32(keyspace);
		extend(&source->name, after->data, after->len - SLOT_LEN);
		enter_name(source, slot_behind(source->range, after));
	}
	return settle(source);
}

bool lk_key_source_open(struct lk_key_source *source, struct lk_txn *txn, const struct lk_key_range *range,
	uint32_t keyspace, const struct lk_key_position *after)
{
	source->txn = txn;
	source->range = range;
	source->prefix = range->index == LK_KEYS_BY_OWNER ? lk_key_by_owner_prefix(keyspace, range->owner)
							  : lk_key_u32(keyspace);
	source->head_at = source->prefix.len;
	if (is_by_name(range)) {
		extend(&source->prefix, range->name_prefix, strlen(range->name_prefix));
	}
	source->runs[0].walk = lk_walk_new(txn, tables[range->index]);
	return merges(range) ? open_by_name(source, keyspace, after) : open_plain(source, after);
}

bool lk_key_source_next(struct lk_key_source *source)
{
	if (!merges(source->range)) {
		source->runs[0].stands = step(source->range, source->runs[0].walk);
		return read_plain(source);
	}
	struct lk_key_run *run = &source->runs[source->run];
	struct lk_key prefix = run_prefix(source, source->run);
	run->stands = step(source->range, run->walk);
	run->in = run->stands && lk_walk_in(run->walk, &prefix);
	return settle(source);
}

void lk_key_source_close(struct lk_key_source *source)
{
	lk_walk_free(source->runs[LIVE].walk);
	lk_walk_free(source->runs[REVOKED].walk);
}

uint64_t lk_key_source_at(const struct lk_key_source *source)
{
	return is_by_name(source->range) ? 0 : lk_read_u64(source->head);
}

int lk_key_source_compare(const struct lk_key_source *a, const struct lk_key_source *b)
{
	size_t len = a->head_len < b->head_len ? a->head_len : b->head_len;
	int order = memcmp(a->head, b->head, len);

	if (order != 0) {
		return order;
	}
	if (a->head_len != b->head_len) {
		return a->head_len < b->head_len ? -1 : 1;
	}
	return (a->slot > b->slot) - (a->slot < b->slot);
}
