#include "server/core/lifecycle.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum {
	STORED_ACTIVE = LATCHKEY__STORE__STORED_STATE__STORED_STATE_ACTIVE,
	STORED_SUSPENDED = LATCHKEY__STORE__STORED_STATE__STORED_STATE_SUSPENDED,
	STORED_REVOKED = LATCHKEY__STORE__STORED_STATE__STORED_STATE_REVOKED,
	ACTIVE = LATCHKEY__V1__KEY_STATE__KEY_STATE_ACTIVE,
	SUSPENDED = LATCHKEY__V1__KEY_STATE__KEY_STATE_SUSPENDED,
	REVOKED = LATCHKEY__V1__KEY_STATE__KEY_STATE_REVOKED,
	EXPIRED = LATCHKEY__V1__KEY_STATE__KEY_STATE_EXPIRED,
	ACTIVATE = LATCHKEY__V1__KEY_ACTION__KEY_ACTION_ACTIVATE,
	SUSPEND = LATCHKEY__V1__KEY_ACTION__KEY_ACTION_SUSPEND,
	ROTATE = LATCHKEY__V1__KEY_ACTION__KEY_ACTION_ROTATE,
	UPDATE = LATCHKEY__V1__KEY_ACTION__KEY_ACTION_UPDATE,
	REVOKE = LATCHKEY__V1__KEY_ACTION__KEY_ACTION_REVOKE,
	DELETE = LATCHKEY__V1__KEY_ACTION__KEY_ACTION_DELETE,
};

static void test_lifecycle_state_expires_at_the_very_instant(void **state)
{
	(void)state;
	static const struct {
		int stored;
		int64_t expire_us;
		int64_t now_us;
		int shown;
	} cases[] = {
		{STORED_ACTIVE, 0, INT64_MAX, ACTIVE},
		{STORED_ACTIVE, 0, INT64_MIN, ACTIVE},
		{STORED_ACTIVE, 1000, 999, ACTIVE},
		{STORED_ACTIVE, 1000, 1000, EXPIRED},
		{STORED_ACTIVE, 1000, 1001, EXPIRED},
		{STORED_REVOKED, 1000, 999, REVOKED},
		{STORED_REVOKED, 1000, 1001, REVOKED},
		{STORED_REVOKED, 0, 0, REVOKED},
		{0, 0, 0, REVOKED},
		{STORED_SUSPENDED, 0, INT64_MAX, SUSPENDED},
		{STORED_SUSPENDED, 1000, 999, SUSPENDED},
		{STORED_SUSPENDED, 1000, 1000, EXPIRED},
		{4, 1000, 1001, REVOKED},
		{INT32_MAX, 0, 0, REVOKED},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		assert_int_equal(lk_lifecycle_state((Latchkey__Store__StoredState)cases[i].stored, cases[i].expire_us,
					 cases[i].now_us),
			cases[i].shown);
	}
}

static void test_lifecycle_transitions_are_those_of_the_design(void **state)
{
	(void)state;
	static const struct {
		int state;
		int action;
		enum lk_transition transition;
	} cases[] = {
		{ACTIVE, ACTIVATE, LK_TRANSITION_NO_OP},
		{ACTIVE, SUSPEND, LK_TRANSITION_YES},
		{ACTIVE, ROTATE, LK_TRANSITION_YES},
		{ACTIVE, UPDATE, LK_TRANSITION_YES},
		{ACTIVE, REVOKE, LK_TRANSITION_YES},
		{ACTIVE, DELETE, LK_TRANSITION_YES},
		{SUSPENDED, ACTIVATE, LK_TRANSITION_YES},
		{SUSPENDED, SUSPEND, LK_TRANSITION_NO_OP},
		{SUSPENDED, ROTATE, LK_TRANSITION_YES},
		{SUSPENDED, UPDATE, LK_TRANSITION_YES},
		{SUSPENDED, REVOKE, LK_TRANSITION_YES},
		{SUSPENDED, DELETE, LK_TRANSITION_YES},
		{EXPIRED, ACTIVATE, LK_TRANSITION_REFUSED},
		{EXPIRED, SUSPEND, LK_TRANSITION_REFUSED},
		{EXPIRED, ROTATE, LK_TRANSITION_REFUSED},
		{EXPIRED, UPDATE, LK_TRANSITION_YES},
		{EXPIRED, REVOKE, LK_TRANSITION_YES},
		{EXPIRED, DELETE, LK_TRANSITION_YES},
		{REVOKED, ACTIVATE, LK_TRANSITION_REFUSED},
		{REVOKED, SUSPEND, LK_TRANSITION_REFUSED},
		{REVOKED, ROTATE, LK_TRANSITION_REFUSED},
		{REVOKED, UPDATE, LK_TRANSITION_REFUSED},
		{REVOKED, REVOKE, LK_TRANSITION_NO_OP},
		{REVOKED, DELETE, LK_TRANSITION_YES},
		{0, REVOKE, LK_TRANSITION_REFUSED},
		{0, DELETE, LK_TRANSITION_REFUSED},
		{ACTIVE, 0, LK_TRANSITION_REFUSED},
		{ACTIVE, 7, LK_TRANSITION_REFUSED},
		{5, DELETE, LK_TRANSITION_REFUSED},
		{99, 99, LK_TRANSITION_REFUSED},
		{-1, -1, LK_TRANSITION_REFUSED},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		assert_int_equal(lk_lifecycle_transition((Latchkey__V1__KeyState)cases[i].state,
					 (Latchkey__V1__KeyAction)cases[i].action),
			cases[i].transition);
	}
}

