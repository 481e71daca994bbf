#include "server/rpc/pool.h"

#include <arpa/inet.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/envelope.h"
#include "server/rpc/deadline.h"

/* The requests that a connection may have under way when there are no spares left. */
#define FAIR_SHARE 16

#define RETRY_AFTER_MS 100

enum context_state {
	RECEIVING,
	SENDING,
};

struct lk_context {
	struct lk_exchange exchange;
	struct lk_pool *pool;
	nng_ctx ctx;
	/* One operation at a time: recv or send, as `state` says. */
	nng_aio *aio;
	enum context_state state;
	nng_msg *request;
	nng_msg *reply;
	nng_pipe pipe;
	/* The connection's count knows of this request. */
	bool counted;
	struct lk_context *next_spare;
};

static const struct lk_transport_ops ops;

static struct lk_context *context_of(struct lk_exchange *exchange)
{
	/* The first member. */
	return (struct lk_context *)(void *)exchange;
}

static uint32_t pipe_id(nng_pipe pipe)
{
	int id = nng_pipe_id(pipe);

	return id > 0 ? (uint32_t)id : 0;
}

/* Requests hold credentials and tokens; replies may hold a new key's token. */
static void free_message(nng_msg **message)
{
	if (*message == NULL)
		return;
	sodium_memzero(nng_msg_body(*message), nng_msg_len(*message));
	nng_msg_free(*message);
	*message = NULL;
}

static void free_context(struct lk_context *context)
{
	if (context == NULL)
		return;
	/* Waits for its callback. */
	if (context->aio != NULL) {
		nng_aio_stop(context->aio);
		nng_aio_free(context->aio);
	}
	if (context->exchange.ops != NULL)
		context->pool->handler.close(context->pool->handler.context, &context->exchange);
	free_message(&context->request);
	free_message(&context->reply);
	free(context);
}

static void on_aio(void *argument);

static enum lk_err make_context(struct lk_pool *pool, struct lk_context **ret)
{
	struct lk_context *context = calloc(1, sizeof(*context));
	enum lk_err err = LK_OK;

	if (context == NULL)
		return LK_NO_MEMORY;
	context->pool = pool;
	if (nng_aio_alloc(&context->aio, on_aio, context) != 0 || nng_ctx_open(&context->ctx, pool->socket) != 0) {
		free_context(context);
		return LK_NO_MEMORY;
	}
	err = pool->handler.open(pool->handler.context, &context->exchange);
	if (err != LK_OK) {
		(void)nng_ctx_close(context->ctx);
		free_context(context);
		return err;
	}
	context->exchange.ops = &ops;
	*ret = context;
	return LK_OK;
}

/* Makes one more, or says why not; called with the lock. */
static enum lk_err add_context(struct lk_pool *pool, struct lk_context **ret)
{
	enum lk_err err = LK_RESOURCE_EXHAUSTED;

	if (pool->n_contexts < pool->limits.contexts_max)
		err = make_context(pool, ret);
	if (err == LK_OK)
		pool->contexts[pool->n_contexts++] = *ret;
	return err;
}

/* Counted as receiving already. */
static void receive(struct lk_context *context)
{
	context->state = RECEIVING;
	nng_aio_set_timeout(context->aio, NNG_DURATION_INFINITE);
	nng_ctx_recv(context->ctx, context->aio);
}

static void keep_spare(struct lk_context *context)
{
	struct lk_pool *pool = context->pool;

	(void)pthread_mutex_lock(&pool->lock);
	context->next_spare = pool->spares;
	pool->spares = context;
	(void)pthread_mutex_unlock(&pool->lock);
}

/* Lets a spare context join those that receive; false where there is none. */
static bool start_spare(struct lk_pool *pool)
{
	struct lk_context *spare = NULL;

	if (atomic_load(&pool->closing))
		return false;
	(void)pthread_mutex_lock(&pool->lock);
	spare = pool->spares;
	if (spare != NULL)
		pool->spares = spare->next_spare;
	else if (add_context(pool, &spare) != LK_OK)
		spare = NULL;
	(void)pthread_mutex_unlock(&pool->lock);
	if (spare == NULL)
		return false;
	atomic_fetch_add(&pool->receiving, 1);
	receive(spare);
	return true;
}

/* The context is free again: it receives, or is kept for when it is needed. */
static void give_back(struct lk_context *context)
{
	struct lk_pool *pool = context->pool;
	unsigned receiving = atomic_load(&pool->receiving);

	while (receiving < pool->limits.contexts_receiving && !atomic_load(&pool->closing)) {
		if (atomic_compare_exchange_weak(&pool->receiving, &receiving, receiving + 1)) {
			receive(context);
			return;
		}
	}
	keep_spare(context);
}

