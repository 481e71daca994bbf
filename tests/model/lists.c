/* List against the model: any filter, any order, any page size. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/check.h"
#include "tests/model/model.h"

/* An instant at which something was, or just beside it. */
static int64_t draw_instant(struct world *world, int64_t at_us)
{
	return at_us + (int64_t)pick(world, 3) - 1;
}

static void draw_instants(struct world *world, struct filter *ret)
{
	const struct key *key = &world->keys[pick(world, world->n_keys)];
	int64_t used_us = key->used_until_us != 0 && one_in(world, 2) ? key->used_until_us : now_us() - 50 * MS;
	int64_t expire_us = key->expire_us != 0 ? key->expire_us : now_us() + 3600 * US_PER_SECOND;

	ret->instants[0] = timestamp_of(draw_instant(world, key->create_us));
	ret->instants[1] = timestamp_of(draw_instant(world, key->create_us));
	ret->instants[2] = timestamp_of(draw_instant(world, expire_us));
	ret->instants[3] = timestamp_of(draw_instant(world, used_us));
	ret->message.created_after = one_in(world, 6) ? &ret->instants[0] : NULL;
	ret->message.created_before = one_in(world, 6) ? &ret->instants[1] : NULL;
	ret->message.expires_before = one_in(world, 6) ? &ret->instants[2] : NULL;
	ret->message.last_used_before = one_in(world, 6) ? &ret->instants[3] : NULL;
}

void draw_filter(struct world *world, struct filter *ret)
{
	static const char *const owners[] = {"ann", "ben", "an"};
	static const char *const asked[] = {"agents:list", "agents:install", "storage:b7:read", "storage:b7", "chat"};
	static const char *const prefixes[] = {"b", "beta", "name 1", "alpha", "zz"};

	memset(ret, 0, sizeof *ret);
	latchkey__v1__key_filter__init(&ret->message);
	if (world->n_keys > 0) {
		draw_instants(world, ret);
	}
	ret->message.keyspace = one_in(world, 2) ? TEXT(pick_keyspace_id(world)) : TEXT("");
	ret->message.owner = one_in(world, 5) ? TEXT(owners[pick(world, 3)]) : TEXT("");
	ret->message.permission = one_in(world, 6) ? TEXT(asked[pick(world, 5)]) : TEXT("");
	ret->message.name_prefix = one_in(world, 6) ? TEXT(prefixes[pick(world, 5)]) : TEXT("");
	ret->message.unused_only = one_in(world, 8);
	ret->states[0] = (Latchkey__V1__KeyState)(1 + pick(world, 4));
	ret->states[1] = (Latchkey__V1__KeyState)(1 + pick(world, 4));
	ret->message.states = ret->states;
	ret->message.n_states = !one_in(world, 4) ? 0 : ret->states[0] == ret->states[1] ? 1 : 2;
}

unsigned against_filter(
	const struct world *world, const struct client *client, size_t tenant, const struct filter *filter)
{
	const Latchkey__V1__KeyFilter *message = &filter->message;
	unsigned against = 0;

	/* No key is made after an instant and before an earlier one. */
	if (message->created_after != NULL && message->created_before != NULL &&
		us_of(message->created_after) >= us_of(message->created_before)) {
		against = E(LK_INVALID_ARGUMENT);
	}
	if (message->keyspace[0] == '\0') {
		return against;
	}
	if (!may_keyspace(client, message->keyspace)) {
		return against | E(LK_PERMISSION_DENIED);
	}
	return find_keyspace(world, tenant, message->keyspace) == NONE ? against | E(LK_NOT_FOUND) : against;
}

static enum match matches_state(const struct world *world, const struct filter *filter, const struct key *key)
{
	Latchkey__V1__KeyState before = state_at(key, world->before_us);
	Latchkey__V1__KeyState after = state_at(key, world->after_us);
	bool was = filter->message.n_states == 0;
	bool is = was;

