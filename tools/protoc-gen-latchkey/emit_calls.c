/* calls.proto: see calls.h. */
#include <string.h>

#include "tools/protoc-gen-latchkey/calls.h"
#include "tools/protoc-gen-latchkey/emit.h"

#define TYPE(name) GOOGLE__PROTOBUF__FIELD_DESCRIPTOR_PROTO__TYPE__TYPE_##name

static const char file_template[] =
	"// The methods of @package@ as whole envelopes: each message is a Request or Response of\n"
	"// @envelope@, where its fields are explained, but its payload has the method's own type.\n"
	"// On the wire both are the same. With this file, protoc alone encodes requests and decodes answers.\n"
	"//\n"
	"// Made by protoc-gen-latchkey from package @package@: not to be edited.\n"
	"syntax = \"proto3\";\n"
	"\n"
	"package @package@;\n"
	"\n";

static const char *const scalar_names[] = {
	[TYPE(DOUBLE)] = "double",
	[TYPE(FLOAT)] = "float",
	[TYPE(INT64)] = "int64",
	[TYPE(UINT64)] = "uint64",
	[TYPE(INT32)] = "int32",
	[TYPE(FIXED64)] = "fixed64",
	[TYPE(FIXED32)] = "fixed32",
	[TYPE(BOOL)] = "bool",
	[TYPE(STRING)] = "string",
	[TYPE(BYTES)] = "bytes",
	[TYPE(UINT32)] = "uint32",
	[TYPE(SFIXED32)] = "sfixed32",
	[TYPE(SFIXED64)] = "sfixed64",
	[TYPE(SINT32)] = "sint32",
	[TYPE(SINT64)] = "sint64",
};

/* How a type is named in the package: by the rest of its name there, in full elsewhere. */
static const char *relative(struct lk_emit *emit, const char *full_name)
{
	const char *package = emit->model->first->package;
	size_t len = strlen(package);

	if (strncmp(full_name, package, len) == 0 && full_name[len] == '.') {
		return full_name + len + 1;
	}
	return lk_pool_printf(emit->pool, ".%s", full_name);
}

static const char *type_of(struct lk_emit *emit, const struct lk_proto_field *field)
{
	return field->type_name ? relative(emit, field->type_name + 1) : scalar_names[field->type];
}

/* One view: `envelope` with `payload` in its place. */
static void emit_view(struct lk_emit *emit, struct lk_text *text, const char *name,
	const struct lk_proto_message *envelope, const struct lk_proto_message *payload)
{
	LK_TEXT_EXPAND(text, "message @name@ {\n", {"name", name});
	for (size_t i = 0; i < envelope->n_fields; i++) {
		const struct lk_proto_field *field = &envelope->fields[i];
		const bool is_payload = strcmp(field->element.name, LK_CALLS_PAYLOAD) == 0;

		LK_TEXT_EXPAND(text, "  @label@@type@ @name@ = @number@;\n",
			{"label", field->is_repeated ? "repeated " : ""},
			{"type", is_payload ? relative(emit, payload->element.full_name) : type_of(emit, field)},
			{"name", field->element.name}, {"number", lk_pool_printf(emit->pool, "%d", field->number)});
	}
	lk_text_add(text, "}\n");
}

static void emit_method(struct lk_emit *emit, struct lk_text *text, const struct lk_calls_envelope *envelope,
	const struct lk_proto_method *method)
{
	const struct lk_text_variable variables[] = {
		{"method", method->wire_name},
		{0},
	};

	lk_text_expand(text, "\n// Calls \"@method@\".\n", variables);
	emit_view(emit, text, lk_calls_request_name(emit->pool, method), envelope->request, method->request);
	lk_text_expand(text, "\n// The answer to \"@method@\".\n", variables);
	emit_view(emit, text, lk_calls_response_name(emit->pool, method), envelope->response, method->response);
}

static bool has_fields_of(const struct lk_proto_message *message, const struct lk_proto_file *file)
{
	for (size_t i = 0; i < message->n_fields; i++) {
		const struct lk_proto_field *field = &message->fields[i];

		if ((field->message && field->message->file == file) ||
			(field->enumeration && field->enumeration->file == file)) {
			return true;
		}
	}
	return false;
}

/* Whether a view has a field of a type that stands in `file`. */
static bool needs(
	const struct lk_model *model, const struct lk_calls_envelope *envelope, const struct lk_proto_file *file)
{
	if (has_fields_of(envelope->request, file) || has_fields_of(envelope->response, file)) {
		return true;
	}
	for (size_t i = 0; i < model->n_methods; i++) {
		if (model->methods[i]->request->file == file || model->methods[i]->response->file == file) {
			return true;
		}
	}
	return false;
}

void lk_emit_calls(struct lk_emit *emit)
{
	const struct lk_model *model = emit->model;
	const struct lk_calls_envelope envelope = lk_calls_envelope_of(model);
	struct lk_text *text;

	if (!envelope.request) {
		return;
	}
	text = lk_emit_begin(emit, lk_emit_beside(emit, "calls"), ".proto");
	LK_TEXT_EXPAND(text, file_template, {"package", model->first->package},
		{"envelope", envelope.request->file->element.name});
	for (size_t i = 0; i < model->n_files; i++) {
		if (needs(model, &envelope, &model->files[i])) {
			LK_TEXT_EXPAND(text, "import \"@name@\";\n", {"name", model->files[i].element.name});
		}
	}
	for (size_t i = 0; i < model->n_methods; i++) {
		emit_method(emit, text, &envelope, model->methods[i]);
	}
}
