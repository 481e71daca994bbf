#include "server/store/attach.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/store/denials.h"
#include "server/store/error.h"
#include "server/store/keyring.h"
#include "server/store/opening.h"
#include "server/store/slots.h"

#define DATA_FILE "data.mdb"

/*
 * LMDB says of none of its files which one it could not open, makes the one that holds the readers where that is missing, and
 * goes without it on a disk that cannot be written to: then a reader is seen by nobody.
 */
static const struct {
	const char *name;
	int rights;
	const char *missing;
} lmdb_files[] = {
	{DATA_FILE, R_OK, "there is no store in it: give latchkeyd's --data"},
	{"lock.mdb", R_OK | W_OK, "lock.mdb is missing; latchkeyd makes it when it starts"},
};

static enum lk_err check_lmdb_files(struct lk_opening *opening)
{
	for (size_t i = 0; i < sizeof lmdb_files / sizeof lmdb_files[0]; i++) {
		if (faccessat(opening->store->dir, lmdb_files[i].name, lmdb_files[i].rights, AT_EACCESS) == 0) {
			continue;
		}
		if (errno == ENOENT) {
			return lk_opening_fail(opening, LK_NOT_FOUND, "%s", lmdb_files[i].missing);
		}
		return lk_opening_fail(
			opening, lk_err_from_errno(errno), "%s: %s", lmdb_files[i].name, strerror(errno));
	}
	return LK_OK;
}

/* With a page that the kernel wipes in a forked child, so that it can be told without asking the system. */
static enum lk_err make_attachment(struct lk_opening *opening)
{
	struct lk_attachment *attachment = calloc(1, sizeof *attachment);
	long page = sysconf(_SC_PAGESIZE);

	if (attachment == NULL) {
		return lk_opening_fail(opening, LK_NO_MEMORY, "no memory");
	}
	opening->store->attachment = attachment;
	void *mark = mmap(NULL, (size_t)page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (mark == MAP_FAILED) {
		return lk_opening_fail(opening, LK_NO_MEMORY, "no memory");
	}
	attachment->mark = mark;
	if (madvise(mark, (size_t)page, MADV_WIPEONFORK) != 0) {
		return lk_opening_fail(opening, LK_IO,
			"the kernel cannot tell a forked child (MADV_WIPEONFORK: %s): it must be Linux 4.14 or newer",
			strerror(errno));
	}
	atomic_store(attachment->mark, LK_MARK_CURRENT);
	return LK_OK;
}

/* The path of data.mdb from the root: a process may go elsewhere. A symbolic link in it is followed anew at each look. */
static char *absolute_path(const char *dir)
{
	char *path = NULL;
	char *here = dir[0] == '/' ? strdup("") : getcwd(NULL, 0);

	if (here == NULL || asprintf(&path, "%s%s%s/" DATA_FILE, here, dir[0] == '/' ? "" : "/", dir) < 0) {
		path = NULL;
	}
	free(here);
	return path;
}

/*
 * What is replaced under its name is another file for the daemon that starts next: readers that it does not see, slots that it
 * does not count. `needed`: also one that is missing is a store that is gone; the others latchkeyd makes anew.
 */
static const struct {
	const char *name;
	bool needed;
} files[LK_ATTACHED_FILES] = {
	{"lock.mdb", true},
	{"slots.mmap", true},
	{"denials.mmap", false},
	{"gates.mmap", false},
};

/* Before they are opened, so that one that is replaced meanwhile is seen. One that is not there is for who opens it. */
static enum lk_err remember_files(struct lk_opening *opening)
{
	struct stat status = {0};