	for (size_t i = 0; i < filter->message.n_states; i++) {
		was = was || filter->states[i] == before;
		is = is || filter->states[i] == after;
	}
	return was != is ? MAYBE : was ? YES : NO;
}

static enum match matches_use(const struct filter *filter, const struct key *key)
{
	int64_t before_us = us_of(filter->message.last_used_before);

	if (key->usage == 0 && key->usage_open > 0) {
		return before_us != 0 || filter->message.unused_only ? MAYBE : YES;
	}
	if (filter->message.unused_only && key->usage > 0) {
		return NO;
	}
	if (before_us == 0 || key->usage == 0 || key->used_until_us < before_us) {
		return YES;
	}
	return key->used_from_us >= before_us ? NO : MAYBE;
}

static bool matches_instants(const struct filter *filter, const struct key *key)
{
	const Latchkey__V1__KeyFilter *message = &filter->message;

	return (message->created_after == NULL || key->create_us > us_of(message->created_after)) &&
	       (message->created_before == NULL || key->create_us < us_of(message->created_before)) &&
	       (message->expires_before == NULL ||
		       (key->expire_us != 0 && key->expire_us < us_of(message->expires_before)));
}

enum match matches(const struct world *world, const struct client *client, size_t tenant, const struct filter *filter,
	const struct key *key)
{
	const struct keyspace *keyspace = &world->keyspaces[key->keyspace];
	const Latchkey__V1__KeyFilter *message = &filter->message;

	if (keyspace->tenant != tenant || is_gone(world, key) || !may_keyspace(client, keyspace->id) ||
		(message->keyspace[0] != '\0' && strcmp(message->keyspace, keyspace->id) != 0) ||
		(message->owner[0] != '\0' && strcmp(message->owner, key->owner) != 0) ||
		strncmp(key->name, message->name_prefix, strlen(message->name_prefix)) != 0 ||
		(message->permission[0] != '\0' && !covers(key->permissions, message->permission)) ||
		!matches_instants(filter, key)) {
		return NO;
	}
	enum match state = matches_state(world, filter, key);
	enum match use = matches_use(filter, key);
	return state == NO || use == NO ? NO : state == MAYBE || use == MAYBE ? MAYBE : YES;
}

/* The order of two keys as they were shown: below 0, 0, above 0. */
static int compare(const Latchkey__V1__Key *a, const Latchkey__V1__Key *b, const char *order_by)
{
	if (strncmp(order_by, "name", 4) == 0) {
		return strcmp(a->name, b->name);
	}
	bool by_expiry = strncmp(order_by, "expire_time", 11) == 0;
	int64_t of_a = us_of(by_expiry ? a->expire_time : a->create_time);
	int64_t of_b = us_of(by_expiry ? b->expire_time : b->create_time);
	/* Those that never expire stand last. */
	of_a = of_a == 0 ? INT64_MAX : of_a;
	of_b = of_b == 0 ? INT64_MAX : of_b;
	return of_a < of_b ? -1 : of_a > of_b;
}

static void check_order(struct world *world, const Latchkey__V1__Key *const *shown, size_t count, const char *order_by)
{
	int sign = strstr(order_by, " desc") != NULL ? -1 : 1;

	for (size_t i = 1; order_by[0] != '\0' && i < count; i++) {
		if (sign * compare(shown[i - 1], shown[i], order_by) > 0) {
			mismatch(world, "by %s, %s stands before %s", order_by, shown[i - 1]->id, shown[i]->id);
		}
	}
}

static size_t find_shown(const Latchkey__V1__Key *const *shown, size_t count, const char *id)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(shown[i]->id, id) == 0) {
			return i;
		}
	}
	return NONE;
}

