/* What reads many keys: pages, filters, counts; see life.c. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "latchkey/v1/key.client.h"
#include "tests/bench/life.h"
#include "tests/lib/check.h"

/* How often each thing is asked for. */
#define ROUNDS 15
/* How many pages count as the beginning, and as the end, of a list. */
#define END_PAGES 20

#define TEXT(text) ((char *)(uintptr_t)(text))

static Latchkey__V1__ListKeysResponse *list(struct lk_channel *channel, Latchkey__V1__ListKeysRequest *request)
{
	Latchkey__V1__ListKeysResponse *response = NULL;
	struct lk_call call = LK_CALL_INIT;

	request->tenant = TEXT(LK_BENCH_TENANT);
	call.timeout_ms = 60000;
	CHECK_MSG(latchkey_v1_key_list(channel, request, &response, &call) == LK_OK, call.message);
	lk_call_done(&call);
	return response;
}

static void walk(struct lk_channel *channel, const char *order_by, const char *before)
{
	Latchkey__V1__ListKeysRequest request = LATCHKEY__V1__LIST_KEYS_REQUEST__INIT;
	Latchkey__V1__ListKeysResponse *response = NULL;
	struct lk_series series = {0};
	size_t keys = 0;

	request.page_size = 1000;
	request.order_by = TEXT(order_by);
	do {
		Latchkey__V1__ListKeysResponse *last = response;
		int64_t started_ns = lk_bench_clock_ns();
		response = list(channel, &request);
		lk_series_add(&series, lk_bench_clock_ns() - started_ns);
		if (last != NULL) {
			latchkey__v1__list_keys_response__free_unpacked(last, NULL);
		}
		keys += response->n_keys;
		request.page_token = response->next_page_token;
	} while (request.page_token[0] != '\0');
	latchkey__v1__list_keys_response__free_unpacked(response, NULL);
	size_t ends = series.count < END_PAGES ? series.count : END_PAGES;
	(void)printf(
		"%s{\"order_by\": \"%s\", \"keys\": %zu, \"pages\": %zu, \"p50_us\": %.0f, \"first_p50_us\": %.0f, "
		"\"last_p50_us\": %.0f}",
		before, order_by, keys, series.count, lk_series_percentile_us(&series, 0, series.count, 0.5),
		lk_series_percentile_us(&series, 0, ends, 0.5),
		lk_series_percentile_us(&series, series.count - ends, ends, 0.5));
	lk_series_done(&series);
}

void lk_bench_pages(const char *url)
{
	struct lk_channel *channel = lk_bench_open(url);

	(void)printf("{\"what\": \"pages\", \"walks\": [");
	walk(channel, "create_time", "");
	walk(channel, "expire_time", ", ");
	walk(channel, "name desc", ", ");
	(void)printf("]}\n");
	lk_channel_close(channel);
}

struct question {
	const char *name;
	Latchkey__V1__KeyFilter filter;
};

static int64_t now_s(void)
{
	struct timespec now = {0};

	(void)clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec;
}

/* Asks each question so many times; `count`: for its count and one key, else for a page of 1,000. */
static void ask(struct lk_channel *channel, struct question *questions, size_t n, bool count)
{
	for (size_t i = 0; i < n; i++) {
		Latchkey__V1__ListKeysRequest request = LATCHKEY__V1__LIST_KEYS_REQUEST__INIT;
		struct lk_series series = {0};
		size_t keys = 0;
		int64_t total = 0;

		request.filter = &questions[i].filter;
		request.page_size = count ? 1 : 1000;
		request.count_total = count;
		for (int round = 0; round < ROUNDS; round++) {
			int64_t started_ns = lk_bench_clock_ns();
			Latchkey__V1__ListKeysResponse *response = list(channel, &request);
			lk_series_add(&series, lk_bench_clock_ns() - started_ns);
			keys = response->n_keys;
			total = response->total_size;
			latchkey__v1__list_keys_response__free_unpacked(response, NULL);
		}
		(void)printf("%s{\"filter\": \"%s\", \"keys\": %zu, \"total\": %" PRId64 ", \"p50_us\": %.0f}",
			i == 0 ? "" : ", ", questions[i].name, keys, total,
			lk_series_percentile_us(&series, 0, series.count, 0.5));
		lk_series_done(&series);
	}
}

static void ask_all(const char *url, const char *what, bool count)
{
	struct lk_channel *channel = lk_bench_open(url);
	struct question questions[11];
	Google__Protobuf__Timestamp soon = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
	Google__Protobuf__Timestamp now = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
	Latchkey__V1__KeyState active = LATCHKEY__V1__KEY_STATE__KEY_STATE_ACTIVE;
	Latchkey__V1__KeyState revoked = LATCHKEY__V1__KEY_STATE__KEY_STATE_REVOKED;
	size_t n = 0;

	soon.seconds = now_s() + 14 * 86400;
	now.seconds = now_s();
	for (size_t i = 0; i < sizeof questions / sizeof questions[0]; i++) {
		latchkey__v1__key_filter__init(&questions[i].filter);
	}
	questions[n++].name = "none";
	questions[n].filter.keyspace = TEXT(LK_BENCH_KEYSPACE);
	questions[n++].name = "keyspace";
	questions[n].filter.owner = TEXT("user-7@example.org");
	questions[n++].name = "owner";
	questions[n].filter.name_prefix = TEXT("service-77");
	questions[n++].name = "name_prefix";
	questions[n].filter.expires_before = &soon;
	questions[n++].name = "expires_before";
	questions[n].filter.created_before = &now;
	questions[n++].name = "created_before";
	questions[n].filter.last_used_before = &now;
	questions[n++].name = "last_used_before";
	questions[n].filter.unused_only = true;
	questions[n++].name = "unused_only";
	questions[n].filter.states = &active;
	questions[n].filter.n_states = 1;
	questions[n++].name = "states=ACTIVE";
	questions[n].filter.states = &revoked;
	questions[n].filter.n_states = 1;
	questions[n++].name = "states=REVOKED";
	questions[n].filter.permission = TEXT("agents:install");
	questions[n++].name = "permission";
	(void)printf("{\"what\": \"%s\", \"filters\": [", what);
	ask(channel, questions, n, count);
	(void)printf("]}\n");
	lk_channel_close(channel);
}

void lk_bench_filters(const char *url)
{
	ask_all(url, "filters", false);
}

void lk_bench_counts(const char *url)
{
	ask_all(url, "counts", true);
}
