#include "tools/protoc-gen-latchkey/read.h"

#include <stdlib.h>
#include <string.h>

#include "tools/protoc-gen-latchkey/names.h"
#include "tools/protoc-gen-latchkey/source.h"

/* The numbers of descriptor.proto's repeated fields, of which the paths of SourceCodeInfo are made. */
enum {
	FILE_MESSAGE = 4,
	FILE_ENUM = 5,
	FILE_SERVICE = 6,
	FILE_SYNTAX = 12,
	MESSAGE_FIELD = 2,
	MESSAGE_NESTED = 3,
	MESSAGE_ENUM = 4,
	MESSAGE_ONEOF = 8,
	ENUM_VALUE = 2,
	SERVICE_METHOD = 2,
};

typedef Google__Protobuf__FileDescriptorProto file_descriptor;
typedef Google__Protobuf__DescriptorProto message_descriptor;
typedef Google__Protobuf__FieldDescriptorProto field_descriptor;
typedef Google__Protobuf__EnumDescriptorProto enum_descriptor;
typedef Google__Protobuf__ServiceDescriptorProto service_descriptor;
typedef Google__Protobuf__MethodDescriptorProto method_descriptor;

struct reader {
	struct lk_pool *pool;
	struct lk_report *report;
	struct lk_proto_file *file;
};

static const char *join(struct lk_pool *pool, const char *scope, const char *name)
{
	return *scope ? lk_pool_printf(pool, "%s.%s", scope, name) : name;
}

static struct lk_proto_element read_element(
	const struct reader *reader, const char *scope, const char *name, const struct lk_source_path *path)
{
	const file_descriptor *descriptor = reader->file->descriptor;

	return (struct lk_proto_element){
		.name = name,
		.full_name = join(reader->pool, scope, name),
		.comment = lk_source_comment(reader->pool, descriptor, path),
		.origin = lk_source_origin(descriptor, path),
	};
}

static void read_enum(const struct reader *reader, const char *scope, const enum_descriptor *descriptor,
	const struct lk_source_path *path)
{
	struct lk_proto_enum *result = &reader->file->enums[reader->file->n_enums++];

	result->element = read_element(reader, scope, descriptor->name, path);
	result->file = reader->file;
	result->prefix = lk_pool_printf(reader->pool, "%s_", lk_names_upper_snake(reader->pool, descriptor->name));
	result->values = lk_pool_array(reader->pool, descriptor->n_value, sizeof(*result->values));
	result->n_values = descriptor->n_value;
	for (size_t i = 0; i < result->n_values; i++) {
		struct lk_source_path value = lk_source_child(path, ENUM_VALUE, i);

		/* A value's scope is its enum's, as in C++. */
		result->values[i].element = read_element(reader, scope, descriptor->value[i]->name, &value);
		result->values[i].number = descriptor->value[i]->number;
	}
}

static void read_field(const struct reader *reader, const struct lk_proto_message *message,
	const field_descriptor *descriptor, const struct lk_source_path *path, struct lk_proto_field *ret)
{
	ret->element = read_element(reader, message->element.full_name, descriptor->name, path);
	ret->number = descriptor->number;
	ret->type = descriptor->type;
	ret->type_name = descriptor->type_name;
	ret->is_repeated = descriptor->label == GOOGLE__PROTOBUF__FIELD_DESCRIPTOR_PROTO__LABEL__LABEL_REPEATED;
	ret->is_optional = descriptor->proto3_optional;
	/* protoc puts an optional field into a oneof of its own making. */
	if (descriptor->has_oneof_index && !ret->is_optional) {
		ret->oneof = &message->oneofs[descriptor->oneof_index];
	}
	if (reader->file->is_generated && descriptor->options) {
		ret->rule = lk_rules_of_field(reader->report, ret->element.origin, &descriptor->options->base);
	}
}

static int compare_numbers(const void *left, const void *right)
{
	const struct lk_proto_field *a = left;
	const struct lk_proto_field *b = right;

	return (a->number > b->number) - (a->number < b->number);
}

static void read_members(const struct reader *reader, struct lk_proto_message *message,
	const message_descriptor *descriptor, const struct lk_source_path *path)
{
	message->oneofs = lk_pool_array(reader->pool, descriptor->n_oneof_decl, sizeof(*message->oneofs));
	message->fields = lk_pool_array(reader->pool, descriptor->n_field, sizeof(*message->fields));
	message->n_fields = descriptor->n_field;
	for (size_t i = 0; i < descriptor->n_oneof_decl; i++) {
		struct lk_source_path oneof = lk_source_child(path, MESSAGE_ONEOF, i);

		message->oneofs[i].element = read_element(
			reader, message->element.full_name, descriptor->oneof_decl[i]->name, &oneof);
	}
	for (size_t i = 0; i < message->n_fields; i++) {
		struct lk_source_path field = lk_source_child(path, MESSAGE_FIELD, i);

		read_field(reader, message, descriptor->field[i], &field, &message->fields[i]);
		/* Those of protoc's making stand last. */
		if (message->fields[i].oneof && message->fields[i].oneof >= &message->oneofs[message->n_oneofs]) {
			message->n_oneofs = (size_t)(message->fields[i].oneof - message->oneofs) + 1;
		}
	}
	qsort(message->fields, message->n_fields, sizeof(*message->fields), compare_numbers);
}

