#include "server/service/keyspace_jwks.h"

#include <stdlib.h>
#include <string.h>

#include "server/jose/mint.h"
#include "server/service/access.h"

enum lk_err lk_keyspace_get_jwks(struct lk_request *request, const Latchkey__V1__GetJwksRequest *message,
	Latchkey__V1__GetJwksResponse *response)
{
	Latchkey__Store__TenantRecord *tenant = NULL;
	Latchkey__Store__KeyspaceRecord *record = NULL;

	enum lk_err err = lk_access_keyspace(request, message->tenant, message->keyspace, &tenant, &record);
	if (err != LK_OK) {
		return err;
	}
	char *set = lk_jwt_key_set(record->jwt_keys, record->n_jwt_keys);
	if (set == NULL) {
		return LK_NO_MEMORY;
	}
	response->jwks = lk_arena_text(request->arena, set, strlen(set));
	free(set);
	return response->jwks == NULL ? LK_NO_MEMORY : LK_OK;
}
