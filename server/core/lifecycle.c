#include "server/core/lifecycle.h"

#include <stdbool.h>

#define STATE(name)  LATCHKEY__V1__KEY_STATE__KEY_STATE_##name
#define ACTION(name) LATCHKEY__V1__KEY_ACTION__KEY_ACTION_##name

enum {
	STATES = STATE(EXPIRED) + 1,
	ACTIONS = ACTION(DELETE) + 1,
	YES = LK_TRANSITION_YES,
	NO_OP = LK_TRANSITION_NO_OP,
};

/* What is not in the table is refused. */
static const uint8_t table[STATES][ACTIONS] = {
	[STATE(ACTIVE)] = {[ACTION(ACTIVATE)] = NO_OP,
		[ACTION(SUSPEND)] = YES,
		[ACTION(ROTATE)] = YES,
		[ACTION(UPDATE)] = YES,
		[ACTION(REVOKE)] = YES,
		[ACTION(DELETE)] = YES},
	[STATE(SUSPENDED)] = {[ACTION(ACTIVATE)] = YES,
		[ACTION(SUSPEND)] = NO_OP,
		[ACTION(ROTATE)] = YES,
		[ACTION(UPDATE)] = YES,
		[ACTION(REVOKE)] = YES,
		[ACTION(DELETE)] = YES},
	[STATE(EXPIRED)] = {[ACTION(UPDATE)] = YES, [ACTION(REVOKE)] = YES, [ACTION(DELETE)] = YES},
	[STATE(REVOKED)] = {[ACTION(REVOKE)] = NO_OP, [ACTION(DELETE)] = YES},
};

static const char *const state_names[STATES] = {
	[STATE(ACTIVE)] = "ACTIVE",
	[STATE(SUSPENDED)] = "SUSPENDED",
	[STATE(REVOKED)] = "REVOKED",
	[STATE(EXPIRED)] = "EXPIRED",
};

/* What has happened to a key of which it was done. */
static const char *const action_words[ACTIONS] = {
	[ACTION(ACTIVATE)] = "activated",
	[ACTION(SUSPEND)] = "suspended",
	[ACTION(ROTATE)] = "rotated",
	[ACTION(UPDATE)] = "updated",
	[ACTION(REVOKE)] = "revoked",
	[ACTION(DELETE)] = "deleted",
};

static bool is_known(Latchkey__V1__KeyState state, Latchkey__V1__KeyAction action)
{
	return (int)state > 0 && (int)state < STATES && (int)action > 0 && (int)action < ACTIONS;
}

Latchkey__V1__KeyState lk_lifecycle_state(Latchkey__Store__StoredState stored, int64_t expire_us, int64_t now_us)
{
	bool is_active = stored == LATCHKEY__STORE__STORED_STATE__STORED_STATE_ACTIVE;
	/* Whatever is not known to be alive shows as it verifies: as revoked. */
	if (!is_active && stored != LATCHKEY__STORE__STORED_STATE__STORED_STATE_SUSPENDED) {
		return STATE(REVOKED);
	}
	if (expire_us != 0 && now_us >= expire_us) {
		return STATE(EXPIRED);
	}
	return is_active ? STATE(ACTIVE) : STATE(SUSPENDED);
}

enum lk_transition lk_lifecycle_transition(Latchkey__V1__KeyState state, Latchkey__V1__KeyAction action)
{
	return is_known(state, action) ? (enum lk_transition)table[state][action] : LK_TRANSITION_REFUSED;
}

size_t lk_lifecycle_actions(Latchkey__V1__KeyState state, Latchkey__V1__KeyAction ret_actions[static LK_ACTIONS_MAX])
{
	size_t count = 0;
	for (int action = 1; action < ACTIONS; action++) {
		if (lk_lifecycle_transition(state, (Latchkey__V1__KeyAction)action) == LK_TRANSITION_YES) {
			ret_actions[count++] = (Latchkey__V1__KeyAction)action;
		}
	}
	return count;
}

const char *lk_lifecycle_refusal(struct lk_arena *arena, Latchkey__V1__KeyState state, Latchkey__V1__KeyAction action)
{
	Latchkey__V1__KeyAction possible[LK_ACTIONS_MAX];
	size_t count = lk_lifecycle_actions(state, possible);
	if (!is_known(state, action) || count == 0) {
		return "is in a state that does not allow this";
	}
	const char *list = action_words[possible[0]];
	for (size_t i = 1; list != NULL && i < count; i++) {
		list = lk_arena_printf(
			arena, "%s%s%s", list, i + 1 == count ? " or " : ", ", action_words[possible[i]]);
	}
	const char *text = list == NULL ? NULL
					: lk_arena_printf(arena, "is %s and cannot be %s: it can be %s",
						  state_names[state], action_words[action], list);
	return text == NULL ? "is in a state that does not allow this" : text;
}