static void read_message(const struct reader *reader, const char *scope, const message_descriptor *descriptor,
	const struct lk_source_path *path)
{
	struct lk_proto_message *message = &reader->file->messages[reader->file->n_messages++];

	message->element = read_element(reader, scope, descriptor->name, path);
	message->file = reader->file;
	message->is_map_entry = descriptor->options && descriptor->options->map_entry;
	message->c_type = lk_names_c_type(reader->pool, message->element.full_name);
	message->c_lower = lk_names_c_lower(reader->pool, message->element.full_name);
	read_members(reader, message, descriptor, path);
	for (size_t i = 0; i < descriptor->n_nested_type; i++) {
		struct lk_source_path nested = lk_source_child(path, MESSAGE_NESTED, i);

		read_message(reader, message->element.full_name, descriptor->nested_type[i], &nested);
	}
	for (size_t i = 0; i < descriptor->n_enum_type; i++) {
		struct lk_source_path nested = lk_source_child(path, MESSAGE_ENUM, i);

		read_enum(reader, message->element.full_name, descriptor->enum_type[i], &nested);
	}
}

static void read_method(const struct reader *reader, const struct lk_proto_service *service,
	const method_descriptor *descriptor, const struct lk_source_path *path, struct lk_proto_method *ret)
{
	const char *member = lk_names_snake(reader->pool, descriptor->name);

	ret->element = read_element(reader, service->element.full_name, descriptor->name, path);
	ret->service = service;
	ret->is_streaming = descriptor->client_streaming || descriptor->server_streaming;
	ret->wire_name = lk_pool_printf(reader->pool, "%s/%s", service->element.full_name, descriptor->name);
	ret->c_name = lk_pool_printf(reader->pool, "%s_%s", service->c_name, member);
	ret->c_member = lk_names_c_member(reader->pool, member);
	if (reader->file->is_generated && descriptor->options) {
		ret->rule = lk_rules_of_method(reader->report, ret->element.origin, &descriptor->options->base);
	}
}

static void read_service(
	const struct reader *reader, const service_descriptor *descriptor, const struct lk_source_path *path)
{
	struct lk_proto_service *service = &reader->file->services[reader->file->n_services++];
	const char *package = reader->file->package;
	const char *noun = lk_names_snake(reader->pool, lk_names_without_service(reader->pool, descriptor->name));

	service->element = read_element(reader, package, descriptor->name, path);
	service->c_name = lk_names_identifier(reader->pool, join(reader->pool, package, noun));
	service->methods = lk_pool_array(reader->pool, descriptor->n_method, sizeof(*service->methods));
	service->n_methods = descriptor->n_method;
	for (size_t i = 0; i < service->n_methods; i++) {
		struct lk_source_path method = lk_source_child(path, SERVICE_METHOD, i);

		read_method(reader, service, descriptor->method[i], &method, &service->methods[i]);
	}
}

/* Adds to the counts how many messages and enums there are in `descriptor`, itself included. */
static void count_types(const message_descriptor *descriptor, size_t *n_messages, size_t *n_enums)
{
	*n_messages += 1;
	*n_enums += descriptor->n_enum_type;
	for (size_t i = 0; i < descriptor->n_nested_type; i++) {
		count_types(descriptor->nested_type[i], n_messages, n_enums);
	}
}

static void allocate_types(const struct reader *reader)
{
	const file_descriptor *descriptor = reader->file->descriptor;
	size_t n_messages = 0;
	size_t n_enums = descriptor->n_enum_type;

	for (size_t i = 0; i < descriptor->n_message_type; i++) {
		count_types(descriptor->message_type[i], &n_messages, &n_enums);
	}
	reader->file->messages = lk_pool_array(reader->pool, n_messages, sizeof(struct lk_proto_message));
	reader->file->enums = lk_pool_array(reader->pool, n_enums, sizeof(struct lk_proto_enum));
	reader->file->services = lk_pool_array(reader->pool, descriptor->n_service, sizeof(struct lk_proto_service));
}

static bool is_listed(const Google__Protobuf__Compiler__CodeGeneratorRequest *request, const char *name)
{
	for (size_t i = 0; i < request->n_file_to_generate; i++) {
		if (strcmp(request->file_to_generate[i], name) == 0) {
			return true;
		}
	}
	return false;
}

