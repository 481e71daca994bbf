/* KeyService/Verify decides every case of tests/lib/verdict_cases.h as it must be decided. */
#include "tests/lib/verdict_cases.h"
#include "tests/unit/service/service_fixture.h"

struct asking {
	struct loop_answer answer;
};

static const Latchkey__V1__VerifyKeyResponse *ask(void *context, const Latchkey__V1__VerifyKeyRequest *request)
{
	struct asking *asking = context;

	loop_answer_done(&asking->answer);
	asking->answer = loop_call(&fixture_loop, &fixture_operator, &latchkey_v1_key_verify_method, &request->base);
	if (asking->answer.code != 0) {
		print_message("%u %s\n", asking->answer.code, asking->answer.message);
	}
	return (const Latchkey__V1__VerifyKeyResponse *)asking->answer.response;
}

static void test_verdicts_are_those_of_the_table(void **state)
{
	struct asking asking = {0};

	(void)state;
	size_t mismatches = verdict_cases_run(fixture_loop.store, ask, &asking);
	loop_answer_done(&asking.answer);
	assert_int_equal(mismatches, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_verdicts_are_those_of_the_table, fixture_setup, fixture_teardown),
	};

	return cmocka_run_group_tests_name("service verdicts", tests, NULL, NULL);
}
