/* Keys from a file: what is believed of it. */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "server/jose/issuer.h"
#include "server/jose/issuers.h"
#include "server/jose/source.h"
#include "server/log.h"

#define PUBLIC                                                                                                         \
	"{\"keys\":[{\"kty\":\"OKP\",\"kid\":\"k\",\"crv\":\"Ed25519\",\"x\":"                                         \
	"\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}]}"
#define PUBLIC_AND_MORE                                                                                                \
	"{\"keys\":[{\"kty\":\"OKP\",\"kid\":\"k\",\"crv\":\"Ed25519\",\"x\":"                                         \
	"\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"},"                                                            \
	"{\"kty\":\"OKP\",\"kid\":\"m\",\"crv\":\"Ed25519\",\"x\":"                                                    \
	"\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}]}"
#define SECRET "{\"keys\":[{\"kty\":\"oct\",\"k\":\"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T\"}]}"

struct fixture {
	char path[64];
	struct lk_issuer_config config;
	uint8_t digest[LK_SOURCE_DIGEST_LEN];
	struct lk_keyset *set;
	char why[LK_SOURCE_WHY_LEN];
};

static atomic_bool never;

static int set_up(void **state)
{
	struct fixture *fixture = calloc(1, sizeof *fixture);

	*state = fixture;
	(void)snprintf(fixture->path, sizeof fixture->path, "/tmp/latchkey-keys-XXXXXX");
	fixture->config = (struct lk_issuer_config){
		.name = "main", .jwks_file = fixture->path, .jwks_refresh_s = 300, .jwks_min_interval_s = 10};
	int fd = mkstemp(fixture->path);
	return fd < 0 ? -1 : close(fd);
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;

	lk_keyset_drop(fixture->set);
	(void)unlink(fixture->path);
	free(fixture);
	return 0;
}

static enum lk_err read_text(struct fixture *fixture, const char *text, mode_t mode)
{
	FILE *file = fopen(fixture->path, "we");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(chmod(fixture->path, mode), 0);
	lk_keyset_drop(fixture->set);
	fixture->set = NULL;
	return lk_source_read(&fixture->config, &never, fixture->digest, &fixture->set, fixture->why);
}

static void assert_why(const struct fixture *fixture, const char *words)
{
	assert_null(fixture->set);
	assert_non_null(strstr(fixture->why, fixture->path));
	if (strstr(fixture->why, words) == NULL) {
		fail_msg("\"%s\" says nothing of \"%s\"", fixture->why, words);
	}
}

static void test_source_reads_a_file(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(read_text(fixture, PUBLIC, 0644), LK_OK);
	assert_non_null(fixture->set);
	assert_int_equal(lk_keyset_count(fixture->set), 1);
	/* The same text is no new set. */
	assert_int_equal(read_text(fixture, PUBLIC, 0644), LK_OK);
	assert_null(fixture->set);
	assert_int_equal(read_text(fixture, PUBLIC "\n", 0644), LK_OK);
	assert_non_null(fixture->set);
}

static void test_source_refuses_what_anybody_may_write(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(read_text(fixture, PUBLIC, 0646), LK_FAILED_PRECONDITION);
	assert_why(fixture, "chmod o-w");
}

static void test_source_refuses_a_secret_that_anybody_may_read(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(read_text(fixture, SECRET, 0644), LK_FAILED_PRECONDITION);
	assert_why(fixture, "chmod o-r");
	assert_int_equal(read_text(fixture, SECRET, 0640), LK_OK);
	assert_non_null(fixture->set);
	/* Its text is the same, and it is opened to all. */
	assert_int_equal(read_text(fixture, SECRET, 0644), LK_FAILED_PRECONDITION);
	assert_why(fixture, "chmod o-r");
}

static void test_source_refuses_what_is_no_key_set(void **state)
{
	struct fixture *fixture = *state;
	char *large = malloc(((size_t)1 << 20) + 2);

	assert_non_null(large);
	assert_int_equal(read_text(fixture, "", 0644), LK_FAILED_PRECONDITION);
	assert_why(fixture, "keys");
	assert_int_equal(read_text(fixture, "{}", 0644), LK_FAILED_PRECONDITION);
	assert_why(fixture, "keys");
	memset(large, ' ', ((size_t)1 << 20) + 1);
	large[((size_t)1 << 20) + 1] = '\0';
	assert_int_equal(read_text(fixture, large, 0644), LK_FAILED_PRECONDITION);
	assert_why(fixture, "more than 1 MiB");
	free(large);
}

static void test_source_refuses_what_is_no_file(void **state)
{
	struct fixture *fixture = *state;

	(void)unlink(fixture->path);
	assert_int_equal(
		lk_source_read(&fixture->config, &never, fixture->digest, &fixture->set, fixture->why), LK_UNAVAILABLE);
	assert_why(fixture, "No such file");
	assert_int_equal(mkfifo(fixture->path, 0600), 0);
	assert_int_equal(lk_source_read(&fixture->config, &never, fixture->digest, &fixture->set, fixture->why),
		LK_FAILED_PRECONDITION);
	assert_why(fixture, "no file");
}

static void test_issuer_of_a_bad_file_does_not_open(void **state)
{
	struct fixture *fixture = *state;
	struct lk_issuer *issuer = NULL;

	assert_int_equal(read_text(fixture, "{}", 0644), LK_FAILED_PRECONDITION);
	assert_int_equal(lk_issuer_open(&fixture->config, &issuer, fixture->why), LK_FAILED_PRECONDITION);
	assert_null(issuer);
	assert_why(fixture, "keys");
	lk_issuer_close(NULL);
}

static void test_source_refuses_a_directory(void **state)
{
	struct fixture *fixture = *state;

	(void)unlink(fixture->path);
	assert_int_equal(mkdir(fixture->path, 0700), 0);
	enum lk_err err = lk_source_read(&fixture->config, &never, fixture->digest, &fixture->set, fixture->why);
	assert_int_equal(rmdir(fixture->path), 0);
	assert_int_equal(err, LK_FAILED_PRECONDITION);
	assert_why(fixture, "no file");
}

/* Where a URL asks with a credential, that is nobody else's to read. */
static void test_source_tells_no_query_of_a_url(void **state)
{
	static char url[] = "http://127.0.0.1:1/jwks?api_key=hunter2";
	struct fixture *fixture = *state;

	fixture->config.jwks_file = NULL;
	fixture->config.jwks_url = url;
	assert_int_equal(
		lk_source_read(&fixture->config, &never, fixture->digest, &fixture->set, fixture->why), LK_UNAVAILABLE);
	assert_non_null(strstr(fixture->why, "http://127.0.0.1:1/jwks: "));
	assert_null(strstr(fixture->why, "hunter2"));
}

/* Whoever starts a daemon is told of all that is wrong at once. */
static void test_issuers_of_bad_files_are_all_named(void **state)
{
	struct fixture *fixture = *state;
	struct lk_issuer_config configs[2] = {fixture->config, fixture->config};
	static char missing[] = "/nonexistent/keys.json";
	struct lk_issuers *issuers = NULL;
	FILE *log = tmpfile();
	char text[4096] = "";

	assert_non_null(log);
	assert_int_equal(read_text(fixture, PUBLIC, 0666), LK_FAILED_PRECONDITION);
	(void)snprintf(configs[0].name, sizeof configs[0].name, "first");
	(void)snprintf(configs[1].name, sizeof configs[1].name, "second");
	configs[1].jwks_file = missing;
	lk_log_setup(fileno(log), LK_LOG_ERROR);
	assert_int_not_equal(lk_issuers_start(configs, 2, &issuers), LK_OK);
	lk_log_setup(-1, LK_LOG_ERROR);
	assert_null(issuers);
	rewind(log);
	assert_true(fread(text, 1, sizeof text - 1, log) > 0);
	(void)fclose(log);
	assert_non_null(strstr(text, "issuer=first"));
	assert_non_null(strstr(text, "issuer=second"));
}

static void test_issuer_finds_keys(void **state)
{
	struct fixture *fixture = *state;
	struct lk_issuer *issuer = NULL;
	struct lk_keyset *set = NULL;
	const struct lk_jwk *key = NULL;
	const char *why = NULL;

	assert_int_equal(read_text(fixture, PUBLIC, 0644), LK_OK);
	assert_int_equal(lk_issuer_open(&fixture->config, &issuer, fixture->why), LK_OK);
	assert_int_equal(lk_issuer_find_key(issuer, LK_JOSE_EDDSA, "k", &set, &key, &why), LK_OK);
	assert_string_equal(key->kid, "k");
	/* It outlives the issuer for whoever holds it. */
	struct lk_keyset *held = NULL;
	assert_int_equal(lk_issuer_find_key(issuer, LK_JOSE_RS256, "k", &held, &key, &why), LK_UNAUTHENTICATED);
	assert_non_null(why);
	/* They were read a moment ago. */
	assert_int_equal(lk_issuer_find_key(issuer, LK_JOSE_EDDSA, "x", &held, &key, &why), LK_UNAUTHENTICATED);
	assert_null(held);
	lk_issuer_close(issuer);
	assert_int_equal(lk_keyset_count(set), 1);
	lk_keyset_drop(set);
}

/* Callers that look for keys, all the time. */
struct callers {
	struct lk_issuer *issuer;
	atomic_bool done;
	/* A key that is in each of the sets was not found. */
	atomic_bool missed;
};

/* Holds what it finds for as long as it looks at it. */
static enum lk_err look_for(struct lk_issuer *issuer, const char *kid)
{
	struct lk_keyset *set = NULL;
	const struct lk_jwk *key = NULL;
	const char *why = NULL;
	enum lk_err err = lk_issuer_find_key(issuer, LK_JOSE_EDDSA, kid, &set, &key, &why);

	if (err == LK_OK && strcmp(key->kid, kid) != 0) {
		err = LK_CORRUPT;
	}
	lk_keyset_drop(set);
	return err;
}

static void *call(void *context)
{
	struct callers *callers = context;

	while (!atomic_load(&callers->done)) {
		if (look_for(callers->issuer, "k") != LK_OK) {
			atomic_store(&callers->missed, true);
		}
		(void)look_for(callers->issuer, "m");
	}
	return NULL;
}

/* Puts another file in its place, as whoever rotates keys should. */
static void replace(const struct fixture *fixture, const char *text)
{
	char path[80] = "";

	(void)snprintf(path, sizeof path, "%s.new", fixture->path);
	FILE *file = fopen(path, "we");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(chmod(path, 0644), 0);
	assert_int_equal(rename(path, fixture->path), 0);
}

static void test_issuer_changes_its_keys_under_its_callers(void **state)
{
	enum {
		THREADS = 4,
		CHANGES = 20
	};
	struct fixture *fixture = *state;
	struct callers callers = {0};
	pthread_t threads[THREADS];

	/* It reads them again and again. */
	fixture->config.jwks_refresh_s = 0;
	fixture->config.jwks_min_interval_s = 0;
	replace(fixture, PUBLIC);
	assert_int_equal(lk_issuer_open(&fixture->config, &callers.issuer, fixture->why), LK_OK);
	for (size_t i = 0; i < THREADS; i++) {
		assert_int_equal(pthread_create(&threads[i], NULL, call, &callers), 0);
	}
	for (unsigned i = 0; i < CHANGES; i++) {
		bool both = i % 2 == 0;
		replace(fixture, both ? PUBLIC_AND_MORE : PUBLIC);
		while ((look_for(callers.issuer, "m") == LK_OK) != both) {
			(void)sched_yield();
		}
	}
	atomic_store(&callers.done, true);
	for (size_t i = 0; i < THREADS; i++) {
		(void)pthread_join(threads[i], NULL);
	}
	lk_issuer_close(callers.issuer);
	assert_false(atomic_load(&callers.missed));
}

#define SOURCE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		SOURCE(test_source_reads_a_file),
		SOURCE(test_source_refuses_what_anybody_may_write),
		SOURCE(test_source_refuses_a_secret_that_anybody_may_read),
		SOURCE(test_source_refuses_what_is_no_key_set),
		SOURCE(test_source_refuses_what_is_no_file),
		SOURCE(test_source_refuses_a_directory),
		SOURCE(test_source_tells_no_query_of_a_url),
		SOURCE(test_issuers_of_bad_files_are_all_named),
		SOURCE(test_issuer_of_a_bad_file_does_not_open),
		SOURCE(test_issuer_finds_keys),
		SOURCE(test_issuer_changes_its_keys_under_its_callers),
	};

	lk_log_setup(-1, LK_LOG_ERROR);
	return cmocka_run_group_tests_name("key sources", tests, NULL, NULL);
}
