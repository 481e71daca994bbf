#include "server/service/key_select.h"

#include <stdlib.h>
#include <string.h>

#include "server/core/grant.h"
#include "server/service/key_plan.h"
#include "server/store/find.h"
#include "server/store/scan.h"
#include "server/store/verdict_record.h"

/* Adds a keyspace, of which there is room for `*room`. False where the arena is exhausted. */
static bool add_space(
	struct lk_request *request, struct lk_spaces *spaces, size_t *room, uint32_t number, const char *id)
{
	if (spaces->count == *room) {
		size_t more = *room == 0 ? 16 : 2 * *room;
		uint32_t *numbers = lk_arena_array(request->arena, more, sizeof *numbers);
		const char **ids = lk_arena_array(request->arena, more, sizeof *ids);
		if (numbers == NULL || ids == NULL) {
			return false;
		}
		if (spaces->count > 0) {
			memcpy(numbers, spaces->numbers, spaces->count * sizeof *numbers);
			memcpy(ids, spaces->ids, spaces->count * sizeof *ids);
		}
		*spaces = (struct lk_spaces){numbers, ids, spaces->count};
		*room = more;
	}
	spaces->numbers[spaces->count] = number;
	spaces->ids[spaces->count] = lk_arena_text(request->arena, id, strlen(id));
	return spaces->ids[spaces->count++] != NULL;
}

/* All that the caller is granted. There may be many: their gates say what is needed of each. */
static void select_all(
	struct lk_request *request, const Latchkey__Store__TenantRecord *tenant, struct lk_spaces *spaces)
{
	struct lk_id_scan *scan = lk_keyspace_scan_new(request->txn, tenant->number, "");
	struct lk_gate gate = {0};
	size_t room = 0;
	uint32_t number = 0;
	bool more = true;

	while (more && lk_id_scan_next(scan, &number) && lk_gate_get(request->txn, number, &gate)) {
		if (gate.closed == 0 && lk_grant_allows_keyspace(request->caller.grant, gate.keyspace_id)) {
			more = add_space(request, spaces, &room, number, gate.keyspace_id);
		}
	}
	lk_id_scan_free(scan);
}

enum lk_err lk_spaces_select(struct lk_request *request, const Latchkey__Store__TenantRecord *tenant,
	const struct lk_key_filter *filter, struct lk_spaces *ret_spaces)
{
	size_t room = 0;

	*ret_spaces = (struct lk_spaces){0};
	if (filter->keyspace[0] == '\0') {
		select_all(request, tenant, ret_spaces);
		return request->arena->exhausted ? LK_NO_MEMORY : lk_request_check(request);
	}
	const Latchkey__Store__KeyspaceRecord *keyspace = lk_find_keyspace(
		request->txn, request->arena, tenant->number, filter->keyspace);
	if (keyspace == NULL) {
		return lk_request_not_found(request, "keyspace", filter->keyspace);
	}
	return add_space(request, ret_spaces, &room, keyspace->number, keyspace->id) ? LK_OK : LK_NO_MEMORY;
}

/* A walk over all keys that pass, keyspace by keyspace. */
struct sweep {
	struct lk_request *request;
	const struct lk_key_filter *filter;
	struct lk_key_range range;
	/* enum lk_key_ask: what the range leaves open; and whether it takes the record, and its rights, to answer that. */
	unsigned open;
	bool needs_record;
	bool rights;
	/* Whether it may renew the snapshot, and did. */
	bool renews;
	bool renewed;
	lk_key_selected selected;
	void *context;
	struct lk_key_scan *scan;
	/* Over the records: where the index goes by slot, most seeks stay on a page. */
	struct lk_walk *keys;
	size_t rows;
	int64_t count;
	bool over;
};

static void look_at(struct sweep *sweep, const struct lk_key_row *row)
{
	struct lk_txn *txn = sweep->request->txn;
	struct lk_key_peek key = {.slot = row->slot};

	if (sweep->needs_record && !lk_key_peek_at(txn, sweep->keys, row->slot, sweep->rights, &key)) {
		/* The index by use may tell of a key that is gone; any other is wrong. */
		if (sweep->range.index != LK_KEYS_BY_USED) {
			lk_txn_fail(txn, LK_CORRUPT);
		}
		return;
	}
	/* Where the record is there, it is asked all: the index by owner knows but a hash. */
	unsigned asks = sweep->needs_record ? LK_ASK_ALL : sweep->open;
	if (lk_key_filter_match(sweep->request, sweep->filter, asks, &key)) {
		sweep->count++;
		sweep->over = sweep->selected != NULL && !sweep->selected(sweep->context, &key);
	}
}

