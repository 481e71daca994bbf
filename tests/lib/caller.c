#include "tests/lib/caller.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "client/uuid7.h"
#include "tests/lib/check.h"

void caller_open(struct caller *caller, const char *url, const char *credential)
{
	struct lk_channel_options options = {.urls = &url, .n_urls = 1, .credential = credential};

	memset(caller, 0, sizeof *caller);
	CHECK(lk_channel_open(&options, &caller->channel) == LK_OK);
}

void caller_close(struct caller *caller)
{
	caller_forget(caller);
	lk_call_done(&caller->call);
	lk_channel_close(caller->channel);
	free(caller->kept);
	memset(caller, 0, sizeof *caller);
}

void caller_forget(struct caller *caller)
{
	for (size_t i = 0; i < caller->n_kept; i++) {
		protobuf_c_message_free_unpacked(caller->kept[i], NULL);
	}
	caller->n_kept = 0;
}

static void keep(struct caller *caller, ProtobufCMessage *response)
{
	if (caller->n_kept == caller->room) {
		caller->room = caller->room == 0 ? 64 : 2 * caller->room;
		caller->kept = realloc(caller->kept, caller->room * sizeof *caller->kept);
		CHECK(caller->kept != NULL);
	}
	caller->kept[caller->n_kept++] = response;
}

/* One call, under this request_id or the runtime's own. */
static ProtobufCMessage *ask_once(
	struct caller *caller, const struct lk_method *method, const void *request, const uint8_t *request_id)
{
	ProtobufCMessage *response = NULL;

	lk_call_done(&caller->call);
	caller->call = (struct lk_call){.timeout_ms = CALLER_TIMEOUT_MS, .request_id = request_id};
	caller->err = lk_channel_call(caller->channel, method, request, &response, &caller->call);
	caller->call.request_id = NULL;
	if (caller->err != LK_OK) {
		return NULL;
	}
	keep(caller, response);
	return response;
}

/* What is only checked is checked anew each time. */
static bool is_kept(const struct lk_method *method, const void *request)
{
	const ProtobufCFieldDescriptor *field = protobuf_c_message_descriptor_get_field_by_name(
		method->request, "validate_only");

	return lk_effect_changes(method->effect) &&
	       (field == NULL || !*(const protobuf_c_boolean *)((const char *)request + field->offset));
}

static const char *token_of(const ProtobufCMessage *response)
{
	const ProtobufCFieldDescriptor *field = protobuf_c_message_descriptor_get_field_by_name(
		response->descriptor, "token");

	return field == NULL ? "" : *(char *const *)((const char *)response + field->offset);
}

const void *caller_ask(struct caller *caller, const struct lk_method *method, const void *request)
{
	uint8_t request_id[LK_UUID7_LEN];
	struct timespec now = {0};

	if (caller->between == NULL || !is_kept(method, request)) {
		return ask_once(caller, method, request, NULL);
	}
	CHECK(clock_gettime(CLOCK_REALTIME, &now) == 0);
	lk_uuid7_make((uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000, request_id);
	const ProtobufCMessage *first = ask_once(caller, method, request, request_id);
	if (first == NULL) {
		return NULL;
	}
	caller->between(caller->context);
	const ProtobufCMessage *second = ask_once(caller, method, request, request_id);
	if (second == NULL && caller->err == LK_FAILED_PRECONDITION && token_of(first)[0] == '\0') {
		/* The first changed nothing, which is not kept, and the key has expired since. */
		caller->err = LK_OK;
		return first;
	}
	CHECK_MSG(second != NULL, caller->call.message);
	CHECK_MSG(strcmp(token_of(first), token_of(second)) == 0, "two tokens under one request_id");
	return first;
}

const char *caller_description(const struct caller *caller, const char *field)
{
	for (size_t i = 0; i < caller->call.n_violations; i++) {
		if (strcmp(caller->call.violations[i].field, field) == 0) {
			return caller->call.violations[i].description;
		}
	}
	return "";
}

bool caller_was_told_of(const struct caller *caller, const char *field)
{
	return caller_description(caller, field)[0] != '\0';
}
