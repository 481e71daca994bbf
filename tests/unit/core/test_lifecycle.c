#include "server/core/lifecycle.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum {
	STORED_ACTIVE = LATCHKEY__STORE__STORED_STATE__STORED_STATE_ACTIVE,
	STORED_REVOKED = LATCHKEY__STORE__STORED_STATE__STORED_STATE_REVOKED,
	ACTIVE = LATCHKEY__V1__KEY_STATE__KEY_STATE_ACTIVE,
	REVOKED = LATCHKEY__V1__KEY_STATE__KEY_STATE_REVOKED,
	EXPIRED = LATCHKEY__V1__KEY_STATE__KEY_STATE_EXPIRED,
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
		{2, 1000, 1001, REVOKED},
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
		{ACTIVE, REVOKE, LK_TRANSITION_YES},
		{ACTIVE, DELETE, LK_TRANSITION_YES},
		{EXPIRED, REVOKE, LK_TRANSITION_YES},
		{EXPIRED, DELETE, LK_TRANSITION_YES},
		{REVOKED, REVOKE, LK_TRANSITION_NO_OP},
		{REVOKED, DELETE, LK_TRANSITION_YES},
		{0, REVOKE, LK_TRANSITION_REFUSED},
		{0, DELETE, LK_TRANSITION_REFUSED},
		{ACTIVE, 0, LK_TRANSITION_REFUSED},
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
	assert_int_equal(lk_lifecycle_actions(LATCHKEY__V1__KEY_STATE__KEY_STATE_ACTIVE, actions), 2);
	assert_int_equal(lk_lifecycle_actions(LATCHKEY__V1__KEY_STATE__KEY_STATE_REVOKED, actions), 1);
	assert_int_equal(lk_lifecycle_actions(LATCHKEY__V1__KEY_STATE__KEY_STATE_UNSPECIFIED, actions), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lifecycle_state_expires_at_the_very_instant),
		cmocka_unit_test(test_lifecycle_transitions_are_those_of_the_design),
		cmocka_unit_test(test_lifecycle_actions_are_what_would_change_the_key),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
