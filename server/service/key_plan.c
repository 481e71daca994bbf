#include "server/service/key_plan.h"

#include <string.h>

#include "server/core/text.h"

static const struct {
	const char *field;
	enum lk_key_index index;
	const char *ascending;
	const char *descending;
} orders[] = {
	{"create_time", LK_KEYS_BY_CREATE, "create_time", "create_time desc"},
	{"expire_time", LK_KEYS_BY_EXPIRY, "expire_time", "expire_time desc"},
	{"name", LK_KEYS_BY_NAME, "name", "name desc"},
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char *skip_blanks(const char *at)
{
	return at + strspn(at, " ");
}

/* AIP-132: a field, and "desc" behind it for the other direction; how many blanks there are means nothing. */
static bool read_order(const char *order_by, struct lk_key_order *ret_order)
{
	const char *field = skip_blanks(order_by);
	size_t len = strcspn(field, " ");
	const char *rest = skip_blanks(field + len);
	bool descending = strncmp(rest, "desc", 4) == 0;

	rest = skip_blanks(descending ? rest + 4 : rest);
	for (size_t i = 0; i < COUNT(orders); i++) {
		if (strlen(orders[i].field) == len && memcmp(orders[i].field, field, len) == 0 && rest[0] == '\0') {
			*ret_order = (struct lk_key_order){true, orders[i].index, descending,
				descending ? orders[i].descending : orders[i].ascending};
			return true;
		}
	}
	return false;
}

void lk_key_order_read(struct lk_faults *faults, const char *order_by, struct lk_key_order *ret_order)
{
	*ret_order = (struct lk_key_order){.text = ""};
	if (skip_blanks(order_by)[0] != '\0' && !read_order(order_by, ret_order)) {
		lk_fault_add(faults, "order_by",
			"%s is no order of keys: give create_time, expire_time or name, with \" desc\" behind it for "
			"the other direction",
			lk_text_quote(faults->arena, order_by));
	}
}

/* Whether the index by use holds what the filter asks for, and will as long as it is asked for. */
static bool seeks_use(const struct lk_key_filter *filter, int64_t folded_us)
{
	return (filter->asks & LK_ASK_USED) != 0 && (filter->used_last_us == 0 || filter->used_last_us < folded_us);
}

enum lk_key_index lk_key_plan(const struct lk_key_filter *filter, const struct lk_key_order *order, int64_t folded_us)
{
	static const struct {
		enum lk_key_ask ask;
		enum lk_key_index index;
	} seeks[] = {
		{LK_ASK_OWNER, LK_KEYS_BY_OWNER},
		{LK_ASK_NAME, LK_KEYS_BY_NAME},
		{LK_ASK_EXPIRES, LK_KEYS_BY_EXPIRY},
	};

	if (order->given) {
		return order->index == LK_KEYS_BY_CREATE && (filter->asks & LK_ASK_OWNER) != 0 ? LK_KEYS_BY_OWNER
											       : order->index;
	}
	for (size_t i = 0; i < COUNT(seeks); i++) {
		if ((filter->asks & seeks[i].ask) != 0) {
			return seeks[i].index;
		}
	}
	return seeks_use(filter, folded_us) ? LK_KEYS_BY_USED : LK_KEYS_BY_CREATE;
}

static void set_bounds(struct lk_key_range *range, int64_t first_us, int64_t last_us)
{
	/* No key has an instant before 1970. */
	range->first_us = first_us < 0 ? 0 : (uint64_t)first_us;
	range->last_us = last_us < 0 ? 0 : (uint64_t)last_us;
	range->first_us = last_us < 0 ? 1 : range->first_us;
}

struct lk_key_range lk_key_plan_range(const struct lk_key_filter *filter, enum lk_key_index index, bool descending)
{
	struct lk_key_range range = {
		.index = index,
		.descending = descending,
		.owner = filter->owner,
		.name_prefix = filter->name_prefix,
		.last_us = UINT64_MAX,
	};
	bool by_creation = index == LK_KEYS_BY_CREATE || index == LK_KEYS_BY_OWNER;

	if (by_creation && (filter->asks & LK_ASK_CREATED) != 0) {
		set_bounds(&range, filter->created.first_us, filter->created.last_us);
	} else if (index == LK_KEYS_BY_EXPIRY && (filter->asks & LK_ASK_EXPIRES) != 0) {
		set_bounds(&range, 0, filter->expires_last_us);
	} else if (index == LK_KEYS_BY_USED && (filter->asks & LK_ASK_USED) != 0) {
		set_bounds(&range, 0, filter->used_last_us);
	}
	return range;
}

unsigned lk_key_plan_open(const struct lk_key_filter *filter, enum lk_key_index index)
{
	/* Of 16 bytes of hash, no two owners share one: whoever only counts may go by it. What is folded is behind the uses. */
	static const unsigned decides[LK_KEYS_INDEX_COUNT] = {
		[LK_KEYS_BY_CREATE] = LK_ASK_CREATED,
		[LK_KEYS_BY_OWNER] = LK_ASK_OWNER | LK_ASK_CREATED,
		[LK_KEYS_BY_EXPIRY] = LK_ASK_EXPIRES,
		[LK_KEYS_BY_NAME] = LK_ASK_NAME,
	};

	return filter->asks & ~decides[index];
}
