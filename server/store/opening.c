#include "server/store/opening.h"

#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/store/slots.h"

/* How much of the data directory's path a message shows. */
#define DIR_SHOWN ((size_t)LK_STORE_MESSAGE_LEN / 2)

enum lk_err lk_opening_fail(struct lk_opening *opening, enum lk_err err, const char *format, ...)
{
	const char *dir = opening->options->dir;
	size_t dir_len = strlen(dir);
	/* Of a very long path its end, so that there is room for what is wrong. */
	bool cut = dir_len > DIR_SHOWN;
	va_list args;

	size_t len = (size_t)snprintf(opening->message, LK_STORE_MESSAGE_LEN, "%s%s: ", cut ? "..." : "",
		cut ? dir + dir_len - DIR_SHOWN : dir);
	va_start(args, format);
	(void)vsnprintf(opening->message + len, LK_STORE_MESSAGE_LEN - len, format, args);
	va_end(args);
	return err;
}

enum lk_err lk_opening_begin(struct lk_opening *opening)
{
	/* Harmless where it was done. */
	if (sodium_init() < 0) {
		return lk_opening_fail(
			opening, LK_INTERNAL, "libsodium does not start: the system gives no random numbers");
	}
	opening->store = calloc(1, sizeof *opening->store);
	if (opening->store == NULL) {
		return lk_opening_fail(opening, LK_NO_MEMORY, "no memory");
	}
	opening->store->dir = -1;
	opening->store->pid_file = -1;
	return LK_OK;
}

enum lk_err lk_opening_end(struct lk_opening *opening, enum lk_err err, struct lk_store **ret_store)
{
	latchkey__store__store_record__free_unpacked(opening->record, NULL);
	if (err != LK_OK) {
		lk_store_close(opening->store);
		return err;
	}
	*ret_store = opening->store;
	return LK_OK;
}

enum lk_err lk_opening_pass_on(struct lk_opening *opening, enum lk_err err, const char *message)
{
	return err == LK_OK ? LK_OK : lk_opening_fail(opening, err, "%s", message);
}

enum lk_err lk_opening_record(struct lk_opening *opening)
{
	struct lk_key key = lk_key_meta("store");
	struct lk_value value = {0};

	if (!lk_txn_get(opening->txn, LK_TABLE_META, &key, &value)) {
		return lk_txn_err(opening->txn);
	}
	opening->record = latchkey__store__store_record__unpack(NULL, value.len, value.data);
	if (opening->record == NULL || opening->record->store_id.len != LK_STORE_ID_LEN ||
		opening->record->verify_key_check.len != LK_DIGEST_LEN ||
		opening->record->seal_key_check.len != LK_DIGEST_LEN) {
		return lk_opening_fail(opening, LK_CORRUPT, "the store's own record does not read: restore a backup");
	}
	if (opening->record->schema > LK_STORE_SCHEMA) {
		return lk_opening_fail(opening, LK_FAILED_PRECONDITION,
			"the store has schema %u and this %s knows none above %d: upgrade %s", opening->record->schema,
			opening->program, LK_STORE_SCHEMA, opening->program);
	}
	if (opening->record->schema < LK_STORE_SCHEMA) {
		return lk_opening_fail(opening, LK_FAILED_PRECONDITION,
			"the store has schema %u, which was never released, and this %s reads only %d: make a new "
			"store in another --data",
			opening->record->schema, opening->program, LK_STORE_SCHEMA);
	}
	return LK_OK;
}

enum lk_err lk_opening_check_key(
	struct lk_opening *opening, const char *name, const uint8_t *key, const uint8_t *expected)
{
	uint8_t check[LK_DIGEST_LEN] = {0};

	lk_key_check_value(key, check);
	if (sodium_memcmp(check, expected, sizeof check) != 0) {
		return lk_opening_fail(opening, LK_FAILED_PRECONDITION,
			"%s is not the key that this store was made with: restore it from a backup", name);
	}
	return LK_OK;
}
