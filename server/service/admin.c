#include "server/core/time.h"
#include "server/service/request.h"
#include "server/service/rights.h"
#include "server/service/services.h"
#include "server/service/view.h"

static enum lk_err who_am_i(
	struct lk_request *request, const Latchkey__V1__WhoAmIRequest *message, Latchkey__V1__WhoAmIResponse *response)
{
	(void)message;
	response->caller = (char *)(uintptr_t)request->caller.name;
	response->kind = request->caller.kind;
	response->grant = lk_view_grant(request->arena, request->caller.grant);
	response->subject = (char *)(uintptr_t)request->caller.subject;
	response->methods = lk_rights_methods(request->arena, request->caller.grant, &response->n_methods);
	response->expire_time = lk_time_to_timestamp(request->arena, request->caller.expire_us);
	return request->arena->exhausted ? LK_NO_MEMORY : LK_OK;
}

const struct latchkey_v1_admin_handlers lk_admin_handlers = {.who_am_i = who_am_i};
