/*
 * A key that is checked against a policy: what the request says, the policy, and what comes of both. Of each test program its
 * own, anew for each test.
 */
#ifndef LK_TESTS_UNIT_CORE_POLICY_CASE_H
#define LK_TESTS_UNIT_CORE_POLICY_CASE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "server/core/policy.h"
#include "server/core/time.h"
#include "tests/unit/core/faults_case.h"

#define COUNT(array)   (sizeof(array) / sizeof((array)[0]))
#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, faults_teardown)

/* 2026-11-21T09:30:00Z */
static const int64_t now = INT64_C(1795253400) * LK_US_PER_SECOND;
static const int64_t now_s = INT64_C(1795253400);

static Latchkey__V1__CreateKeyRequest request;
static Latchkey__Store__PolicyRecord policy;
static Latchkey__Store__KeyRecord key;
static Google__Protobuf__Timestamp expire_time;
static Google__Protobuf__Timestamp not_before;
static Google__Protobuf__Duration ttl;

static inline int setup(void **state)
{
	(void)state;
	if (faults_setup(state) != 0) {
		return -1;
	}
	latchkey__v1__create_key_request__init(&request);
	latchkey__store__policy_record__init(&policy);
	latchkey__store__key_record__init(&key);
	google__protobuf__timestamp__init(&expire_time);
	google__protobuf__timestamp__init(&not_before);
	google__protobuf__duration__init(&ttl);
	return 0;
}

/* As a key that is made. */
static inline void run(bool is_system)
{
	const struct lk_key_rules rules = {.policy = &policy, .is_system = is_system, .now_us = now, .defaults = true};
	struct lk_key_fields fields = {0};
	lk_faults_init(&faults, &arena);
	latchkey__store__key_record__init(&key);
	assert_true(lk_key_fields_of_create(&arena, &request, &fields));
	lk_policy_check_key(&faults, &rules, &fields, &key);
}

/* As the key that `run` made, changed in nothing, at an instant `later_us` after that. */
static inline void run_again(struct lk_key_rules rules, int64_t later_us)
{
	struct lk_key_fields fields = {0};
	Latchkey__Store__KeyRecord before = key;
	lk_faults_init(&faults, &arena);
	assert_true(lk_key_fields_of_record(&arena, &before, &fields));
	rules.policy = &policy;
	rules.now_us = now + later_us;
	lk_policy_check_key(&faults, &rules, &fields, &key);
}

static inline void give_expire_time(int64_t seconds, int32_t nanos)
{
	request.expiry_case = LATCHKEY__V1__CREATE_KEY_REQUEST__EXPIRY_EXPIRE_TIME;
	request.expire_time = &expire_time;
	expire_time.seconds = seconds;
	expire_time.nanos = nanos;
}

static inline void give_ttl(int64_t seconds, int32_t nanos)
{
	request.expiry_case = LATCHKEY__V1__CREATE_KEY_REQUEST__EXPIRY_TTL;
	request.ttl = &ttl;
	ttl.seconds = seconds;
	ttl.nanos = nanos;
}

static inline void give_not_before(int64_t seconds)
{
	request.not_before_time = &not_before;
	not_before.seconds = seconds;
}

static inline void assert_one_fault(const char *field, const char *part)
{
	if (faults.count != 1 || strcmp(faults.items[0].field, field) != 0 ||
		strstr(faults.items[0].description, part) == NULL) {
		fail_msg("%zu faults, the first: %s: %s; wanted %s: %s", faults.count,
			faults.count > 0 ? faults.items[0].field : "-",
			faults.count > 0 ? faults.items[0].description : "-", field, part);
	}
}

#endif