/* Looks at the next rows. False where that were the last. */
static bool look_at_rows(struct sweep *sweep, uint32_t keyspace, struct lk_key_position *position)
{
	struct lk_txn *txn = sweep->request->txn;
	struct lk_key_row row = {0};
	bool more = true;

	sweep->scan = lk_key_scan_new(txn, &sweep->range, &keyspace, 1, position);
	sweep->keys = sweep->needs_record ? lk_walk_new(txn, LK_TABLE_KEY) : NULL;
	do {
		more = !sweep->over && lk_key_scan_next(sweep->scan, &row);
		if (more) {
			look_at(sweep, &row);
		}
	} while (more && ++sweep->rows % LK_RENEW_ROWS != 0);
	if (more) {
		lk_key_scan_position(sweep->scan, position);
	}
	lk_walk_free(sweep->keys);
	lk_key_scan_free(sweep->scan);
	return more && lk_txn_err(txn) == LK_OK;
}

/* Between two lots of rows. */
static enum lk_err pause_sweep(struct sweep *sweep)
{
	enum lk_err err = lk_request_in_time(sweep->request);

	if (err == LK_OK && sweep->renews) {
		sweep->renewed = true;
		err = lk_snapshot_begin(sweep->request->txn);
	}
	return err;
}

static enum lk_err run_sweep(struct sweep *sweep, const struct lk_spaces *spaces)
{
	enum lk_err err = LK_OK;

	for (size_t i = 0; err == LK_OK && !sweep->over && i < spaces->count; i++) {
		struct lk_key_position position = {0};
		while (err == LK_OK && look_at_rows(sweep, spaces->numbers[i], &position)) {
			err = pause_sweep(sweep);
		}
		err = err == LK_OK ? lk_request_check(sweep->request) : err;
	}
	return err;
}

/* A sweep over whatever index the filter seeks in. */
static struct sweep plan_sweep(struct lk_request *request, const struct lk_key_filter *filter)
{
	static const struct lk_key_order none = {.text = ""};
	enum lk_key_index index = lk_key_plan(filter, &none, lk_store_folded(request->store));
	struct sweep sweep = {.request = request, .filter = filter};

	sweep.range = lk_key_plan_range(filter, index, false);
	sweep.range.unordered = true;
	sweep.open = lk_key_plan_open(filter, index);
	sweep.rights = (filter->asks & LK_ASK_RIGHTS) != 0;
	return sweep;
}

enum lk_err lk_key_select(struct lk_request *request, const Latchkey__Store__TenantRecord *tenant,
	const struct lk_key_filter *filter, lk_key_selected selected, void *context)
{
	struct sweep sweep = plan_sweep(request, filter);
	struct lk_spaces spaces = {0};

	enum lk_err err = lk_spaces_select(request, tenant, filter, &spaces);
	if (err != LK_OK) {
		return err;
	}
	sweep.needs_record = true;
	/* `selected` may want them. */
	sweep.rights = true;
	sweep.selected = selected;
	sweep.context = context;
	return run_sweep(&sweep, &spaces);
}

#define BIT(state) (1U << LATCHKEY__V1__KEY_STATE__KEY_STATE_##state)

/* What the gates count: those that are revoked, and all others, whose expiry no counter knows. */
#define NOT_REVOKED (BIT(ACTIVE) | BIT(SUSPENDED) | BIT(EXPIRED))

/* Whether the counters of the gates know how many keys pass. */
static bool gates_know(const struct lk_key_filter *filter)
{
	unsigned others = filter->states & NOT_REVOKED;

	return filter->asks == 0 || (filter->asks == LK_ASK_STATE && (others == 0 || others == NOT_REVOKED));
}

static int64_t count_by_gates(
	struct lk_request *request, const struct lk_spaces *spaces, const struct lk_key_filter *filter)
{
	unsigned states = filter->asks == 0 ? NOT_REVOKED | BIT(REVOKED) : filter->states;
	struct lk_gate gate = {0};
	uint64_t count = 0;

