/*
 * The handlers that change and delete keyspaces; keyspace.c puts them beside the others. See method.h for what build and reply owe.
 */
#ifndef LK_SERVER_SERVICE_KEYSPACE_CHANGE_H
#define LK_SERVER_SERVICE_KEYSPACE_CHANGE_H

#include "latchkey/store/change.pb-c.h"
#include "latchkey/v1/keyspace.pb-c.h"
#include "server/service/request.h"

enum lk_err lk_keyspace_update_build(struct lk_request *request, const Latchkey__V1__UpdateKeyspaceRequest *message,
	Latchkey__Store__Change *change, Latchkey__V1__Keyspace *response);
void lk_keyspace_update_reply(struct lk_request *request, const Latchkey__V1__UpdateKeyspaceRequest *message,
	const Latchkey__Store__Change *change, Latchkey__V1__Keyspace *response);
enum lk_err lk_keyspace_delete_build(struct lk_request *request, const Latchkey__V1__DeleteKeyspaceRequest *message,
	Latchkey__Store__Change *change, Latchkey__V1__DeleteKeyspaceResponse *response);

#endif
