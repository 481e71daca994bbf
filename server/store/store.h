/*
 * The store: one LMDB environment in the data directory, its keys on disk and its slots.
 *
 * A store is opened once in a process, by one daemon at a time: the data directory is flock'ed. All threads may read; the
 * writer alone writes (writer.h).
 *
 *	DIR/               0750
 *	DIR/data.mdb       0640   LMDB's data
 *	DIR/lock.mdb       0660   LMDB's readers
 *	DIR/slots.mmap     0660   consumption (slots.h)
 *	DIR/verify.key     0640   the key of the digests (keyring.h)
 *	DIR/seal.key       0600   the key of what is sealed
 *	DIR/latchkeyd.pid  0640   flock'ed by the daemon that serves the directory, and holds its process id
 */
#ifndef LK_SERVER_STORE_STORE_H
#define LK_SERVER_STORE_STORE_H

#include <stddef.h>
#include <stdint.h>

#include <latchkey/error.h>

#include "server/core/secret.h"

struct lk_denials;
struct lk_slots;
struct lk_store;

/* The layout of the tables that this daemon reads and writes. */
#define LK_STORE_SCHEMA 3
/* LMDB's reader slots; the same for every process that opens the environment. */
#define LK_STORE_READERS 4096
/* Of them, how many there may be for another verifier to take one: the rest is the daemon's, which needs one for each request. */
#define LK_STORE_READERS_SHARED 3000
/* Room for a message about a store that could not be opened. */
#define LK_STORE_MESSAGE_LEN 512

struct lk_store_options {
	/* The data directory. Made, 0750, where it is not there; its parent must be. */
	const char *dir;
	/* The most that data.mdb may grow to, in bytes; 0: 64 GiB. */
	size_t map_size;
	/* The most keys that can ever be made; 0: 2^30. */
	uint64_t max_slots;
	/* For a new store. */
	int64_t now_us;
};

/*
 * Opens the store, and makes one where the directory has none. Blocks on the disk. On failure, `ret_message` says in one line
 * what was wrong, with which file, and what would be right.
 * LK_HELD: another daemon serves the directory. LK_FAILED_PRECONDITION: a directory that others may change, another program's
 * data, another schema, a wrong, missing or too widely readable key file, slots that do not belong to the store. LK_CORRUPT,
 * LK_FULL, LK_PERMISSION_DENIED, LK_IO, LK_NO_MEMORY.
 */
LK_MUST_CHECK enum lk_err lk_store_open(const struct lk_store_options *options, struct lk_store **ret_store,
	char ret_message[static LK_STORE_MESSAGE_LEN]);

/* Writes the slots to the disk and closes. No transaction may be open. Takes NULL. */
void lk_store_close(struct lk_store *store);

const struct lk_keyring *lk_store_keyring(const struct lk_store *store);
struct lk_slots *lk_store_slots(struct lk_store *store);

/* What verdicts were not VALID (denials.h). As long as the store is open. */
struct lk_denials *lk_store_denials(struct lk_store *store);

/*
 * The index of use holds every use before this instant, cut down to the hour: 0 until a round of folding has ended (fold.h),
 * which tells it. Any thread.
 */
int64_t lk_store_folded(const struct lk_store *store);
void lk_store_set_folded(struct lk_store *store, int64_t folded_us);

/* What lk_store_tend() found. */
struct lk_store_state {
	uint64_t revision;
	/* The end of the audit chain: logged, so that a chain that is cut off later shows. */
	uint64_t last_audit;
	uint8_t audit_hash[LK_DIGEST_LEN];
	/* Readers of processes that died without letting go. */
	int dead_readers;
};

/*
 * Keeps the store in order while it runs, once a minute or so: frees what dead readers pin, writes the slots and the denials
 * to the disk. Blocks. Any thread. Errors of LMDB, LK_IO.
 */
LK_MUST_CHECK enum lk_err lk_store_tend(struct lk_store *store, struct lk_store_state *ret_state);

#endif
