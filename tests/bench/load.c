/*
 * Fills a fresh data directory with keys, by the store's own apply, ten thousand a commit; writes their tokens to a file, one a
 * line, in no order.
 *
 *	bench_load DIR KEYS TOKENS [RULED]
 *
 * RULED: every second key has permissions, a rate limit that nobody reaches and a list of addresses, and its token goes to that
 * file.
 *
 * In ten rounds, each in the order of its digests: a commit of keys in no order would write a page of verdicts for each of
 * them, once there are millions. Ten rounds still leave the pages about as full as keys that come one by one do. Nothing is
 * written to the disk for good before the end.
 */
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "server/core/id.h"
#include "server/store/apply.h"
#include "server/store/find.h"
#include "server/store/store_internal.h"
#include "tests/bench/figures.h"
#include "tests/lib/check.h"

#define BATCH  10000
#define ROUNDS 10
/* So many users own the keys, and one key of so many expires in ten days, not in a year. */
#define OWNERS  1000
#define SOON_OF 100

/* Texts of records are not const in protobuf-c's types; nothing writes to them. */
#define TEXT(text) ((char *)(uintptr_t)(text))

static int64_t now_us(void)
{
	struct timespec now = {0};

	CHECK(clock_gettime(CLOCK_REALTIME, &now) == 0);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void apply(struct lk_txn *txn, struct lk_arena *arena, Latchkey__Store__Mutation *mutation)
{
	Latchkey__Store__Change change = LATCHKEY__STORE__CHANGE__INIT;

	change.time_us = now_us();
	change.actor = TEXT("uid:0");
	change.method = TEXT("latchkey.v1.KeyService/Create");
	change.peer = TEXT("ipc");
	change.mutations = &mutation;
	change.n_mutations = 1;
	CHECK(lk_apply_do(txn, arena, &change) == LK_OK);
}

static uint32_t put_tenant(struct lk_txn *txn, struct lk_arena *arena)
{
	Latchkey__Store__TenantRecord tenant = LATCHKEY__STORE__TENANT_RECORD__INIT;
	Latchkey__Store__Mutation mutation = LATCHKEY__STORE__MUTATION__INIT;

	tenant.id = TEXT("bench");
	tenant.create_us = tenant.update_us = now_us();
	mutation.what_case = LATCHKEY__STORE__MUTATION__WHAT_PUT_TENANT;
	mutation.put_tenant = &tenant;
	apply(txn, arena, &mutation);
	return tenant.number;
}

static uint32_t put_keyspace(struct lk_txn *txn, struct lk_arena *arena, uint32_t tenant)
{
	Latchkey__Store__PolicyRecord policy = LATCHKEY__STORE__POLICY_RECORD__INIT;
	Latchkey__Store__KeyspaceRecord keyspace = LATCHKEY__STORE__KEYSPACE_RECORD__INIT;
	Latchkey__Store__Mutation mutation = LATCHKEY__STORE__MUTATION__INIT;

	policy.token_prefix = TEXT("sk-");
	policy.display_length = 9;
	keyspace.tenant = tenant;
	keyspace.id = TEXT("prod");
	keyspace.policy = &policy;
	keyspace.create_us = keyspace.update_us = now_us();
	mutation.what_case = LATCHKEY__STORE__MUTATION__WHAT_PUT_KEYSPACE;
	mutation.put_keyspace = &keyspace;
	apply(txn, arena, &mutation);
	return keyspace.number;
}

/* What bench_drive asks of a key: see there. */
static void add_rules(Latchkey__Store__KeyRecord *key, Latchkey__Store__RateLimitRecord **limits)
{
	static char *permissions[] = {
		TEXT("agents:list"), TEXT("agents:install"), TEXT("chat:*"), TEXT("storage:upload")};
	static char *cidrs[] = {TEXT("192.0.2.0/24"), TEXT("10.0.0.0/8"), TEXT("2001:db8::/32")};

	latchkey__store__rate_limit_record__init(limits[0]);
	limits[0]->name = TEXT("requests");
	limits[0]->limit = 1000000;
	limits[0]->burst = 1000000;
	limits[0]->period_us = 1000000;
	key->permissions = permissions;
	key->n_permissions = sizeof permissions / sizeof permissions[0];
	key->allowed_cidrs = cidrs;
	key->n_allowed_cidrs = sizeof cidrs / sizeof cidrs[0];
	key->rate_limits = limits;
	key->n_rate_limits = 1;
}

/* A key that is still to be stored. */
struct minted {
	uint8_t digest[LK_DIGEST_LEN];
	/* How its token begins. */
	char prefix[10];
	bool ruled;
};

struct load {
	struct lk_store *store;
	struct lk_txn *txn;
	struct lk_arena arena;
	uint32_t tenant;
	uint32_t keyspace;
	uint64_t stored;
	FILE *tokens;
	/* NULL: no key has rules. */
	FILE *ruled;
};

/* In the order of the table of verdicts, whose keys are native integers. */
static int by_digest(const void *left, const void *right)
{
	uint64_t numbers[2];

	memcpy(&numbers[0], ((const struct minted *)left)->digest, sizeof numbers[0]);
	memcpy(&numbers[1], ((const struct minted *)right)->digest, sizeof numbers[1]);
	return (numbers[0] > numbers[1]) - (numbers[0] < numbers[1]);
}

static void mint(struct load *load, struct minted *ret_minted)
{
	char token[LK_TOKEN_MINTED_MAX] = "";

	size_t len = lk_token_mint("sk-", token);
	lk_token_digest(lk_store_keyring(load->store), token, len, ret_minted->digest);
	(void)snprintf(ret_minted->prefix, sizeof ret_minted->prefix, "%.9s", token);
	CHECK(fprintf(ret_minted->ruled ? load->ruled : load->tokens, "%s\n", token) > 0);
}

/* One key like those of a service: a name, an owner, an expiry in a year; and rules, where it is a ruled one. */
static void put_key(struct load *load, struct minted *minted)
{
	Latchkey__Store__RateLimitRecord limit;
	Latchkey__Store__RateLimitRecord *limits[] = {&limit};
	Latchkey__Store__KeyRecord key = LATCHKEY__STORE__KEY_RECORD__INIT;
	Latchkey__Store__Mutation mutation = LATCHKEY__STORE__MUTATION__INIT;
	uint8_t random[LK_KEY_ID_RANDOM_LEN] = {0};
	char id[LK_KEY_ID_LEN] = "";
	char name[32] = "";
	char owner[40] = "";
	int64_t now = now_us();
	uint64_t number = ++load->stored;

	randombytes_buf(random, sizeof random);
	lk_key_id_make(now, random, id);
	(void)snprintf(name, sizeof name, "service-%" PRIu64, number);
	(void)snprintf(owner, sizeof owner, "user-%" PRIu64 "@example.org", number % OWNERS);
	key.id = id;
	key.tenant = load->tenant;
	key.keyspace = load->keyspace;
	key.name = name;
	key.owner = owner;
	key.display_prefix = minted->prefix;
	key.state = LATCHKEY__STORE__STORED_STATE__STORED_STATE_ACTIVE;
	key.create_us = key.update_us = now;
	key.expire_us = now + (number % SOON_OF == 0 ? INT64_C(10) : INT64_C(365)) * 86400 * 1000000;
	key.created_by = TEXT("uid:0");
	key.digest = (ProtobufCBinaryData){sizeof minted->digest, minted->digest};
	if (minted->ruled) {
		add_rules(&key, limits);
	}
	mutation.what_case = LATCHKEY__STORE__MUTATION__WHAT_PUT_KEY;
	mutation.put_key = &key;
	apply(load->txn, &load->arena, &mutation);
	lk_arena_reset(&load->arena);
}

static void put_round(struct load *load, struct minted *minted, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		minted[i].ruled = load->ruled != NULL && i % 2 == 1;
		mint(load, &minted[i]);
	}
	qsort(minted, count, sizeof *minted, by_digest);
	for (size_t i = 0; i < count; i++) {
		put_key(load, &minted[i]);
		if (load->stored % BATCH == 0) {
			CHECK(lk_write_commit(load->txn) == LK_OK);
			CHECK(lk_write_begin(load->store, &load->txn) == LK_OK);
		}
	}
}

