/*
 * Which audit records a caller asks for, and may see.
 */
#ifndef LK_SERVER_SERVICE_AUDIT_FILTER_H
#define LK_SERVER_SERVICE_AUDIT_FILTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "latchkey/v1/audit.pb-c.h"
#include "server/service/request.h"

struct lk_audit_filter {
	/* NULL: any. */
	const char *tenant;
	/* "": any. */
	const char *actor;
	/* The full names of the methods that the action names. */
	const char **methods;
	size_t n_methods;
	/* Times from start_us on and before end_us. */
	int64_t start_us;
	int64_t end_us;
	bool refused_only;
	/* All of it as a text, to bind a cursor to. */
	const char *binding;
};

/*
 * Reads the filter of a request, and checks each field of it: what is wrong are faults of the request. LK_PERMISSION_DENIED: a
 * tenant that the caller is not granted. LK_NO_MEMORY.
 */
LK_MUST_CHECK enum lk_err lk_audit_filter_read(struct lk_request *request,
	const Latchkey__V1__ListAuditRecordsRequest *message, struct lk_audit_filter *ret_filter);

/* Whether a record is one that is asked for. */
bool lk_audit_filter_matches(const struct lk_audit_filter *filter, const Latchkey__Store__AuditRecord *record);

/*
 * Whether the caller may see a record: one of a tenant that it is granted, and of a key or keyspace, of a keyspace that it is
 * granted; a role and an owner are of the tenant alone. A refused call is of no keyspace, and for callers who are granted all
 * of them.
 */
bool lk_audit_filter_allows(const struct lk_request *request, const Latchkey__Store__AuditRecord *record);

#endif
