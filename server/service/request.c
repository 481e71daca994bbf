#include "server/service/request.h"

#include <stdarg.h>

enum lk_err lk_request_fail(struct lk_request *request, enum lk_err err, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	request->message = lk_arena_vprintf(request->arena, format, args);
	va_end(args);
	return err;
}

enum lk_err lk_request_check(struct lk_request *request)
{
	enum lk_err err = lk_txn_err(request->txn);

	if (err != LK_OK) {
		return lk_request_fail(request, err, "the store cannot be read: %s", lk_err_text(err));
	}
	if (request->faults.count > 0) {
		return lk_request_fail(request, LK_INVALID_ARGUMENT, "%s: %s", request->faults.items[0].field,
			request->faults.items[0].description);
	}
	return LK_OK;
}

enum lk_err lk_request_not_found(struct lk_request *request, const char *what, const char *name)
{
	enum lk_err err = lk_request_check(request);

	return err != LK_OK ? err : lk_request_fail(request, LK_NOT_FOUND, "no %s \"%s\"", what, name);
}
