/*
 * Lanes: calls that go on while their caller prepares the next. A lane is a thread that makes one call at a time; as many are
 * under way as there are lanes.
 *
 * A lane is used from one thread, which sends and waits by turns.
 */
#ifndef LK_CLI_LANE_H
#define LK_CLI_LANE_H

#include <latchkey/channel.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct lk_lane;

/*
 * Starts the thread. `channel`, `method` and what it calls with are borrowed; `timeout_ms` is that of each call.
 * LK_NO_MEMORY: also where there can be no thread more.
 */
LK_MUST_CHECK enum lk_err lk_lane_open(struct lk_channel *channel, const char *method, enum lk_effect effect,
	uint32_t timeout_ms, struct lk_lane **ret);

/* Waits for the call under way, ends the thread, wipes and frees. Takes NULL. */
void lk_lane_close(struct lk_lane *lane);

/* Sends `request`, which is borrowed until its answer was waited for. The answer to the one before is gone. */
void lk_lane_send(struct lk_lane *lane, const uint8_t *request, size_t len);

/*
 * Waits for the answer: its bytes, good until the next is sent. Any error of lk_channel_call_raw(); `*ret_call` then says why,
 * and is good as long. A daemon that asks to wait a little is asked again.
 */
LK_MUST_CHECK enum lk_err lk_lane_wait(
	struct lk_lane *lane, const uint8_t **ret_answer, size_t *ret_len, const struct lk_call **ret_call);

#endif
