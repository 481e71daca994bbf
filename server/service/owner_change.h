/*
 * The handlers that create, change and delete the limits of owners; owner.c puts them beside the others. See method.h for
 * what build and reply owe.
 */
#ifndef LK_SERVER_SERVICE_OWNER_CHANGE_H
#define LK_SERVER_SERVICE_OWNER_CHANGE_H

#include "latchkey/store/change.pb-c.h"
#include "latchkey/v1/owner.pb-c.h"
#include "server/service/request.h"

enum lk_err lk_owner_create_build(struct lk_request *request, const Latchkey__V1__CreateOwnerRequest *message,
	Latchkey__Store__Change *change, Latchkey__V1__Owner *response);
void lk_owner_create_reply(struct lk_request *request, const Latchkey__V1__CreateOwnerRequest *message,
	const Latchkey__Store__Change *change, Latchkey__V1__Owner *response);
enum lk_err lk_owner_update_build(struct lk_request *request, const Latchkey__V1__UpdateOwnerRequest *message,
	Latchkey__Store__Change *change, Latchkey__V1__Owner *response);
void lk_owner_update_reply(struct lk_request *request, const Latchkey__V1__UpdateOwnerRequest *message,
	const Latchkey__Store__Change *change, Latchkey__V1__Owner *response);
enum lk_err lk_owner_delete_build(struct lk_request *request, const Latchkey__V1__DeleteOwnerRequest *message,
	Latchkey__Store__Change *change, Latchkey__V1__DeleteOwnerResponse *response);

#endif
