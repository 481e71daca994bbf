/*
 * Lifecycle: what can be done with a key in which state. One table answers both what is enforced and what available_actions
 * shows. EXPIRED is computed from the clock and wins over ACTIVE and SUSPENDED. Pure.
 */
#ifndef LK_SERVER_CORE_LIFECYCLE_H
#define LK_SERVER_CORE_LIFECYCLE_H

#include <stddef.h>
#include <stdint.h>

#include "latchkey/store/record.pb-c.h"
#include "latchkey/v1/key.pb-c.h"
#include "server/core/arena.h"

enum lk_transition {
	/* It cannot be: FAILED_PRECONDITION. */
	LK_TRANSITION_REFUSED,
	/* It changes the key. */
	LK_TRANSITION_YES,
	/* It is so already: nothing changes, and the call succeeds. */
	LK_TRANSITION_NO_OP,
};

#define LK_ACTIONS_MAX 8

/* The state that the API shows of a key at `now_us`. A key expires at the very instant of expire_us. */
Latchkey__V1__KeyState lk_lifecycle_state(Latchkey__Store__StoredState stored, int64_t expire_us, int64_t now_us);

/* What `action` does to a key in `state`. */
enum lk_transition lk_lifecycle_transition(Latchkey__V1__KeyState state, Latchkey__V1__KeyAction action);

/* Writes the actions that would change a key in `state`; returns how many. */
size_t lk_lifecycle_actions(Latchkey__V1__KeyState state, Latchkey__V1__KeyAction ret_actions[static LK_ACTIONS_MAX]);

/*
 * Why `action` is refused of a key in `state`, to stand behind the key's name: "is EXPIRED and cannot be rotated: it can be
 * updated, revoked or deleted". Static text where the arena is exhausted.
 */
const char *lk_lifecycle_refusal(struct lk_arena *arena, Latchkey__V1__KeyState state, Latchkey__V1__KeyAction action);

#endif
