/*
 * What the files of server/local share and nobody else sees.
 */
#ifndef LK_SERVER_LOCAL_VERIFIER_H
#define LK_SERVER_LOCAL_VERIFIER_H

#include <stdint.h>

#include <latchkey/local.h>

#include "server/core/arena.h"
#include "server/service/request.h"
#include "server/store/store.h"

struct lk_local {
	/* Attached. */
	struct lk_store *store;
};

struct lk_local_verifier {
	/* Of each call: its caller, who is an operator, its faults, its time, its message. */
	struct lk_request request;
	/* On CLOCK_MONOTONIC, in seconds: when somebody last looked whether the directory still is the store's. */
	int64_t looked_s;
	/* For packed replies: kept from call to call, and made larger where one needs it. */
	uint8_t *packed;
	size_t packed_size;
	/* Wiped at the start of a call, since what the one before returned lies there. */
	struct lk_arena arena;
};

#endif
