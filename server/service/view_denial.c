/* What is shown of denials; see view.h. */
#include "server/core/time.h"
#include "server/service/view.h"
#include "server/store/denials.h"

_Static_assert(
	LK_DENIAL_CODES == LATCHKEY__V1__VERIFY_CODE__VERIFY_CODE_CREDITS_EXHAUSTED + 1, "every code is counted");

Latchkey__V1__Denial *lk_view_denial(struct lk_request *request, const Latchkey__Store__KeyRecord *record)
{
	struct lk_denial last = lk_denials_last(lk_store_denials(request->store), record->slot);

	/* Others can write there too: what no reply may hold is none. */
	if (last.code == 0 || last.code >= LK_DENIAL_CODES || last.time_us < 0 || last.time_us > LK_TIME_MAX_US) {
		return NULL;
	}
	Latchkey__V1__Denial *view = lk_arena_alloc(request->arena, sizeof *view);
	char *client_ip = lk_arena_alloc(request->arena, LK_CIDR_TEXT_LEN);
	if (view == NULL || client_ip == NULL) {
		return NULL;
	}
	latchkey__v1__denial__init(view);
	lk_address_format(&last.address, client_ip);
	view->code = (Latchkey__V1__VerifyCode)last.code;
	view->time = lk_time_to_timestamp(request->arena, last.time_us);
	view->client_ip = client_ip;
	return view;
}

void lk_view_denials(
	struct lk_request *request, const Latchkey__Store__KeyspaceRecord *record, Latchkey__V1__Keyspace *view)
{
	uint64_t counts[LK_DENIAL_CODES] = {0};
	Latchkey__V1__DenialCount *items = lk_arena_array(request->arena, LK_DENIAL_CODES, sizeof *items);

	view->denials = lk_arena_array(request->arena, LK_DENIAL_CODES, sizeof *view->denials);
	if (items == NULL || view->denials == NULL) {
		return;
	}
	lk_denials_counts(lk_store_denials(request->store), record->number, counts);
	for (size_t i = 0; i < LK_DENIAL_CODES; i++) {
		if (counts[i] == 0) {
			continue;
		}
		latchkey__v1__denial_count__init(&items[i]);
		items[i].code = (Latchkey__V1__VerifyCode)i;
		items[i].count = counts[i];
		view->denials[view->n_denials++] = &items[i];
	}
}
