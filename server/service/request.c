#include "server/service/request.h"

#include <stdarg.h>
#include <string.h>
#include <time.h>

#include "server/core/time.h"

enum lk_err lk_request_in_time(struct lk_request *request)
{
	struct timespec now = {0};

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	if (request->deadline_us == 0 || now.tv_sec * LK_US_PER_SECOND + now.tv_nsec / 1000 <= request->deadline_us) {
		return LK_OK;
	}
	return lk_request_fail(
		request, LK_DEADLINE_EXCEEDED, "the request's time is over: give it a longer timeout, or ask for less");
}

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

struct lk_span lk_request_violations(const struct lk_request *request)
{
	const struct lk_faults *faults = &request->faults;
	struct lk_violation_span spans[LK_FAULTS_MAX];
	size_t len = 0;

	for (size_t i = 0; i < faults->count && i < LK_FAULTS_MAX; i++) {
		const struct lk_fault *fault = &faults->items[i];
		spans[i].field = (struct lk_span){(const uint8_t *)fault->field, strlen(fault->field)};
		spans[i].description = (struct lk_span){
			(const uint8_t *)fault->description, strlen(fault->description)};
		len += lk_envelope_violation_size(&spans[i]);
	}
	uint8_t *packed = len == 0 ? NULL : lk_arena_alloc(request->arena, len);
	if (packed == NULL) {
		return (struct lk_span){0};
	}
	uint8_t *at = packed;
	for (size_t i = 0; i < faults->count && i < LK_FAULTS_MAX; i++) {
		at += lk_envelope_violation_pack(&spans[i], at);
	}
	return (struct lk_span){packed, len};
}

enum lk_err lk_request_not_found(struct lk_request *request, const char *what, const char *name)
{
	enum lk_err err = lk_request_check(request);

	return err != LK_OK ? err : lk_request_fail(request, LK_NOT_FOUND, "no %s \"%s\"", what, name);
}