/* What concerns the file as a whole. Its origin is that of its syntax, for want of a better place. */
static void read_head(const struct reader *reader, const file_descriptor *descriptor, bool is_wanted)
{
	static const char suffix[] = ".proto";
	const struct lk_source_path top = {0};
	struct lk_source_path syntax = lk_source_field(&top, FILE_SYNTAX);
	struct lk_proto_file *file = reader->file;
	size_t len = strlen(descriptor->name);

	file->descriptor = descriptor;
	file->element = read_element(reader, "", descriptor->name, &syntax);
	file->package = descriptor->package ? descriptor->package : "";
	file->is_proto3 = descriptor->syntax && strcmp(descriptor->syntax, "proto3") == 0;
	if (len > sizeof(suffix) - 1 && strcmp(descriptor->name + len - (sizeof(suffix) - 1), suffix) == 0) {
		len -= sizeof(suffix) - 1;
	}
	file->stem = lk_pool_text(reader->pool, descriptor->name, len);
	if (descriptor->options &&
		lk_rules_no_generate(reader->report, file->element.origin, &descriptor->options->base)) {
		is_wanted = false;
	}
	file->is_generated = is_wanted;
}

static void read_file(const struct reader *reader)
{
	const file_descriptor *descriptor = reader->file->descriptor;
	const char *package = reader->file->package;
	const struct lk_source_path top = {0};

	allocate_types(reader);
	for (size_t i = 0; i < descriptor->n_message_type; i++) {
		struct lk_source_path path = lk_source_child(&top, FILE_MESSAGE, i);

		read_message(reader, package, descriptor->message_type[i], &path);
	}
	for (size_t i = 0; i < descriptor->n_enum_type; i++) {
		struct lk_source_path path = lk_source_child(&top, FILE_ENUM, i);

		read_enum(reader, package, descriptor->enum_type[i], &path);
	}
	for (size_t i = 0; i < descriptor->n_service; i++) {
		struct lk_source_path path = lk_source_child(&top, FILE_SERVICE, i);

		read_service(reader, descriptor->service[i], &path);
	}
}

static const struct lk_proto_enum *find_enum(const struct lk_model *model, const char *full_name)
{
	for (size_t i = 0; i < model->n_files; i++) {
		for (size_t j = 0; j < model->files[i].n_enums; j++) {
			if (strcmp(model->files[i].enums[j].element.full_name, full_name) == 0) {
				return &model->files[i].enums[j];
			}
		}
	}
	return NULL;
}

static void resolve_field(const struct lk_model *model, struct lk_proto_field *field)
{
	if (!field->type_name) {
		return;
	}
	/* protoc writes full names, with a leading dot. */
	field->message = lk_model_message(model, field->type_name + 1);
	field->enumeration = find_enum(model, field->type_name + 1);
	field->is_map = field->message && field->message->is_map_entry;
}

/* The types that fields and methods name may stand in any file, and further down in their own. */
static void resolve_types(const struct lk_model *model, struct lk_proto_file *file)
{
	for (size_t i = 0; i < file->n_messages; i++) {
		for (size_t j = 0; j < file->messages[i].n_fields; j++) {
			resolve_field(model, &file->messages[i].fields[j]);
		}
	}
	for (size_t i = 0; i < file->n_services; i++) {
		for (size_t j = 0; j < file->services[i].n_methods; j++) {
			const method_descriptor *descriptor = file->descriptor->service[i]->method[j];
			struct lk_proto_method *method = &file->services[i].methods[j];

			method->request = lk_model_message(model, descriptor->input_type + 1);
			method->response = lk_model_message(model, descriptor->output_type + 1);
		}
	}
}

static size_t count_methods(const struct lk_proto_file *file)
{
	size_t n_methods = 0;

	for (size_t i = 0; i < file->n_services; i++) {
		n_methods += file->services[i].n_methods;
	}
	return n_methods;
}

static void gather_methods(struct lk_model *model)
{
	size_t n_methods = 0;

	for (size_t i = 0; i < model->n_files; i++) {
		n_methods += count_methods(&model->files[i]);
	}
	model->methods = lk_pool_array(model->pool, n_methods, sizeof(*model->methods));
	for (size_t i = 0; i < model->n_files; i++) {
		const struct lk_proto_file *file = &model->files[i];

		for (size_t j = 0; file->is_generated && j < file->n_services; j++) {
			for (size_t k = 0; k < file->services[j].n_methods; k++) {
				model->methods[model->n_methods++] = &file->services[j].methods[k];
			}
		}
	}
}

void lk_model_read(
	struct lk_report *report, const Google__Protobuf__Compiler__CodeGeneratorRequest *request, struct lk_model *ret)
{
	*ret = (struct lk_model){.pool = report->pool, .n_files = request->n_proto_file};
	ret->files = lk_pool_array(report->pool, ret->n_files, sizeof(*ret->files));
	for (size_t i = 0; i < ret->n_files; i++) {
		struct reader reader = {.pool = report->pool, .report = report, .file = &ret->files[i]};

		read_head(&reader, request->proto_file[i], is_listed(request, request->proto_file[i]->name));
		read_file(&reader);
		if (!ret->first && reader.file->is_generated) {
			ret->first = reader.file;
		}
	}
	for (size_t i = 0; i < ret->n_files; i++) {
		resolve_types(ret, &ret->files[i]);
	}
	gather_methods(ret);
}
