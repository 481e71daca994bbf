/*
 * Plans: which index a list of keys walks, and between which bounds. Pure.
 */
#ifndef LK_SERVER_SERVICE_KEY_PLAN_H
#define LK_SERVER_SERVICE_KEY_PLAN_H

#include <stdbool.h>
#include <stdint.h>

#include "server/core/faults.h"
#include "server/service/key_filter.h"
#include "server/store/key_scan.h"

/* What an order_by asks for. */
struct lk_key_order {
	/* False: nothing, and whatever index the filter seeks in gives the order. */
	bool given;
	enum lk_key_index index;
	bool descending;
	/* How it is written; "" where it asks for nothing. */
	const char *text;
};

/* Reads an order_by. One that is none is a fault of "order_by". */
void lk_key_order_read(struct lk_faults *faults, const char *order_by, struct lk_key_order *ret_order);

/*
 * The index to walk. The filters that have one, in this order: owner, name_prefix, expires_before, unused_only,
 * last_used_before; else that by creation. An order that is given decides instead, and of create_time the one by owner keeps it
 * too. `folded_us`: see lk_store_folded(). A last_used_before that is later does not seek: an entry that is yet to be folded
 * would move while pages are read, and its key be told twice.
 */
enum lk_key_index lk_key_plan(const struct lk_key_filter *filter, const struct lk_key_order *order, int64_t folded_us);

/* What to scan of an index that was planned. Borrows from the filter. */
struct lk_key_range lk_key_plan_range(const struct lk_key_filter *filter, enum lk_key_index index, bool descending);

/* enum lk_key_ask: what a range of the index leaves open, of what the filter asks. */
unsigned lk_key_plan_open(const struct lk_key_filter *filter, enum lk_key_index index);

#endif
