#include "server/service/own.h"

#include <string.h>

#include "server/core/text.h"

bool lk_own_sees(const struct lk_request *request, const char *owner)
{
	const struct lk_caller *caller = &request->caller;

	return !caller->grant->own_only || (caller->subject[0] != '\0' && strcmp(caller->subject, owner) == 0);
}

enum lk_err lk_own_check(struct lk_request *request, const char *field, const char *owner)
{
	if (lk_own_sees(request, owner)) {
		return LK_OK;
	}
	if (request->caller.subject[0] == '\0') {
		return lk_request_fail(request, LK_PERMISSION_DENIED,
			"you are granted your own keys alone, and have no subject that could own any");
	}
	return lk_request_fail(request, LK_PERMISSION_DENIED,
		"%s: you are granted the keys of %s alone: leave it out, or give that", field,
		lk_text_quote(request->arena, request->caller.subject));
}

enum lk_err lk_own_resolve(struct lk_request *request, const char *field, const char *given, const char **ret_owner)
{
	const char *owner = request->caller.grant->own_only && given[0] == '\0' ? request->caller.subject : given;
	enum lk_err err = lk_own_check(request, field, owner);

	if (err == LK_OK) {
		*ret_owner = owner;
	}
	return err;
}
