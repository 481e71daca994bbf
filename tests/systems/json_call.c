#include "tests/systems/json_call.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/check.h"
#include "tests/lib/verbs.h"
#include "tools/latchkey/json.h"

struct lk_schema *json_schema(struct caller *caller)
{
	Latchkey__V1__GetDescriptorsRequest request = LATCHKEY__V1__GET_DESCRIPTORS_REQUEST__INIT;
	struct lk_schema *schema = NULL;
	const Latchkey__V1__GetDescriptorsResponse *response = caller_ask(
		caller, &latchkey_v1_reflection_get_descriptors_method, &request);

	CHECK(response != NULL);
	CHECK(lk_schema_open(response->file_descriptor_set.data, response->file_descriptor_set.len, &schema) == LK_OK);
	return schema;
}

/* The bytes of the request; to be freed. */
static uint8_t *encode(
	const struct lk_schema *schema, const struct lk_schema_method *method, const char *text, size_t *ret_len)
{
	char *json = strdup(text);
	char *fault = NULL;
	uint8_t *bytes = NULL;
	json_error_t error;

	CHECK(json != NULL);
	for (char *at = json; *at != '\0'; at++) {
		*at = *at == '\'' ? '"' : *at;
	}
	json_t *value = json_loads(json, 0, &error);
	CHECK_MSG(value != NULL, text);
	enum lk_err err = lk_json_encode(schema, method->input, value, &bytes, ret_len, &fault);
	CHECK_MSG(err == LK_OK, fault == NULL ? text : fault);
	json_decref(value);
	free(json);
	return bytes;
}

void json_call(struct caller *caller, const struct lk_schema *schema, const char *method, const char *text)
{
	char name[128] = "";
	uint8_t *response = NULL;
	size_t response_len = 0;
	size_t len = 0;

	(void)snprintf(name, sizeof name, "latchkey.v1.%s", method);
	const struct lk_schema_method *found = lk_schema_method(schema, name);
	CHECK_MSG(found != NULL, name);
	uint8_t *request = encode(schema, found, text, &len);
	lk_call_done(&caller->call);
	caller->call = (struct lk_call){.timeout_ms = CALLER_TIMEOUT_MS};
	caller->err = lk_channel_call_raw(caller->channel, name, (enum lk_effect)found->effect, request, len, &response,
		&response_len, &caller->call);
	free(request);
	if (caller->err == LK_OK) {
		free(response);
	}
}
