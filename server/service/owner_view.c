#include "server/service/owner_view.h"

#include "server/core/limit.h"
#include "server/core/time.h"
#include "server/service/view.h"
#include "server/store/charge.h"

/* As if more were asked of each than it ever lets pass: that charges nothing, and shows each as it is. */
static void ask_all(const Latchkey__Store__OwnerRecord *record, struct lk_charge *charge)
{
	for (size_t i = 0; i < record->n_rate_limits && i < LK_LIMITS_MAX; i++) {
		struct lk_charge_limit *asked = &charge->limits[charge->n_limits++];
		asked->limit = lk_limit_of_record(record->rate_limits[i]);
		asked->slot = record->slot;
		asked->cost = asked->limit.burst + 1;
	}
}

static void view_states(
	struct lk_request *request, const Latchkey__Store__OwnerRecord *record, Latchkey__V1__Owner *view)
{
	struct lk_charge charge = {0};

	ask_all(record, &charge);
	/* A slot that is ahead of this state: another Update has come since, and where its limits stand is not told of these. */
	if (lk_charge_look(lk_store_slots(request->store), &charge, request->now_us) == LK_CHARGE_MOVED) {
		return;
	}
	view->rate_states = lk_arena_array(request->arena, charge.n_limits, sizeof *view->rate_states);
	for (size_t i = 0; view->rate_states != NULL && i < charge.n_limits; i++) {
		Latchkey__V1__RateState *state = lk_arena_alloc(request->arena, sizeof *state);
		if (state == NULL) {
			return;
		}
		lk_view_rate_state(request->arena, &charge.limits[i], request->now_us, state);
		state->shared = true;
		view->rate_states[view->n_rate_states++] = state;
	}
}

void lk_view_owner(struct lk_request *request, const Latchkey__Store__OwnerRecord *record, const char *tenant,
	Latchkey__V1__Owner *ret_view)
{
	ret_view->id = record->id;
	ret_view->tenant = (char *)(uintptr_t)tenant;
	ret_view->rate_limits = lk_limit_to_api(request->arena, record->rate_limits, record->n_rate_limits);
	ret_view->n_rate_limits = ret_view->rate_limits == NULL ? 0 : record->n_rate_limits;
	ret_view->n_rate_states = 0;
	if (record->slot != 0) {
		view_states(request, record, ret_view);
	}
	ret_view->create_time = lk_time_to_timestamp(request->arena, record->create_us);
	ret_view->update_time = lk_time_to_timestamp(request->arena, record->update_us);
	ret_view->etag = lk_view_etag(request->arena, record->revision);
}
