/*
 * Mapping the errors of LMDB and of the system to the house's. Pure.
 */
#ifndef LK_SERVER_STORE_ERROR_H
#define LK_SERVER_STORE_ERROR_H

#include <latchkey/error.h>

/* What `rc`, as any mdb_ function returned it, means. MDB_NOTFOUND is LK_NOT_FOUND; a positive number is an errno. */
enum lk_err lk_err_from_lmdb(int rc);

/* What `number`, an errno, means. 0 is LK_OK. */
enum lk_err lk_err_from_errno(int number);

#endif