/* Each key that matches is shown once, as it is, and no other. */
static void check_rows(struct world *world, const struct client *client, size_t tenant, const struct filter *filter,
	const Latchkey__V1__Key *const *shown, size_t count)
{
	size_t expected = 0;

	for (size_t i = 0; i < world->n_keys; i++) {
		struct key *key = &world->keys[i];
		enum match match = matches(world, client, tenant, filter, key);
		size_t at = match == NO ? NONE : find_shown(shown, count, key->id);
		if (match == YES && at == NONE) {
			mismatch(world, "%s is not listed", key->id);
		}
		if (at != NONE) {
			expected++;
			compare_key(world, shown[at], key);
		}
	}
	if (expected != count) {
		for (size_t i = 0; i < count; i++) {
			note(world, "    listed: %s %s", shown[i]->id, shown[i]->name);
		}
		mismatch(world, "%zu keys are listed, and %zu match", count, expected);
	}
	world->n_listed += count;
}

static void check_total(struct world *world, struct client *client, size_t tenant, const struct filter *filter)
{
	Latchkey__V1__ListKeysRequest request = LATCHKEY__V1__LIST_KEYS_REQUEST__INIT;
	int64_t sure = 0;
	int64_t maybe = 0;

	request.tenant = world->tenants[tenant].id;
	request.filter = (Latchkey__V1__KeyFilter *)(uintptr_t)&filter->message;
	request.page_size = 1;
	request.count_total = one_in(world, 2);
	begin(world);
	const Latchkey__V1__ListKeysResponse *page = caller_ask(
		&client->caller, &latchkey_v1_key_list_method, &request);
	finish(world);
	CHECK_MSG(page != NULL, client->caller.call.message);
	for (size_t i = 0; i < world->n_keys; i++) {
		enum match match = matches(world, client, tenant, filter, &world->keys[i]);
		sure += match == YES;
		maybe += match == MAYBE;
	}
	if (page->total_size == -1 && !request.count_total) {
		return;
	}
	if (page->total_size < sure || page->total_size > sure + maybe) {
		mismatch(world, "total_size is %" PRId64 ", not %" PRId64, page->total_size, sure);
	}
}

static void note_filter(struct world *world, const char *tenant, const struct filter *filter, const char *order_by)
{
	const Latchkey__V1__KeyFilter *message = &filter->message;

	note(world,
		"list %s by \"%s\": keyspace \"%s\", %zu states (%d %d), owner \"%s\", prefix \"%s\", permission "
		"\"%s\", "
		"created %" PRId64 " to %" PRId64 ", expires before %" PRId64 ", used before %" PRId64 "%s",
		tenant, order_by, message->keyspace, message->n_states, (int)filter->states[0], (int)filter->states[1],
		message->owner, message->name_prefix, message->permission, us_of(message->created_after),
		us_of(message->created_before), us_of(message->expires_before), us_of(message->last_used_before),
		message->unused_only ? ", unused" : "");
}

void check_list(struct world *world)
{
	static const char *const orders[] = {
		"", "create_time", "create_time desc", "expire_time", "expire_time desc", "name", "name desc"};
	static const int32_t sizes[] = {1, 2, 7, 50, 0, 1000};
	struct client *client = pick_client(world);
	const char *tenant = pick_tenant_id(world);
	const char *order_by = orders[pick(world, 7)];
	/* Small pages where there is little. */
	int32_t size = sizes[pick(world, world->n_keys < 60 ? 6 : 3) + (world->n_keys < 60 ? 0 : 3)];
	const Latchkey__V1__Key **shown = calloc(world->n_keys + 1, sizeof *shown);
	struct filter filter;

	CHECK(shown != NULL);
	draw_filter(world, &filter);
	note_filter(world, tenant, &filter, order_by);
	begin(world);
	size_t count = say_list(&client->caller, tenant, &filter.message, order_by, size, shown, world->n_keys + 1);
	finish(world);
	size_t at = find_tenant(world, tenant);
	unsigned against = against_tenant(world, client, "keys.list", tenant);
	unsigned of_filter = against_filter(world, client, at, &filter);
	against |= of_filter;
	if (judge(world, client, against, against)) {
		check_order(world, shown, count, order_by);
		check_rows(world, client, at, &filter, shown, count);
		check_total(world, client, at, &filter);
	}
	free(shown);
}