/* The exchange is over: answered, or its connection closed. */
static void finish(struct lk_context *context)
{
	struct lk_pool *pool = context->pool;
	bool accepted = context->exchange.accepting;

	if (context->counted)
		lk_peers_end(pool->peers, pipe_id(context->pipe));
	context->counted = false;
	atomic_fetch_sub(&pool->under_way, 1);
	give_back(context);
	if (accepted && atomic_fetch_sub(&pool->accepted, 1) == 1 && atomic_load(&pool->draining)) {
		(void)pthread_mutex_lock(&pool->lock);
		(void)pthread_cond_broadcast(&pool->drained);
		(void)pthread_mutex_unlock(&pool->lock);
	}
}

static void close_pipe(struct lk_context *context, struct lk_log_limit *limit, const char *reason)
{
	char peer[LK_PEER_TEXT_LEN] = "";
	uint64_t suppressed = 0;

	if (lk_log_allow(limit, &suppressed)) {
		ops.peer_text(&context->exchange, peer);
		LK_LOG(LK_LOG_WARN, "connection closed", LK_STR("reason", reason), LK_STR("peer", peer),
			LK_UINT("pipe", pipe_id(context->pipe)), LK_UINT("suppressed", suppressed));
	}
	(void)nng_pipe_close(context->pipe);
}

static void on_sent(struct lk_context *context)
{
	int result = nng_aio_result(context->aio);

	if (result != 0) {
		/* Not sent: the message is still ours. */
		context->reply = nng_aio_get_msg(context->aio);
		nng_aio_set_msg(context->aio, NULL);
		free_message(&context->reply);
	}
	if (result == NNG_ETIMEDOUT)
		close_pipe(context, &context->pool->unread_log, "the peer does not read its replies");
	finish(context);
}

/* Answers without the handler, for it is spared what is too much. */
static void refuse(struct lk_context *context)
{
	static const char text[] = "too many requests of this connection are under way";
	struct lk_response_envelope response = {
		.code = LK_RESOURCE_EXHAUSTED,
		.message = {.data = (const uint8_t *)text, .len = sizeof(text) - 1},
		.retry_after_ms = RETRY_AFTER_MS,
	};
	uint8_t *out = ops.reply_alloc(&context->exchange, lk_envelope_response_size(&response));

	if (out != NULL)
		(void)lk_envelope_response_pack(&response, out);
	ops.reply_send(&context->exchange);
}

/* Hands the request to the handler, unless its connection has too many under way. */
static void hand_over(struct lk_context *context, uint32_t in_flight, bool exhausted)
{
	struct lk_pool *pool = context->pool;

	if (in_flight > pool->limits.in_flight_max * 2) {
		/* It does not read the refusals either. */
		close_pipe(context, &pool->flood_log, "far too many requests are under way");
		ops.reply_send(&context->exchange);
	} else if (in_flight > pool->limits.in_flight_max || (exhausted && in_flight > FAIR_SHARE)) {
		refuse(context);
	} else {
		/* It may be answered, and another request received, before this returns: nothing may follow. */
		pool->handler.handle(pool->handler.context, &context->exchange);
	}
}

static void on_request(struct lk_context *context)
{
	struct lk_pool *pool = context->pool;
	struct lk_exchange *exchange = &context->exchange;
	bool low = atomic_fetch_sub(&pool->receiving, 1) - 1 < pool->limits.contexts_low;
	bool exhausted = low && !start_spare(pool);
	uint32_t id = 0;
	uint32_t in_flight = 0;

	context->request = nng_aio_get_msg(context->aio);
	nng_aio_set_msg(context->aio, NULL);
	context->pipe = nng_msg_get_pipe(context->request);
	id = pipe_id(context->pipe);
	exchange->request = nng_msg_body(context->request);
	exchange->request_len = nng_msg_len(context->request);
	exchange->peer = lk_peers_find(pool->peers, id);
	atomic_fetch_add(&pool->under_way, 1);
	/* First counted, then asked: a drain that begins meanwhile waits for it, or finds it not accepted. */
	atomic_fetch_add(&pool->accepted, 1);
	exchange->accepting = !atomic_load(&pool->draining);
	if (!exchange->accepting)
		atomic_fetch_sub(&pool->accepted, 1);
	in_flight = lk_peers_begin(pool->peers, id);
	context->counted = in_flight > 0;
	hand_over(context, in_flight, exhausted);
}

static void on_received(struct lk_context *context)
{
	int result = nng_aio_result(context->aio);

	if (result == 0) {
		on_request(context);
		return;
	}
	/* The socket is closed, or there is no memory. */
	atomic_fetch_sub(&context->pool->receiving, 1);
	keep_spare(context);
	if (result != NNG_ECLOSED && result != NNG_ECANCELED)
		LK_LOG(LK_LOG_ERROR, "cannot receive", LK_STR("error", nng_strerror(result)));
}

static void on_aio(void *argument)
{
	struct lk_context *context = argument;

	if (context->state == RECEIVING)
		on_received(context);
	else
		on_sent(context);
}

