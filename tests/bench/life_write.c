/* What changes the store: Create, BulkRevoke, Import; see life.c. */
#include <inttypes.h>
#include <pthread.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "latchkey/v1/key.client.h"
#include "tests/bench/life.h"
#include "tests/lib/check.h"

#define IMPORT_BATCH 1000
/* Imports under way at a time. */
#define IMPORTERS 2

/* Texts of messages are not const in protobuf-c's types; nothing writes to them. */
#define TEXT(text) ((char *)(uintptr_t)(text))

struct client {
	pthread_t thread;
	const char *url;
	_Atomic bool *over;
	struct lk_series series;
};

static void create_one(struct lk_channel *channel)
{
	Latchkey__V1__CreateKeyRequest request = LATCHKEY__V1__CREATE_KEY_REQUEST__INIT;
	Google__Protobuf__Duration ttl = GOOGLE__PROTOBUF__DURATION__INIT;
	Latchkey__V1__CreateKeyResponse *response = NULL;
	struct lk_call call = LK_CALL_INIT;
	char name[32] = "";

	(void)snprintf(name, sizeof name, "service-%" PRIu32, randombytes_random());
	ttl.seconds = 365 * 86400;
	request.tenant = TEXT(LK_BENCH_TENANT);
	request.keyspace = TEXT(LK_BENCH_KEYSPACE);
	request.name = name;
	request.owner = TEXT("bench@example.org");
	request.expiry_case = LATCHKEY__V1__CREATE_KEY_REQUEST__EXPIRY_TTL;
	request.ttl = &ttl;
	call.timeout_ms = 60000;
	CHECK_MSG(latchkey_v1_key_create(channel, &request, &response, &call) == LK_OK, call.message);
	latchkey__v1__create_key_response__free_unpacked(response, NULL);
	lk_call_done(&call);
}

static void *run_client(void *argument)
{
	struct client *client = argument;
	struct lk_channel *channel = lk_bench_open(client->url);

	while (!atomic_load(client->over)) {
		int64_t started_ns = lk_bench_clock_ns();
		create_one(channel);
		lk_series_add(&client->series, lk_bench_clock_ns() - started_ns);
	}
	lk_channel_close(channel);
	return NULL;
}

void lk_bench_create(const char *url, unsigned n_clients, unsigned seconds)
{
	struct client *clients = calloc(n_clients, sizeof *clients);
	struct timespec run = {.tv_sec = seconds};
	struct lk_series all = {0};
	_Atomic bool over = false;

	CHECK(clients != NULL && sodium_init() >= 0);
	int64_t started_ns = lk_bench_clock_ns();
	for (unsigned i = 0; i < n_clients; i++) {
		clients[i].url = url;
		clients[i].over = &over;
		CHECK(pthread_create(&clients[i].thread, NULL, run_client, &clients[i]) == 0);
	}
	(void)nanosleep(&run, NULL);
	atomic_store(&over, true);
	for (unsigned i = 0; i < n_clients; i++) {
		CHECK(pthread_join(clients[i].thread, NULL) == 0);
		for (size_t k = 0; k < clients[i].series.count; k++) {
			lk_series_add(&all, clients[i].series.ns[k]);
		}
		lk_series_done(&clients[i].series);
	}
	double took = (double)(lk_bench_clock_ns() - started_ns) / 1e9;
	(void)printf("{\"what\": \"create\", \"clients\": %u, \"rate\": %.0f, \"p50_us\": %.0f, \"p99_us\": %.0f}\n",
		n_clients, (double)all.count / took, lk_series_percentile_us(&all, 0, all.count, 0.5),
		lk_series_percentile_us(&all, 0, all.count, 0.99));
	lk_series_done(&all);
	free(clients);
}

