/*
 * The limits of owners as the API shows them, in the request's arena. They borrow from the record.
 */
#ifndef LK_SERVER_SERVICE_OWNER_VIEW_H
#define LK_SERVER_SERVICE_OWNER_VIEW_H

#include "latchkey/v1/owner.pb-c.h"
#include "server/service/request.h"

/*
 * Fills in a message that was initialised. `tenant`: its id. Where each limit stands is read from the slots as they are; of a
 * record without a slot, it is not said.
 */
void lk_view_owner(struct lk_request *request, const Latchkey__Store__OwnerRecord *record, const char *tenant,
	Latchkey__V1__Owner *ret_view);

#endif
