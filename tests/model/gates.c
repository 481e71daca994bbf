/* What stands between a key and a VALID verdict beside its state: permissions, addresses, credits. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "tests/model/model.h"

const char *const role_ids[N_ROLES] = {"r0", "r1", "r2"};
const char *const cidr_names[N_CIDRS] = {"10.0.0.0/8", "2001:db8::/32", "192.0.2.7/32"};

static const struct {
	const char *text;
	/* The set of ranges that hold it. */
	unsigned in;
} addresses[] = {{"10.1.2.3", 1}, {"::ffff:10.9.9.9", 1}, {"11.0.0.1", 0}, {"2001:db8::1", 2}, {"192.0.2.7", 4},
	{"192.0.2.8", 0}, {"", 0}};
#define N_ADDRESSES (sizeof addresses / sizeof addresses[0])

static const char *const asked_names[] = {
	"agents:list", "agents:install", "storage:b7:read", "storage:b8:read", "chat", "nobody:has:this"};
#define N_ASKED (sizeof asked_names / sizeof asked_names[0])

/* One of a few shapes, and the ways in which it is fulfilled. */
static void draw_expression(struct world *world, struct asked *ret)
{
	size_t a = pick(world, N_ASKED), b = pick(world, N_ASKED), c = pick(world, N_ASKED);
	const char *const names[] = {asked_names[a], asked_names[b], asked_names[c]};

	switch (pick(world, 4)) {
	case 0:
		SET(ret->expression, names[0]);
		ret->ways[ret->n_ways++] = 1u << a;
		break;
	case 1:
		(void)snprintf(ret->expression, sizeof ret->expression, "%s and %s", names[0], names[1]);
		ret->ways[ret->n_ways++] = 1u << a | 1u << b;
		break;
	case 2:
		(void)snprintf(
			ret->expression, sizeof ret->expression, "%s OR %s AND %s", names[0], names[1], names[2]);
		ret->ways[ret->n_ways++] = 1u << a;
		ret->ways[ret->n_ways++] = 1u << b | 1u << c;
		break;
	default:
		(void)snprintf(
			ret->expression, sizeof ret->expression, "(%s or %s)And %s", names[0], names[1], names[2]);
		ret->ways[ret->n_ways++] = 1u << a | 1u << c;
		ret->ways[ret->n_ways++] = 1u << b | 1u << c;
	}
}

struct asked draw_asked(struct world *world)
{
	struct asked asked = {.address = one_in(world, 2) ? N_ADDRESSES - 1 : pick(world, N_ADDRESSES)};

	asked.cost = one_in(world, 2) ? 0 : 1 + pick(world, 4);
	if (one_in(world, 2)) {
		draw_expression(world, &asked);
	}
	return asked;
}

const char *address_of(const struct asked *asked)
{
	return addresses[asked->address].text;
}

bool address_fits(const struct world *world, const struct key *key, const struct asked *asked)
{
	unsigned of_keyspace = world->keyspaces[key->keyspace].cidrs;
	unsigned in = addresses[asked->address].in;

	return (key->cidrs == 0 || (key->cidrs & in) != 0) && (of_keyspace == 0 || (of_keyspace & in) != 0);
}

static bool may(const struct world *world, const struct key *key, const char *permission)
{
	if (covers(key->permissions, permission)) {
		return true;
	}
	for (size_t i = 0; i < N_ROLES; i++) {
		size_t role = (key->roles & 1u << i) == 0
				      ? NONE
				      : find_role(world, world->keyspaces[key->keyspace].tenant, role_ids[i]);
		if (role != NONE && covers(world->roles[role].permissions, permission)) {
			return true;
		}
	}
	return false;
}

static bool may_all(const struct world *world, const struct key *key, unsigned set)
{
	for (size_t i = 0; i < N_ASKED; i++) {
		if ((set & 1u << i) && !may(world, key, asked_names[i])) {
			return false;
		}
	}
	return true;
}

bool permissions_fit(const struct world *world, const struct key *key, const struct asked *asked)
{
	bool fits = asked->n_ways == 0;

	for (size_t i = 0; i < asked->n_ways && !fits; i++) {
		fits = may_all(world, key, asked->ways[i]);
	}
	return fits;
}

uint64_t cost_of(const struct asked *asked)
{
	return asked->cost == 0 ? 1 : asked->cost;
}

static size_t list_set(unsigned set, const char *const *names, size_t n, const char **ret_list)
{
	size_t count = 0;

	for (size_t i = 0; i < n; i++) {
		if (set & 1u << i) {
			ret_list[count++] = names[i];
		}
	}
	return count;
}

size_t list_roles(unsigned set, const char *ret_list[static N_ROLES])
{
	return list_set(set, role_ids, N_ROLES, ret_list);
}

