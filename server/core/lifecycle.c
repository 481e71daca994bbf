#include "server/core/lifecycle.h"

enum {
	ACTIVE = LATCHKEY__V1__KEY_STATE__KEY_STATE_ACTIVE,
	REVOKED = LATCHKEY__V1__KEY_STATE__KEY_STATE_REVOKED,
	EXPIRED = LATCHKEY__V1__KEY_STATE__KEY_STATE_EXPIRED,
	REVOKE = LATCHKEY__V1__KEY_ACTION__KEY_ACTION_REVOKE,
	DELETE = LATCHKEY__V1__KEY_ACTION__KEY_ACTION_DELETE,
};

/* What is not in the table is refused. In the order in which available_actions shows it. */
static const struct {
	int state;
	int action;
	enum lk_transition transition;
} table[] = {
	{ACTIVE, REVOKE, LK_TRANSITION_YES},
	{ACTIVE, DELETE, LK_TRANSITION_YES},
	{EXPIRED, REVOKE, LK_TRANSITION_YES},
	{EXPIRED, DELETE, LK_TRANSITION_YES},
	{REVOKED, REVOKE, LK_TRANSITION_NO_OP},
	{REVOKED, DELETE, LK_TRANSITION_YES},
};

static const size_t table_len = sizeof(table) / sizeof(table[0]);

Latchkey__V1__KeyState lk_lifecycle_state(Latchkey__Store__StoredState stored, int64_t expire_us, int64_t now_us)
{
	/* Whatever is not known to be active shows as it verifies: as revoked. */
	if (stored != LATCHKEY__STORE__STORED_STATE__STORED_STATE_ACTIVE) {
		return LATCHKEY__V1__KEY_STATE__KEY_STATE_REVOKED;
	}
	if (expire_us != 0 && now_us >= expire_us) {
		return LATCHKEY__V1__KEY_STATE__KEY_STATE_EXPIRED;
	}
	return LATCHKEY__V1__KEY_STATE__KEY_STATE_ACTIVE;
}

enum lk_transition lk_lifecycle_transition(Latchkey__V1__KeyState state, Latchkey__V1__KeyAction action)
{
	for (size_t i = 0; i < table_len; i++) {
		if (table[i].state == (int)state && table[i].action == (int)action) {
			return table[i].transition;
		}
	}
	return LK_TRANSITION_REFUSED;
}

size_t lk_lifecycle_actions(Latchkey__V1__KeyState state, Latchkey__V1__KeyAction ret_actions[static LK_ACTIONS_MAX])
{
	size_t count = 0;
	for (size_t i = 0; i < table_len; i++) {
		if (table[i].state == (int)state && table[i].transition == LK_TRANSITION_YES) {
			ret_actions[count++] = (Latchkey__V1__KeyAction)table[i].action;
		}
	}
	return count;
}
