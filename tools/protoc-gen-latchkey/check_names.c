/* Clashes: every name that the generator or protoc-c will give to something in C, claimed once. */
#include "tools/protoc-gen-latchkey/check.h"

#include <stdlib.h>
#include <string.h>

#include "tools/protoc-gen-latchkey/calls.h"
#include "tools/protoc-gen-latchkey/names.h"

struct claim {
	const char *name;
	const struct lk_proto_element *by;
};

/* The names of one scope of C: all that is global, or the members of one struct. */
struct scope {
	struct lk_report *report;
	struct claim *claims;
	size_t n_claims;
	size_t size;
};

/* What a method's name is the beginning of, and a service's: see the emitters. */
static const char *const method_suffixes[] = {
	"", "_method", "_start", "_done", "_done_fn", "_answer", "_build", "_reply", "_flags"};
static const char *const service_suffixes[] = {"_handlers", "_service", "_methods", "_cli", "_cli_methods"};

/* False where another has it, which is a fault then. */
static bool claim(struct scope *scope, const char *name, const struct lk_proto_element *by)
{
	for (size_t i = 0; i < scope->n_claims; i++) {
		const struct claim *earlier = &scope->claims[i];

		if (strcmp(earlier->name, name) != 0 || earlier->by == by) {
			continue;
		}
		lk_report_add(scope->report, by->origin, "\"%s\" and \"%s\" (%s:%d) would both be %s in C; rename one",
			by->full_name, earlier->by->full_name, earlier->by->origin.file, earlier->by->origin.line,
			name);
		return false;
	}
	if (scope->n_claims == scope->size) {
		scope->size = 2 * scope->size + 64;
		scope->claims = lk_pool_grow(scope->claims, scope->size * sizeof(*scope->claims));
	}
	scope->claims[scope->n_claims++] = (struct claim){name, by};
	return true;
}

/* Claims the names up to the first that another has: the others would say the same of the same two. */
static void claim_suffixed(struct scope *scope, const char *name, const char *const *suffixes, size_t n_suffixes,
	const struct lk_proto_element *by)
{
	for (size_t i = 0; i < n_suffixes; i++) {
		if (!claim(scope, lk_pool_printf(scope->report->pool, "%s%s", name, suffixes[i]), by)) {
			return;
		}
	}
}

/* A type, and what the names of its functions and descriptor begin with. */
static void claim_type(struct scope *scope, const struct lk_proto_element *type)
{
	if (claim(scope, lk_names_c_type(scope->report->pool, type->full_name), type)) {
		claim(scope, lk_names_c_lower(scope->report->pool, type->full_name), type);
	}
}

static void claim_message(struct scope *scope, const struct lk_proto_message *message)
{
	struct lk_pool *pool = scope->report->pool;

	claim_type(scope, &message->element);
	for (size_t i = 0; i < message->n_oneofs; i++) {
		const struct lk_proto_element *oneof = &message->oneofs[i].element;

		claim(scope, lk_pool_printf(pool, "%sCase", lk_names_c_type(pool, oneof->full_name)), oneof);
	}
}

static void claim_service(struct scope *scope, const struct lk_proto_service *service)
{
	claim_suffixed(scope, service->c_name, service_suffixes, sizeof(service_suffixes) / sizeof(service_suffixes[0]),
		&service->element);
	for (size_t i = 0; i < service->n_methods; i++) {
		claim_suffixed(scope, service->methods[i].c_name, method_suffixes,
			sizeof(method_suffixes) / sizeof(method_suffixes[0]), &service->methods[i].element);
	}
}

/* calls.proto has messages of its own, in the same package. */
static void claim_calls(struct scope *scope, const struct lk_model *model)
{
	struct lk_pool *pool = scope->report->pool;

	if (!model->first || !lk_calls_envelope_of(model).request) {
		return;
	}
	for (size_t i = 0; i < model->n_methods; i++) {
		const struct lk_proto_method *method = model->methods[i];
		const char *names[] = {lk_calls_request_name(pool, method), lk_calls_response_name(pool, method)};

		for (size_t j = 0; j < 2; j++) {
			const char *full_name = lk_pool_printf(pool, "%s.%s", model->first->package, names[j]);

			claim(scope, lk_names_c_type(pool, full_name), &method->element);
		}
	}
}

static void check_members(struct lk_report *report, const struct lk_proto_message *message)
{
	struct scope scope = {.report = report};

	for (size_t i = 0; i < message->n_oneofs; i++) {
		const struct lk_proto_element *oneof = &message->oneofs[i].element;

		claim(&scope, lk_pool_printf(report->pool, "%s_case", lk_names_lower(report->pool, oneof->name)),
			oneof);
	}
	for (size_t i = 0; i < message->n_fields; i++) {
		const struct lk_proto_element *field = &message->fields[i].element;
		const char *member = lk_names_c_member(report->pool, field->name);

		if (strcmp(member, "base") == 0) {
			lk_report_add(report, field->origin,
				"field \"%s\" has the name of what every message of protobuf-c begins with; rename it",
				field->full_name);
		}
		claim(&scope, member, field);
		if (message->fields[i].is_repeated) {
			claim(&scope, lk_pool_printf(report->pool, "n_%s", member), field);
		}
	}
	free(scope.claims);
}

static void check_handlers(struct lk_report *report, const struct lk_proto_service *service)
{
	struct scope scope = {.report = report};

	for (size_t i = 0; i < service->n_methods; i++) {
		claim(&scope, service->methods[i].c_member, &service->methods[i].element);
	}
	free(scope.claims);
}

static void check_file(struct scope *global, const struct lk_proto_file *file)
{
	for (size_t i = 0; i < file->n_messages; i++) {
		claim_message(global, &file->messages[i]);
		check_members(global->report, &file->messages[i]);
	}
	for (size_t i = 0; i < file->n_enums; i++) {
		claim_type(global, &file->enums[i].element);
	}
	for (size_t i = 0; i < file->n_services; i++) {
		claim_service(global, &file->services[i]);
		check_handlers(global->report, &file->services[i]);
	}
}

void lk_check_names(struct lk_report *report, const struct lk_model *model)
{
	struct scope global = {.report = report};

	for (size_t i = 0; i < model->n_files; i++) {
		if (model->files[i].is_generated) {
			check_file(&global, &model->files[i]);
		}
	}
	claim_calls(&global, model);
	free(global.claims);
}
