/* Server tables: per service a struct of typed handlers, and the methods with trampolines that cast to the handlers' types. */
#include "tools/protoc-gen-latchkey/emit.h"

static const char answer_handler[] = "@comment@"
				     "\tenum lk_err (*@member@)(struct lk_request *request,\n"
				     "\t\tconst @request@ *message, @response@ *response);\n";

static const char answer_trampoline[] =
	"\n"
	"static enum lk_err @method@_answer(const void *handlers,\n"
	"\tstruct lk_request *request, const ProtobufCMessage *message, ProtobufCMessage *response)\n"
	"{\n"
	"\tconst struct @service@_handlers *typed = handlers;\n"
	"\n"
	"\tif (!typed->@member@)\n"
	"\t\treturn LK_UNIMPLEMENTED;\n"
	"\treturn typed->@member@(request, (const @request@ *)message,\n"
	"\t\t(@response@ *)response);\n"
	"}\n";

static const char answer_row[] = "\t{\n"
				 "\t\t.method = &@method@_method,\n"
				 "\t\t.request = &@request_lower@__wire,\n"
				 "\t\t.answer = @method@_answer,\n"
				 "\t},\n";

static const char change_handler[] = "@comment@"
				     "\tstruct {\n"
				     "\t\tenum lk_err (*build)(struct lk_request *request,\n"
				     "\t\t\tconst @request@ *message, Latchkey__Store__Change *change,\n"
				     "\t\t\t@response@ *response);\n"
				     "\t\t/* May be NULL: there is nothing to add. */\n"
				     "\t\tvoid (*reply)(struct lk_request *request,\n"
				     "\t\t\tconst @request@ *message, const Latchkey__Store__Change *change,\n"
				     "\t\t\t@response@ *response);\n"
				     "\t} @member@;\n";

static const char change_trampolines[] =
	"\n"
	"static enum lk_err @method@_build(const void *handlers,\n"
	"\tstruct lk_request *request, const ProtobufCMessage *message, Latchkey__Store__Change *change,\n"
	"\tProtobufCMessage *response)\n"
	"{\n"
	"\tconst struct @service@_handlers *typed = handlers;\n"
	"\n"
	"\tif (!typed->@member@.build)\n"
	"\t\treturn LK_UNIMPLEMENTED;\n"
	"\treturn typed->@member@.build(request, (const @request@ *)message,\n"
	"\t\tchange, (@response@ *)response);\n"
	"}\n"
	"\n"
	"static void @method@_reply(const void *handlers,\n"
	"\tstruct lk_request *request, const ProtobufCMessage *message, const Latchkey__Store__Change *change,\n"
	"\tProtobufCMessage *response)\n"
	"{\n"
	"\tconst struct @service@_handlers *typed = handlers;\n"
	"\n"
	"\tif (typed->@member@.reply)\n"
	"\t\ttyped->@member@.reply(request, (const @request@ *)message,\n"
	"\t\t\tchange, (@response@ *)response);\n"
	"}\n";

static const char change_row[] = "\t{\n"
				 "\t\t.method = &@method@_method,\n"
				 "\t\t.request = &@request_lower@__wire,\n"
				 "\t\t.build = @method@_build,\n"
				 "\t\t.reply = @method@_reply,\n"
				 "\t},\n";

/* One method's part of the handlers, of the trampolines, and of the table. */
struct server_templates {
	const char *handler;
	const char *trampolines;
	const char *row;
};

/* Of reads and scans, and of writes. */
static const struct server_templates answering = {answer_handler, answer_trampoline, answer_row};
static const struct server_templates changing = {change_handler, change_trampolines, change_row};

static const struct server_templates *templates_of(const struct lk_proto_method *method)
{
	return method->rule.effect == LK_RULE_EFFECT_WRITE || method->rule.effect == LK_RULE_EFFECT_BULK ? &changing
													 : &answering;
}

