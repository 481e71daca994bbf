#include "tools/protoc-gen-latchkey/emit.h"

#include <string.h>

#include "tools/protoc-gen-latchkey/names.h"

void lk_emit_init(struct lk_emit *emit, const struct lk_model *model)
{
	*emit = (struct lk_emit){.pool = model->pool, .model = model};
}

void lk_emit_done(struct lk_emit *emit)
{
	for (struct lk_emit_file *file = emit->files; file; file = file->next) {
		lk_text_done(&file->text);
	}
	emit->files = NULL;
}

void lk_emit_all(struct lk_emit *emit)
{
	for (size_t i = 0; i < emit->model->n_files; i++) {
		const struct lk_proto_file *file = &emit->model->files[i];

		if (!file->is_generated) {
			continue;
		}
		if (file->n_services > 0) {
			lk_emit_client(emit, file);
			lk_emit_server(emit, file);
			lk_emit_flags(emit, file);
		}
		if (file->n_messages > 0) {
			lk_emit_wire(emit, file);
		}
	}
	if (emit->model->first) {
		lk_emit_calls(emit);
		lk_emit_descriptors(emit);
	}
}

void lk_emit_to_response(struct lk_emit *emit, Google__Protobuf__Compiler__CodeGeneratorResponse *response)
{
	Google__Protobuf__Compiler__CodeGeneratorResponse__File *files = lk_pool_array(
		emit->pool, emit->n_files, sizeof(*files));
	size_t n_files = 0;

	response->file = lk_pool_array(emit->pool, emit->n_files, sizeof(*response->file));
	for (struct lk_emit_file *file = emit->files; file; file = file->next) {
		google__protobuf__compiler__code_generator_response__file__init(&files[n_files]);
		files[n_files].name = (char *)file->name;
		files[n_files].content = file->text.data;
		response->file[n_files] = &files[n_files];
		n_files++;
	}
	response->n_file = n_files;
}

const char *lk_emit_beside(struct lk_emit *emit, const char *name)
{
	const char *stem = emit->model->first->stem;
	const char *slash = strrchr(stem, '/');

	return lk_pool_printf(emit->pool, "%.*s%s", slash ? (int)(slash - stem + 1) : 0, stem, name);
}

struct lk_text *lk_emit_begin(struct lk_emit *emit, const char *stem, const char *suffix)
{
	struct lk_emit_file **end = &emit->files;

	while (*end) {
		end = &(*end)->next;
	}
	*end = lk_pool_array(emit->pool, 1, sizeof(**end));
	(*end)->name = lk_pool_printf(emit->pool, "%s%s", stem, suffix);
	emit->n_files++;
	return &(*end)->text;
}

struct lk_text *lk_emit_header(struct lk_emit *emit, const struct lk_emit_unit *unit)
{
	struct lk_text *text = lk_emit_begin(emit, unit->stem, ".h");
	const char *guard = lk_names_identifier(emit->pool, lk_pool_printf(emit->pool, "%s.h", unit->stem));

	LK_TEXT_EXPAND(text,
		"/*\n"
		" * @purpose@\n"
		" *\n"
		" * Made by protoc-gen-latchkey from @from@: not to be edited.\n"
		" */\n"
		"#ifndef @guard@\n"
		"#define @guard@\n"
		"\n"
		"@includes@",
		{"purpose", unit->purpose}, {"from", unit->from}, {"includes", unit->includes},
		{"guard", lk_names_upper(emit->pool, guard)});
	if (unit->is_public) {
		lk_text_add(text, "\n"
				  "#ifdef __cplusplus\n"
				  "extern \"C\" {\n"
				  "#endif\n");
	}
	return text;
}

void lk_emit_header_end(struct lk_text *text, const struct lk_emit_unit *unit)
{
	if (unit->is_public) {
		lk_text_add(text, "\n"
				  "#ifdef __cplusplus\n"
				  "}\n"
				  "#endif\n");
	}
	lk_text_add(text, "\n#endif\n");
}

struct lk_text *lk_emit_source(struct lk_emit *emit, const struct lk_emit_unit *unit)
{
	struct lk_text *text = lk_emit_begin(emit, unit->stem, ".c");

	LK_TEXT_EXPAND(text,
		"/* Made by protoc-gen-latchkey from @from@: not to be edited. */\n"
		"#include \"@stem@.h\"\n",
		{"from", unit->from}, {"stem", unit->stem});
	return text;
}
