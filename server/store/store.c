#include "server/store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/store/bootstrap.h"
#include "server/store/denials.h"
#include "server/store/error.h"
#include "server/store/keyring.h"
#include "server/store/opening.h"
#include "server/store/slots.h"

static uint64_t max_slots_of(const struct lk_store_options *options)
{
	return options->max_slots == 0 ? LK_MAX_SLOTS_DEFAULT : options->max_slots;
}

/* Tells verifiers that hold others of LMDB's, which somebody removed or replaced, before the first change that they would miss. */
static enum lk_err name_files(struct lk_opening *opening)
{
	struct lk_store *store = opening->store;
	struct stat data = {0};
	struct stat lock = {0};
	int file = -1;

	if (mdb_env_get_fd(store->env, &file) != MDB_SUCCESS || fstat(file, &data) != 0 ||
		fstatat(store->dir, "lock.mdb", &lock, AT_SYMLINK_NOFOLLOW) != 0) {
		return lk_opening_fail(opening, LK_IO, "data.mdb: %s", strerror(errno));
	}
	lk_slots_name_files(store->slots, data.st_ino, lock.st_ino);
	return LK_OK;
}

/* The files beside LMDB's. */
static enum lk_err open_lines(struct lk_opening *opening, bool make, const uint8_t *store_id)
{
	struct lk_store *store = opening->store;
	char message[LK_STORE_MESSAGE_LEN] = "";
	const struct lk_head *head = lk_txn_head(opening->txn);
	uint64_t max_slots = max_slots_of(opening->options);

	enum lk_err err = lk_opening_pass_on(opening,
		lk_slots_open(store->dir, make, store_id, head->last_slot, max_slots, &store->slots, message), message);
	if (err == LK_OK) {
		err = lk_opening_pass_on(opening,
			lk_denials_open(store->dir, make, store_id, head->last_slot, max_slots, head->last_keyspace,
				&store->denials, message),
			message);
	}
	return err == LK_OK ? name_files(opening) : err;
}

static enum lk_err adopt_store(struct lk_opening *opening)
{
	struct lk_store *store = opening->store;
	char message[LK_STORE_MESSAGE_LEN] = "";

	enum lk_err err = lk_opening_pass_on(
		opening, lk_keyring_load(store->dir, false, &store->keyring, message), message);
	if (err == LK_OK) {
		err = lk_opening_check_key(
			opening, "verify.key", store->keyring->verify_key, opening->record->verify_key_check.data);
	}
	if (err == LK_OK) {
		err = lk_opening_check_key(
			opening, "seal.key", store->keyring->seal_key, opening->record->seal_key_check.data);
	}
	if (err != LK_OK) {
		return err;
	}
	return open_lines(opening, false, opening->record->store_id.data);
}

static void put_record(struct lk_opening *opening, uint8_t *store_id)
{
	Latchkey__Store__StoreRecord record = LATCHKEY__STORE__STORE_RECORD__INIT;
	const struct lk_keyring *keyring = opening->store->keyring;
	uint8_t verify_check[LK_DIGEST_LEN] = {0};
	uint8_t seal_check[LK_DIGEST_LEN] = {0};
	struct lk_key key = lk_key_meta("store");

	lk_key_check_value(keyring->verify_key, verify_check);
	lk_key_check_value(keyring->seal_key, seal_check);
	record.schema = LK_STORE_SCHEMA;
	record.store_id = (ProtobufCBinaryData){LK_STORE_ID_LEN, store_id};
	record.verify_key_check = (ProtobufCBinaryData){sizeof verify_check, verify_check};
	record.seal_key_check = (ProtobufCBinaryData){sizeof seal_check, seal_check};
	record.create_us = opening->options->now_us;
	lk_txn_put_record(opening->txn, LK_TABLE_META, &key, &record.base, 0);
}

/* All that the first commit names is on the disk before it. */
static enum lk_err make_store(struct lk_opening *opening)
{
	struct lk_store *store = opening->store;
	uint8_t store_id[LK_STORE_ID_LEN] = {0};
	char message[LK_STORE_MESSAGE_LEN] = "";