static void expand(
	struct lk_emit *emit, struct lk_text *text, const char *pattern, const struct lk_proto_method *method)
{
	LK_TEXT_EXPAND(text, pattern, {"comment", lk_text_comment(emit->pool, "\t", method->element.comment)},
		{"service", method->service->c_name}, {"method", method->c_name}, {"member", method->c_member},
		{"request", method->request->c_type}, {"response", method->response->c_type},
		{"request_lower", method->request->c_lower});
}

static void emit_handlers(struct lk_emit *emit, struct lk_text *text, const struct lk_proto_service *service)
{
	const struct lk_text_variable variables[] = {
		{"comment", lk_text_comment(emit->pool, "", service->element.comment)},
		{"service", service->c_name},
		{0},
	};

	lk_text_expand(text, "\n@comment@struct @service@_handlers {\n", variables);
	for (size_t i = 0; i < service->n_methods; i++) {
		expand(emit, text, templates_of(&service->methods[i])->handler, &service->methods[i]);
	}
	lk_text_expand(text,
		"};\n"
		"\n"
		"extern const struct lk_server_service @service@_service;\n",
		variables);
}

static void emit_service(struct lk_emit *emit, struct lk_text *text, const struct lk_proto_service *service)
{
	const struct lk_text_variable variables[] = {
		{"service", service->c_name},
		{"name", lk_text_literal(emit->pool, service->element.full_name)},
		{0},
	};

	for (size_t i = 0; i < service->n_methods; i++) {
		expand(emit, text, templates_of(&service->methods[i])->trampolines, &service->methods[i]);
	}
	lk_text_expand(text, "\nstatic const struct lk_server_method @service@_methods[] = {\n", variables);
	for (size_t i = 0; i < service->n_methods; i++) {
		expand(emit, text, templates_of(&service->methods[i])->row, &service->methods[i]);
	}
	lk_text_expand(text,
		"};\n"
		"\n"
		"const struct lk_server_service @service@_service = {\n"
		"\t.name = @name@,\n"
		"\t.methods = @service@_methods,\n"
		"\t.n_methods = sizeof(@service@_methods) / sizeof(@service@_methods[0]),\n"
		"};\n",
		variables);
}

static bool takes_requests_of(const struct lk_proto_file *file, const struct lk_proto_file *other)
{
	for (size_t i = 0; i < file->n_services; i++) {
		for (size_t j = 0; j < file->services[i].n_methods; j++) {
			if (file->services[i].methods[j].request->file == other) {
				return true;
			}
		}
	}
	return false;
}

void lk_emit_server(struct lk_emit *emit, const struct lk_proto_file *file)
{
	const struct lk_emit_unit unit = {
		.stem = lk_pool_printf(emit->pool, "%s.server", file->stem),
		.from = file->element.name,
		.purpose = "A service's handlers, and the table that leads to them; see server/service/method.h.",
		.includes = lk_pool_printf(emit->pool,
			"#include \"%s.pb-c.h\"\n"
			"#include \"server/service/method.h\"\n",
			file->stem),
	};
	struct lk_text *text;

	text = lk_emit_header(emit, &unit);
	for (size_t i = 0; i < file->n_services; i++) {
		emit_handlers(emit, text, &file->services[i]);
	}
	lk_emit_header_end(text, &unit);

	text = lk_emit_source(emit, &unit);
	LK_TEXT_EXPAND(text, "\n#include \"@stem@.client.h\"\n", {"stem", file->stem});
	for (size_t i = 0; i < emit->model->n_files; i++) {
		if (takes_requests_of(file, &emit->model->files[i])) {
			LK_TEXT_EXPAND(text, "#include \"@stem@.wire.h\"\n", {"stem", emit->model->files[i].stem});
		}
	}
	for (size_t i = 0; i < file->n_services; i++) {
		emit_service(emit, text, &file->services[i]);
	}
}
