#include <stdbool.h>
#include <stddef.h>

#include "client/result.h"
#include "latchkey/v1/key.pb-c.h"

/* A caller that looks at one of the two must never be told something else than one that looks at the other. */
static bool verdict_fine(const ProtobufCMessage *message)
{
	const Latchkey__V1__VerifyKeyResponse *response = (const Latchkey__V1__VerifyKeyResponse *)message;
	bool valid = response->code == LATCHKEY__V1__VERIFY_CODE__VERIFY_CODE_VALID;

	return response->code != LATCHKEY__V1__VERIFY_CODE__VERIFY_CODE_UNSPECIFIED && valid == !!response->valid;
}

/* What a response must hold beside being well-formed. */
static const struct {
	const ProtobufCMessageDescriptor *descriptor;
	bool (*fine)(const ProtobufCMessage *message);
} rules[] = {
	{&latchkey__v1__verify_key_response__descriptor, verdict_fine},
};

static bool response_fine(const ProtobufCMessage *response)
{
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		if (rules[i].descriptor == response->descriptor) {
			return rules[i].fine(response);
		}
	}
	return true;
}

enum lk_err lk_result_unpack(
	const ProtobufCMessageDescriptor *descriptor, struct lk_span payload, ProtobufCMessage **ret_response)
{
	ProtobufCMessage *response = protobuf_c_message_unpack(descriptor, NULL, payload.len, payload.data);

	if (!response) {
		return LK_PROTOCOL;
	}
	if (!response_fine(response)) {
		protobuf_c_message_free_unpacked(response, NULL);
		return LK_PROTOCOL;
	}
	*ret_response = response;
	return LK_OK;
}
