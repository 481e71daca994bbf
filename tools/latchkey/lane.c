#include "tools/latchkey/lane.h"

#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <time.h>

/* How often a daemon that has too much to do is asked again. */
#define TRIES_MAX 20

enum lane_state {
	LANE_IDLE,
	LANE_SENT,
	LANE_ANSWERED,
	LANE_CLOSING,
};

struct lk_lane {
	struct lk_channel *channel;
	const char *method;
	enum lk_effect effect;
	uint32_t timeout_ms;
	pthread_t thread;
	/* Guards what is below; while the state is SENT it is the thread's. */
	pthread_mutex_t lock;
	pthread_cond_t moved;
	enum lane_state state;
	const uint8_t *request;
	size_t request_len;
	uint8_t *answer;
	size_t answer_len;
	struct lk_call call;
	enum lk_err err;
};

static void rest(uint32_t ms)
{
	struct timespec span = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};

	nanosleep(&span, NULL);
}

static void forget(struct lk_lane *lane)
{
	if (lane->answer) {
		sodium_memzero(lane->answer, lane->answer_len);
	}
	free(lane->answer);
	lane->answer = NULL;
	lane->answer_len = 0;
	lk_call_done(&lane->call);
}

static void make_call(struct lk_lane *lane)
{
	for (int tries = 0; tries < TRIES_MAX; tries++) {
		forget(lane);
		lane->call.timeout_ms = lane->timeout_ms;
		lane->err = lk_channel_call_raw(lane->channel, lane->method, lane->effect, lane->request,
			lane->request_len, &lane->answer, &lane->answer_len, &lane->call);
		if (lane->err != LK_RESOURCE_EXHAUSTED || lane->call.retry_after_ms == 0) {
			break;
		}
		rest(lane->call.retry_after_ms);
	}
}

static void *work(void *context)
{
	struct lk_lane *lane = context;

	pthread_mutex_lock(&lane->lock);
	while (lane->state != LANE_CLOSING) {
		if (lane->state != LANE_SENT) {
			pthread_cond_wait(&lane->moved, &lane->lock);
			continue;
		}
		pthread_mutex_unlock(&lane->lock);
		make_call(lane);
		pthread_mutex_lock(&lane->lock);
		lane->state = LANE_ANSWERED;
		pthread_cond_broadcast(&lane->moved);
	}
	pthread_mutex_unlock(&lane->lock);
	return NULL;
}

enum lk_err lk_lane_open(struct lk_channel *channel, const char *method, enum lk_effect effect, uint32_t timeout_ms,
	struct lk_lane **ret)
{
	struct lk_lane *lane = calloc(1, sizeof(*lane));

	if (!lane) {
		return LK_NO_MEMORY;
	}
	lane->channel = channel;
	lane->method = method;
	lane->effect = effect;
	lane->timeout_ms = timeout_ms;
	pthread_mutex_init(&lane->lock, NULL);
	pthread_cond_init(&lane->moved, NULL);
	if (pthread_create(&lane->thread, NULL, work, lane) != 0) {
		pthread_cond_destroy(&lane->moved);
		pthread_mutex_destroy(&lane->lock);
		free(lane);
		return LK_NO_MEMORY;
	}
	*ret = lane;
	return LK_OK;
}

/* Waits until no call is under way; leaves the lock taken. */
static void settle(struct lk_lane *lane)
{
	pthread_mutex_lock(&lane->lock);
	while (lane->state == LANE_SENT) {
		pthread_cond_wait(&lane->moved, &lane->lock);
	}
}

static void move(struct lk_lane *lane, enum lane_state state)
{
	lane->state = state;
	pthread_cond_broadcast(&lane->moved);
	pthread_mutex_unlock(&lane->lock);
}

void lk_lane_close(struct lk_lane *lane)
{
	if (!lane) {
		return;
	}
	settle(lane);
	move(lane, LANE_CLOSING);
	pthread_join(lane->thread, NULL);
	forget(lane);
	pthread_cond_destroy(&lane->moved);
	pthread_mutex_destroy(&lane->lock);
	free(lane);
}

void lk_lane_send(struct lk_lane *lane, const uint8_t *request, size_t len)
{
	settle(lane);
	forget(lane);
	lane->request = request;
	lane->request_len = len;
	move(lane, LANE_SENT);
}

enum lk_err lk_lane_wait(
	struct lk_lane *lane, const uint8_t **ret_answer, size_t *ret_len, const struct lk_call **ret_call)
{
	settle(lane);
	*ret_answer = lane->answer;
	*ret_len = lane->answer_len;
	*ret_call = &lane->call;
	move(lane, LANE_IDLE);
	return lane->err;
}
