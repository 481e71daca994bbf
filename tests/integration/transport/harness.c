#include "tests/integration/transport/harness.h"

#include <errno.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "server/log.h"

static enum lk_err handler_open(void *context, struct lk_exchange *exchange)
{
	struct harness *harness = context;

	exchange->state = malloc(1);
	atomic_fetch_add(&harness->opened, 1);
	return exchange->state != NULL ? LK_OK : LK_NO_MEMORY;
}

static void handler_close(void *context, struct lk_exchange *exchange)
{
	struct harness *harness = context;

	free(exchange->state);
	atomic_fetch_sub(&harness->opened, 1);
}

static void answer(struct lk_exchange *exchange, const void *data, size_t len)
{
	uint8_t *out = exchange->ops->reply_alloc(exchange, len);

	if (out != NULL) {
		memcpy(out, data, len);
	}
	exchange->ops->reply_send(exchange);
}

static void answer_text(struct lk_exchange *exchange, const char *text)
{
	answer(exchange, text, strlen(text));
}

static void answer_echo(struct harness *harness, struct lk_exchange *exchange)
{
	(void)harness;
	answer(exchange, exchange->request, exchange->request_len);
}

static void answer_large(struct harness *harness, struct lk_exchange *exchange)
{
	char text[16] = "";
	uint8_t *out = NULL;
	size_t len = 0;

	(void)harness;
	memcpy(text, exchange->request + 1, exchange->request_len > 16 ? 15 : exchange->request_len - 1);
	len = strtoul(text, NULL, 10);
	out = exchange->ops->reply_alloc(exchange, len);
	if (out != NULL) {
		memset(out, 'x', len);
	}
	exchange->ops->reply_send(exchange);
}

static void answer_uid(struct harness *harness, struct lk_exchange *exchange)
{
	char text[32] = "unknown";

	(void)harness;
	if (exchange->peer.uid_known) {
		(void)snprintf(text, sizeof(text), "%u", (unsigned)exchange->peer.uid);
	}
	answer_text(exchange, text);
}

static void answer_peer(struct harness *harness, struct lk_exchange *exchange)
{
	char text[LK_PEER_TEXT_LEN] = "";

	(void)harness;
	exchange->ops->peer_text(exchange, text);
	answer_text(exchange, text);
}

static void answer_accepting(struct harness *harness, struct lk_exchange *exchange)
{
	(void)harness;
	answer_text(exchange, exchange->accepting ? "accepting" : "draining");
}

static void answer_nothing(struct harness *harness, struct lk_exchange *exchange)
{
	(void)harness;
	/* A buffer that is given back counts as none. */
	(void)exchange->ops->reply_alloc(exchange, 10);
	(void)exchange->ops->reply_alloc(exchange, SIZE_MAX / 2);
	exchange->ops->reply_send(exchange);
}

static void park(struct harness *harness, struct lk_exchange *exchange, bool urgent)
{
	bool room = false;

	if (!exchange->ops->park(exchange, urgent)) {
		answer_text(exchange, "refused");
		return;
	}
	(void)pthread_mutex_lock(&harness->lock);
	room = harness->n_parked < PARKED_MAX;
	if (room) {
		harness->parked[harness->n_parked++] = exchange;
	}
	(void)pthread_cond_broadcast(&harness->changed);
	(void)pthread_mutex_unlock(&harness->lock);
	if (!room) {
		answer_text(exchange, "refused");
	}
}

static void answer_later(struct harness *harness, struct lk_exchange *exchange)
{
	park(harness, exchange, false);
}

static void answer_later_urgently(struct harness *harness, struct lk_exchange *exchange)
{
	park(harness, exchange, true);
}

static void keep_uid(struct harness *harness, const struct lk_exchange *exchange)
{
	unsigned uid = (unsigned)exchange->peer.uid;
	uint8_t first = exchange->request[0];
	unsigned seen = 0;

	if (!exchange->peer.uid_known) {
		atomic_fetch_add(&harness->seen[first].unknown, 1);
		return;
	}
	atomic_fetch_add(&harness->seen[first].known, 1);
	seen = atomic_load(&harness->seen[first].highest);
	while (uid > seen && !atomic_compare_exchange_weak(&harness->seen[first].highest, &seen, uid)) {
		continue;
	}
	seen = atomic_load(&harness->seen[first].lowest);
	while (uid < seen && !atomic_compare_exchange_weak(&harness->seen[first].lowest, &seen, uid)) {
		continue;
	}
}

