/* Client stubs: one typed function a method, and one for the asynchronous call, over lk_channel_call() and lk_channel_start(). */
#include "tools/protoc-gen-latchkey/emit.h"

static const char header_template[] =
	"\n"
	"extern const struct lk_method @method@_method;\n"
	"\n"
	"@comment@"
	"LK_MUST_CHECK enum lk_err @method@(struct lk_channel *channel,\n"
	"\tconst @request@ *request, @response@ **ret_response,\n"
	"\tstruct lk_call *call);\n"
	"\n"
	"/* Told when a call begun by @method@_start() has ended; see lk_done_fn. */\n"
	"typedef void (*@method@_done_fn)(enum lk_err err,\n"
	"\t@response@ *response, struct lk_call *call, void *context);\n"
	"\n"
	"/* @method@() without waiting for the answer: `done` is told; see lk_channel_start(). */\n"
	"LK_MUST_CHECK enum lk_err @method@_start(struct lk_channel *channel,\n"
	"\tconst @request@ *request, struct lk_call *call,\n"
	"\t@method@_done_fn done, void *context);\n";

static const char source_template[] =
	"\n"
	"const struct lk_method @method@_method = {\n"
	"\t.name = @name@,\n"
	"\t.access = @access@,\n"
	"\t.request = &@request_lower@__descriptor,\n"
	"\t.response = &@response_lower@__descriptor,\n"
	"\t.effect = @effect@,\n"
	"\t.large_request = @large_request@,\n"
	"\t.own = @own@,\n"
	"};\n"
	"\n"
	"enum lk_err @method@(struct lk_channel *channel,\n"
	"\tconst @request@ *request, @response@ **ret_response,\n"
	"\tstruct lk_call *call)\n"
	"{\n"
	"\tProtobufCMessage *response;\n"
	"\tenum lk_err err = lk_channel_call(channel, &@method@_method, &request->base, &response, call);\n"
	"\n"
	"\tif (err == LK_OK)\n"
	"\t\t*ret_response = (@response@ *)response;\n"
	"\treturn err;\n"
	"}\n"
	"\n"
	"static void @method@_done(enum lk_err err, ProtobufCMessage *response,\n"
	"\tstruct lk_call *call, void *context)\n"
	"{\n"
	"\t@method@_done_fn done = (@method@_done_fn)call->typed_done;\n"
	"\n"
	"\t(void)context;\n"
	"\tdone(err, (@response@ *)response, call, call->typed_context);\n"
	"}\n"
	"\n"
	"enum lk_err @method@_start(struct lk_channel *channel,\n"
	"\tconst @request@ *request, struct lk_call *call,\n"
	"\t@method@_done_fn done, void *context)\n"
	"{\n"
	"\tcall->typed_done = (void (*)(void))done;\n"
	"\tcall->typed_context = context;\n"
	"\treturn lk_channel_start(\n"
	"\t\tchannel, &@method@_method, &request->base, call, @method@_done, NULL);\n"
	"}\n";

static const char *const effects[LK_RULE_EFFECT_COUNT] = {
	[LK_RULE_EFFECT_READ] = "LK_EFFECT_READ",
	[LK_RULE_EFFECT_WRITE] = "LK_EFFECT_WRITE",
	[LK_RULE_EFFECT_SCAN] = "LK_EFFECT_SCAN",
	[LK_RULE_EFFECT_BULK] = "LK_EFFECT_BULK",
};

static void emit_method(
	struct lk_emit *emit, struct lk_text *text, const char *pattern, const struct lk_proto_method *method)
{
	LK_TEXT_EXPAND(text, pattern, {"comment", lk_text_comment(emit->pool, "", method->element.comment)},
		{"method", method->c_name}, {"name", lk_text_literal(emit->pool, method->wire_name)},
		{"access", lk_text_literal(emit->pool, method->rule.access)}, {"effect", effects[method->rule.effect]},
		{"large_request", method->rule.large_request ? "true" : "false"},
		{"own", method->rule.own ? "true" : "false"}, {"request", method->request->c_type},
		{"response", method->response->c_type}, {"request_lower", method->request->c_lower},
		{"response_lower", method->response->c_lower});
}

static void emit_methods(
	struct lk_emit *emit, struct lk_text *text, const char *pattern, const struct lk_proto_file *file)
{
	for (size_t i = 0; i < file->n_services; i++) {
		for (size_t j = 0; j < file->services[i].n_methods; j++) {
			emit_method(emit, text, pattern, &file->services[i].methods[j]);
		}
	}
}

void lk_emit_client(struct lk_emit *emit, const struct lk_proto_file *file)
{
	const struct lk_emit_unit unit = {
		.stem = lk_pool_printf(emit->pool, "%s.client", file->stem),
		.from = file->element.name,
		.purpose =
			"Typed calls: lk_channel_call() and lk_channel_start() for each method; see there for errors.",
		.includes = lk_pool_printf(emit->pool,
			"#include <latchkey/call.h>\n"
			"#include <latchkey/channel.h>\n"
			"#include <latchkey/error.h>\n"
			"#include <latchkey/method.h>\n"
			"\n"
			"#include \"%s.pb-c.h\"\n",
			file->stem),
		.is_public = true,
	};
	struct lk_text *text;

	text = lk_emit_header(emit, &unit);
	emit_methods(emit, text, header_template, file);
	lk_emit_header_end(text, &unit);

	text = lk_emit_source(emit, &unit);
	emit_methods(emit, text, source_template, file);
}
