#include "server/store/change.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Far more than any list has room for at first. */
#define MANY 3000

static int setup(void **state)
{
	static struct lk_arena arena;

	*state = &arena;
	return lk_arena_init(&arena, 1 << 12, 1 << 24) == LK_OK ? 0 : -1;
}

static int teardown(void **state)
{
	lk_arena_done(*state);
	return 0;
}

static void test_change_keeps_what_is_added_in_its_order(void **state)
{
	struct lk_arena *arena = *state;
	Latchkey__Store__Change change = LATCHKEY__STORE__CHANGE__INIT;

	for (uint64_t i = 0; i < MANY; i++) {
		lk_change_expect_key(arena, &change, i, 2 * i);
		lk_change_delete_key(arena, &change, 3 * i);
		assert_int_equal(change.n_expectations, i + 1);
		assert_int_equal(change.n_mutations, i + 1);
	}
	for (uint64_t i = 0; i < MANY; i++) {
		assert_int_equal(change.expectations[i]->what_case, LATCHKEY__STORE__EXPECTATION__WHAT_KEY);
		assert_int_equal(change.expectations[i]->key->slot, i);
		assert_int_equal(change.expectations[i]->key->revision, 2 * i);
		assert_int_equal(change.mutations[i]->what_case, LATCHKEY__STORE__MUTATION__WHAT_DELETE_KEY);
		assert_int_equal(change.mutations[i]->delete_key, 3 * i);
	}
}

static void add_everything(struct lk_arena *arena, Latchkey__Store__Change *change)
{
	static Latchkey__Store__TenantRecord tenant = LATCHKEY__STORE__TENANT_RECORD__INIT;
	static Latchkey__Store__KeyspaceRecord keyspace = LATCHKEY__STORE__KEYSPACE_RECORD__INIT;
	static Latchkey__Store__KeyRecord key = LATCHKEY__STORE__KEY_RECORD__INIT;
	static Latchkey__Store__JobRecord job = LATCHKEY__STORE__JOB_RECORD__INIT;
	static Latchkey__Store__JobPartRecord part = LATCHKEY__STORE__JOB_PART_RECORD__INIT;
	static Latchkey__Store__NoteRefusal refusal = LATCHKEY__STORE__NOTE_REFUSAL__INIT;
	static Latchkey__Store__RoleRecord role = LATCHKEY__STORE__ROLE_RECORD__INIT;
	static Latchkey__Store__OwnerRecord owner = LATCHKEY__STORE__OWNER_RECORD__INIT;
	static const uint8_t digest[LK_DIGEST_LEN] = {7};

	lk_change_expect_tenant(arena, change, "acme", 1);
	lk_change_expect_keyspace(arena, change, 2, "prod", 3);
	lk_change_expect_key(arena, change, 4, 5);
	lk_change_expect_name_free(arena, change, 6, "ci");
	lk_change_expect_digest_free(arena, change, digest);
	lk_change_expect_id_free(arena, change, "key_1");
	lk_change_expect_keyspace_idle(arena, change, 8);
	lk_change_expect_tenant_idle(arena, change, 9);
	lk_change_expect_job(arena, change, 10, 11);
	lk_change_expect_role(arena, change, 23, "reader", 24);
	lk_change_expect_owner(arena, change, 25, "alice", 26);
	lk_change_expect_role_there(arena, change, 27);
	lk_change_expect_role_unused(arena, change, 28);
	lk_change_expect_role_room(arena, change, 29);
	lk_change_put_tenant(arena, change, &tenant);
	lk_change_put_keyspace(arena, change, &keyspace);
	lk_change_put_key(arena, change, &key);
	lk_change_delete_key(arena, change, 12);
	lk_change_delete_keyspace(arena, change, 13);
	lk_change_delete_tenant(arena, change, 14);
	lk_change_fold_use(arena, change, 15, 16, 17, 18);
	lk_change_note_refusal(arena, change, &refusal);
	lk_change_put_job(arena, change, &job);
	lk_change_delete_job(arena, change, 19);
	lk_change_put_job_part(arena, change, 20, &part);
	lk_change_delete_job_part(arena, change, 21, 22);
	lk_change_put_role(arena, change, &role);
	lk_change_delete_role(arena, change, 30);
	lk_change_put_owner(arena, change, &owner);
	lk_change_delete_owner(arena, change, 31, "bob");
}

