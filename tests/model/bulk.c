/* KeyService/BulkRevoke, by a filter and by ids. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "tests/lib/check.h"
#include "tests/model/model.h"

#define BULK_MAX 8

/* Calls until it is done. False where a call was refused. */
static bool bulk_to_the_end(
	struct world *world, struct client *client, Latchkey__V1__BulkRevokeKeysRequest *request, uint64_t *ret_total)
{
	char *tenant = request->tenant;
	const Latchkey__V1__BulkRevokeKeysResponse *part = NULL;

	do {
		part = caller_ask(&client->caller, &latchkey_v1_key_bulk_revoke_method, request);
		if (part == NULL) {
			return false;
		}
		*ret_total = part->total_size;
		if (part->revoked_count > part->total_size ||
			(part->done && !request->validate_only && part->revoked_count != part->total_size)) {
			mismatch(world, "%" PRIu64 " of %" PRIu64 " are revoked, and done is %d", part->revoked_count,
				part->total_size, part->done);
		}
		latchkey__v1__bulk_revoke_keys_request__init(request);
		request->tenant = tenant;
		request->page_token = part->next_page_token;
	} while (part->next_page_token[0] != '\0');
	return true;
}

/* Revokes in the model whatever matches; returns how many for sure, and stores how many perhaps. */
static uint64_t revoke_matching(struct world *world, const struct client *client, size_t tenant,
	const struct filter *filter, const char *reason, bool only_see, uint64_t *ret_maybe)
{
	uint64_t sure = 0;

	*ret_maybe = 0;
	for (size_t i = 0; i < world->n_keys; i++) {
		struct key *key = &world->keys[i];
		enum match match = matches(world, client, tenant, filter, key);
		if (match == NO || key->stored == STORED_REVOKED) {
			continue;
		}
		sure += match == YES;
		*ret_maybe += match == MAYBE;
		touch(world, i);
		if (!only_see && match == YES) {
			end_key(world, key, reason);
			key->etag[0] = '\0';
		}
	}
	return sure;
}

static bool is_empty(const struct filter *filter)
{
	return protobuf_c_message_get_packed_size(&filter->message.base) == 0;
}

/* Of a filter that depends on the very moment, it is not known whom it hit. */
static bool is_sure(const struct world *world, const struct client *client, size_t tenant, const struct filter *filter)
{
	for (size_t i = 0; i < world->n_keys; i++) {
		const struct key *key = &world->keys[i];
		bool soon = key->expire_us > world->before_us && key->expire_us < world->before_us + 400 * MS;
		if (matches(world, client, tenant, filter, key) == MAYBE || (soon && filter->message.n_states > 0)) {
			return false;
		}
	}
	return true;
}

static void bulk_by_filter(struct world *world)
{
	Latchkey__V1__BulkRevokeKeysRequest request = LATCHKEY__V1__BULK_REVOKE_KEYS_REQUEST__INIT;
	struct client *client = pick_client(world);
	const char *tenant = pick_tenant_id(world);
	size_t at = find_tenant(world, tenant);
	struct filter filter;
	char reason[32];
	uint64_t total = 0;
	uint64_t maybe = 0;

	draw_filter(world, &filter);
	/* Rather few at once. */
	filter.message.owner = filter.message.owner[0] == '\0' ? TEXT("ben") : filter.message.owner;
	begin(world);
	finish(world);
	if (is_empty(&filter) || !is_sure(world, client, at, &filter)) {
		return;
	}
	(void)snprintf(reason, sizeof reason, "bulk at %zu", world->step);
	bool only_see = one_in(world, 3);
	request.tenant = TEXT(tenant);
	request.filter = &filter.message;
	request.reason = reason;
	request.validate_only = only_see;
	note(world, "bulk revoke in %s: keyspace \"%s\", owner \"%s\", %zu states (%d %d), prefix \"%s\"%s", tenant,
		filter.message.keyspace, filter.message.owner, filter.message.n_states, (int)filter.states[0],
		(int)filter.states[1], filter.message.name_prefix, only_see ? ", only to see" : "");
	begin(world);
	(void)bulk_to_the_end(world, client, &request, &total);
	finish(world);
	unsigned against = against_tenant(world, client, "keys.revoke", tenant);
	unsigned of_filter = against_filter(world, client, at, &filter);
	against |= of_filter;
	if (judge(world, client, against, against)) {
		uint64_t sure = revoke_matching(world, client, at, &filter, reason, only_see, &maybe);
		if (total < sure || total > sure + maybe) {
			mismatch(world, "%" PRIu64 " keys, not %" PRIu64, total, sure);
		}
	}
}

static void bulk_by_id(struct world *world)
{
	Latchkey__V1__BulkRevokeKeysRequest request = LATCHKEY__V1__BULK_REVOKE_KEYS_REQUEST__INIT;
	/* The first two are granted every keyspace. */
	struct client *client = &world->clients[pick(world, 2)];
	char *keys[BULK_MAX];
	size_t chosen[BULK_MAX];
	char reason[32];
	uint64_t total = 0;
	size_t n = 0;

	size_t first = pick_key(world);
	if (first == NONE || is_gone(world, &world->keys[first])) {
		return;
	}
	size_t tenant = world->keyspaces[world->keys[first].keyspace].tenant;
	size_t most = 1 + pick(world, BULK_MAX);
	for (size_t i = first; i < world->n_keys && n < most; i++) {
		const struct key *key = &world->keys[i];
		if (world->keyspaces[key->keyspace].tenant == tenant && !is_gone(world, key)) {
			chosen[n] = i;
			keys[n++] = world->keys[i].id;
		}
	}
	(void)snprintf(reason, sizeof reason, "bulk at %zu", world->step);
	request.tenant = world->tenants[tenant].id;
	request.keys = keys;
	request.n_keys = n;
	request.reason = reason;
	note(world, "bulk revoke of %zu keys from %s on", n, keys[0]);
	begin(world);
	(void)bulk_to_the_end(world, client, &request, &total);
	finish(world);
	if (!judge(world, client, 0, 0)) {
		return;
	}
	uint64_t expected = 0;
	for (size_t i = 0; i < n; i++) {
		struct key *key = &world->keys[chosen[i]];
		touch(world, chosen[i]);
		if (key->stored != STORED_REVOKED) {
			end_key(world, key, reason);
			key->etag[0] = '\0';
			expected++;
		}
	}
	if (total != expected) {
		mismatch(world, "%" PRIu64 " keys, not %" PRIu64, total, expected);
	}
}

void bulk_revoke(struct world *world)
{
	if (one_in(world, 2)) {
		bulk_by_filter(world);
	} else {
		bulk_by_id(world);
	}
}
