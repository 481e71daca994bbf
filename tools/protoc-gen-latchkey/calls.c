#include "tools/protoc-gen-latchkey/calls.h"

#include <string.h>

static const struct lk_proto_message *find_envelope(const struct lk_model *model, const char *name)
{
	const struct lk_proto_message *message = lk_model_message(
		model, lk_pool_printf(model->pool, "%s.%s", model->first->package, name));
	const struct lk_proto_field *payload = message ? lk_model_field(message, LK_CALLS_PAYLOAD) : NULL;

	return payload && payload->type == GOOGLE__PROTOBUF__FIELD_DESCRIPTOR_PROTO__TYPE__TYPE_BYTES &&
			       !payload->is_repeated
		       ? message
		       : NULL;
}

struct lk_calls_envelope lk_calls_envelope_of(const struct lk_model *model)
{
	struct lk_calls_envelope envelope = {
		.request = find_envelope(model, "Request"),
		.response = find_envelope(model, "Response"),
	};

	return envelope.request && envelope.response ? envelope : (struct lk_calls_envelope){0};
}

const char *lk_calls_request_name(struct lk_pool *pool, const struct lk_proto_method *method)
{
	return lk_pool_printf(pool, "%s%sCall", method->service->element.name, method->element.name);
}

const char *lk_calls_response_name(struct lk_pool *pool, const struct lk_proto_method *method)
{
	return lk_pool_printf(pool, "%s%sReply", method->service->element.name, method->element.name);
}
