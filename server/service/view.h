/*
 * Views: stored records as the API shows them, in the request's arena. They borrow from the record.
 *
 * Each fills in a message that was initialised. Where the arena is exhausted the view is incomplete; whoever packs it looks at
 * arena->exhausted.
 */
#ifndef LK_SERVER_SERVICE_VIEW_H
#define LK_SERVER_SERVICE_VIEW_H

#include "latchkey/v1/key.pb-c.h"
#include "latchkey/v1/keyspace.pb-c.h"
#include "latchkey/v1/tenant.pb-c.h"
#include "server/service/request.h"

struct lk_charge_limit;

/* The etag of a record that stands at `revision`; "" for 0, of what was only checked, and where the arena is exhausted. */
char *lk_view_etag(struct lk_arena *arena, uint64_t revision);

void lk_view_tenant(
	struct lk_request *request, const Latchkey__Store__TenantRecord *record, Latchkey__V1__Tenant *ret_view);

/* `tenant`: the id of its tenant. */
void lk_view_keyspace(struct lk_request *request, const Latchkey__Store__KeyspaceRecord *record, const char *tenant,
	Latchkey__V1__Keyspace *ret_view);

/*
 * With its use and the credits that are left, as they stand in the slots now. `tenant`, `keyspace`: the ids of where it
 * belongs. To complete the view of a build in its reply, the same view is given again: there is no state then to name its
 * roles from, which it has.
 */
void lk_view_key(struct lk_request *request, const Latchkey__Store__KeyRecord *record, const char *tenant,
	const char *keyspace, Latchkey__V1__Key *ret_view);

/* The last verdict about the key that was not VALID; NULL where there was none, and where the arena is exhausted. */
Latchkey__V1__Denial *lk_view_denial(struct lk_request *request, const Latchkey__Store__KeyRecord *record);

/* How many verdicts about the keyspace's keys were not VALID, by code: those codes that were given, in their order. */
void lk_view_denials(
	struct lk_request *request, const Latchkey__Store__KeyspaceRecord *record, Latchkey__V1__Keyspace *view);

/* Where a limit stands after it was charged or looked at: its name, limit, remaining and reset_time. Initialises the view. */
void lk_view_rate_state(struct lk_arena *arena, const struct lk_charge_limit *charged, int64_t now_us,
	Latchkey__V1__RateState *ret_view);

Latchkey__V1__Grant *lk_view_grant(struct lk_arena *arena, const Latchkey__Store__GrantRecord *record);

#endif
