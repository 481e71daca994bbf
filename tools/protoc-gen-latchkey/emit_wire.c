/*
 * Wire rules: per message a table of its fields' limits, for the check that runs before protobuf-c unpacks.
 *
 * The messages of files that are generated have theirs under a name that other files may use. Those of other files, such as
 * google.protobuf.Timestamp, are not generated anywhere: each file that needs one has it as a static, without limits.
 */
#include "tools/protoc-gen-latchkey/emit.h"

#include <string.h>

/* The limits that a field has, as an initializer. */
static const char *limits(struct lk_pool *pool, const struct lk_proto_field *field)
{
	const char *text = "";

	if (field->rule.max_length > 0) {
		text = lk_pool_printf(pool, "%s, .max_length = %u", text, field->rule.max_length);
	}
	if (field->rule.max_items > 0) {
		text = lk_pool_printf(pool, "%s, .max_items = %u", text, field->rule.max_items);
	}
	if (field->is_map) {
		text = lk_pool_printf(pool, "%s, .is_map = true", text);
	}
	if (field->rule.apart) {
		text = lk_pool_printf(pool, "%s, .apart = true", text);
	}
	if (field->message) {
		text = lk_pool_printf(pool, "%s, .message = &%s__wire", text, field->message->c_lower);
	}
	return *text ? text + strlen(", ") : "0";
}

static void emit_field(struct lk_emit *emit, struct lk_text *text, const struct lk_proto_field *field)
{
	LK_TEXT_EXPAND(text, "\t{@limits@}, /* @name@ */\n", {"limits", limits(emit->pool, field)},
		{"name", field->element.name});
}

/* `linkage` is "static " or "". */
static void emit_message(
	struct lk_emit *emit, struct lk_text *text, const struct lk_proto_message *message, const char *linkage)
{
	const struct lk_text_variable variables[] = {
		{"linkage", linkage},
		{"message", message->c_lower},
		{0},
	};

	if (message->n_fields > 0) {
		lk_text_expand(text, "\nstatic const struct lk_wire_field @message@__wire_fields[] = {\n", variables);
		for (size_t i = 0; i < message->n_fields; i++) {
			emit_field(emit, text, &message->fields[i]);
		}
		lk_text_add(text, "};\n");
	}
	lk_text_expand(text,
		"\n"
		"@linkage@const struct lk_wire_message @message@__wire = {\n"
		"\t.descriptor = &@message@__descriptor,\n",
		variables);
	if (message->n_fields > 0) {
		lk_text_expand(text, "\t.fields = @message@__wire_fields,\n", variables);
	}
	lk_text_add(text, "};\n");
}

/* A set of messages, as large as the model has messages at most. */
struct message_set {
	const struct lk_proto_message **messages;
	size_t n_messages;
};

static void add_once(struct message_set *set, const struct lk_proto_message *message)
{
	for (size_t i = 0; i < set->n_messages; i++) {
		if (set->messages[i] == message) {
			return;
		}
	}
	set->messages[set->n_messages++] = message;
}

/* Adds what `message` needs of files that are not generated, each behind what it needs itself: no message contains itself. */
static void add_foreign(struct message_set *set, const struct lk_proto_message *message)
{
	for (size_t i = 0; i < message->n_fields; i++) {
		const struct lk_proto_message *needed = message->fields[i].message;

		if (needed && !needed->file->is_generated) {
			add_foreign(set, needed);
			add_once(set, needed);
		}
	}
}

static struct message_set foreign_messages(struct lk_emit *emit, const struct lk_proto_file *file)
{
	struct message_set set = {0};
	size_t n_all = 0;

	for (size_t i = 0; i < emit->model->n_files; i++) {
		n_all += emit->model->files[i].n_messages;
	}
	set.messages = lk_pool_array(emit->pool, n_all, sizeof(*set.messages));
	for (size_t i = 0; i < file->n_messages; i++) {
		add_foreign(&set, &file->messages[i]);
	}
	return set;
}

/* Whether a message of `file` has a field of a type of `other`. */
static bool needs_types_of(const struct lk_proto_file *file, const struct lk_proto_file *other)
{
	for (size_t i = 0; i < file->n_messages; i++) {
		for (size_t j = 0; j < file->messages[i].n_fields; j++) {
			const struct lk_proto_message *message = file->messages[i].fields[j].message;

			if (message && message->file == other) {
				return true;
			}
		}
	}
	return false;
}

static void emit_includes(struct lk_emit *emit, struct lk_text *text, const struct lk_proto_file *file)
{
	bool is_first = true;

	for (size_t i = 0; i < emit->model->n_files; i++) {
		const struct lk_proto_file *other = &emit->model->files[i];

		if (other == file || !needs_types_of(file, other)) {
			continue;
		}
		LK_TEXT_EXPAND(text, "@space@#include \"@stem@.@kind@.h\"\n", {"space", is_first ? "\n" : ""},
			{"stem", other->stem}, {"kind", other->is_generated ? "wire" : "pb-c"});
		is_first = false;
	}
}

void lk_emit_wire(struct lk_emit *emit, const struct lk_proto_file *file)
{
	const struct message_set foreign = foreign_messages(emit, file);
	const struct lk_emit_unit unit = {
		.stem = lk_pool_printf(emit->pool, "%s.wire", file->stem),
		.from = file->element.name,
		.purpose = "How messages must look on the wire, as their options say; see server/service/method.h.",
		.includes = lk_pool_printf(emit->pool,
			"#include \"%s.pb-c.h\"\n"
			"#include \"server/service/method.h\"\n",
			file->stem),
	};
	struct lk_text *text;

	text = lk_emit_header(emit, &unit);
	lk_text_add(text, "\n");
	for (size_t i = 0; i < file->n_messages; i++) {
		LK_TEXT_EXPAND(text, "extern const struct lk_wire_message @message@__wire;\n",
			{"message", file->messages[i].c_lower});
	}
	lk_emit_header_end(text, &unit);

	text = lk_emit_source(emit, &unit);
	emit_includes(emit, text, file);
	for (size_t i = 0; i < foreign.n_messages; i++) {
		emit_message(emit, text, foreign.messages[i], "static ");
	}
	for (size_t i = 0; i < file->n_messages; i++) {
		emit_message(emit, text, &file->messages[i], "");
	}
}