/* Whatever is shown must be enforced alike, for every state and action that there is. */
static void test_lifecycle_actions_are_what_would_change_the_key(void **state)
{
	(void)state;
	for (int s = -1; s < 16; s++) {
		Latchkey__V1__KeyAction actions[LK_ACTIONS_MAX];
		size_t count = lk_lifecycle_actions((Latchkey__V1__KeyState)s, actions);
		size_t expected = 0;
		for (int a = 0; a < 16; a++) {
			if (lk_lifecycle_transition((Latchkey__V1__KeyState)s, (Latchkey__V1__KeyAction)a) ==
				LK_TRANSITION_YES) {
				assert_true(expected < count);
				assert_int_equal(actions[expected], a);
				expected++;
			}
		}
		assert_int_equal(count, expected);
	}
	Latchkey__V1__KeyAction actions[LK_ACTIONS_MAX];
	assert_int_equal(lk_lifecycle_actions(LATCHKEY__V1__KEY_STATE__KEY_STATE_ACTIVE, actions), 5);
	assert_int_equal(lk_lifecycle_actions(LATCHKEY__V1__KEY_STATE__KEY_STATE_REVOKED, actions), 1);
	assert_int_equal(lk_lifecycle_actions(LATCHKEY__V1__KEY_STATE__KEY_STATE_UNSPECIFIED, actions), 0);
}

static void test_lifecycle_refusal_says_what_is_possible(void **state)
{
	(void)state;
	static const struct {
		int state;
		int action;
		const char *text;
	} cases[] = {
		{EXPIRED, ROTATE, "is EXPIRED and cannot be rotated: it can be updated, revoked or deleted"},
		{EXPIRED, SUSPEND, "is EXPIRED and cannot be suspended: it can be updated, revoked or deleted"},
		{REVOKED, ACTIVATE, "is REVOKED and cannot be activated: it can be deleted"},
		{REVOKED, UPDATE, "is REVOKED and cannot be updated: it can be deleted"},
		{99, UPDATE, "is in a state that does not allow this"},
		{REVOKED, 99, "is in a state that does not allow this"},
	};
	struct lk_arena arena;
	assert_int_equal(lk_arena_init(&arena, 4096, 4096), LK_OK);
	for (size_t i = 0; i < COUNT(cases); i++) {
		assert_string_equal(lk_lifecycle_refusal(&arena, (Latchkey__V1__KeyState)cases[i].state,
					    (Latchkey__V1__KeyAction)cases[i].action),
			cases[i].text);
	}
	lk_arena_done(&arena);
	for (size_t cap = 0; cap <= 64; cap += 16) {
		assert_int_equal(lk_arena_init(&arena, cap, cap), LK_OK);
		assert_string_equal(
			lk_lifecycle_refusal(&arena, (Latchkey__V1__KeyState)EXPIRED, (Latchkey__V1__KeyAction)ROTATE),
			"is in a state that does not allow this");
		lk_arena_done(&arena);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lifecycle_state_expires_at_the_very_instant),
		cmocka_unit_test(test_lifecycle_transitions_are_those_of_the_design),
		cmocka_unit_test(test_lifecycle_actions_are_what_would_change_the_key),
		cmocka_unit_test(test_lifecycle_refusal_says_what_is_possible),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
