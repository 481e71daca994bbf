/* How long a key lives, as a policy has it: expire_time, ttl, not_before_time. */
#include "tests/unit/core/policy_case.h"

static void test_key_expire_time_lies_in_the_future(void **state)
{
	(void)state;
	give_expire_time(1577836800, 0);
	run(false);
	assert_one_fault("expire_time", "2020-01-01T00:00:00.000000Z is in the past: give an instant after now");
	assert_int_equal(key.expire_us, 0);
	give_expire_time(now_s, 0);
	run(false);
	assert_one_fault("expire_time", "is in the past");
	give_expire_time(now_s, 999);
	run(false);
	assert_one_fault("expire_time", "is in the past");
	give_expire_time(now_s, 1000);
	run(false);
	assert_int_equal(faults.count, 0);
	assert_int_equal(key.expire_us, now + 1);
	give_expire_time(253402300799, 999999999);
	run(false);
	assert_int_equal(faults.count, 0);
	assert_int_equal(key.expire_us, LK_TIME_MAX_US);
	give_expire_time(0, 0);
	run(false);
	assert_one_fault("expire_time", "1970-01-01T00:00:00.000000Z is in the past");
}

static void test_key_expire_time_is_a_timestamp(void **state)
{
	(void)state;
	give_expire_time(253402300800, 0);
	run(false);
	assert_one_fault("expire_time", "253402300800 s and 0 ns is no Timestamp");
	give_expire_time(now_s + 1, -1);
	run(false);
	assert_one_fault("expire_time", "no Timestamp");
}

static void test_key_expires_after_it_begins(void **state)
{
	(void)state;
	give_not_before(now_s + 60);
	give_expire_time(now_s + 60, 0);
	run(false);
	assert_one_fault("expire_time", "is not after not_before_time");
	assert_int_equal(key.not_before_us, now + 60 * LK_US_PER_SECOND);
	give_expire_time(now_s + 61, 0);
	run(false);
	assert_int_equal(faults.count, 0);
	give_not_before(now_s - 60);
	run(false);
	assert_int_equal(faults.count, 0);
	assert_int_equal(key.not_before_us, now - 60 * LK_US_PER_SECOND);
	give_not_before(INT64_MIN);
	run(false);
	assert_one_fault("not_before_time", "no Timestamp");
}

static void test_key_ttl_counts_from_the_later_of_now_and_not_before(void **state)
{
	(void)state;
	give_ttl(90, 500000000);
	run(false);
	assert_int_equal(faults.count, 0);
	assert_int_equal(key.expire_us, now + 90500000);
	give_not_before(now_s + 10);
	run(false);
	assert_int_equal(key.expire_us, now + 100500000);
	give_not_before(now_s - 10);
	run(false);
	assert_int_equal(key.expire_us, now + 90500000);
}

static void test_key_ttl_is_positive_and_ends_in_time(void **state)
{
	(void)state;
	give_ttl(0, 0);
	run(false);
	assert_one_fault("ttl", "0s is no life");
	give_ttl(-5, 0);
	run(false);
	assert_one_fault("ttl", "-5s is no life");
	give_ttl(5, -1);
	run(false);
	assert_one_fault("ttl", "no Duration");
	give_ttl(315576000000, 0);
	run(false);
	assert_one_fault("ttl", "after the year 9999");
	give_ttl(253402300799 - now_s, 999999999);
	run(false);
	assert_int_equal(faults.count, 0);
	assert_int_equal(key.expire_us, LK_TIME_MAX_US);
	give_ttl(253402300800 - now_s, 0);
	run(false);
	assert_one_fault("ttl", "after the year 9999");
	give_not_before(253402300799);
	give_ttl(315576000000, 999999999);
	run(false);
	assert_one_fault("ttl", "after the year 9999");
}

static void test_key_without_expiry_gets_the_default(void **state)
{
	(void)state;
	policy.expiry_required = true;
	policy.default_ttl_us = 60 * LK_US_PER_SECOND;
	policy.max_ttl_us = 60 * LK_US_PER_SECOND;
	run(false);
	assert_int_equal(faults.count, 0);
	assert_int_equal(key.expire_us, now + 60 * LK_US_PER_SECOND);
	give_not_before(now_s + 5);
	run(false);
	assert_int_equal(key.expire_us, now + 65 * LK_US_PER_SECOND);
	policy.max_ttl_us = 0;
	policy.default_ttl_us = INT64_MAX;
	run(false);
	assert_one_fault("ttl", "after the year 9999");
}