void lk_bench_bulk_revoke(const char *url, const char *name_prefix)
{
	struct lk_channel *channel = lk_bench_open(url);
	Latchkey__V1__BulkRevokeKeysRequest request = LATCHKEY__V1__BULK_REVOKE_KEYS_REQUEST__INIT;
	Latchkey__V1__KeyFilter filter = LATCHKEY__V1__KEY_FILTER__INIT;
	Latchkey__V1__BulkRevokeKeysResponse *response = NULL;
	struct lk_series series = {0};
	uint64_t revoked = 0;

	filter.name_prefix = TEXT(name_prefix);
	request.tenant = TEXT(LK_BENCH_TENANT);
	request.filter = &filter;
	int64_t began_ns = lk_bench_clock_ns();
	for (bool done = false; !done;) {
		struct lk_call call = LK_CALL_INIT;
		Latchkey__V1__BulkRevokeKeysResponse *before = response;
		call.timeout_ms = 60000;
		int64_t started_ns = lk_bench_clock_ns();
		CHECK_MSG(latchkey_v1_key_bulk_revoke(channel, &request, &response, &call) == LK_OK, call.message);
		lk_series_add(&series, lk_bench_clock_ns() - started_ns);
		lk_call_done(&call);
		if (before != NULL) {
			latchkey__v1__bulk_revoke_keys_response__free_unpacked(before, NULL);
		}
		request.filter = NULL;
		request.page_token = response->next_page_token;
		revoked = response->revoked_count;
		done = response->done;
	}
	double took = (double)(lk_bench_clock_ns() - began_ns) / 1e9;
	latchkey__v1__bulk_revoke_keys_response__free_unpacked(response, NULL);
	(void)printf("{\"what\": \"bulk-revoke\", \"keys\": %" PRIu64
		     ", \"seconds\": %.2f, \"rate\": %.0f, \"first_call_us\": %.0f, \"p50_us\": %.0f}\n",
		revoked, took, (double)revoked / took, lk_series_percentile_us(&series, 0, 1, 0),
		lk_series_percentile_us(&series, 0, series.count, 0.5));
	lk_series_done(&series);
	lk_channel_close(channel);
}

struct importer {
	pthread_t thread;
	const char *url;
	_Atomic size_t *left;
};

/* A batch of keys by SHA-256 of tokens that nobody has. */
static void import_batch(struct lk_channel *channel, size_t count)
{
	static _Thread_local Latchkey__V1__ImportedKey keys[IMPORT_BATCH];
	static _Thread_local Latchkey__V1__ImportedKey *list[IMPORT_BATCH];
	static _Thread_local char digests[IMPORT_BATCH][65];
	static _Thread_local char names[IMPORT_BATCH][32];
	Latchkey__V1__ImportKeysRequest request = LATCHKEY__V1__IMPORT_KEYS_REQUEST__INIT;
	Latchkey__V1__ImportKeysResponse *response = NULL;
	struct lk_call call = LK_CALL_INIT;
	uint8_t digest[32] = {0};

	for (size_t i = 0; i < count; i++) {
		latchkey__v1__imported_key__init(&keys[i]);
		randombytes_buf(digest, sizeof digest);
		(void)sodium_bin2hex(digests[i], sizeof digests[i], digest, sizeof digest);
		(void)snprintf(names[i], sizeof names[i], "imported-%" PRIu32, randombytes_random());
		keys[i].secret_case = LATCHKEY__V1__IMPORTED_KEY__SECRET_SHA256;
		keys[i].sha256 = digests[i];
		keys[i].name = names[i];
		keys[i].owner = TEXT("bench@example.org");
		list[i] = &keys[i];
	}
	request.tenant = TEXT(LK_BENCH_TENANT);
	request.keyspace = TEXT(LK_BENCH_KEYSPACE);
	request.keys = list;
	request.n_keys = count;
	call.timeout_ms = 60000;
	CHECK_MSG(latchkey_v1_key_import(channel, &request, &response, &call) == LK_OK, call.message);
	CHECK(response->imported_count == count);
	latchkey__v1__import_keys_response__free_unpacked(response, NULL);
	lk_call_done(&call);
}

static void *run_importer(void *argument)
{
	struct importer *importer = argument;
	struct lk_channel *channel = lk_bench_open(importer->url);

	for (size_t left = atomic_load(importer->left); left > 0;) {
		size_t count = left < IMPORT_BATCH ? left : IMPORT_BATCH;
		if (atomic_compare_exchange_weak(importer->left, &left, left - count)) {
			import_batch(channel, count);
			left = atomic_load(importer->left);
		}
	}
	lk_channel_close(channel);
	return NULL;
}

void lk_bench_import(const char *url, size_t count)
{
	struct importer importers[IMPORTERS];
	_Atomic size_t left = count;

	CHECK(sodium_init() >= 0);
	int64_t began_ns = lk_bench_clock_ns();
	for (size_t i = 0; i < IMPORTERS; i++) {
		importers[i] = (struct importer){.url = url, .left = &left};
		CHECK(pthread_create(&importers[i].thread, NULL, run_importer, &importers[i]) == 0);
	}
	for (size_t i = 0; i < IMPORTERS; i++) {
		CHECK(pthread_join(importers[i].thread, NULL) == 0);
	}
	double took = (double)(lk_bench_clock_ns() - began_ns) / 1e9;
	(void)printf("{\"what\": \"import\", \"keys\": %zu, \"seconds\": %.2f, \"rate\": %.0f}\n", count, took,
		(double)count / took);
}
