#include "client/retry.h"

#include <sodium.h>

uint32_t lk_retry_delay_ms(unsigned failures, uint32_t retry_after_ms)
{
	uint32_t ceiling = LK_RETRY_FIRST_MS;

	for (unsigned i = 1; i < failures && ceiling < LK_RETRY_MAX_MS; i++) {
		ceiling *= 2;
	}
	if (ceiling > LK_RETRY_MAX_MS) {
		ceiling = LK_RETRY_MAX_MS;
	}
	uint32_t half = ceiling / 2;
	uint32_t jitter = randombytes_uniform(half + 1);
	if (retry_after_ms <= half) {
		return half + jitter;
	}
	return retry_after_ms > UINT32_MAX - jitter ? UINT32_MAX : retry_after_ms + jitter;
}

uint32_t lk_retry_attempt_ms(enum lk_effect effect, bool timed_out_before, uint32_t left_ms)
{
	if (!lk_effect_changes(effect) && !timed_out_before) {
		left_ms /= 2;
	}
	return left_ms > 0 ? left_ms : 1;
}
