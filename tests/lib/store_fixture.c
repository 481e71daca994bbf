#include "tests/lib/store_fixture.h"

#include <fcntl.h>
#include <ftw.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/store/apply.h"
#include "tests/lib/draft.h"

#define ARENA_FIRST ((size_t)64 << 10)
#define ARENA_CAP   ((size_t)64 << 20)

int lk_fixture_init(struct lk_fixture *fixture)
{
	const char *base = getenv("TMPDIR");

	*fixture = (struct lk_fixture){0};
	(void)snprintf(fixture->parent, sizeof fixture->parent, "%s/latchkey-test-XXXXXX",
		base != NULL && strlen(base) < 64 ? base : "/tmp");
	if (sodium_init() < 0 || mkdtemp(fixture->parent) == NULL) {
		return -1;
	}
	(void)snprintf(fixture->dir, sizeof fixture->dir, "%s/data", fixture->parent);
	fixture->options = (struct lk_store_options){
		.dir = fixture->dir,
		.map_size = (size_t)256 << 20,
		.max_slots = (uint64_t)1 << 20,
		.now_us = LK_FIXTURE_TIME_US,
	};
	return lk_arena_init(&fixture->arena, ARENA_FIRST, ARENA_CAP) == LK_OK ? 0 : -1;
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *where)
{
	(void)status;
	(void)type;
	(void)where;
	return remove(path);
}