	for (size_t i = 0; i < LK_ATTACHED_FILES; i++) {
		if (fstatat(opening->store->dir, files[i].name, &status, AT_SYMLINK_NOFOLLOW) == 0) {
			opening->store->attachment->inodes[i] = status.st_ino;
		}
	}
	return LK_OK;
}

static bool are_files_in_place(const struct lk_store *store)
{
	struct stat status = {0};

	for (size_t i = 0; i < LK_ATTACHED_FILES; i++) {
		if (fstatat(store->dir, files[i].name, &status, AT_SYMLINK_NOFOLLOW) != 0) {
			if (files[i].needed) {
				return false;
			}
		} else if (status.st_ino != store->attachment->inodes[i]) {
			return false;
		}
	}
	return true;
}

/* Of the file that LMDB has open, whatever its name leads to by now. */
static enum lk_err remember_file(struct lk_opening *opening)
{
	struct lk_attachment *attachment = opening->store->attachment;
	struct stat status = {0};
	int file = -1;

	attachment->path = absolute_path(opening->options->dir);
	if (attachment->path == NULL) {
		return lk_opening_fail(opening, LK_NO_MEMORY, "no memory");
	}
	if (mdb_env_get_fd(opening->store->env, &file) != MDB_SUCCESS || fstat(file, &status) != 0) {
		return lk_opening_fail(opening, LK_IO, DATA_FILE ": %s", strerror(errno));
	}
	attachment->device = status.st_dev;
	attachment->inode = status.st_ino;
	return LK_OK;
}

static enum lk_err read_state(struct lk_opening *opening)
{
	enum lk_err err = lk_snapshot_new(opening->store, &opening->txn);

	if (err == LK_OK) {
		err = lk_snapshot_begin(opening->txn);
	}
	if (err != LK_OK) {
		return lk_opening_fail(opening, err, DATA_FILE ": %s", lk_err_text(err));
	}
	err = lk_opening_record(opening);
	if (err == LK_OK && opening->record == NULL) {
		err = lk_opening_fail(opening, LK_NOT_FOUND, "there is no store in it: give latchkeyd's --data");
	}
	return err;
}

static enum lk_err load_verify_key(struct lk_opening *opening)
{
	struct lk_store *store = opening->store;
	char message[LK_STORE_MESSAGE_LEN] = "";

	enum lk_err err = lk_keyring_load_verify_key(store->dir, &store->keyring, message);
	if (err == LK_FAILED_PRECONDITION && faccessat(store->dir, "verify.key", F_OK, AT_SYMLINK_NOFOLLOW) != 0 &&
		errno == ENOENT) {
		return lk_opening_fail(opening, err,
			"verify.key: missing; where systemd hands it to latchkeyd (LoadCredential=), let it hand it to "
			"this service too, else restore it from a backup");
	}
	err = lk_opening_pass_on(opening, err, message);
	return err != LK_OK ? err
			    : lk_opening_check_key(opening, "verify.key", store->keyring->verify_key,
				      opening->record->verify_key_check.data);
}

/* Before LMDB is: among daemons of several PID namespaces its readers are not told apart. */
static enum lk_err attach_lines(struct lk_opening *opening)
{
	struct lk_store *store = opening->store;
	uint64_t max_slots = opening->options->max_slots == 0 ? LK_MAX_SLOTS_DEFAULT : opening->options->max_slots;
	char message[LK_STORE_MESSAGE_LEN] = "";

	enum lk_err err = lk_slots_attach(store->dir, max_slots, &store->slots, message);
	if (err == LK_OK) {
		err = lk_denials_attach(store->dir, max_slots, &store->denials, message);
	}
	return lk_opening_pass_on(opening, err, message);
}

static enum lk_err check_lines(struct lk_opening *opening)
{
	struct lk_store *store = opening->store;
	const uint8_t *store_id = opening->record->store_id.data;
	char message[LK_STORE_MESSAGE_LEN] = "";

	uint64_t last_slot = lk_txn_head(opening->txn)->last_slot;
	enum lk_err err = lk_txn_err(opening->txn);
	if (err != LK_OK) {
		return lk_opening_fail(opening, err, DATA_FILE ": %s", lk_err_text(err));
	}
	err = lk_slots_check_owner(store->slots, store_id, last_slot, message);
	if (err == LK_OK) {
		err = lk_denials_check_owner(store->denials, store_id, last_slot, message);
	}
	return lk_opening_pass_on(opening, err, message);
}

static enum lk_err attach(struct lk_opening *opening)
{
	static enum lk_err (*const steps[])(struct lk_opening *) = {
		lk_opening_begin,
		lk_opening_dir,
		check_lmdb_files,
		make_attachment,
		remember_files,
		attach_lines,
		lk_opening_environment,
		remember_file,
		read_state,
		lk_opening_tables,
		load_verify_key,
		check_lines,
	};
	enum lk_err err = LK_OK;