size_t list_cidrs(unsigned set, const char *ret_list[static N_CIDRS])
{
	return list_set(set, cidr_names, N_CIDRS, ret_list);
}

unsigned draw_cidrs(struct world *world)
{
	return one_in(world, 4) ? (unsigned)pick(world, 1u << N_CIDRS) : 0;
}

/* A keyspace's list of addresses, which holds for all of its keys at once. */
void limit_keyspace(struct world *world)
{
	struct client *client = &world->clients[pick(world, 2)];
	const char *tenant = NULL;
	const char *id = NULL;
	Latchkey__V1__UpdateKeyspaceRequest request = LATCHKEY__V1__UPDATE_KEYSPACE_REQUEST__INIT;
	Google__Protobuf__FieldMask mask = GOOGLE__PROTOBUF__FIELD_MASK__INIT;
	Latchkey__V1__Keyspace message = LATCHKEY__V1__KEYSPACE__INIT;
	char *path = TEXT("allowed_cidrs");
	const char *cidrs[N_CIDRS];
	unsigned set = one_in(world, 2) ? 0 : draw_cidrs(world);

	pick_place(world, &tenant, &id);
	size_t at = find_keyspace(world, find_tenant(world, tenant), id);
	mask.n_paths = 1;
	mask.paths = &path;
	message.id = TEXT(id);
	message.n_allowed_cidrs = list_cidrs(set, cidrs);
	message.allowed_cidrs = (char **)(uintptr_t)cidrs;
	request.tenant = TEXT(tenant);
	request.keyspace = &message;
	request.update_mask = &mask;
	note(world, "limit keyspace %s/%s to set %u of addresses", tenant, id, set);
	begin(world);
	const Latchkey__V1__Keyspace *shown = caller_ask(
		&client->caller, &latchkey_v1_keyspace_update_method, &request);
	finish(world);
	unsigned against = at == NONE ? E(LK_NOT_FOUND) : 0;
	if (judge(world, client, against, against)) {
		world->keyspaces[at].cidrs = set;
		SET(world->keyspaces[at].etag, shown->etag);
		if (shown->n_allowed_cidrs != message.n_allowed_cidrs) {
			mismatch(world, "%zu ranges, not %zu", shown->n_allowed_cidrs, message.n_allowed_cidrs);
		}
	}
}

/* What becomes of the balance. */
static uint64_t adjusted(const Latchkey__V1__AdjustCreditsRequest *request, uint64_t balance)
{
	switch (request->adjustment_case) {
	case LATCHKEY__V1__ADJUST_CREDITS_REQUEST__ADJUSTMENT_SET:
		return request->set;
	case LATCHKEY__V1__ADJUST_CREDITS_REQUEST__ADJUSTMENT_ADD:
		return balance + request->add;
	default:
		return balance > request->take ? balance - request->take : 0;
	}
}

void adjust_credits(struct world *world)
{
	struct client *client = pick_client(world);
	size_t at = pick_key(world);
	Latchkey__V1__AdjustCreditsRequest request = LATCHKEY__V1__ADJUST_CREDITS_REQUEST__INIT;
	char room[40];

	if (at == NONE) {
		return;
	}
	struct key *key = &world->keys[at];
	const char *tenant = world->tenants[world->keyspaces[key->keyspace].tenant].id;
	touch(world, at);
	/* What is open is settled first, so that the outcome is one. */
	if (key->credits_open > 0) {
		check_get(world, at);
	}
	request.tenant = TEXT(tenant);
	request.key = TEXT(name_key(world, key, room));
	request.adjustment_case = (Latchkey__V1__AdjustCreditsRequest__AdjustmentCase)(3 + pick(world, 3));
	request.set = pick(world, 12);
	note(world, "adjust credits of %s of %s: %d by %" PRIu64, key->id, tenant, (int)request.adjustment_case,
		request.set);
	begin(world);
	const Latchkey__V1__Key *shown = caller_ask(&client->caller, &latchkey_v1_key_adjust_credits_method, &request);
	finish(world);
	unsigned against = against_key(world, client, "keys.adjust_credits", key);
	if (against == 0 && !may_scope(client, key->tenant_scope)) {
		against = E(LK_PERMISSION_DENIED);
	}
	bool refused = against == 0 && (!key->has_credits || key->stored == STORED_REVOKED);
	against = refused ? E(LK_FAILED_PRECONDITION) : against;
	if (judge(world, client, against, against)) {
		bool open = key->credits_open > 0;
		key->credits = adjusted(&request, open ? shown->credits->balance : key->credits);
		key->credits = open ? shown->credits->balance : key->credits;
		key->credits_open = 0;
		/* One that changes nothing may leave the key as it was. */
		take_change(world, key, shown, strcmp(shown->etag, key->etag) != 0);
	}
}
