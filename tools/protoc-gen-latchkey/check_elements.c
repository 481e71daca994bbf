#include "tools/protoc-gen-latchkey/check.h"

#include <ctype.h>
#include <string.h>

static void check_comment(struct lk_report *report, const char *kind, const struct lk_proto_element *element)
{
	if (!element->comment) {
		lk_report_add(report, element->origin, "%s \"%s\" has no comment; say above it what it is for", kind,
			element->full_name);
	}
}

/* The end of a word of lower-case letters, digits, '_' and '-'; NULL where none begins at `text`. */
static const char *skip_word(const char *text)
{
	if (!islower((unsigned char)*text)) {
		return NULL;
	}
	while (islower((unsigned char)*text) || isdigit((unsigned char)*text) || *text == '_' || *text == '-') {
		text++;
	}
	return text;
}

/* "public", "caller", or noun.verb. */
static bool is_access(const char *access)
{
	const char *dot = skip_word(access);
	const char *end;

	if (strcmp(access, "public") == 0 || strcmp(access, "caller") == 0) {
		return true;
	}
	if (!dot || *dot != '.') {
		return false;
	}
	end = skip_word(dot + 1);
	return end && *end == '\0';
}

static void check_rule(struct lk_report *report, const struct lk_proto_method *method)
{
	const struct lk_method_rule *rule = &method->rule;
	const struct lk_proto_element *element = &method->element;

	if (!rule->is_given) {
		lk_report_add(report, element->origin,
			"rpc \"%s\" does not say who may call it; add option (latchkey.v1.method) = {access: "
			"\"noun.verb\", "
			"effect: EFFECT_READ} "
			"or what is right, from latchkey/v1/options.proto",
			element->full_name);
		return;
	}
	if (!rule->access) {
		lk_report_add(report, element->origin,
			"rpc \"%s\" has no access; set it to the right that a caller needs, noun.verb, or \"caller\" "
			"or \"public\"",
			element->full_name);
	} else if (!is_access(rule->access)) {
		lk_report_add(report, element->origin,
			"rpc \"%s\" has the access \"%s\", which is none; set it to noun.verb in lower case, "
			"\"caller\" or \"public\"",
			element->full_name, rule->access);
	}
	if (rule->effect == LK_RULE_EFFECT_UNSPECIFIED) {
		lk_report_add(report, element->origin,
			"rpc \"%s\" has no effect; set it to EFFECT_READ, EFFECT_WRITE, EFFECT_SCAN or EFFECT_BULK",
			element->full_name);
	}
}

/* A message of another package cannot grow with the method, and has no wire rules. */
static void check_own(struct lk_report *report, const struct lk_proto_method *method, const char *does,
	const struct lk_proto_message *message)
{
	if (!message->file->is_generated) {
		lk_report_add(report, method->element.origin,
			"rpc \"%s\" %s \"%s\", which is not made in this run; give it a message of its own package",
			method->element.full_name, does, message->element.full_name);
	}
}

static void check_method(struct lk_report *report, const struct lk_proto_method *method)
{
	const struct lk_proto_element *element = &method->element;

	check_comment(report, "rpc", element);
	check_rule(report, method);
	if (method->is_streaming) {
		lk_report_add(report, element->origin,
			"rpc \"%s\" streams; make it one request and one response, in pages where there is much to say",
			element->full_name);
	}
	check_own(report, method, "takes", method->request);
	check_own(report, method, "returns", method->response);
}

static void check_service(struct lk_report *report, const struct lk_proto_service *service)
{
	check_comment(report, "service", &service->element);
	if (service->n_methods == 0) {
		lk_report_add(report, service->element.origin,
			"service \"%s\" has no rpc; add one or remove the service", service->element.full_name);
	}
	for (size_t i = 0; i < service->n_methods; i++) {
		check_method(report, &service->methods[i]);
	}
}

static bool has_length(const struct lk_proto_field *field)
{
	return field->type == GOOGLE__PROTOBUF__FIELD_DESCRIPTOR_PROTO__TYPE__TYPE_STRING ||
	       field->type == GOOGLE__PROTOBUF__FIELD_DESCRIPTOR_PROTO__TYPE__TYPE_BYTES;
}

static bool is_timestamp(const struct lk_proto_field *field)
{
	return field->message && strcmp(field->message->element.full_name, "google.protobuf.Timestamp") == 0;
}

