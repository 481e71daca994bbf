#include "server/store/error.h"

#include <errno.h>
#include <lmdb.h>
#include <stddef.h>

struct mapping {
	int from;
	enum lk_err to;
};

static const struct mapping lmdb_errors[] = {
	{MDB_SUCCESS, LK_OK},
	{MDB_NOTFOUND, LK_NOT_FOUND},
	{MDB_KEYEXIST, LK_ALREADY_EXISTS},
	{MDB_MAP_FULL, LK_FULL},
	{MDB_TXN_FULL, LK_FULL},
	{MDB_READERS_FULL, LK_RESOURCE_EXHAUSTED},
	/* The store has outgrown what this process has mapped of it: it is to be opened anew. */
	{MDB_MAP_RESIZED, LK_FAILED_PRECONDITION},
	{MDB_PAGE_NOTFOUND, LK_CORRUPT},
	{MDB_CORRUPTED, LK_CORRUPT},
	{MDB_INVALID, LK_CORRUPT},
	{MDB_VERSION_MISMATCH, LK_CORRUPT},
	{MDB_PANIC, LK_IO},
};

static const struct mapping system_errors[] = {
	{0, LK_OK},
	{ENOMEM, LK_NO_MEMORY},
	{ENOSPC, LK_FULL},
	{EDQUOT, LK_FULL},
	{EFBIG, LK_FULL},
	{ENOENT, LK_NOT_FOUND},
	{EEXIST, LK_ALREADY_EXISTS},
	{EACCES, LK_PERMISSION_DENIED},
	{EPERM, LK_PERMISSION_DENIED},
	{EWOULDBLOCK, LK_HELD},
};

static enum lk_err look_up(const struct mapping *table, size_t count, int from, enum lk_err otherwise)
{
	for (size_t i = 0; i < count; i++) {
		if (table[i].from == from) {
			return table[i].to;
		}
	}
	return otherwise;
}

enum lk_err lk_err_from_errno(int number)
{
	return look_up(system_errors, sizeof system_errors / sizeof system_errors[0], number, LK_IO);
}

enum lk_err lk_err_from_lmdb(int rc)
{
	if (rc > 0) {
		return lk_err_from_errno(rc);
	}
	return look_up(lmdb_errors, sizeof lmdb_errors / sizeof lmdb_errors[0], rc, LK_INTERNAL);
}
