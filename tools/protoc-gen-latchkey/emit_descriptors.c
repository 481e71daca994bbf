/* The descriptor set: all files of the run with their comments, for reflection. */
#include "tools/protoc-gen-latchkey/emit.h"

#include <stdio.h>

#include "tools/protoc-gen-latchkey/names.h"

#define BYTES_A_LINE 24

/* Packs the files as protoc gave them: each behind its imports. Returns the pool's bytes. */
static const uint8_t *pack(struct lk_emit *emit, size_t *ret_len)
{
	Google__Protobuf__FileDescriptorSet set = GOOGLE__PROTOBUF__FILE_DESCRIPTOR_SET__INIT;
	uint8_t *bytes;

	set.file = lk_pool_array(emit->pool, emit->model->n_files, sizeof(*set.file));
	set.n_file = emit->model->n_files;
	for (size_t i = 0; i < set.n_file; i++) {
		set.file[i] = (Google__Protobuf__FileDescriptorProto *)emit->model->files[i].descriptor;
	}
	bytes = lk_pool_array(emit->pool, google__protobuf__file_descriptor_set__get_packed_size(&set), 1);
	*ret_len = google__protobuf__file_descriptor_set__pack(&set, bytes);
	return bytes;
}

static void emit_bytes(struct lk_text *text, const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		char number[8];

		snprintf(number, sizeof(number), "%s%u,", i % BYTES_A_LINE == 0 ? "\n\t" : " ", bytes[i]);
		lk_text_add(text, number);
	}
}

void lk_emit_descriptors(struct lk_emit *emit)
{
	const struct lk_proto_file *first = emit->model->first;
	const struct lk_emit_unit unit = {
		.stem = lk_emit_beside(emit, "descriptors"),
		.from = lk_pool_printf(emit->pool, "package %s", first->package),
		.purpose = "The API's description of itself.",
		.includes = "#include <stddef.h>\n",
	};
	const struct lk_text_variable variables[] = {
		{"package", lk_names_identifier(emit->pool, first->package)},
		{0},
	};
	size_t len;
	const uint8_t *bytes = pack(emit, &len);
	struct lk_text *text;

	text = lk_emit_header(emit, &unit);
	lk_text_expand(text,
		"\n"
		"/* A serialized google.protobuf.FileDescriptorSet with comments, every import before the file that "
		"needs it. */\n"
		"extern const unsigned char @package@_descriptor_set[];\n"
		"extern const size_t @package@_descriptor_set_len;\n",
		variables);
	lk_emit_header_end(text, &unit);

	text = lk_emit_source(emit, &unit);
	lk_text_expand(text, "\nconst unsigned char @package@_descriptor_set[] = {", variables);
	emit_bytes(text, bytes, len);
	lk_text_expand(text,
		"\n"
		"};\n"
		"const size_t @package@_descriptor_set_len = sizeof(@package@_descriptor_set);\n",
		variables);
}
