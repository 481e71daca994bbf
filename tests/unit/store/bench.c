#include "tests/unit/store/bench.h"

#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "client/uuid7.h"
#include "server/core/time.h"
#include "server/store/find.h"
#include "tests/lib/draft.h"
#include <cmocka.h>

#define MINUTE_US INT64_C(60000000)

int64_t bench_clock_us(void)
{
	struct timespec now = {0};

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * LK_US_PER_SECOND + now.tv_nsec / 1000;
}

static struct job *job_of(struct lk_write *write)
{
	return (struct job *)(void *)((char *)write - offsetof(struct job, write));
}

static enum lk_err build(struct lk_write *write, struct lk_txn *txn)
{
	struct job *job = job_of(write);

	job->times_built++;
	write->change = lk_draft_new(&job->arena);
	return job->make(job, txn);
}

static enum lk_err compose(struct lk_write *write, uint8_t **ret_response, size_t *ret_len)
{
	struct job *job = job_of(write);

	if (job->compose_err != LK_OK) {
		return job->compose_err;
	}
	*ret_response = (uint8_t *)lk_arena_printf(&job->arena, "%s in slot %lu", job->token,
		(unsigned long)(job->key == NULL ? job->slot : job->key->slot));
	*ret_len = strlen((char *)*ret_response);
	return LK_OK;
}

static void done(struct lk_write *write, enum lk_err err, const struct lk_kept_reply *reply)
{
	struct job *job = job_of(write);
	struct bench *bench = job->bench;

	pthread_mutex_lock(&bench->lock);
	job->times_done++;
	job->err = err;
	if (reply != NULL) {
		size_t len = reply->response_len < sizeof job->answer ? reply->response_len : 0;
		memcpy(job->answer, reply->response, len);
		job->answer[len] = '\0';
		job->revision = reply->revision;
	}
	job->turn = bench->done++;
	pthread_cond_broadcast(&bench->changed);
	pthread_mutex_unlock(&bench->lock);
}

static enum lk_err make_key(struct job *job, struct lk_txn *txn)
{
	const Latchkey__Store__KeyspaceRecord *keyspace = lk_find_keyspace_by_number(txn, &job->arena, job->keyspace);
	uint8_t random[16];

	if (keyspace == NULL) {
		return LK_NOT_FOUND;
	}
	if (job->unique && lk_find_name_taken(txn, job->keyspace, job->name)) {
		return LK_ALREADY_EXISTS;
	}
	randombytes_buf(random, sizeof random);
	sodium_bin2hex(job->token, sizeof job->token, random, sizeof random);
	lk_draft_expect_keyspace(&job->arena, job->write.change, keyspace->tenant, keyspace->id, keyspace->revision);
	if (job->unique) {
		lk_draft_expect_name_free(&job->arena, job->write.change, job->keyspace, job->name);
	}
	job->key = lk_draft_put_key(&job->arena, job->write.change, keyspace->tenant, job->keyspace, job->name);
	return LK_OK;
}

enum lk_err job_revokes(struct job *job, struct lk_txn *txn)
{
	job->key = lk_find_key_by_slot(txn, &job->arena, job->slot);
	if (job->key == NULL) {
		return LK_NOT_FOUND;
	}
	if (job->key->state != LK_REVOKED) {
		lk_draft_expect_key(&job->arena, job->write.change, job->slot, job->key->revision);
		job->key->state = LK_REVOKED;
		lk_draft_put_key_again(&job->arena, job->write.change, job->key);
	}
	return LK_OK;
}

enum lk_err job_deletes(struct job *job, struct lk_txn *txn)
{
	const Latchkey__Store__KeyRecord *key = lk_find_key_by_slot(txn, &job->arena, job->slot);

	if (key == NULL) {
		return LK_NOT_FOUND;
	}
	lk_draft_expect_key(&job->arena, job->write.change, job->slot, key->revision);
	lk_draft_delete_key(&job->arena, job->write.change, job->slot);
	return LK_OK;
}

enum lk_err job_nothing(struct job *job, struct lk_txn *txn)
{
	(void)job;
	(void)txn;
	return LK_OK;
}

enum lk_err job_too_much(struct job *job, struct lk_txn *txn)
{
	char value[4001];

	(void)txn;
	memset(value, 'v', sizeof value - 1);
	value[sizeof value - 1] = '\0';
	for (int i = 0; i < 200; i++) {
		Latchkey__Store__KeyRecord *key = lk_draft_put_key(
			&job->arena, job->write.change, job->bench->world.tenant, job->keyspace, "");
		lk_draft_metadata(&job->arena, key, "large", value);
	}
	return LK_OK;
}

struct job *job_new(struct bench *bench, const char *name)
{
	struct job *job = calloc(1, sizeof *job);

