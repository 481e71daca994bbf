/* latchkey selftest: shows on a running daemon that it keeps its word; see canary.h and hammer.h. */
#include <inttypes.h>
#include <latchkey/local.h>
#include <stdlib.h>
#include <string.h>

#include "latchkey/v1/keyspace.flags.h"
#include "tools/latchkey/canary.h"
#include "tools/latchkey/command.h"
#include "tools/latchkey/hammer.h"
#include "tools/latchkey/progress.h"
#include "tools/latchkey/stop.h"

#define KEYS_DEFAULT 100
#define KEYS_MAX     10000

static const struct lk_show_field fields[] = {
	{.column = {.header = "Tenant"}, .path = "tenant"},
	{.column = {.header = "Keyspace"}, .path = "keyspace"},
	{.column = {.header = "Keys revoked"}, .path = "revokedCount"},
	{.column = {.header = "Revoke took"}, .path = "shownRevoke"},
	{.column = {.header = "Verdicts"}, .path = "verdictCount"},
	{.column = {.header = "VALID after it"}, .path = "validAfterCount"},
	{.column = {.header = "Worst window"}, .path = "shownWindow"},
};

static const struct lk_show_field verifier_fields[] = {
	{.column = {.header = "VERIFIER"}, .path = "name"},
	{.column = {.header = "VERDICTS"}, .path = "verdictCount"},
	{.column = {.header = "UNANSWERED"}, .path = "unansweredCount"},
	{.column = {.header = "VALID AFTER"}, .path = "validAfterCount"},
	{.column = {.header = "WORST WINDOW"}, .path = "shownWindow"},
};

/* One self-test. */
struct selftest {
	struct lk_run *run;
	struct lk_canaries canaries;
	/* The daemon's data directory, for verifiers in this process; NULL: there are none. */
	struct lk_local *local;
	struct lk_hammer *hammer;
	/* How long each Revoke took, in nanoseconds. */
	int64_t *took_ns;
	size_t n_revoked;
};

static enum lk_exit read_keys(const char *text, size_t *ret_n)
{
	size_t digits = text ? strspn(text, "0123456789") : 0;

	if (!text) {
		*ret_n = KEYS_DEFAULT;
		return LK_EXIT_OK;
	}
	*ret_n = digits > 0 && digits < 10 && text[digits] == '\0' ? strtoul(text, NULL, 10) : 0;
	if (*ret_n >= 1 && *ret_n <= KEYS_MAX) {
		return LK_EXIT_OK;
	}
	lk_say("--keys \"%s\": give a whole number from 1 to %d", text, KEYS_MAX);
	return LK_EXIT_USAGE;
}

static enum lk_exit set_up(struct selftest *test)
{
	const json_t *request = test->run->request;
	const char *tenant = json_string_value(json_object_get(request, "tenant"));
	const char *keyspace = json_string_value(json_object_get(request, "keyspace"));
	size_t n = 0;
	enum lk_exit code = read_keys(test->run->own[LK_OWN_KEYS], &n);

	if (code != LK_EXIT_OK) {
		return code;
	}
	if (!tenant != !keyspace) {
		lk_say("--tenant and --keyspace go together: give both, or neither for a tenant of the test's own");
		return LK_EXIT_USAGE;
	}
	test->took_ns = calloc(n, sizeof(*test->took_ns));
	if (!test->took_ns || lk_canaries_init(&test->canaries, lk_session_channel(test->run->session),
				      test->run->options->timeout_ms, n, tenant, keyspace) != LK_OK) {
		return lk_say_no_memory();
	}
	return LK_EXIT_OK;
}

/* Before anything is made: what is wrong with the directory is wrong at once. */
static enum lk_exit open_local(struct selftest *test)
{
	const struct lk_local_options options = {.dir = test->run->own[LK_OWN_DATA]};
	char message[LK_LOCAL_MESSAGE_LEN] = "";

	if (!options.dir || lk_local_open(&options, &test->local, message) == LK_OK) {
		return LK_EXIT_OK;
	}
	lk_say("--data %s", message);
	return LK_EXIT_USAGE;
}

static enum lk_exit start_hammer(struct selftest *test)
{
	const struct lk_asker_kind *kinds[LK_VERIFIERS_MAX] = {&lk_asker_unary, &lk_asker_batching};
	const struct lk_asker_options options = {.session = test->run->session, .local = test->local};
	size_t n = 2;