static void put_keys(struct load *load, uint64_t keys)
{
	size_t most = keys / ROUNDS + 1;
	struct minted *minted = calloc(most, sizeof *minted);

	CHECK(minted != NULL);
	CHECK(mdb_env_set_flags(load->store->env, MDB_NOSYNC, 1) == MDB_SUCCESS);
	CHECK(lk_write_begin(load->store, &load->txn) == LK_OK);
	load->tenant = put_tenant(load->txn, &load->arena);
	load->keyspace = put_keyspace(load->txn, &load->arena, load->tenant);
	while (load->stored < keys) {
		put_round(load, minted, keys - load->stored < most ? keys - load->stored : most);
	}
	CHECK(lk_write_commit(load->txn) == LK_OK);
	CHECK(mdb_env_sync(load->store->env, 1) == MDB_SUCCESS);
	free(minted);
}

int main(int argc, char **argv)
{
	char message[LK_STORE_MESSAGE_LEN] = "";
	struct load load = {0};

	CHECK_MSG(argc == 4 || argc == 5, "bench_load DIR KEYS TOKENS [RULED]");
	uint64_t keys = lk_option_number("KEYS", argv[2], 1);
	struct lk_store_options options = {.dir = argv[1], .now_us = now_us()};
	load.tokens = fopen(argv[3], "w");
	load.ruled = argc == 5 ? fopen(argv[4], "w") : NULL;
	CHECK_MSG(load.tokens != NULL, argv[3]);
	CHECK_MSG(argc == 4 || load.ruled != NULL, argv[4]);
	CHECK_MSG(lk_store_open(&options, &load.store, message) == LK_OK, message);
	CHECK(lk_arena_init(&load.arena, 64 << 10, 1 << 20) == LK_OK);
	put_keys(&load, keys);
	CHECK(fclose(load.tokens) == 0 && (load.ruled == NULL || fclose(load.ruled) == 0));
	lk_arena_done(&load.arena);
	lk_store_close(load.store);
	return 0;
}
