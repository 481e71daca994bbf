/* latchkey call: any method that the daemon has, known to this program or not. */
#include <stdlib.h>
#include <string.h>

#include "tools/latchkey/command.h"
#include "tools/latchkey/input.h"
#include "tools/latchkey/output.h"
#include "tools/latchkey/suggest.h"

/* Where a name without a package is looked for. */
#define PACKAGE "latchkey.v1."

/* The request's JSON: given on the line, in a file behind '@', or on standard input for "-". */
static enum lk_exit read_request(const char *word, json_t **ret)
{
	struct lk_input input = {0};
	enum lk_exit code = LK_EXIT_OK;
	json_error_t error;

	if (strcmp(word, "-") == 0) {
		code = lk_input_read_stdin("the request", LK_INPUT_MAX, &input);
	} else if (*word == '@') {
		code = lk_input_read_file(word + 1, "the request", LK_INPUT_MAX, &input);
	}
	if (code != LK_EXIT_OK) {
		return code;
	}
	*ret = json_loadb(
		input.text ? input.text : word, input.text ? input.len : strlen(word), JSON_REJECT_DUPLICATES, &error);
	lk_input_done(&input);
	if (*ret) {
		return LK_EXIT_OK;
	}
	lk_say("the request is no JSON: %s, at line %d, column %d", error.text, error.line, error.column);
	return LK_EXIT_USAGE;
}

struct method_names {
	const struct lk_schema_method *methods;
	size_t n;
	/* Whether what was typed has a package too. */
	bool full;
};

static const char *method_name(const void *words, size_t i)
{
	const struct method_names *names = words;
	const char *name = i < names->n ? names->methods[i].name : NULL;

	if (!name || names->full || strncmp(name, PACKAGE, strlen(PACKAGE)) != 0) {
		return name;
	}
	return name + strlen(PACKAGE);
}

static enum lk_exit unknown_method(const struct lk_schema *schema, const char *name)
{
	struct method_names names = {.full = strncmp(name, PACKAGE, strlen(PACKAGE)) == 0};
	const char *meant;

	names.methods = lk_schema_methods(schema, &names.n);
	meant = lk_suggest(name, method_name, &names);
	if (meant) {
		lk_say("the daemon has no method %s; did you mean %s?", name, meant);
	} else {
		lk_say("the daemon has no method %s; it is given as SERVICE/METHOD, such as KeyService/Get", name);
	}
	return LK_EXIT_USAGE;
}

/* "KeyService/Get" is looked up as "latchkey.v1.KeyService/Get". */
static enum lk_exit find_method(const struct lk_schema *schema, const char *name, const struct lk_schema_method **ret)
{
	char full[256];

	snprintf(full, sizeof(full), "%s%s", strchr(name, '.') ? "" : PACKAGE, name);
	*ret = lk_schema_method(schema, full);
	return *ret ? LK_EXIT_OK : unknown_method(schema, name);
}

static enum lk_exit call(struct lk_session *session, const char *name, const json_t *request)
{
	const struct lk_schema_method *method = NULL;
	struct lk_schema *schema = NULL;
	json_t *response = NULL;
	enum lk_exit code = lk_session_reflect(session, &schema);

	if (code == LK_EXIT_OK) {
		code = find_method(schema, name, &method);
	}
	if (code == LK_EXIT_OK) {
		code = lk_session_call(session, schema, method, request, &response);
	}
	if (code == LK_EXIT_OK && lk_output_json(response) == LK_NO_MEMORY) {
		code = lk_say_no_memory();
	}
	if (code == LK_EXIT_OK) {
		code = lk_output_end();
	}
	json_decref(response);
	lk_schema_free(schema);
	return code;
}

static enum lk_exit run(const struct lk_options *options, char **words, size_t n_words)
{
	struct lk_session *session = NULL;
	json_t *request = NULL;
	enum lk_exit code;

	if (n_words == 0 || n_words > 2) {
		lk_say("give SERVICE/METHOD and one request: latchkey call KeyService/Get '{\"key\": \"1\"}'");
		return LK_EXIT_USAGE;
	}
	code = read_request(n_words == 2 ? words[1] : "{}", &request);
	if (code == LK_EXIT_OK) {
		code = lk_session_open(options, &session);
	}
	if (code == LK_EXIT_OK) {
		code = call(session, words[0], request);
	}
	lk_session_close(session);
	json_decref(request);
	return code;
}

const struct lk_noun lk_noun_call = {
	.name = "call",
	.help = "Calls any method of the daemon with a request in JSON, and prints the answer in JSON.",
	.run = run,
	.usage = "SERVICE/METHOD [JSON|@FILE|-]",
};
