/*
 * Batches: the keys of some lines on their way to the daemon, and what it said of them. For import.c alone. From one thread.
 */
#ifndef LK_CLI_IMPORT_BATCH_H
#define LK_CLI_IMPORT_BATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tools/latchkey/bytes.h"
#include "tools/latchkey/import_line.h"
#include "tools/latchkey/lane.h"
#include "tools/latchkey/progress.h"
#include "tools/latchkey/say.h"
#include "tools/latchkey/session.h"

/* What one message takes: 1,000 keys and, with room for what stands around them, 1 MiB. */
#define LK_BATCH_KEYS_MAX  1000
#define LK_BATCH_BYTES_MAX ((size_t)1000000)

/* What has become of the keys so far. */
struct lk_import_tally {
	uint64_t imported;
	/* Keys whose secret is there already, where those count as done. */
	uint64_t existing;
	/* Keys that were left out, and lines that are none. */
	uint64_t faulty;
};

struct lk_batch {
	struct lk_lane *lane;
	/* The encoded ImportKeysRequest: keys, each with its tag, and behind them the other fields once it is sent. */
	struct lk_bytes request;
	size_t n_keys;
	/* Of each key: its line, and its bytes in the request. */
	size_t lines[LK_BATCH_KEYS_MAX];
	size_t lens[LK_BATCH_KEYS_MAX];
	/* How much of the file was read when the batch was full. */
	uint64_t read_bytes;
};

/* Whether a key of `len` bytes goes into the batch beside the `others_len` bytes of the request's other fields. */
bool lk_batch_has_room(const struct lk_batch *batch, size_t others_len, size_t len);

/* Adds the key of a line. */
void lk_batch_add(struct lk_batch *batch, const struct lk_import_line *key, size_t line);

/* Sends the keys, and the encoded other fields of the request. LK_NO_MEMORY. */
LK_MUST_CHECK enum lk_err lk_batch_send(struct lk_batch *batch, const uint8_t *others, size_t others_len);

/* Wipes and frees; the batch is empty then. Its lane is not closed. */
void lk_batch_done(struct lk_batch *batch);

/* How the faults of single keys are taken. */
struct lk_batch_rules {
	/* Keys whose secret is there already are no fault. */
	bool skip_existing;
	/* The daemon was told to leave faulty keys out; those over a limit of the wire it cannot, and they are left out here. */
	bool skip_faulty;
};

/*
 * Waits for the answer, tells what is wrong with which line, and counts; the batch is empty then. Hides `progress` where it says
 * something. LK_EXIT_REFUSED: the daemon refused the batch. LK_EXIT_UNREACHABLE.
 */
enum lk_exit lk_batch_finish(struct lk_batch *batch, const struct lk_schema_method *method,
	const struct lk_batch_rules *rules, struct lk_progress *progress, struct lk_import_tally *tally);

#endif