	randombytes_buf(store_id, sizeof store_id);
	enum lk_err err = lk_opening_pass_on(
		opening, lk_keyring_load(store->dir, true, &store->keyring, message), message);
	if (err == LK_OK) {
		err = open_lines(opening, true, store_id);
	}
	if (err == LK_OK && (lk_slots_sync(store->slots) != LK_OK || lk_denials_sync(store->denials) != LK_OK ||
				    fsync(store->dir) != 0)) {
		err = lk_opening_fail(opening, LK_IO, "cannot sync the data directory: %s", strerror(errno));
	}
	if (err == LK_OK) {
		put_record(opening, store_id);
		err = lk_bootstrap(opening->txn, opening->options->now_us);
		err = err == LK_OK ? LK_OK
				   : lk_opening_fail(opening, err, "cannot make the store: %s", lk_err_text(err));
	}
	return err;
}

/* Reads what there is, and refuses what is not ours before a table of it is touched. */
static enum lk_err look(struct lk_opening *opening)
{
	enum lk_err err = lk_write_begin(opening->store, &opening->txn);

	if (err != LK_OK) {
		return lk_opening_fail(opening, err, "data.mdb: %s", lk_err_text(err));
	}
	err = lk_opening_record(opening);
	if (lk_txn_err(opening->txn) != LK_OK) {
		err = lk_opening_fail(opening, lk_txn_err(opening->txn), "data.mdb: %s", lk_err_text(err));
	}
	lk_write_abort(opening->txn);
	opening->txn = NULL;
	return err;
}

static enum lk_err adopt_or_make(struct lk_opening *opening)
{
	enum lk_err err = lk_write_begin(opening->store, &opening->txn);

	if (err != LK_OK) {
		return lk_opening_fail(opening, err, "data.mdb: %s", lk_err_text(err));
	}
	err = opening->record != NULL ? adopt_store(opening) : make_store(opening);
	if (err != LK_OK) {
		lk_write_abort(opening->txn);
		return err;
	}
	err = lk_write_commit(opening->txn);
	return err == LK_OK ? LK_OK : lk_opening_fail(opening, err, "data.mdb: %s", lk_err_text(err));
}

enum lk_err lk_store_open(const struct lk_store_options *options, struct lk_store **ret_store,
	char ret_message[static LK_STORE_MESSAGE_LEN])
{
	struct lk_opening opening = {.options = options, .message = ret_message, .program = "latchkeyd"};

	enum lk_err err = lk_opening_begin(&opening);
	if (err == LK_OK) {
		err = lk_opening_dir(&opening);
	}
	if (err == LK_OK) {
		err = lk_opening_lock_dir(&opening);
	}
	if (err == LK_OK) {
		err = lk_opening_environment(&opening);
	}
	if (err == LK_OK) {
		err = look(&opening);
	}
	if (err == LK_OK) {
		err = lk_opening_tables(&opening);
	}
	if (err == LK_OK) {
		err = adopt_or_make(&opening);
	}
	return lk_opening_end(&opening, err, ret_store);
}

enum lk_err lk_store_tend(struct lk_store *store, struct lk_store_state *ret_state)
{
	struct lk_store_state state = {0};
	struct lk_txn *snapshot = NULL;

	enum lk_err err = lk_err_from_lmdb(mdb_reader_check(store->env, &state.dead_readers));
	if (err == LK_OK) {
		err = lk_slots_sync(store->slots);
	}
	if (err == LK_OK) {
		err = lk_denials_sync(store->denials);
	}
	if (err == LK_OK) {
		err = lk_snapshot_new(store, &snapshot);
	}
	if (err == LK_OK) {
		err = lk_snapshot_begin(snapshot);
	}
	if (err == LK_OK) {
		const struct lk_head *head = lk_txn_head(snapshot);
		state.revision = head->revision;
		state.last_audit = head->last_audit;
		memcpy(state.audit_hash, head->audit_hash, sizeof state.audit_hash);
		err = lk_txn_err(snapshot);
	}
	lk_snapshot_free(snapshot);
	if (err == LK_OK) {
		*ret_state = state;
	}
	return err;
}
