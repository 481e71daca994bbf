/* Recursion: a walk over the messages in depth; a field that leads back to a message that the walk is in closes a cycle. */
#include "tools/protoc-gen-latchkey/check.h"

struct step {
	const struct lk_proto_message *message;
	/* The field by which the walk goes on. */
	const struct lk_proto_field *field;
};

struct walk {
	struct lk_report *report;
	struct step *path;
	size_t depth;
	/* Those whose fields were all followed. */
	const struct lk_proto_message **finished;
	size_t n_finished;
	bool found;
};

static bool is_finished(const struct walk *walk, const struct lk_proto_message *message)
{
	for (size_t i = 0; i < walk->n_finished; i++) {
		if (walk->finished[i] == message) {
			return true;
		}
	}
	return false;
}

/* Reports the cycle from step `start` on, at its last field that stands in a file that is generated. */
static void report_cycle(struct walk *walk, size_t start)
{
	struct lk_pool *pool = walk->report->pool;
	const struct lk_proto_element *at = &walk->path[0].field->element;
	const char *way = walk->path[start].field->element.full_name;

	for (size_t i = start + 1; i < walk->depth; i++) {
		way = lk_pool_printf(pool, "%s -> %s", way, walk->path[i].field->element.full_name);
	}
	for (size_t i = 0; i < walk->depth; i++) {
		if (walk->path[i].message->file->is_generated && !walk->path[i].message->is_map_entry) {
			at = &walk->path[i].field->element;
		}
	}
	lk_report_add(walk->report, at->origin,
		"message \"%s\" contains itself, by %s, and a message without an end cannot be checked; name the inner "
		"one by its id",
		walk->path[start].message->element.full_name, way);
	walk->found = true;
}

static void visit(struct walk *walk, const struct lk_proto_message *message)
{
	struct step *step = &walk->path[walk->depth];

	for (size_t i = 0; i < walk->depth; i++) {
		if (walk->path[i].message == message) {
			report_cycle(walk, i);
			return;
		}
	}
	if (is_finished(walk, message)) {
		return;
	}
	walk->depth++;
	step->message = message;
	for (size_t i = 0; i < message->n_fields; i++) {
		step->field = &message->fields[i];
		if (step->field->message) {
			visit(walk, step->field->message);
		}
	}
	walk->depth--;
	walk->finished[walk->n_finished++] = message;
}

static size_t count_messages(const struct lk_model *model)
{
	size_t n_messages = 0;

	for (size_t i = 0; i < model->n_files; i++) {
		n_messages += model->files[i].n_messages;
	}
	return n_messages;
}

bool lk_check_cycles(struct lk_report *report, const struct lk_model *model)
{
	const size_t n_messages = count_messages(model);
	struct walk walk = {
		.report = report,
		.path = lk_pool_array(report->pool, n_messages, sizeof(*walk.path)),
		.finished = lk_pool_array(report->pool, n_messages, sizeof(*walk.finished)),
	};

	for (size_t i = 0; i < model->n_files; i++) {
		for (size_t j = 0; model->files[i].is_generated && j < model->files[i].n_messages; j++) {
			visit(&walk, &model->files[i].messages[j]);
		}
	}
	return !walk.found;
}