	for (size_t i = 0; err == LK_OK && i < sizeof steps / sizeof steps[0]; i++) {
		err = steps[i](opening);
	}
	return err;
}

/* Says what helps, behind what was said. */
static void add_remedy(enum lk_err err, char *message)
{
	static const struct {
		enum lk_err err;
		const char *remedy;
	} remedies[] = {
		{LK_PERMISSION_DENIED, "; who verifies beside latchkeyd must be in the group of its data directory"},
		{LK_NO_MEMORY, "; it takes more than 64 GiB of addresses: raise RLIMIT_AS (ulimit -v)"},
	};
	size_t len = strlen(message);

	for (size_t i = 0; i < sizeof remedies / sizeof remedies[0]; i++) {
		if (remedies[i].err == err) {
			(void)snprintf(message + len, LK_STORE_MESSAGE_LEN - len, "%s", remedies[i].remedy);
		}
	}
}

enum lk_err lk_store_attach(const struct lk_store_options *options, struct lk_store **ret_store,
	char ret_message[static LK_STORE_MESSAGE_LEN])
{
	struct lk_opening opening = {
		.options = options, .message = ret_message, .program = "liblatchkey-local", .attaching = true};

	enum lk_err err = attach(&opening);
	lk_snapshot_free(opening.txn);
	err = lk_opening_end(&opening, err, ret_store);
	if (err != LK_OK) {
		add_remedy(err, ret_message);
	}
	return err;
}

const char *lk_store_fault(const struct lk_store *store)
{
	uint32_t mark = atomic_load_explicit(store->attachment->mark, memory_order_relaxed);

	if (mark == LK_MARK_FORKED) {
		return "this process was forked from the one that opened the store: open it anew";
	}
	if (mark == LK_MARK_GONE || !lk_slots_are_live(store->slots)) {
		return "the store was moved or replaced, or its latchkeyd runs in another PID namespace now: open it "
		       "anew";
	}
	return NULL;
}

void lk_store_look(const struct lk_store *store)
{
	const struct lk_attachment *attachment = store->attachment;
	uint32_t current = LK_MARK_CURRENT;
	struct stat status = {0};

	if (stat(attachment->path, &status) == 0 && status.st_dev == attachment->device &&
		status.st_ino == attachment->inode && are_files_in_place(store)) {
		return;
	}
	/* In a forked child it says so already. */
	(void)atomic_compare_exchange_strong(attachment->mark, &current, LK_MARK_GONE);
}

static int count_line(const char *line, void *context)
{
	(void)line;
	*(size_t *)context += 1;
	return 0;
}

/* Those that there are: a line each, and one above them. */
static bool are_readers_few(const struct lk_store *store)
{
	size_t lines = 0;

	return mdb_reader_list(store->env, count_line, &lines) >= 0 && lines <= LK_STORE_READERS_SHARED;
}

bool lk_store_has_readers_left(const struct lk_store *store)
{
	MDB_envinfo info = {0};
	int dead = 0;

	/* The most that there ever were. */
	if (mdb_env_info(store->env, &info) == MDB_SUCCESS && info.me_numreaders < LK_STORE_READERS_SHARED) {
		return true;
	}
	if (are_readers_few(store)) {
		return true;
	}
	/* Until somebody looks, the dead have theirs. */
	return mdb_reader_check(store->env, &dead) == MDB_SUCCESS && dead > 0 && are_readers_few(store);
}

void lk_attachment_free(struct lk_attachment *attachment)
{
	if (attachment == NULL) {
		return;
	}
	if (attachment->mark != NULL) {
		(void)munmap((void *)attachment->mark, (size_t)sysconf(_SC_PAGESIZE));
	}
	free(attachment->path);
	free(attachment);
}