static bool park(struct lk_exchange *exchange)
{
	struct lk_pool *pool = context_of(exchange)->pool;

	return atomic_load(&pool->receiving) >= pool->limits.contexts_low || start_spare(pool);
}

static uint8_t *reply_alloc(struct lk_exchange *exchange, size_t len)
{
	struct lk_context *context = context_of(exchange);

	free_message(&context->reply);
	if (nng_msg_alloc(&context->reply, len) != 0) {
		context->reply = NULL;
		return NULL;
	}
	return nng_msg_body(context->reply);
}

static void reply_send(struct lk_exchange *exchange)
{
	struct lk_context *context = context_of(exchange);
	nng_msg *reply = context->reply;

	exchange->request = NULL;
	exchange->request_len = 0;
	free_message(&context->request);
	if (reply == NULL) {
		(void)nng_pipe_close(context->pipe);
		finish(context);
		return;
	}
	context->reply = NULL;
	context->state = SENDING;
	nng_aio_set_timeout(context->aio, LK_TRANSPORT_SEND_MS);
	nng_aio_set_msg(context->aio, reply);
	/* It may be sent, and another request received, before this returns: nothing may follow. */
	nng_ctx_send(context->ctx, context->aio);
}

static void peer_text(struct lk_exchange *exchange, char ret_text[static LK_PEER_TEXT_LEN])
{
	char address[INET6_ADDRSTRLEN] = "";
	nng_sockaddr from = {0};

	ret_text[0] = '\0';
	if (nng_pipe_get_addr(context_of(exchange)->pipe, NNG_OPT_REMADDR, &from) != 0)
		return;
	if (from.s_family == NNG_AF_IPC) {
		(void)snprintf(ret_text, LK_PEER_TEXT_LEN, "ipc");
	} else if (from.s_family == NNG_AF_INPROC) {
		(void)snprintf(ret_text, LK_PEER_TEXT_LEN, "inproc");
	} else if (from.s_family == NNG_AF_INET) {
		(void)inet_ntop(AF_INET, &from.s_in.sa_addr, address, sizeof(address));
		(void)snprintf(ret_text, LK_PEER_TEXT_LEN, "tcp:%s:%u", address, ntohs(from.s_in.sa_port));
	} else if (from.s_family == NNG_AF_INET6) {
		(void)inet_ntop(AF_INET6, from.s_in6.sa_addr, address, sizeof(address));
		(void)snprintf(ret_text, LK_PEER_TEXT_LEN, "tcp:[%s]:%u", address, ntohs(from.s_in6.sa_port));
	}
}

static const struct lk_transport_ops ops = {
	.park = park,
	.reply_alloc = reply_alloc,
	.reply_send = reply_send,
	.peer_text = peer_text,
};

enum lk_err lk_pool_init(struct lk_pool *pool, nng_socket socket, struct lk_peers *peers,
	const struct lk_rpc_handler *handler, const struct lk_transport_limits *limits)
{
	enum lk_err err = LK_OK;

	*pool = (struct lk_pool){.socket = socket, .handler = *handler, .limits = *limits, .peers = peers};
	pool->contexts = calloc(limits->contexts_max, sizeof(struct lk_context *));
	if (pool->contexts == NULL)
		return LK_NO_MEMORY;
	(void)pthread_mutex_init(&pool->lock, NULL);
	lk_deadline_init_condition(&pool->drained);
	for (uint32_t i = 0; i < limits->contexts_receiving && err == LK_OK; i++) {
		struct lk_context *context = NULL;

		err = add_context(pool, &context);
		if (err == LK_OK)
			keep_spare(context);
	}
	return err;
}

void lk_pool_start(struct lk_pool *pool)
{
	while (atomic_load(&pool->receiving) < pool->limits.contexts_receiving && start_spare(pool))
		continue;
}

enum lk_err lk_pool_drain(struct lk_pool *pool, uint32_t timeout_ms)
{
	struct timespec until = lk_deadline_in(timeout_ms);
	int waited = 0;

	atomic_store(&pool->draining, true);
	(void)pthread_mutex_lock(&pool->lock);
	while (atomic_load(&pool->accepted) > 0 && waited == 0)
		waited = pthread_cond_timedwait(&pool->drained, &pool->lock, &until);
	(void)pthread_mutex_unlock(&pool->lock);
	return atomic_load(&pool->accepted) > 0 ? LK_DEADLINE_EXCEEDED : LK_OK;
}

void lk_pool_stop(struct lk_pool *pool)
{
	atomic_store(&pool->closing, true);
}

void lk_pool_done(struct lk_pool *pool)
{
	if (pool->contexts == NULL)
		return;
	for (size_t i = 0; i < pool->n_contexts; i++)
		free_context(pool->contexts[i]);
	free(pool->contexts);
	(void)pthread_cond_destroy(&pool->drained);
	(void)pthread_mutex_destroy(&pool->lock);
	*pool = (struct lk_pool){.contexts = NULL};
}
