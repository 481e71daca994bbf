#include "tools/latchkey/session.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "latchkey/v1/reflection.pb-c.h"
#include "tools/latchkey/input.h"
#include "tools/latchkey/json.h"

struct lk_session {
	const struct lk_options *options;
	struct lk_input credential;
	struct lk_channel *channel;
};

/* Warns of a credential that others on this machine may read. */
static void warn_of_readers(const char *path)
{
	struct stat status;

	if (stat(path, &status) == 0 && S_ISREG(status.st_mode) && (status.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
		lk_say("warning: others may read the credential in %s: chmod 600 it", path);
	}
}

/* The credential to call with; an empty one where the user gave none. */
static enum lk_exit read_credential(const struct lk_options *options, struct lk_input *ret)
{
	const char *said = getenv("LATCHKEY_CREDENTIAL");
	enum lk_exit code;

	if (!options->credential_file) {
		if (!said || *said == '\0') {
			return LK_EXIT_OK;
		}
		if (strlen(said) > LK_CREDENTIAL_MAX) {
			lk_say("the credential in LATCHKEY_CREDENTIAL is longer than %d bytes", LK_CREDENTIAL_MAX);
			return LK_EXIT_USAGE;
		}
		ret->text = strdup(said);
		ret->len = strlen(said);
		return ret->text ? LK_EXIT_OK : lk_say_no_memory();
	}
	code = lk_input_read_file(options->credential_file, "the credential", LK_CREDENTIAL_MAX, ret);
	if (code != LK_EXIT_OK) {
		return code;
	}
	warn_of_readers(options->credential_file);
	lk_input_cut_newline(ret);
	if (ret->len > 0 && strlen(ret->text) == ret->len) {
		return LK_EXIT_OK;
	}
	lk_say("%s holds no credential: put a root key's token or a JWT in it, and nothing else",
		options->credential_file);
	lk_input_done(ret);
	return LK_EXIT_USAGE;
}

enum lk_exit lk_session_dial(const struct lk_session *session, struct lk_channel **ret)
{
	const struct lk_options *options = session->options;
	const struct lk_channel_options channel = {
		.urls = &options->url,
		.n_urls = 1,
		.credential = session->credential.text,
	};
	enum lk_err err = lk_channel_open(&channel, ret);

	if (err == LK_OK) {
		return LK_EXIT_OK;
	}
	lk_say("--url %s: %s; give one such as ipc:///run/latchkey/latchkey.sock or tcp://127.0.0.1:7707", options->url,
		err == LK_INVALID_ARGUMENT ? "no URL of a daemon" : lk_err_text(err));
	return LK_EXIT_USAGE;
}

enum lk_exit lk_session_open(const struct lk_options *options, struct lk_session **ret)
{
	struct lk_session *session = calloc(1, sizeof(*session));
	enum lk_exit code;

	if (!session) {
		return lk_say_no_memory();
	}
	session->options = options;
	code = read_credential(options, &session->credential);
	if (code == LK_EXIT_OK) {
		code = lk_session_dial(session, &session->channel);
	}
	if (code != LK_EXIT_OK) {
		lk_session_close(session);
		return code;
	}
	*ret = session;
	return LK_EXIT_OK;
}

void lk_session_close(struct lk_session *session)
{
	if (!session) {
		return;
	}
	lk_channel_close(session->channel);
	lk_input_done(&session->credential);
	free(session);
}

/* Whether `message` is the first violation, so that there is no need to say it twice. */
static bool is_first_violation(const char *message, const struct lk_call *call)
{
	const struct lk_violation *first = call->violations;
	size_t len = call->n_violations > 0 ? strlen(first->field) : 0;

	return len > 0 && strncmp(message, first->field, len) == 0 && strncmp(message + len, ": ", 2) == 0 &&
	       strcmp(message + len + 2, first->description) == 0;
}

/* Says why a call came to nothing, and gives the exit code for it. */
static enum lk_exit refused(const char *name, enum lk_err err, const struct lk_call *call)
{
	static const enum lk_err unreachable[] = {LK_UNAVAILABLE, LK_DEADLINE_EXCEEDED, LK_PROTOCOL};
	const char *message = call->message && *call->message != '\0' ? call->message : lk_err_text(err);

	for (size_t i = 0; i < sizeof(unreachable) / sizeof(unreachable[0]); i++) {
		if (err != unreachable[i]) {
			continue;
		}
		lk_say("%s: no answer: %s: %s", name, lk_err_name(err), message);
		return LK_EXIT_UNREACHABLE;
	}
	bool repeats = is_first_violation(message, call);
	if (repeats && call->n_violations > 1) {
		lk_say("%s refused: %s: %zu faults", name, lk_err_name(err), call->n_violations);
	} else {
		lk_say("%s refused: %s: %s", name, lk_err_name(err), message);
	}
	if (!repeats || call->n_violations > 1) {
		for (size_t i = 0; i < call->n_violations; i++) {
			lk_say_line("  %s: %s", call->violations[i].field, call->violations[i].description);
		}
	}
	if (call->retry_after_ms > 0) {
		lk_say_line("  try again in %u ms", (unsigned)call->retry_after_ms);
	}
	return LK_EXIT_REFUSED;
}

/* Calls with bytes; `name` is what a refusal calls the method. */
static enum lk_exit call_raw(struct lk_session *session, const char *method, const char *name, enum lk_effect effect,
	const uint8_t *request, size_t request_len, uint8_t **ret_response, size_t *ret_len)
{
	struct lk_call call = LK_CALL_INIT;
	enum lk_exit code = LK_EXIT_OK;
	enum lk_err err;

	call.timeout_ms = session->options->timeout_ms;
	err = lk_channel_call_raw(session->channel, method, effect, request, request_len, ret_response, ret_len, &call);
	if (err != LK_OK) {
		code = refused(name, err, &call);
	}
	lk_call_done(&call);
	return code;
}

/* What a refusal calls a method: the right that it needs, "keys.create", or for want of one its own name. */
static const char *name_of(const struct lk_schema_method *method)
{
	return strchr(method->access, '.') ? method->access : method->name;
}

struct lk_channel *lk_session_channel(const struct lk_session *session)
{
	return session->channel;
}

enum lk_exit lk_session_refused(const struct lk_schema_method *method, enum lk_err err, const struct lk_call *call)
{
	return refused(name_of(method), err, call);
}

/* What is not known may change something, and a request_id does a read no harm. */
static enum lk_effect effect_of(const struct lk_schema_method *method)
{
	return method->effect == LK_SCHEMA_EFFECT_UNKNOWN ? LK_EFFECT_WRITE : (enum lk_effect)method->effect;
}

enum lk_exit lk_session_call(struct lk_session *session, const struct lk_schema *schema,
	const struct lk_schema_method *method, const json_t *request, json_t **ret_response)
{
	uint8_t *encoded = NULL, *answer = NULL;
	size_t encoded_len = 0, answer_len = 0;
	char *fault = NULL;
	enum lk_exit code;

	if (lk_json_encode(schema, method->input, request, &encoded, &encoded_len, &fault) != LK_OK) {
		lk_say("%s", fault ? fault : "out of memory");
		code = LK_EXIT_USAGE;
		goto out;
	}
	code = call_raw(
		session, method->name, name_of(method), effect_of(method), encoded, encoded_len, &answer, &answer_len);
	if (code != LK_EXIT_OK) {
		goto out;
	}
	if (lk_json_decode(schema, method->output, answer, answer_len, LK_JSON_EMIT_DEFAULTS, ret_response, &fault) !=
		LK_OK) {
		lk_say("%s: an answer that cannot be read: %s", name_of(method), fault ? fault : "out of memory");
		code = LK_EXIT_UNREACHABLE;
	}
out:
	if (encoded) {
		sodium_memzero(encoded, encoded_len);
	}
	if (answer) {
		sodium_memzero(answer, answer_len);
	}
	free(encoded);
	free(answer);
	free(fault);
	return code;
}

enum lk_exit lk_session_reflect(struct lk_session *session, struct lk_schema **ret)
{
	static const char method[] = "latchkey.v1.ReflectionService/GetDescriptors";
	Latchkey__V1__GetDescriptorsResponse *response = NULL;
	uint8_t *answer = NULL;
	size_t len = 0;
	enum lk_exit code = call_raw(session, method, method, LK_EFFECT_READ, NULL, 0, &answer, &len);

	if (code != LK_EXIT_OK) {
		return code;
	}
	response = latchkey__v1__get_descriptors_response__unpack(NULL, len, answer);
	if (!response ||
		lk_schema_open(response->file_descriptor_set.data, response->file_descriptor_set.len, ret) != LK_OK) {
		lk_say("%s: a description that cannot be read", method);
		code = LK_EXIT_UNREACHABLE;
	}
	if (response) {
		latchkey__v1__get_descriptors_response__free_unpacked(response, NULL);
	}
	free(answer);
	return code;
}
