#include "server/store/room.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "server/store/store_internal.h"

#define HELD_BACK_MOST ((size_t)64 << 20)
/*
 * What a large key writes, with its audit record and its reply: 16 pages, in a score of tables. The way down to each, which the
 * keys of a commit share, is not counted: it is little beside what is held back.
 */
#define MUTATION_MOST ((size_t)64 << 10)

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Adds up LMDB's own table of free pages: the value of each entry begins with their number. 0 where it cannot be read. */
static size_t free_pages(struct lk_store *store)
{
	MDB_txn *txn = NULL;
	MDB_cursor *cursor = NULL;
	MDB_val key = {0};
	MDB_val pages = {0};
	size_t total = 0;

	if (mdb_txn_begin(store->env, NULL, MDB_RDONLY, &txn) != MDB_SUCCESS) {
		return 0;
	}
	if (mdb_cursor_open(txn, 0, &cursor) == MDB_SUCCESS) {
		while (mdb_cursor_get(cursor, &key, &pages, MDB_NEXT) == MDB_SUCCESS) {
			size_t count = 0;
			memcpy(&count, pages.mv_data, least(sizeof count, pages.mv_size));
			total += count;
		}
		mdb_cursor_close(cursor);
	}
	mdb_txn_abort(txn);
	return total;
}

/* Sets aside `data`'s disk up to `end`. A try that failed would take what is left of the disk: asks first. */
static bool set_aside(struct lk_store *store, mdb_filehandle_t data, size_t end)
{
	struct statvfs disk = {0};

	if (fstatvfs(data, &disk) != 0 || (end - store->disk_end) / disk.f_frsize >= disk.f_bavail) {
		return false;
	}
	int rc = fallocate(data, FALLOC_FL_KEEP_SIZE, (off_t)store->disk_end, (off_t)(end - store->disk_end));
	if (rc != 0 && errno != EOPNOTSUPP) {
		return false;
	}
	store->disk_end = rc == 0 ? end : SIZE_MAX;
	return true;
}

/* How far data.mdb has disk already: what an earlier process set aside is not in the file's length. */
static size_t disk_end_of(mdb_filehandle_t data)
{
	struct stat status = {0};

	if (fstat(data, &status) != 0) {
		return 0;
	}
	size_t blocks = (size_t)status.st_blocks * 512;
	return blocks > (size_t)status.st_size ? blocks : (size_t)status.st_size;
}

/* How many of the `wanted` bytes behind the first `used` of data.mdb are on the disk, having tried to set them aside. */
static size_t disk_ahead(struct lk_store *store, const MDB_envinfo *info, size_t used, size_t wanted)
{
	mdb_filehandle_t data = -1;
	size_t end = used + wanted;

	if (mdb_env_get_fd(store->env, &data) != MDB_SUCCESS) {
		return 0;
	}
	if (store->disk_end == 0) {
		store->disk_end = disk_end_of(data);
	}
	if (store->disk_end < end) {
		size_t step = least(end + HELD_BACK_MOST, info->me_mapsize);
		(void)(set_aside(store, data, step) || set_aside(store, data, end));
	}
	return store->disk_end > used ? least(store->disk_end - used, wanted) : 0;
}

bool lk_room_left(struct lk_store *store, size_t mutations)
{
	MDB_envinfo info = {0};
	MDB_stat stat = {0};

	if (mdb_env_info(store->env, &info) != MDB_SUCCESS || mdb_env_stat(store->env, &stat) != MDB_SUCCESS) {
		return false;
	}
	size_t used = (info.me_last_pgno + 1) * stat.ms_psize;
	size_t wanted = least(info.me_mapsize / 8, HELD_BACK_MOST) + mutations * MUTATION_MOST;
	size_t ahead = disk_ahead(store, &info, used, least(wanted, info.me_mapsize - used));
	return ahead >= wanted || ahead + free_pages(store) * stat.ms_psize >= wanted;
}
