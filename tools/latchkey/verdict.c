/* latchkey key verify, and key explain: what is said of a token; see key.h. */
#include <stdlib.h>
#include <string.h>

#include <latchkey/token.h>

#include "tools/latchkey/input.h"
#include "tools/latchkey/key.h"
#include "tools/latchkey/rates.h"

/*
 * The longest that is sent as a token. One over LK_TOKEN_MAX the daemon calls MALFORMED; what is longer was never meant as
 * one.
 */
#define INPUT_MAX (LK_TOKEN_MAX * 8)

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Of a verdict: what it is, and, behind N_VERDICT_ALONE fields, who the token stands for. */
static const struct lk_show_field verdict_fields[] = {
	{.column = {.header = "Verdict"}, .path = "code", .prefix = "VERIFY_CODE_"},
	{.column = {.header = "Key"}, .path = "key.id"},
	{.column = {.header = "Number"}, .path = "key.number"},
	{.column = {.header = "Tenant"}, .path = "key.tenant"},
	{.column = {.header = "Keyspace"}, .path = "key.keyspace"},
	{.column = {.header = "Scope"}, .path = "key.scope", .prefix = "KEY_SCOPE_"},
	{.column = {.header = "Name"}, .path = "key.name"},
	{.column = {.header = "Owner"}, .path = "key.owner"},
	{.column = {.header = "Metadata"}, .path = "key.metadata"},
	{.column = {.header = "Permissions"}, .path = "key.permissions"},
	{.column = {.header = "Roles"}, .path = "key.roles"},
	{.column = {.header = "Expires"}, .path = "key.expireTime", .kind = LK_SHOW_TIME, .absent = "Never"},
	{.column = {.header = "Secret ends"}, .path = "secretExpireTime", .kind = LK_SHOW_TIME},
	/* Made of rate_states. */
	{.column = {.header = "Rate limits"}, .path = "shownRates"},
	{.column = {.header = "Credits left"}, .path = "creditsRemaining"},
};

#define N_VERDICT_ALONE 1

/* Of a Key, as Get tells it. */
static const struct lk_show_field told_fields[] = {
	{.column = {.header = "Revoke reason"}, .path = "revokeReason"},
	{.column = {.header = "Suspend reason"}, .path = "suspendReason"},
	{.column = {.header = "Last denial"}, .path = "lastDenial.code", .prefix = "VERIFY_CODE_"},
	{.column = {.header = "At"}, .path = "lastDenial.time", .kind = LK_SHOW_TIME},
	{.column = {.header = "From"}, .path = "lastDenial.clientIp"},
};

/* The members of a Key that are put beside the verdict's, where they say anything. */
static const char *const told_members[] = {"revokeReason", "suspendReason", "lastDenial"};

/* The states of the limits as one text, which has commas within each; NULL: no memory. */
static json_t *shown_rates(const json_t *response)
{
	json_t *text = json_string("");
	const json_t *state;
	size_t i;

	json_array_foreach(json_object_get(response, "rateStates"), i, state)
	{
		char *line = lk_rates_shown(state);
		json_t *longer = text && line ? json_sprintf("%s%s%s", json_string_value(text), i > 0 ? "; " : "", line)
					      : NULL;

		json_decref(text);
		text = longer;
		free(line);
	}
	return text;
}

enum lk_err lk_key_show_verdict(const struct lk_run *run, const json_t *response)
{
	bool known = json_is_object(json_object_get(response, "key"));
	const char *credits = json_string_value(json_object_get(response, "creditsRemaining"));
	json_t *shown = json_copy((json_t *)response), *rates = shown_rates(response);
	enum lk_err err = LK_NO_MEMORY;

	if (shown && rates && json_object_set(shown, "shownRates", rates) == 0) {
		/* Of a key that needs none. */
		if (credits && *credits == '-') {
			json_object_del(shown, "creditsRemaining");
		}
		err = lk_show_record(
			verdict_fields, known ? COUNT(verdict_fields) : N_VERDICT_ALONE, shown, &run->page);
	}
	json_decref(rates);
	json_decref(shown);
	return err;
}

enum lk_exit lk_key_judge_verdict(const json_t *response)
{
	const char *code = json_string_value(json_object_get(response, "code"));
	bool valid = json_is_true(json_object_get(response, "valid"));

	/* Whoever asks by exit code alone must not be told yes by half an answer. */
	return valid && code && strcmp(code, "VERIFY_CODE_VALID") == 0 ? LK_EXIT_OK : LK_EXIT_VERDICT;
}

enum lk_exit lk_key_read_token(struct lk_run *run)
{
	struct lk_input token = {0};
	enum lk_exit code = lk_input_read_secret("Token: ", "the token", INPUT_MAX, &token);

	if (code != LK_EXIT_OK) {
		return code;
	}
	if (token.len == 0) {
		lk_say("there is no token on standard input");
		code = LK_EXIT_USAGE;
	} else if (strlen(token.text) != token.len ||
		   json_object_set_new(run->request, "token", json_string(token.text)) != 0) {
		lk_say("what is on standard input is no text, and so no token");
		code = LK_EXIT_USAGE;
	}
	lk_input_done(&token);
	return code;
}

