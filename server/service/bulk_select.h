/*
 * Which keys a BulkRevoke is about: those that a filter matches, or that are named, of one state; fixed before the first of them
 * is revoked, and kept for the request, so that what is built anew on a later state is about the same keys.
 */
#ifndef LK_SERVER_SERVICE_BULK_SELECT_H
#define LK_SERVER_SERVICE_BULK_SELECT_H

#include <stddef.h>
#include <stdint.h>

#include "latchkey/v1/key.pb-c.h"
#include "server/service/request.h"

/* The most keys of one BulkRevoke: what the request's arena has room for. */
#define LK_BULK_MOST 1000000
/* The most keys of its sample. */
#define LK_BULK_SAMPLE 10

struct lk_bulk_selection {
	/* Ascending, none twice, in the request's arena. Of a validation, as many as the sample has. */
	uint64_t *slots;
	size_t n_slots;
	/* How many keys there are. */
	uint64_t count;
};

/*
 * Selects the keys of `tenant` that the message is about and that are not revoked, those of keyspaces that the caller is not granted
 * apart. Every fault of "filter" and "keys" is reported, with those that were found before. `tenant` NULL: there is none.
 * LK_NOT_FOUND: no such tenant, no such keyspace, or one of the keys that are named is not there. LK_PERMISSION_DENIED: one is a root
 * key that exceeds the caller's grant. LK_FAILED_PRECONDITION: over LK_BULK_MOST, but of a validation. LK_DEADLINE_EXCEEDED.
 */
LK_MUST_CHECK enum lk_err lk_bulk_select(struct lk_request *request, const Latchkey__Store__TenantRecord *tenant,
	const Latchkey__V1__BulkRevokeKeysRequest *message, struct lk_bulk_selection *ret_selection);

#endif