/* Those that nobody touched since then, and that match, were shown once; none was shown twice. */
static void check_steady_rows(struct world *world, const struct client *client, size_t tenant,
	const struct filter *filter, const Latchkey__V1__Key *const *shown, size_t count, size_t since)
{
	for (size_t i = 0; i < world->n_keys; i++) {
		struct key *key = &world->keys[i];
		if (key->touched_at > since || matches(world, client, tenant, filter, key) != YES) {
			continue;
		}
		size_t at = find_shown(shown, count, key->id);
		if (at == NONE) {
			mismatch(world, "%s stood throughout, and is not listed", key->id);
		}
		compare_key(world, shown[at], key);
		if (find_shown(shown + at + 1, count - at - 1, key->id) != NONE) {
			mismatch(world, "%s stood throughout, and is listed twice", key->id);
		}
	}
}

/* The keys of all pages, with a change between each two. `*ret_cut`: a page was refused. To be freed. */
static const Latchkey__V1__Key **list_with_changes(struct world *world, struct client *client,
	Latchkey__V1__ListKeysRequest *request, size_t *ret_count, bool *ret_cut)
{
	/* Those that come while it is listed may be shown, too. */
	size_t room = 2 * world->n_keys + 4096;
	const Latchkey__V1__Key **shown = calloc(room, sizeof *shown);

	CHECK(shown != NULL);
	*ret_count = 0;
	for (;;) {
		const Latchkey__V1__ListKeysResponse *page = caller_ask(
			&client->caller, &latchkey_v1_key_list_method, request);
		*ret_cut = page == NULL;
		for (size_t i = 0; page != NULL && i < page->n_keys; i++) {
			CHECK(*ret_count < room);
			shown[(*ret_count)++] = page->keys[i];
		}
		if (page == NULL || page->next_page_token[0] == '\0') {
			return shown;
		}
		request->page_token = page->next_page_token;
		change_something(world);
	}
}

void list_among_changes(struct world *world)
{
	static const char *const orders[] = {
		"create_time", "create_time desc", "expire_time", "expire_time desc", "name", "name desc"};
	Latchkey__V1__ListKeysRequest request = LATCHKEY__V1__LIST_KEYS_REQUEST__INIT;
	struct client *client = &world->clients[pick(world, 2)];
	const char *id = pick_tenant_id(world);
	size_t tenant = find_tenant(world, id);
	size_t since = world->touches;
	struct filter filter;
	size_t count = 0;
	bool cut = false;

	draw_filter(world, &filter);
	/* What depends on the clock or on use may match now and not later. */
	filter.message.n_states = 0;
	filter.message.last_used_before = NULL;
	filter.message.unused_only = false;
	size_t keyspace = find_keyspace(world, tenant, filter.message.keyspace);
	if (tenant == NONE || against_filter(world, client, tenant, &filter) != 0) {
		return;
	}
	request.tenant = TEXT(id);
	request.filter = &filter.message;
	request.order_by = TEXT(orders[pick(world, 6)]);
	request.page_size = (int32_t)(1 + pick(world, 12));
	note_filter(world, id, &filter, request.order_by);
	int64_t start_us = now_us();
	const Latchkey__V1__Key **shown = list_with_changes(world, client, &request, &count, &cut);
	world->before_us = start_us;
	world->after_us = now_us();
	/* Where what was listed was deleted, and perhaps made anew, there is nothing to compare. */
	if (world->tenants[tenant].life == LIVE && keyspace == find_keyspace(world, tenant, filter.message.keyspace)) {
		if (cut) {
			mismatch(world, "there is no next page: %s", client->caller.call.message);
		}
		check_steady_rows(world, client, tenant, &filter, shown, count, since);
	}
	free(shown);
}