	for (size_t i = 0; test->local && i < LK_ASKERS_LOCAL; i++) {
		kinds[n++] = &lk_asker_local[i];
	}
	return lk_hammer_start(kinds, n, &options, &test->canaries, &test->hammer);
}

static enum lk_exit revoke_all(struct selftest *test)
{
	struct lk_progress progress;
	enum lk_exit code = LK_EXIT_OK;

	lk_progress_start(&progress, test->canaries.n);
	progress.unit = "keys revoked";
	for (size_t i = 0; code == LK_EXIT_OK && i < test->canaries.n; i++) {
		lk_progress_tell(&progress, i, i);
		code = lk_hammer_await_known(test->hammer, i);
		if (code == LK_EXIT_OK && !lk_stop_is_wanted()) {
			code = lk_canaries_revoke(&test->canaries, i, &test->took_ns[i]);
		}
		if (lk_stop_is_wanted()) {
			break;
		}
		test->n_revoked += code == LK_EXIT_OK;
		if (code == LK_EXIT_OK) {
			code = lk_hammer_await_asked(test->hammer, i);
		}
	}
	lk_progress_hide(&progress);
	return code == LK_EXIT_OK && !lk_stop_is_wanted() ? lk_hammer_sweep(test->hammer) : code;
}

static int compare(const void *a, const void *b)
{
	int64_t one = *(const int64_t *)a, other = *(const int64_t *)b;

	return (one > other) - (one < other);
}

static json_t *shown_ms(int64_t ns)
{
	return ns == 0 ? json_string("0") : json_sprintf("%.3f ms", (double)ns / 1e6);
}

/* What the verifiers were told, and all of them together in `sum`; NULL: no memory. */
static json_t *report_verifiers(const struct selftest *test, struct lk_hammer_tally *sum)
{
	json_t *list = json_array();
	struct lk_hammer_tally tally;

	for (size_t i = 0; lk_hammer_tally(test->hammer, i, &tally); i++) {
		json_t *one = json_pack("{s:s, s:I, s:I, s:I, s:I, s:o}", "name", tally.name, "verdictCount",
			(json_int_t)tally.verdicts, "unansweredCount", (json_int_t)tally.unanswered, "validAfterCount",
			(json_int_t)tally.stale, "worstWindowUs", (json_int_t)((tally.window_ns + 999) / 1000),
			"shownWindow", shown_ms(tally.window_ns));

		if (json_array_append_new(list, one) != 0) {
			json_decref(list);
			return NULL;
		}
		sum->verdicts += tally.verdicts;
		sum->stale += tally.stale;
		if (tally.window_ns > sum->window_ns) {
			sum->window_ns = tally.window_ns;
			sum->name = tally.name;
		}
	}
	return list;
}

/* All that was found; NULL: no memory. */
static json_t *report(struct selftest *test, struct lk_hammer_tally *sum)
{
	json_t *verifiers = report_verifiers(test, sum);
	int64_t median_ns, most_ns;

	if (!verifiers) {
		return NULL;
	}
	qsort(test->took_ns, test->n_revoked, sizeof(*test->took_ns), compare);
	median_ns = test->took_ns[test->n_revoked / 2];
	most_ns = test->took_ns[test->n_revoked - 1];
	return json_pack("{s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:o, s:o}", "tenant", test->canaries.tenant,
		"keyspace", test->canaries.keyspace, "revokedCount", (json_int_t)test->n_revoked, "revokeMedianUs",
		(json_int_t)(median_ns / 1000), "revokeMostUs", (json_int_t)(most_ns / 1000), "verdictCount",
		(json_int_t)sum->verdicts, "validAfterCount", (json_int_t)sum->stale, "worstWindowUs",
		(json_int_t)((sum->window_ns + 999) / 1000), "shownRevoke",
		json_sprintf("%.3f ms, at most %.3f ms", (double)median_ns / 1e6, (double)most_ns / 1e6), "shownWindow",
		shown_ms(sum->window_ns), "verifiers", verifiers);
}