void lk_fixture_done(struct lk_fixture *fixture)
{
	lk_fixture_close(fixture);
	lk_arena_done(&fixture->arena);
	(void)nftw(fixture->parent, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

int lk_fixture_setup_closed(void **state)
{
	struct lk_fixture *fixture = calloc(1, sizeof *fixture);

	if (fixture == NULL || lk_fixture_init(fixture) != 0) {
		free(fixture);
		return -1;
	}
	*state = fixture;
	return 0;
}

int lk_fixture_setup(void **state)
{
	if (lk_fixture_setup_closed(state) != 0) {
		return -1;
	}
	struct lk_fixture *fixture = *state;
	if (lk_fixture_open(fixture) != LK_OK) {
		(void)fprintf(stderr, "%s\n", fixture->message);
		(void)lk_fixture_teardown(state);
		return -1;
	}
	return 0;
}

int lk_fixture_teardown(void **state)
{
	lk_fixture_done(*state);
	free(*state);
	*state = NULL;
	return 0;
}

enum lk_err lk_fixture_open(struct lk_fixture *fixture)
{
	return lk_store_open(&fixture->options, &fixture->store, fixture->message);
}

void lk_fixture_close(struct lk_fixture *fixture)
{
	lk_snapshot_free(fixture->snapshot);
	lk_store_close(fixture->store);
	fixture->snapshot = NULL;
	fixture->store = NULL;
}

struct lk_txn *lk_fixture_snapshot(struct lk_fixture *fixture)
{
	if (fixture->snapshot == NULL && lk_snapshot_new(fixture->store, &fixture->snapshot) != LK_OK) {
		return NULL;
	}
	return lk_snapshot_begin(fixture->snapshot) == LK_OK ? fixture->snapshot : NULL;
}

enum lk_err lk_fixture_apply(struct lk_fixture *fixture, Latchkey__Store__Change *change)
{
	struct lk_txn *txn = NULL;
	enum lk_err err = lk_write_begin(fixture->store, &txn);

	if (err != LK_OK) {
		return err;
	}
	err = lk_apply_check(txn, &fixture->arena, change);
	if (err == LK_OK) {
		err = lk_apply_do(txn, &fixture->arena, change);
	}
	if (err != LK_OK) {
		lk_write_abort(txn);
		return err;
	}
	return lk_write_commit(txn);
}

uint32_t lk_fixture_tenant(struct lk_fixture *fixture, const char *id)
{
	Latchkey__Store__Change *change = lk_draft_new(&fixture->arena);
	Latchkey__Store__TenantRecord *tenant = lk_draft_put_tenant(&fixture->arena, change, id);

	return lk_fixture_apply(fixture, change) == LK_OK ? tenant->number : 0;
}

uint32_t lk_fixture_keyspace(struct lk_fixture *fixture, uint32_t tenant, const char *id)
{
	Latchkey__Store__Change *change = lk_draft_new(&fixture->arena);
	Latchkey__Store__KeyspaceRecord *keyspace = lk_draft_put_keyspace(&fixture->arena, change, tenant, id);

	return lk_fixture_apply(fixture, change) == LK_OK ? keyspace->number : 0;
}

Latchkey__Store__KeyRecord *lk_fixture_key(
	struct lk_fixture *fixture, uint32_t tenant, uint32_t keyspace, const char *name)
{
	Latchkey__Store__Change *change = lk_draft_new(&fixture->arena);
	Latchkey__Store__KeyRecord *key = lk_draft_put_key(&fixture->arena, change, tenant, keyspace, name);

	return lk_fixture_apply(fixture, change) == LK_OK ? key : NULL;
}

void lk_fixture_path(const struct lk_fixture *fixture, const char *name, size_t size, char *ret_path)
{
	(void)snprintf(ret_path, size, "%s/%s", fixture->dir, name);
}

/* Both lengths come before the bytes, so that no two tables read as one another. */
static void digest_value(crypto_generichash_state *state, struct lk_value value)
{
	crypto_generichash_update(state, (const uint8_t *)&value.len, sizeof value.len);
	crypto_generichash_update(state, value.data, value.len);
}

static bool is_store_record(enum lk_table table, struct lk_value key)
{
	return table == LK_TABLE_META && key.len == strlen("store") && memcmp(key.data, "store", key.len) == 0;
}

static bool first(struct lk_walk *walk)
{
	struct lk_key lowest = {.len = sizeof(uint64_t)};

	return lk_walk_seek(walk, &lowest);
}

static void digest_table(struct lk_txn *txn, enum lk_table table, crypto_generichash_state *state)
{
	struct lk_walk *walk = lk_walk_new(txn, table);

	crypto_generichash_update(state, (const uint8_t *)&table, sizeof table);
	for (bool more = first(walk); more; more = lk_walk_next(walk)) {
		if (!is_store_record(table, lk_walk_key(walk))) {
			digest_value(state, lk_walk_key(walk));
			digest_value(state, lk_walk_value(walk));
		}
	}
	lk_walk_free(walk);
}

enum lk_err lk_fixture_digest_table(struct lk_txn *txn, enum lk_table table, uint8_t ret_digest[static LK_DIGEST_LEN])
{
	crypto_generichash_state state;

	crypto_generichash_init(&state, NULL, 0, LK_DIGEST_LEN);
	digest_table(txn, table, &state);
	crypto_generichash_final(&state, ret_digest, LK_DIGEST_LEN);
	return lk_txn_err(txn);
}

enum lk_err lk_fixture_digest(struct lk_txn *txn, uint8_t ret_digest[static LK_DIGEST_LEN])
{
	crypto_generichash_state state;

	crypto_generichash_init(&state, NULL, 0, LK_DIGEST_LEN);
	for (enum lk_table table = 0; table < LK_TABLE_COUNT; table++) {
		digest_table(txn, table, &state);
	}
	crypto_generichash_final(&state, ret_digest, LK_DIGEST_LEN);
	return lk_txn_err(txn);
}

size_t lk_fixture_count(struct lk_txn *txn, enum lk_table table)
{
	struct lk_walk *walk = lk_walk_new(txn, table);
	size_t count = 0;

	for (bool more = first(walk); more; more = lk_walk_next(walk)) {
		count++;
	}
	lk_walk_free(walk);
	return count;
}

bool lk_fixture_file_has(const char *path, const void *bytes, size_t len)
{
	struct stat status = {0};
	bool has = false;
	int file = open(path, O_RDONLY | O_CLOEXEC);

	if (file < 0 || fstat(file, &status) != 0 || status.st_size == 0) {
		goto out;
	}
	void *map = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, file, 0);
	if (map != MAP_FAILED) {
		has = memmem(map, (size_t)status.st_size, bytes, len) != NULL;
		munmap(map, (size_t)status.st_size);
	}
out:
	if (file >= 0) {
		close(file);
	}
	return has;
}