	if (job == NULL || lk_arena_init(&job->arena, (size_t)16 << 10, (size_t)64 << 20) != LK_OK) {
		free(job);
		return NULL;
	}
	job->bench = bench;
	job->make = make_key;
	job->keyspace = bench->world.keyspace;
	job->name = name;
	job->write = (struct lk_write){
		.arena = &job->arena,
		.deadline_us = bench_clock_us() + MINUTE_US,
		.build = build,
		.compose = compose,
		.done = done,
	};
	return job;
}

void job_identify(struct job *job, const uint8_t id[static LK_REQUEST_ID_LEN], const char *request)
{
	memcpy(job->request_id, id, LK_REQUEST_ID_LEN);
	job->reply_id = (struct lk_reply_id){.request_id = job->request_id, .caller = "uid:1000"};
	(void)lk_uuid7_time(id, &job->reply_id.time_ms);
	const struct lk_reply_request asked = {
		.method = "Create", .tenant = "", .data = (const uint8_t *)request, .len = strlen(request)};
	lk_reply_request_digest(id, &asked, job->reply_id.request_digest);
	job->write.reply_id = &job->reply_id;
}

void job_free(struct job *job)
{
	if (job != NULL) {
		lk_arena_done(&job->arena);
		free(job);
	}
}

enum lk_err job_submit(struct job *job)
{
	struct lk_txn *snapshot = NULL;
	enum lk_err err = lk_snapshot_new(job->bench->world.fixture->store, &snapshot);

	if (err == LK_OK) {
		err = lk_snapshot_begin(snapshot);
	}
	if (err == LK_OK) {
		err = build(&job->write, snapshot);
		job->times_built = 0;
	}
	lk_snapshot_free(snapshot);
	return err != LK_OK ? err : lk_writer_submit(job->bench->writer, &job->write);
}

void bench_reopen(void **state, size_t map_size, uint64_t max_slots)
{
	struct lk_fixture *fixture = *state;

	lk_fixture_close(fixture);
	lk_fixture_done(fixture);
	assert_int_equal(lk_fixture_init(fixture), 0);
	fixture->options.map_size = map_size;
	fixture->options.max_slots = max_slots;
	assert_int_equal(lk_fixture_open(fixture), LK_OK);
}

void bench_start(struct bench *bench, void **state, size_t queue_max)
{
	*bench = (struct bench){.world = world_make(state)};
	pthread_mutex_init(&bench->lock, NULL);
	pthread_cond_init(&bench->changed, NULL);
	assert_int_equal(lk_writer_start(bench->world.fixture->store, queue_max, &bench->writer), LK_OK);
}

void bench_stop(struct bench *bench)
{
	lk_writer_stop(bench->writer);
	job_free(bench->gate);
	pthread_cond_destroy(&bench->changed);
	pthread_mutex_destroy(&bench->lock);
	*bench = (struct bench){.world = bench->world};
}

void bench_wait(struct bench *bench, size_t count)
{
	pthread_mutex_lock(&bench->lock);
	while (bench->done < count) {
		pthread_cond_wait(&bench->changed, &bench->lock);
	}
	pthread_mutex_unlock(&bench->lock);
}

/* In the writer's thread: stops it there until the bench is released. */
static void wait_at_gate(struct lk_write *write, enum lk_err err, const struct lk_kept_reply *reply)
{
	struct bench *bench = job_of(write)->bench;

	(void)err;
	(void)reply;
	pthread_mutex_lock(&bench->lock);
	bench->held = true;
	pthread_cond_broadcast(&bench->changed);
	while (!bench->open) {
		pthread_cond_wait(&bench->changed, &bench->lock);
	}
	bench->held = false;
	pthread_cond_broadcast(&bench->changed);
	pthread_mutex_unlock(&bench->lock);
}

void bench_hold(struct bench *bench)
{
	job_free(bench->gate);
	bench->open = false;
	bench->gate = job_new(bench, "");
	assert_non_null(bench->gate);
	bench->gate->make = job_nothing;
	bench->gate->write.done = wait_at_gate;
	assert_int_equal(job_submit(bench->gate), LK_OK);
	pthread_mutex_lock(&bench->lock);
	while (!bench->held) {
		pthread_cond_wait(&bench->changed, &bench->lock);
	}
	pthread_mutex_unlock(&bench->lock);
}

void bench_release(struct bench *bench)
{
	pthread_mutex_lock(&bench->lock);
	bench->open = true;
	pthread_cond_broadcast(&bench->changed);
	while (bench->held) {
		pthread_cond_wait(&bench->changed, &bench->lock);
	}
	pthread_mutex_unlock(&bench->lock);
}