/* What a rule says of the field's flag must be possible, and be said once. */
static void check_flag_rules(struct lk_report *report, const struct lk_proto_field *field)
{
	const struct lk_proto_element *element = &field->element;
	const char *superfluous = field->rule.no_flag ? "no_flag" : field->rule.output_only ? "output_only" : NULL;

	if (field->rule.secret && superfluous) {
		lk_report_add(report, element->origin,
			"field \"%s\" is secret and %s; secret alone keeps it off the command line: leave %s out",
			element->full_name, superfluous, superfluous);
	}
	if (field->rule.ago && !is_timestamp(field)) {
		lk_report_add(report, element->origin,
			"field \"%s\" has ago and is no google.protobuf.Timestamp, which alone can be given as a span "
			"from now; leave it out",
			element->full_name);
	}
}

static void check_field(struct lk_report *report, const struct lk_proto_field *field)
{
	const struct lk_proto_element *element = &field->element;

	check_comment(report, "field", element);
	if (field->is_optional) {
		lk_report_add(report, element->origin,
			"field \"%s\" is optional, which protobuf-c does not know in proto3; leave the word out, and "
			"tell absence by a "
			"message, a oneof or an update mask",
			element->full_name);
	}
	if (field->rule.max_items > 0 && !field->is_repeated) {
		lk_report_add(report, element->origin,
			"field \"%s\" has max_items and is not repeated; leave it out, or make the field repeated",
			element->full_name);
	}
	if (field->rule.max_length > 0 && !has_length(field)) {
		lk_report_add(report, element->origin,
			"field \"%s\" has max_length and is neither string nor bytes; leave it out",
			element->full_name);
	}
	if (field->rule.apart && (!field->message || field->is_map)) {
		lk_report_add(report, element->origin, "field \"%s\" has apart and is no message; leave it out",
			element->full_name);
	}
	check_flag_rules(report, field);
}

static void check_message(struct lk_report *report, const struct lk_proto_message *message)
{
	/* protoc makes it for a map, and nobody can comment it. */
	if (message->is_map_entry) {
		return;
	}
	check_comment(report, "message", &message->element);
	for (size_t i = 0; i < message->n_oneofs; i++) {
		check_comment(report, "oneof", &message->oneofs[i].element);
	}
	for (size_t i = 0; i < message->n_fields; i++) {
		check_field(report, &message->fields[i]);
	}
}

static void check_enum(struct lk_report *report, const struct lk_proto_enum *enumeration)
{
	const struct lk_proto_value *first = &enumeration->values[0];
	const char *unspecified = lk_pool_printf(report->pool, "%sUNSPECIFIED", enumeration->prefix);

	check_comment(report, "enum", &enumeration->element);
	if (first->number != 0 || strcmp(first->element.name, unspecified) != 0) {
		lk_report_add(report, first->element.origin, "enum \"%s\" begins with %s = %d; begin it with %s = 0",
			enumeration->element.full_name, first->element.name, first->number, unspecified);
	}
	for (size_t i = 0; i < enumeration->n_values; i++) {
		const struct lk_proto_element *value = &enumeration->values[i].element;

		check_comment(report, "value", value);
		if (strncmp(value->name, enumeration->prefix, strlen(enumeration->prefix)) != 0) {
			lk_report_add(report, value->origin,
				"value \"%s\" does not begin with the name of its enum; name it %s%s", value->full_name,
				enumeration->prefix, value->name);
		}
	}
}

static void check_file(struct lk_report *report, const struct lk_model *model, const struct lk_proto_file *file)
{
	const struct lk_origin origin = file->element.origin;

	if (!file->is_proto3) {
		lk_report_add(report, origin,
			"the file is not of proto3, which alone has no groups, required fields and defaults; begin it "
			"with "
			"syntax = \"proto3\"");
		return;
	}
	if (*file->package == '\0') {
		lk_report_add(report, origin, "the file has no package; name one, such as package latchkey.v1");
	}
	if (strcmp(file->package, model->first->package) != 0) {
		lk_report_add(report, origin,
			"package \"%s\" is not that of %s, which is made in the same run; run protoc once for each "
			"package",
			file->package, model->first->element.name);
	}
	if (file->descriptor->n_extension > 0) {
		lk_report_add(
			report, origin, "the file has extensions, which protobuf-c does not know; leave them out");
	}
	for (size_t i = 0; i < file->n_services; i++) {
		check_service(report, &file->services[i]);
	}
	for (size_t i = 0; i < file->n_messages; i++) {
		check_message(report, &file->messages[i]);
	}
	for (size_t i = 0; i < file->n_enums; i++) {
		check_enum(report, &file->enums[i]);
	}
}

void lk_check_elements(struct lk_report *report, const struct lk_model *model)
{
	for (size_t i = 0; i < model->n_files; i++) {
		if (model->files[i].is_generated) {
			check_file(report, model, &model->files[i]);
		}
	}
}