/* What is made for people is no part of the answer in JSON. */
static void drop_shown(json_t *answer)
{
	json_t *one;
	size_t i;

	(void)json_object_del(answer, "shownRevoke");
	(void)json_object_del(answer, "shownWindow");
	json_array_foreach(json_object_get(answer, "verifiers"), i, one)
	{
		(void)json_object_del(one, "shownWindow");
	}
}

static enum lk_err show(const struct lk_run *run, const json_t *answer)
{
	enum lk_err err = lk_show_record(fields, sizeof(fields) / sizeof(fields[0]), answer, &run->page);

	if (err == LK_OK) {
		fputs("\n", run->page.file);
		err = lk_show_rows(verifier_fields, sizeof(verifier_fields) / sizeof(verifier_fields[0]),
			json_object_get(answer, "verifiers"), "", &run->page);
	}
	return err;
}

static enum lk_exit judge(const json_t *answer)
{
	return json_integer_value(json_object_get(answer, "validAfterCount")) == 0 ? LK_EXIT_OK : LK_EXIT_VERDICT;
}

static enum lk_exit print(struct selftest *test)
{
	struct lk_hammer_tally sum = {0};
	json_t *answer = report(test, &sum);
	enum lk_exit code;

	if (!answer) {
		return lk_say_no_memory();
	}
	if (test->run->options->json) {
		drop_shown(answer);
	}
	code = lk_run_print(test->run, answer);
	if (code == LK_EXIT_VERDICT) {
		lk_say("revoked keys were VALID %" PRIu64 " times in calls that began after the acknowledgement, the "
		       "last %.3f ms after it (verifier \"%s\"): something between the verifiers and the store keeps "
		       "verdicts",
			sum.stale, (double)sum.window_ns / 1e6, sum.name ? sum.name : "");
	}
	json_decref(answer);
	return code;
}

static enum lk_exit run(struct lk_run *run)
{
	struct selftest test = {.run = run};
	enum lk_exit code = set_up(&test), removed = LK_EXIT_OK;

	if (code == LK_EXIT_OK) {
		code = open_local(&test);
	}
	if (code == LK_EXIT_OK) {
		lk_stop_catch();
		code = lk_canaries_make(&test.canaries);
		if (code == LK_EXIT_OK && !lk_stop_is_wanted()) {
			code = start_hammer(&test);
		}
		if (code == LK_EXIT_OK && !lk_stop_is_wanted()) {
			code = revoke_all(&test);
		}
		if (test.hammer) {
			lk_hammer_stop(test.hammer);
		}
		if (code == LK_EXIT_OK && !lk_stop_is_wanted()) {
			code = print(&test);
		} else if (lk_stop_is_wanted()) {
			lk_say("stopped after %zu of %zu keys, which shows nothing; what was made is removed",
				test.n_revoked, test.canaries.n);
		}
		removed = lk_canaries_remove(&test.canaries);
	}
	lk_hammer_free(test.hammer);
	lk_local_close(test.local);
	lk_canaries_done(&test.canaries);
	free(test.took_ns);
	lk_stop_end();
	return code == LK_EXIT_OK ? removed : code;
}

/* The method gives the flags that say where; it is never called. */
static const struct lk_rename renames[] = {
	{"tenant", "tenant",
		"The tenant in which to make the keys, with --keyspace; without both the test makes a "
		"tenant of its own, and deletes it."},
	{"keyspace", "keyspace", "The keyspace in which to make the keys, which are removed afterwards."},
	{0},
};

static const struct lk_command commands[] = {
	{
		.verb = "revocation",
		.service = &latchkey_v1_keyspace_cli,
		.rpc_verb = "get",
		.help = "Shows on a running daemon that revoked means revoked: makes keys, revokes them one by one "
			"while verifiers ask about them as fast as they can, and counts VALID verdicts of calls that "
			"began after Revoke was acknowledged. Exits 0 where there were none, 1 where there were.",
		.renames = renames,
		.own_flags = LK_OWN(LK_OWN_KEYS) | LK_OWN(LK_OWN_DATA),
		.run = run,
		.show = show,
		.judge = judge,
	},
};

const struct lk_noun lk_noun_selftest = {
	.name = "selftest",
	.help = "Self-tests: what the daemon promises, tried on a running one.",
	.commands = commands,
	.n_commands = sizeof(commands) / sizeof(commands[0]),
};