/* Each function says what it is called for, in the order in which they are declared. */
static void test_change_says_what_was_added(void **state)
{
	Latchkey__Store__Change change = LATCHKEY__STORE__CHANGE__INIT;

	add_everything(*state, &change);
	assert_int_equal(change.n_expectations, latchkey__store__expectation__descriptor.n_fields);
	assert_int_equal(change.n_mutations, latchkey__store__mutation__descriptor.n_fields);
	for (size_t i = 0; i < change.n_expectations; i++) {
		assert_int_equal(change.expectations[i]->what_case, i + 1);
	}
	for (size_t i = 0; i < change.n_mutations; i++) {
		assert_int_equal(change.mutations[i]->what_case, i + 1);
	}
	assert_string_equal(change.expectations[0]->tenant->id, "acme");
	assert_int_equal(change.expectations[0]->tenant->revision, 1);
	assert_int_equal(change.expectations[1]->keyspace->tenant, 2);
	assert_int_equal(change.expectations[1]->keyspace->revision, 3);
	assert_int_equal(change.expectations[3]->name_free->keyspace, 6);
	assert_int_equal(change.expectations[4]->digest_free.len, LK_DIGEST_LEN);
	assert_int_equal(change.expectations[4]->digest_free.data[0], 7);
	assert_string_equal(change.expectations[5]->id_free, "key_1");
	assert_int_equal(change.expectations[6]->keyspace_idle, 8);
	assert_int_equal(change.expectations[7]->tenant_idle, 9);
	assert_int_equal(change.expectations[8]->job->number, 10);
	assert_int_equal(change.expectations[8]->job->revision, 11);
	assert_int_equal(change.expectations[9]->role->tenant, 23);
	assert_string_equal(change.expectations[9]->role->id, "reader");
	assert_int_equal(change.expectations[9]->role->revision, 24);
	assert_int_equal(change.expectations[10]->owner->tenant, 25);
	assert_string_equal(change.expectations[10]->owner->id, "alice");
	assert_int_equal(change.expectations[10]->owner->revision, 26);
	assert_int_equal(change.expectations[11]->role_there, 27);
	assert_int_equal(change.expectations[12]->role_unused, 28);
	assert_int_equal(change.expectations[13]->role_room, 29);
	assert_int_equal(change.mutations[4]->delete_keyspace, 13);
	assert_int_equal(change.mutations[5]->delete_tenant, 14);
	assert_int_equal(change.mutations[6]->fold_use->keyspace, 15);
	assert_int_equal(change.mutations[6]->fold_use->slot, 16);
	assert_int_equal(change.mutations[6]->fold_use->from_us, 17);
	assert_int_equal(change.mutations[6]->fold_use->to_us, 18);
	assert_int_equal(change.mutations[9]->delete_job, 19);
	assert_int_equal(change.mutations[10]->put_job_part->part, 20);
	assert_int_equal(change.mutations[11]->delete_job_part->job, 21);
	assert_int_equal(change.mutations[11]->delete_job_part->part, 22);
	assert_int_equal(change.mutations[13]->delete_role, 30);
	assert_int_equal(change.mutations[15]->delete_owner->tenant, 31);
	assert_string_equal(change.mutations[15]->delete_owner->id, "bob");
}

/* Wherever memory ends, the arena says that something is missing. */
static void test_change_in_an_exhausted_arena_lacks_something(void **state)
{
	size_t all = latchkey__store__expectation__descriptor.n_fields + latchkey__store__mutation__descriptor.n_fields;
	bool complete = false;

	(void)state;
	for (size_t size = 64; !complete; size += 64) {
		struct lk_arena small = {0};
		Latchkey__Store__Change change = LATCHKEY__STORE__CHANGE__INIT;
		assert_true(size < 1 << 16);
		assert_int_equal(lk_arena_init(&small, size, size), LK_OK);
		add_everything(&small, &change);
		complete = !small.exhausted;
		size_t added = 0;
		for (size_t i = 0; i < change.n_expectations; i++) {
			added += change.expectations[i]->what_case != LATCHKEY__STORE__EXPECTATION__WHAT__NOT_SET;
		}
		for (size_t i = 0; i < change.n_mutations; i++) {
			added += change.mutations[i]->what_case != LATCHKEY__STORE__MUTATION__WHAT__NOT_SET;
		}
		lk_arena_done(&small);
		assert_true(complete ? added == all : added < all);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_change_keeps_what_is_added_in_its_order),
		TEST(test_change_says_what_was_added),
		TEST(test_change_in_an_exhausted_arena_lacks_something),
	};

	return cmocka_run_group_tests_name("store change", tests, NULL, NULL);
}