/* A value of JSON without its enum's prefix; "" where there is none. */
static const char *word_of(const json_t *object, const char *name, const char *prefix)
{
	const char *text = json_string_value(json_object_get(object, name));

	if (!text) {
		return "";
	}
	return strncmp(text, prefix, strlen(prefix)) == 0 ? text + strlen(prefix) : text;
}

/* A gate's outcome, and why. To be free()d; NULL: no memory. */
static char *gate_text(const json_t *gate, enum lk_tint *ret_tint)
{
	static const struct {
		const char *outcome, *word;
		enum lk_tint tint;
	} outcomes[] = {
		{"PASSED", "passed", LK_TINT_GOOD},
		{"REFUSED", "REFUSED", LK_TINT_BAD},
		{"NOT_ASKED", "-", LK_TINT_DIM},
	};
	const char *outcome = word_of(gate, "outcome", "GATE_OUTCOME_"), *why = word_of(gate, "description", "");
	const char *word = outcome;
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	*ret_tint = LK_TINT_NONE;
	for (size_t i = 0; i < COUNT(outcomes); i++) {
		if (strcmp(outcome, outcomes[i].outcome) == 0) {
			word = outcomes[i].word;
			*ret_tint = outcomes[i].tint;
		}
	}
	if (out) {
		fprintf(out, "%-7s  %s", word, why);
	}
	return out && fclose(out) == 0 ? text : NULL;
}

/* One line a gate, as long as it takes: what refuses must not be cut off. */
static enum lk_err show_gates(const json_t *gates, const struct lk_page *page)
{
	size_t n = json_array_size(gates), i;
	struct lk_column *columns = calloc(n + 1, sizeof(*columns));
	struct lk_table *table = NULL;
	enum lk_err err = LK_NO_MEMORY;
	const json_t *gate;

	if (!columns) {
		return LK_NO_MEMORY;
	}
	json_array_foreach(gates, i, gate)
	{
		columns[i].header = word_of(gate, "code", "VERIFY_CODE_");
	}
	table = lk_table_new(columns, n);
	json_array_foreach(gates, i, gate)
	{
		enum lk_tint tint = LK_TINT_NONE;
		char *text = table ? gate_text(gate, &tint) : NULL;

		if (!text) {
			goto out;
		}
		lk_table_add(table, text, tint);
		free(text);
	}
	err = table ? lk_table_print_record(table, page) : LK_NO_MEMORY;
out:
	lk_table_free(table);
	free(columns);
	return err;
}

static bool is_anything_told(const json_t *response)
{
	bool told = false;

	for (size_t i = 0; i < COUNT(told_members); i++) {
		told |= json_object_get(response, told_members[i]) != NULL;
	}
	return told;
}

enum lk_err lk_key_show_explained(const struct lk_run *run, const json_t *response)
{
	enum lk_err err = lk_key_show_verdict(run, response);

	if (err == LK_OK) {
		fputs("\n", run->page.file);
		err = show_gates(json_object_get(response, "gates"), &run->page);
	}
	if (err == LK_OK && is_anything_told(response)) {
		fputs("\n", run->page.file);
		err = lk_show_record(told_fields, COUNT(told_fields), response, &run->page);
	}
	return err;
}

/* Copies what a Key tells; false: no memory. */
static bool copy_told(json_t *response, const json_t *key)
{
	for (size_t i = 0; i < COUNT(told_members); i++) {
		json_t *member = json_object_get(key, told_members[i]);
		const char *text = json_string_value(member);

		if ((json_is_object(member) || (text && *text != '\0')) &&
			json_object_set(response, told_members[i], member) != 0) {
			return false;
		}
	}
	return true;
}

/*
 * Asks Get why the key was revoked or suspended, and for its last denial, and puts them beside the verdict's fields. What
 * cannot be had is left out, and that is said.
 */
static enum lk_exit add_told(struct lk_run *run, json_t *response)
{
	const json_t *key = json_object_get(response, "key");
	json_t *got = NULL,
	       *request = json_pack("{s:s, s:s}", "tenant", word_of(key, "tenant", ""), "key", word_of(key, "id", ""));
	enum lk_exit code = LK_EXIT_OK;

	if (!request) {
		return lk_say_no_memory();
	}
	if (lk_session_call(run->session, run->schema, lk_schema_method(run->schema, "latchkey.v1.KeyService/Get"),
		    request, &got) != LK_EXIT_OK) {
		lk_say_line("so the key's last denial is not shown, nor a reason that was given");
	}
	if (!copy_told(response, got)) {
		code = lk_say_no_memory();
	}
	json_decref(request);
	json_decref(got);
	return code;
}

enum lk_exit lk_key_run_explain(struct lk_run *run)
{
	json_t *response = NULL;
	enum lk_exit code;

	if (json_object_set_new(run->request, "explain", json_true()) != 0) {
		return lk_say_no_memory();
	}
	code = lk_run_call(run, run->request, &response);
	if (code == LK_EXIT_OK && json_is_object(json_object_get(response, "key"))) {
		code = add_told(run, response);
	}
	if (code == LK_EXIT_OK) {
		code = lk_run_print(run, response);
	}
	json_decref(response);
	return code;
}
