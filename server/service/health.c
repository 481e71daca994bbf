#include "server/service/request.h"
#include "server/service/services.h"

static enum lk_err check(struct lk_request *request, const Latchkey__V1__CheckHealthRequest *message,
	Latchkey__V1__CheckHealthResponse *response)
{
	(void)message;
	(void)lk_txn_head(request->txn);
	enum lk_err err = lk_request_check(request);
	if (err != LK_OK) {
		return err;
	}
	response->status = LATCHKEY__V1__SERVING_STATUS__SERVING_STATUS_SERVING;
	response->version = (char *)(uintptr_t)LK_VERSION;
	return LK_OK;
}

const struct latchkey_v1_health_handlers lk_health_handlers = {.check = check};