static void note_handled(struct harness *harness)
{
	(void)pthread_mutex_lock(&harness->lock);
	atomic_fetch_add(&harness->handled, 1);
	(void)pthread_cond_broadcast(&harness->changed);
	(void)pthread_mutex_unlock(&harness->lock);
}

static void handle(void *context, struct lk_exchange *exchange)
{
	static void (*const answers[256])(struct harness * harness, struct lk_exchange * exchange) = {
		['L'] = answer_large,
		['U'] = answer_uid,
		['T'] = answer_peer,
		['A'] = answer_accepting,
		['N'] = answer_nothing,
		['P'] = answer_later,
		['Q'] = answer_later_urgently,
	};
	struct harness *harness = context;

	note_handled(harness);
	if (exchange->request_len > 0) {
		keep_uid(harness, exchange);
	}
	if (exchange->request_len > 0 && answers[exchange->request[0]] != NULL) {
		answers[exchange->request[0]](harness, exchange);
	} else {
		answer_echo(harness, exchange);
	}
}

int harness_set_up(void **state)
{
	struct harness *harness = calloc(1, sizeof(*harness));
	pthread_condattr_t attributes;

	*state = harness;
	if (harness == NULL) {
		return -1;
	}
	/* What is expected here to go wrong need not be read. */
	lk_log_setup(STDERR_FILENO, getenv("LK_TEST_LOG") != NULL ? LK_LOG_DEBUG : LK_LOG_ERROR);
	(void)pthread_mutex_init(&harness->lock, NULL);
	(void)pthread_condattr_init(&attributes);
	(void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&harness->changed, &attributes);
	(void)pthread_condattr_destroy(&attributes);
	for (size_t i = 0; i < 256; i++) {
		atomic_store(&harness->seen[i].lowest, UINT32_MAX);
	}
	(void)snprintf(harness->directory, sizeof(harness->directory), "/tmp/latchkey-transport-XXXXXX");
	if (mkdtemp(harness->directory) == NULL) {
		return -1;
	}
	(void)snprintf(harness->ipc, sizeof(harness->ipc), "ipc://%s/lk.sock", harness->directory);
	return 0;
}

struct lk_rpc_handler harness_handler(struct harness *harness)
{
	return (struct lk_rpc_handler){
		.open = handler_open,
		.close = handler_close,
		.handle = handle,
		.context = harness,
	};
}

void harness_open(struct harness *harness, const struct lk_transport_limits *limits)
{
	const char *const urls[] = {harness->ipc, "tcp://127.0.0.1:0"};
	struct lk_transport_options options = {
		.urls = urls,
		.n_urls = 2,
		.handler = harness_handler(harness),
		.limits = {.exchanges_max = 256, .exchanges_reserved = 8, .connections_max = 64, .in_flight_max = 32},
	};
	char fault[LK_TRANSPORT_FAULT_LEN] = "";

	if (limits != NULL) {
		options.limits = *limits;
	}
	if (lk_transport_open(&options, &harness->transport, fault) != LK_OK) {
		fail_msg("%s", fault);
	}
	harness->tcp = lk_transport_url(harness->transport, 1);
}

/* Called with the lock: waits for the next change; false where none comes until then. */
static bool await_change(struct harness *harness, const struct timespec *until)
{
	return pthread_cond_timedwait(&harness->changed, &harness->lock, until) == 0;
}

static struct timespec end_of_patience(void)
{
	struct timespec until = {0};

	(void)clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += SP_RAW_PATIENCE_MS / 1000;
	return until;
}

bool harness_wait_handled(struct harness *harness, unsigned n)
{
	struct timespec until = end_of_patience();
	bool enough = false;

	(void)pthread_mutex_lock(&harness->lock);
	do {
		enough = atomic_load(&harness->handled) >= n;
	} while (!enough && await_change(harness, &until));
	(void)pthread_mutex_unlock(&harness->lock);
	return enough;
}