static void test_key_without_expiry_is_refused_where_it_must_expire(void **state)
{
	(void)state;
	policy.expiry_required = true;
	run(false);
	assert_one_fault("expire_time", "must expire");
	policy.expiry_required = false;
	policy.max_ttl_us = 90 * LK_US_PER_SECOND;
	run(false);
	assert_one_fault("expire_time", "at most 90s");
}

static void test_key_lives_no_longer_than_the_policy_says(void **state)
{
	(void)state;
	policy.max_ttl_us = 90 * LK_US_PER_SECOND;
	give_ttl(90, 0);
	run(false);
	assert_int_equal(faults.count, 0);
	give_ttl(90, 1000);
	run(false);
	assert_one_fault("ttl", "90.000001s is longer");
	give_expire_time(now_s + 90, 0);
	run(false);
	assert_int_equal(faults.count, 0);
	give_expire_time(now_s + 91, 0);
	run(false);
	assert_one_fault("expire_time", "give at most 90s");
	/* From not_before_time on, where that is later. */
	give_not_before(now_s + 1);
	run(false);
	assert_int_equal(faults.count, 0);
	/* But an early not_before_time lengthens nothing and shortens nothing. */
	give_not_before(now_s - 1000);
	run(false);
	assert_one_fault("expire_time", "a life of 91s");
}

static void test_key_that_is_changed_gets_no_default_life(void **state)
{
	(void)state;
	run(false);
	policy.default_ttl_us = 60 * LK_US_PER_SECOND;
	run_again((struct lk_key_rules){0}, 0);
	assert_int_equal(faults.count, 0);
	assert_int_equal(key.expire_us, 0);
	policy.max_ttl_us = 90 * LK_US_PER_SECOND;
	run_again((struct lk_key_rules){0}, 0);
	assert_one_fault("expire_time", "at most 90s; give expire_time");
	assert_null(strstr(faults.items[0].description, "ttl"));
}

static void test_key_past_its_expiry_is_good_where_that_is_allowed(void **state)
{
	(void)state;
	give_ttl(10, 0);
	policy.max_ttl_us = 10 * LK_US_PER_SECOND;
	policy.expiry_required = true;
	run(false);
	int64_t expire_us = key.expire_us;
	run_again((struct lk_key_rules){.past_expiry = true}, 10 * LK_US_PER_SECOND);
	assert_int_equal(faults.count, 0);
	assert_int_equal(key.expire_us, expire_us);
	run_again((struct lk_key_rules){.past_expiry = false}, 10 * LK_US_PER_SECOND);
	assert_one_fault("expire_time", "is in the past");
	/* An instant that a record cannot tell from none. */
	give_expire_time(0, 0);
	struct lk_key_fields fields = {0};
	const struct lk_key_rules rules = {.now_us = now, .past_expiry = true};
	for (int64_t seconds = -1; seconds <= 0; seconds++) {
		expire_time.seconds = seconds;
		lk_faults_init(&faults, &arena);
		assert_true(lk_key_fields_of_create(&arena, &request, &fields));
		lk_policy_check_key(&faults, &rules, &fields, &key);
		assert_one_fault("expire_time", "before there were keys");
	}
	/* Nor is a key that ended before it began. */
	give_expire_time(5, 0);
	give_not_before(5);
	lk_faults_init(&faults, &arena);
	assert_true(lk_key_fields_of_create(&arena, &request, &fields));
	lk_policy_check_key(&faults, &rules, &fields, &key);
	assert_one_fault("expire_time", "is not after not_before_time");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_key_expire_time_lies_in_the_future),
		TEST(test_key_expire_time_is_a_timestamp),
		TEST(test_key_expires_after_it_begins),
		TEST(test_key_ttl_counts_from_the_later_of_now_and_not_before),
		TEST(test_key_ttl_is_positive_and_ends_in_time),
		TEST(test_key_without_expiry_gets_the_default),
		TEST(test_key_without_expiry_is_refused_where_it_must_expire),
		TEST(test_key_lives_no_longer_than_the_policy_says),
		TEST(test_key_that_is_changed_gets_no_default_life),
		TEST(test_key_past_its_expiry_is_good_where_that_is_allowed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
