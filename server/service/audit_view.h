/*
 * Audit records as the API shows them, in the request's arena. They borrow from the record.
 */
#ifndef LK_SERVER_SERVICE_AUDIT_VIEW_H
#define LK_SERVER_SERVICE_AUDIT_VIEW_H

#include "latchkey/v1/audit.pb-c.h"
#include "server/service/request.h"

/*
 * Fills in a message that was initialised. A key is shown in the state that it had at the record's time, without its use, which
 * is not kept, and without what could be done to it then; a role without how many keys had it, an owner without where its
 * limits stood.
 */
void lk_audit_view(
	struct lk_request *request, const Latchkey__Store__AuditRecord *record, Latchkey__V1__AuditRecord *ret_view);

#endif