bool harness_wait_parked(struct harness *harness, size_t n)
{
	struct timespec until = end_of_patience();
	bool enough = false;

	(void)pthread_mutex_lock(&harness->lock);
	do {
		enough = harness->n_parked >= n;
	} while (!enough && await_change(harness, &until));
	(void)pthread_mutex_unlock(&harness->lock);
	return enough;
}

void harness_answer_parked(struct harness *harness)
{
	struct lk_exchange *parked[PARKED_MAX];
	size_t n_parked = 0;

	(void)pthread_mutex_lock(&harness->lock);
	n_parked = harness->n_parked;
	memcpy(parked, harness->parked, n_parked * sizeof(struct lk_exchange *));
	harness->n_parked = 0;
	(void)pthread_mutex_unlock(&harness->lock);
	for (size_t i = 0; i < n_parked; i++) {
		answer_text(parked[i], "parked");
	}
}

enum lk_err harness_close(struct harness *harness)
{
	enum lk_err err = LK_OK;

	harness_answer_parked(harness);
	if (harness->transport == NULL) {
		return LK_OK;
	}
	err = lk_transport_drain(harness->transport, 5000);
	if (err == LK_OK) {
		err = lk_transport_close(harness->transport, 5000);
	}
	harness->transport = NULL;
	return err;
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *where)
{
	(void)status;
	(void)type;
	(void)where;
	return remove(path);
}

int harness_tear_down(void **state)
{
	struct harness *harness = *state;
	enum lk_err err = harness_close(harness);
	unsigned left = atomic_load(&harness->opened);

	(void)nftw(harness->directory, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	(void)pthread_cond_destroy(&harness->changed);
	(void)pthread_mutex_destroy(&harness->lock);
	free(harness);
	if (err != LK_OK || left != 0) {
		print_error("close: %d, exchanges left: %u\n", (int)err, left);
	}
	return err == LK_OK && left == 0 ? 0 : -1;
}

const char *harness_ask(struct sp_raw raw, const char *request, char *out, size_t size)
{
	uint32_t id = 0;
	ssize_t n = -1;

	if (sp_raw_send(raw, 7, request, strlen(request))) {
		n = sp_raw_receive(raw, &id, out, size - 1);
	}
	out[n > 0 && id == 7 ? n : 0] = '\0';
	return out;
}

bool harness_ask_anew(const char *url, const char *request, char *out, size_t size)
{
	struct sp_raw raw = sp_raw_open(url);

	out[0] = '\0';
	if (raw.fd >= 0) {
		(void)harness_ask(raw, request, out, size);
	}
	sp_raw_close(raw);
	return out[0] != '\0';
}

bool harness_ask_until_answered(const char *url, const char *request, char *out, size_t size)
{
	uint64_t until = harness_now_ms() + SP_RAW_PATIENCE_MS;
	bool answered = false;

	do {
		answered = harness_ask_anew(url, request, out, size);
	} while (!answered && harness_now_ms() < until);
	return answered;
}

uint64_t harness_now_ms(void)
{
	struct timespec now = {0};

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static bool is_idle_but_for(struct harness *harness, size_t connections)
{
	struct lk_transport_stats stats = {0};

	lk_transport_stats(harness->transport, &stats);
	return stats.connections_alive == connections && stats.under_way == 0 && stats.queued_len == 0;
}

bool harness_wait_idle(struct harness *harness)
{
	uint64_t until = harness_now_ms() + SP_RAW_PATIENCE_MS;
	struct sp_raw watch = {.fd = -1};
	char out[16] = "";
	bool idle = false;

	do {
		/* At first there may be too many connections for one more. */
		if (harness_ask(watch, "Watch", out, sizeof(out))[0] == '\0') {
			sp_raw_close(watch);
			watch = sp_raw_open(harness->ipc);
		}
		idle = is_idle_but_for(harness, watch.fd >= 0 ? 1 : 0);
	} while (!idle && harness_now_ms() < until);
	sp_raw_close(watch);
	return idle;
}
