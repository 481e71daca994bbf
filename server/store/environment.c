#include "server/store/opening.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/store/claim.h"
#include "server/store/error.h"

#define MAP_SIZE_DEFAULT ((size_t)64 << 30)
/* More than any daemon's, so that a store that grows never outgrows it: it costs addresses alone. */
#define MAP_SIZE_ATTACHED ((size_t)1 << 40)
#define PID_FILE          "latchkeyd.pid"
#define TABLES_MOST       32

/* A directory that was just made: its mode is ours, not the umask's, and its entry must outlive a power failure, like what
 * will be in it. False with errno. */
static bool settle_dir(int dir)
{
	int parent = openat(dir, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (parent < 0) {
		return false;
	}
	bool settled = fchmod(dir, 0750) == 0 && fsync(parent) == 0;
	int number = errno;
	close(parent);
	errno = number;
	return settled;
}

/* Within one process LMDB's locks keep nobody apart. */
static enum lk_err claim_dir(struct lk_opening *opening, const struct stat *status)
{
	enum lk_err err = lk_claim_take(status->st_dev, status->st_ino, &opening->store->claim);

	if (err == LK_HELD) {
		return lk_opening_fail(opening, err, "this process has it open already: open it once, for all threads");
	}
	return err == LK_OK ? LK_OK : lk_opening_fail(opening, err, "%s", lk_err_text(err));
}

enum lk_err lk_opening_dir(struct lk_opening *opening)
{
	const char *dir = opening->options->dir;
	struct stat status = {0};
	bool made = !opening->attaching && mkdir(dir, 0750) == 0;

	if (!opening->attaching && !made && errno != EEXIST) {
		return lk_opening_fail(
			opening, lk_err_from_errno(errno), "cannot make the data directory: %s", strerror(errno));
	}
	opening->store->dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (opening->store->dir < 0) {
		return lk_opening_fail(
			opening, lk_err_from_errno(errno), "cannot open the data directory: %s", strerror(errno));
	}
	if ((made && !settle_dir(opening->store->dir)) || fstat(opening->store->dir, &status) != 0) {
		return lk_opening_fail(
			opening, lk_err_from_errno(errno), "cannot make the data directory last: %s", strerror(errno));
	}
	/* Whoever may write in it may put other keys in the place of ours. */
	if ((status.st_mode & 0022) != 0) {
		return lk_opening_fail(opening, LK_FAILED_PRECONDITION,
			"the mode %04o of the data directory lets others change it: chmod 0750",
			(unsigned)(status.st_mode & 07777));
	}
	return claim_dir(opening, &status);
}

/* Over what stands there, so that a disk that is full has room for it; false with errno. */
static bool write_pid(int file)
{
	char pid[32] = "";
	int len = snprintf(pid, sizeof pid, "%ld\n", (long)getpid());

	ssize_t written = pwrite(file, pid, (size_t)len, 0);
	if (written >= 0 && written < len) {
		errno = ENOSPC;
	}
	return written == len && ftruncate(file, len) == 0 && fchmod(file, 0640) == 0;
}

enum lk_err lk_opening_lock_dir(struct lk_opening *opening)
{
	char pid[32] = "";
	int file = openat(opening->store->dir, PID_FILE, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);

	if (file < 0) {
		return lk_opening_fail(opening, lk_err_from_errno(errno), "%s: %s", PID_FILE, strerror(errno));
	}
	opening->store->pid_file = file;
	if (flock(file, LOCK_EX | LOCK_NB) != 0) {
		if (errno != EWOULDBLOCK) {
			return lk_opening_fail(
				opening, lk_err_from_errno(errno), "cannot lock %s: %s", PID_FILE, strerror(errno));
		}
		ssize_t len = pread(file, pid, sizeof pid - 1, 0);
		pid[len > 0 ? strcspn(pid, "\n") : 0] = '\0';
		return lk_opening_fail(opening, LK_HELD,
			"process %s serves this data directory already: stop it, or use another --data",
			pid[0] == '\0' ? "(unknown)" : pid);
	}
	if (!write_pid(file)) {
		return lk_opening_fail(opening, lk_err_from_errno(errno), "%s: %s", PID_FILE, strerror(errno));
	}
	return LK_OK;
}

static int open_env_of(struct lk_opening *opening, size_t map_size)
{
	struct lk_store *store = opening->store;
	unsigned flags = MDB_NOTLS | (opening->attaching ? MDB_RDONLY : 0);
	int rc = mdb_env_create(&store->env);

	if (rc == MDB_SUCCESS) {
		rc = mdb_env_set_mapsize(store->env, map_size);
	}
	if (rc == MDB_SUCCESS) {
		rc = mdb_env_set_maxreaders(store->env, LK_STORE_READERS);
	}
	if (rc == MDB_SUCCESS) {
		rc = mdb_env_set_maxdbs(store->env, TABLES_MOST);
	}
	return rc == MDB_SUCCESS ? mdb_env_open(store->env, opening->options->dir, flags, 0660) : rc;
}

/*
 * Who attaches maps far more than the store can grow to. Where there are not that many addresses in a row, half of them and so on
 * down to what a daemon maps by itself will do: LMDB maps no less than the store has, and says so should it ever outgrow that.
 */
static enum lk_err open_env(struct lk_opening *opening)
{
	size_t map_size = opening->options->map_size;
	bool may_halve = opening->attaching && map_size == 0;

	if (map_size == 0) {
		map_size = opening->attaching ? MAP_SIZE_ATTACHED : MAP_SIZE_DEFAULT;
	}
	int rc = open_env_of(opening, map_size);
	while (rc == ENOMEM && may_halve && map_size > MAP_SIZE_DEFAULT) {
		mdb_env_close(opening->store->env);
		opening->store->env = NULL;
		map_size /= 2;
		rc = open_env_of(opening, map_size);
	}
	return rc == MDB_SUCCESS ? LK_OK
				 : lk_opening_fail(opening, lk_err_from_lmdb(rc), "data.mdb: %s", mdb_strerror(rc));
}

/* Every store has the table `meta` from its first commit on: where it is missing among others, they are not ours to touch. */
static enum lk_err check_ours(struct lk_opening *opening)
{
	MDB_txn *txn = NULL;
	MDB_stat entries = {0};
	MDB_dbi table = 0;
	int rc = mdb_txn_begin(opening->store->env, NULL, MDB_RDONLY, &txn);

	if (rc == MDB_SUCCESS) {
		rc = mdb_dbi_open(txn, NULL, 0, &table);
	}
	if (rc == MDB_SUCCESS) {
		rc = mdb_stat(txn, table, &entries);
	}
	if (rc == MDB_SUCCESS && entries.ms_entries > 0) {
		rc = mdb_dbi_open(txn, lk_tables[LK_TABLE_META].name, 0, &table);
	}
	if (txn != NULL) {
		mdb_txn_abort(txn);
	}
	if (rc == MDB_NOTFOUND || rc == MDB_INCOMPATIBLE) {
		return lk_opening_fail(
			opening, LK_FAILED_PRECONDITION, "data.mdb holds another program's data: use another --data");
	}
	return rc == MDB_SUCCESS ? LK_OK
				 : lk_opening_fail(opening, lk_err_from_lmdb(rc), "data.mdb: %s", mdb_strerror(rc));
}

/* The number of the state that LMDB would go on from, as lock.mdb has it; a daemon's after LMDB set right what a killed one left. */
static int number_of_state(const struct lk_opening *opening, size_t *ret_number)
{
	MDB_txn *txn = NULL;
	int rc = mdb_txn_begin(opening->store->env, NULL, opening->attaching ? MDB_RDONLY : 0, &txn);

	if (rc == MDB_SUCCESS) {
		/* One that writes is the next. */
		*ret_number = mdb_txn_id(txn) - (opening->attaching ? 0 : 1);
		mdb_txn_abort(txn);
	}
	return rc;
}

/*
 * Whether data.mdb and lock.mdb are of one time. As long as anybody has lock.mdb open LMDB believes what that says of the newest
 * state: with data that were put in the place of others it would go on from an older state than they hold, and write newer ones
 * that the next start takes for older.
 */
static enum lk_err check_time(struct lk_opening *opening)
{
	MDB_env *env = opening->store->env;
	MDB_envinfo before = {0};
	MDB_envinfo after = {0};
	size_t number = 0;
	int rc = mdb_env_info(env, &before);

	if (rc == MDB_SUCCESS) {
		rc = number_of_state(opening, &number);
	}
	if (rc == MDB_SUCCESS) {
		rc = mdb_env_info(env, &after);
	}
	if (rc != MDB_SUCCESS) {
		return lk_opening_fail(opening, lk_err_from_lmdb(rc), "data.mdb: %s", mdb_strerror(rc));
	}
	/* Beside a daemon that commits meanwhile: of a commit, lock.mdb is told last. */
	size_t least = before.me_last_txnid - (opening->attaching && before.me_last_txnid > 0);
	if (number >= least && number <= after.me_last_txnid) {
		return LK_OK;
	}
	return lk_opening_fail(opening, LK_FAILED_PRECONDITION,
		"data.mdb was replaced while others have its lock.mdb open: end all processes that verify in-process, "
		"then start latchkeyd");
}

static enum lk_err tidy_env(struct lk_opening *opening)
{
	struct lk_store *store = opening->store;

	/* LMDB gives both of its files one mode. */
	if (!opening->attaching &&
		(fchmodat(store->dir, "data.mdb", 0640, 0) != 0 || fchmodat(store->dir, "lock.mdb", 0660, 0) != 0)) {
		return lk_opening_fail(opening, lk_err_from_errno(errno), "data.mdb: %s", strerror(errno));
	}
	return LK_OK;
}

static enum lk_err open_table(struct lk_opening *opening, MDB_txn *txn, enum lk_table table)
{
	const struct lk_table_info *info = &lk_tables[table];
	unsigned flags = info->flags | (opening->attaching ? 0 : MDB_CREATE);
	int rc = mdb_dbi_open(txn, info->name, flags, &opening->store->tables[table]);

	if (rc == MDB_NOTFOUND && table == LK_TABLE_META) {
		return lk_opening_fail(opening, LK_NOT_FOUND, "there is no store in it: give latchkeyd's --data");
	}
	if (rc == MDB_NOTFOUND) {
		return lk_opening_fail(
			opening, LK_CORRUPT, "table %s is missing; latchkeyd makes it when it starts", info->name);
	}
	return rc == MDB_SUCCESS
		       ? LK_OK
		       : lk_opening_fail(opening, lk_err_from_lmdb(rc), "table %s: %s", info->name, mdb_strerror(rc));
}

static enum lk_err open_tables(struct lk_opening *opening, enum lk_table first, enum lk_table end)
{
	MDB_txn *txn = NULL;
	enum lk_err err = LK_OK;
	int rc = mdb_txn_begin(opening->store->env, NULL, opening->attaching ? MDB_RDONLY : 0, &txn);

	for (enum lk_table table = first; rc == MDB_SUCCESS && err == LK_OK && table < end; table++) {
		err = open_table(opening, txn, table);
	}
	if (rc == MDB_SUCCESS && err == LK_OK) {
		rc = mdb_txn_commit(txn);
		txn = NULL;
	}
	if (txn != NULL) {
		mdb_txn_abort(txn);
	}
	if (err == LK_OK && rc != MDB_SUCCESS) {
		err = lk_opening_fail(opening, lk_err_from_lmdb(rc), "data.mdb: %s", mdb_strerror(rc));
	}
	return err;
}

enum lk_err lk_opening_environment(struct lk_opening *opening)
{
	enum lk_err err = open_env(opening);
	int dead = 0;

	if (err == LK_OK) {
		/* First: what is read next takes a reader's place, and the dead may have all. */
		(void)mdb_reader_check(opening->store->env, &dead);
		err = check_ours(opening);
	}
	if (err == LK_OK) {
		err = check_time(opening);
	}
	if (err == LK_OK) {
		err = tidy_env(opening);
	}
	return err != LK_OK ? err : open_tables(opening, LK_TABLE_META, LK_TABLE_META + 1);
}

enum lk_err lk_opening_tables(struct lk_opening *opening)
{
	return open_tables(opening, LK_TABLE_META + 1, LK_TABLE_COUNT);
}
