#include "server/service/access.h"
#include "server/service/key_handlers.h"
#include "server/service/view.h"

enum lk_err lk_key_get(
	struct lk_request *request, const Latchkey__V1__GetKeyRequest *message, Latchkey__V1__Key *response)
{
	struct lk_located_key located = {0};

	enum lk_err err = lk_access_key(request, message->tenant, message->key, &located);
	if (err == LK_OK) {
		lk_view_key(request, located.key, located.tenant->id, located.keyspace->id, response);
		response->last_denial = lk_view_denial(request, located.key);
	}
	return err;
}
