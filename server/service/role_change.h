/*
 * The handlers that create, change and delete roles; role.c puts them beside the others. See method.h for what build and
 * reply owe.
 */
#ifndef LK_SERVER_SERVICE_ROLE_CHANGE_H
#define LK_SERVER_SERVICE_ROLE_CHANGE_H

#include "latchkey/store/change.pb-c.h"
#include "latchkey/v1/role.pb-c.h"
#include "server/service/request.h"

/*
 * A role as the API shows it, in the request's arena; it borrows from the record. `tenant`: its id. `key_count`: how many
 * keys have it.
 */
void lk_view_role(struct lk_request *request, const Latchkey__Store__RoleRecord *record, const char *tenant,
	uint64_t key_count, Latchkey__V1__Role *ret_view);

enum lk_err lk_role_create_build(struct lk_request *request, const Latchkey__V1__CreateRoleRequest *message,
	Latchkey__Store__Change *change, Latchkey__V1__Role *response);
void lk_role_create_reply(struct lk_request *request, const Latchkey__V1__CreateRoleRequest *message,
	const Latchkey__Store__Change *change, Latchkey__V1__Role *response);
enum lk_err lk_role_update_build(struct lk_request *request, const Latchkey__V1__UpdateRoleRequest *message,
	Latchkey__Store__Change *change, Latchkey__V1__Role *response);
void lk_role_update_reply(struct lk_request *request, const Latchkey__V1__UpdateRoleRequest *message,
	const Latchkey__Store__Change *change, Latchkey__V1__Role *response);
enum lk_err lk_role_delete_build(struct lk_request *request, const Latchkey__V1__DeleteRoleRequest *message,
	Latchkey__Store__Change *change, Latchkey__V1__DeleteRoleResponse *response);

#endif