	for (size_t i = 0; i < spaces->count && lk_gate_get(request->txn, spaces->numbers[i], &gate); i++) {
		count += (states & NOT_REVOKED) != 0 ? gate.active + gate.suspended : 0;
		count += (states & BIT(REVOKED)) != 0 ? gate.revoked : 0;
	}
	return (int64_t)count;
}

/* The slots of keys that are to be looked at: a bit each. */
struct marks {
	uint64_t *words;
	size_t count;
};

static bool mark(void *context, const struct lk_key_peek *key)
{
	const struct marks *marks = context;

	/* A slot beyond them is of a key that was made since the count began. */
	if (key->slot / 64 < marks->count) {
		marks->words[key->slot / 64] |= UINT64_C(1) << key->slot % 64;
	}
	return true;
}

/* Looks at the keys of one word of marks. */
static void look_at_word(struct sweep *sweep, uint64_t slot, uint64_t word)
{
	struct lk_key_peek key = {0};

	for (; word != 0; word &= word - 1) {
		uint64_t at = slot + (uint64_t)__builtin_ctzll(word);
		sweep->rows++;
		/* One that is gone was deleted meanwhile. */
		if (lk_key_peek_at(sweep->request->txn, sweep->keys, at, sweep->rights, &key) &&
			lk_key_filter_match(sweep->request, sweep->filter, LK_ASK_ALL, &key)) {
			sweep->count++;
		}
	}
}

static enum lk_err look_at_marks(struct sweep *sweep, const struct marks *marks)
{
	enum lk_err err = LK_OK;

	sweep->keys = lk_walk_new(sweep->request->txn, LK_TABLE_KEY);
	for (size_t i = 0; err == LK_OK && i < marks->count; i++) {
		look_at_word(sweep, 64 * i, marks->words[i]);
		if (sweep->rows >= LK_RENEW_ROWS) {
			sweep->rows = 0;
			lk_walk_free(sweep->keys);
			err = pause_sweep(sweep);
			sweep->keys = err == LK_OK ? lk_walk_new(sweep->request->txn, LK_TABLE_KEY) : NULL;
		}
	}
	lk_walk_free(sweep->keys);
	return err == LK_OK ? lk_request_check(sweep->request) : err;
}

/*
 * Counts what takes the records to tell: marks the keys that the index has, and then looks at them in the order of their slots,
 * in which the records lie. An index has them in another, and every second look would be at a page that no cache has.
 */
static enum lk_err count_records(struct sweep *sweep, const struct lk_spaces *spaces)
{
	struct marks marks = {.count = lk_txn_head(sweep->request->txn)->last_slot / 64 + 1};

	marks.words = calloc(marks.count, sizeof *marks.words);
	if (marks.words == NULL) {
		return LK_NO_MEMORY;
	}
	sweep->open = 0;
	sweep->selected = mark;
	sweep->context = &marks;
	enum lk_err err = run_sweep(sweep, spaces);
	sweep->count = 0;
	sweep->rows = 0;
	if (err == LK_OK) {
		err = look_at_marks(sweep, &marks);
	}
	free(marks.words);
	return err;
}

enum lk_err lk_key_count(struct lk_request *request, const struct lk_spaces *spaces, const struct lk_key_filter *filter,
	bool look, int64_t *ret_count, bool *ret_renewed)
{
	*ret_renewed = false;
	if (gates_know(filter)) {
		*ret_count = count_by_gates(request, spaces, filter);
		return lk_request_check(request);
	}
	*ret_count = -1;
	if (!look) {
		return LK_OK;
	}
	struct sweep sweep = plan_sweep(request, filter);
	bool may_be_gone = sweep.range.index == LK_KEYS_BY_USED && sweep.range.last_us > 0;
	sweep.renews = true;
	/* The last use stands in the slots. */
	bool needs_record = (sweep.open & ~(unsigned)LK_ASK_USED) != 0 || may_be_gone;
	enum lk_err err = needs_record ? count_records(&sweep, spaces) : run_sweep(&sweep, spaces);
	*ret_renewed = sweep.renewed;
	if (err == LK_OK) {
		*ret_count = sweep.count;
	}
	return err;
}
