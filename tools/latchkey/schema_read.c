#include "tools/latchkey/schema_read.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/varint.h"

typedef Google__Protobuf__FileDescriptorProto file_proto;
typedef Google__Protobuf__DescriptorProto message_proto;
typedef Google__Protobuf__FieldDescriptorProto field_proto;
typedef Google__Protobuf__EnumDescriptorProto enum_proto;
typedef Google__Protobuf__ServiceDescriptorProto service_proto;
typedef Google__Protobuf__MethodDescriptorProto method_proto;

/* The number of latchkey.v1's own options, and the fields within them (options.proto). */
enum {
	option_number = 50001,
	option_access = 1,
	option_effect = 2,
	option_secret = 3,
};

static const int32_t field_number_max = 0x1fffffff;

static const struct {
	const char *name;
	enum lk_schema_form form;
} forms[] = {
	{"google.protobuf.Timestamp", LK_SCHEMA_TIMESTAMP},
	{"google.protobuf.Duration", LK_SCHEMA_DURATION},
	{"google.protobuf.FieldMask", LK_SCHEMA_MASK},
	{"google.protobuf.Any", LK_SCHEMA_UNSUPPORTED},
	{"google.protobuf.Struct", LK_SCHEMA_UNSUPPORTED},
	{"google.protobuf.Value", LK_SCHEMA_UNSUPPORTED},
	{"google.protobuf.ListValue", LK_SCHEMA_UNSUPPORTED},
	{"google.protobuf.DoubleValue", LK_SCHEMA_UNSUPPORTED},
	{"google.protobuf.FloatValue", LK_SCHEMA_UNSUPPORTED},
	{"google.protobuf.Int64Value", LK_SCHEMA_UNSUPPORTED},
	{"google.protobuf.UInt64Value", LK_SCHEMA_UNSUPPORTED},
	{"google.protobuf.Int32Value", LK_SCHEMA_UNSUPPORTED},
	{"google.protobuf.UInt32Value", LK_SCHEMA_UNSUPPORTED},
	{"google.protobuf.BoolValue", LK_SCHEMA_UNSUPPORTED},
	{"google.protobuf.StringValue", LK_SCHEMA_UNSUPPORTED},
	{"google.protobuf.BytesValue", LK_SCHEMA_UNSUPPORTED},
};

static enum lk_schema_form form_of(const char *full_name)
{
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		if (strcmp(forms[i].name, full_name) == 0) {
			return forms[i].form;
		}
	}
	return LK_SCHEMA_OBJECT;
}

static bool is_text(const char *text)
{
	return text != NULL && text[0] != '\0';
}

/* `scope`, `separator` and `name` in one; `name` alone where the scope is empty. NULL: out of memory. */
static char *join(const char *scope, char separator, const char *name)
{
	if (!is_text(scope)) {
		return strdup(name);
	}
	char *joined = NULL;
	return asprintf(&joined, "%s%c%s", scope, separator, name) < 0 ? NULL : joined;
}

/* Pass 1: how many of each there are, so that nothing moves afterwards. */
static void count_types(struct lk_schema *schema, message_proto *const *messages, size_t n_messages)
{
	schema->n_messages += n_messages;
	for (size_t i = 0; i < n_messages; i++) {
		schema->n_enums += messages[i]->n_enum_type;
		count_types(schema, messages[i]->nested_type, messages[i]->n_nested_type);
	}
}

static enum lk_err allocate(struct lk_schema *schema)
{
	for (size_t i = 0; i < schema->set->n_file; i++) {
		const file_proto *file = schema->set->file[i];
		count_types(schema, file->message_type, file->n_message_type);
		schema->n_enums += file->n_enum_type;
		for (size_t j = 0; j < file->n_service; j++) {
			schema->n_methods += file->service[j]->n_method;
		}
	}
	schema->messages = calloc(schema->n_messages + 1, sizeof(*schema->messages));
	schema->enums = calloc(schema->n_enums + 1, sizeof(*schema->enums));
	schema->methods = calloc(schema->n_methods + 1, sizeof(*schema->methods));
	if (schema->messages == NULL || schema->enums == NULL || schema->methods == NULL) {
		schema->n_messages = schema->n_enums = schema->n_methods = 0;
		return LK_NO_MEMORY;
	}
	return LK_OK;
}

/* Pass 2: the names of messages and enums, in the order in which they are met. */
struct namer {
	struct lk_schema_message_entry *next_message;
	struct lk_schema_enum *next_enum;
	bool is_proto3;
};

static enum lk_err read_enum(struct namer *namer, const char *scope, const enum_proto *proto)
{
	struct lk_schema_enum *enumeration = namer->next_enum++;
	if (!is_text(proto->name) || proto->n_value == 0) {
		return LK_PROTOCOL;
	}
	enumeration->name = join(scope, '.', proto->name);
	enumeration->values = calloc(proto->n_value, sizeof(*enumeration->values));
	if (enumeration->name == NULL || enumeration->values == NULL) {
		return LK_NO_MEMORY;
	}
	for (size_t i = 0; i < proto->n_value; i++) {
		if (!is_text(proto->value[i]->name)) {
			return LK_PROTOCOL;
		}
		enumeration->values[i].name = proto->value[i]->name;
		enumeration->values[i].number = proto->value[i]->number;
	}
	enumeration->n_values = proto->n_value;
	return LK_OK;
}

static enum lk_err name_enums(struct namer *namer, const char *scope, enum_proto *const *enums, size_t n_enums)
{
	enum lk_err err = LK_OK;
	for (size_t i = 0; err == LK_OK && i < n_enums; i++) {
		err = read_enum(namer, scope, enums[i]);
	}
	return err;
}

static enum lk_err name_messages(
	struct namer *namer, const char *scope, message_proto *const *messages, size_t n_messages)
{
	enum lk_err err = LK_OK;
	for (size_t i = 0; err == LK_OK && i < n_messages; i++) {
		const message_proto *proto = messages[i];
		struct lk_schema_message_entry *entry = namer->next_message++;
		if (!is_text(proto->name)) {
			return LK_PROTOCOL;
		}
		entry->proto = proto;
		entry->is_proto3 = namer->is_proto3;
		entry->message.name = join(scope, '.', proto->name);
		if (entry->message.name == NULL) {
			return LK_NO_MEMORY;
		}
		entry->message.form = form_of(entry->message.name);
		entry->message.is_map_entry = proto->options != NULL && proto->options->map_entry;
		err = name_enums(namer, entry->message.name, proto->enum_type, proto->n_enum_type);
		if (err == LK_OK) {
			err = name_messages(namer, entry->message.name, proto->nested_type, proto->n_nested_type);
		}
	}
	return err;
}

static int compare_messages(const void *a, const void *b)
{
	return strcmp(((const struct lk_schema_message_entry *)a)->message.name,
		((const struct lk_schema_message_entry *)b)->message.name);
}

static int compare_enums(const void *a, const void *b)
{
	return strcmp(((const struct lk_schema_enum *)a)->name, ((const struct lk_schema_enum *)b)->name);
}

static int compare_methods(const void *a, const void *b)
{
	return strcmp(((const struct lk_schema_method *)a)->name, ((const struct lk_schema_method *)b)->name);
}

/* Sorts by name; LK_PROTOCOL where two have the same. */
static enum lk_err sort(void *table, size_t count, size_t size, int (*compare)(const void *a, const void *b))
{
	qsort(table, count, size, compare);
	for (size_t i = 1; i < count; i++) {
		if (compare((char *)table + (i - 1) * size, (char *)table + i * size) == 0) {
			return LK_PROTOCOL;
		}
	}
	return LK_OK;
}

static enum lk_err name_types(struct lk_schema *schema)
{
	struct namer namer = {.next_message = schema->messages, .next_enum = schema->enums};
	enum lk_err err = LK_OK;
	for (size_t i = 0; err == LK_OK && i < schema->set->n_file; i++) {
		const file_proto *file = schema->set->file[i];
		namer.is_proto3 = file->syntax != NULL && strcmp(file->syntax, "proto3") == 0;
		err = name_enums(&namer, file->package, file->enum_type, file->n_enum_type);
		if (err == LK_OK) {
			err = name_messages(&namer, file->package, file->message_type, file->n_message_type);
		}
	}
	if (err == LK_OK) {
		err = sort(schema->messages, schema->n_messages, sizeof(*schema->messages), compare_messages);
	}
	return err != LK_OK ? err : sort(schema->enums, schema->n_enums, sizeof(*schema->enums), compare_enums);
}

/* The bytes of our option among those that protobuf-c does not know; false where it is not there. */
static bool find_option(const ProtobufCMessage *options, const uint8_t **ret_data, size_t *ret_len)
{
	for (size_t i = 0; options != NULL && i < options->n_unknown_fields; i++) {
		const ProtobufCMessageUnknownField *field = &options->unknown_fields[i];
		const uint8_t *at = field->data;
		if (field->tag == option_number && field->wire_type == PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED) {
			return lk_varint_get_bytes(&at, field->data + field->len, ret_data, ret_len);
		}
	}
	return false;
}

/* One field of our option: its varint, or its bytes. False at the end, and where the rest is none. */
struct option_field {
	uint32_t number;
	uint64_t value;
	const uint8_t *data;
	size_t len;
};

static bool next_option_field(const uint8_t **at, const uint8_t *end, struct option_field *ret)
{
	enum lk_wire_type type = LK_WIRE_VARINT;
	*ret = (struct option_field){0};
	if (*at == end || !lk_varint_get_tag(at, end, &ret->number, &type)) {
		return false;
	}
	if (type == LK_WIRE_VARINT) {
		return lk_varint_get(at, end, &ret->value);
	}
	if (type == LK_WIRE_BYTES) {
		return lk_varint_get_bytes(at, end, &ret->data, &ret->len);
	}
	return lk_varint_skip(at, end, type);
}

static bool is_secret(const field_proto *proto)
{
	const uint8_t *at = NULL;
	size_t len = 0;
	struct option_field option;
	bool secret = false;
	if (proto->options == NULL || !find_option(&proto->options->base, &at, &len)) {
		return false;
	}
	for (const uint8_t *end = at + len; next_option_field(&at, end, &option);) {
		secret = option.number == option_secret ? option.value != 0 : secret;
	}
	return secret;
}

/* "create_time" as "createTime", as protoc makes a json_name. NULL: out of memory. */
static char *camel_case(const char *name)
{
	char *camel = strdup(name);
	size_t len = 0;
	for (bool upper = false; camel != NULL && *name != '\0'; name++) {
		if (*name == '_') {
			upper = true;
			continue;
		}
		camel[len++] = upper && *name >= 'a' && *name <= 'z' ? (char)(*name - 'a' + 'A') : *name;
		upper = false;
	}
	if (camel != NULL) {
		camel[len] = '\0';
	}
	return camel;
}

static bool can_be_packed(enum lk_schema_type type)
{
	return type != LK_SCHEMA_STRING && type != LK_SCHEMA_BYTES && type != LK_SCHEMA_MESSAGE;
}

/* The message or enum that the field is of; false where the set has none of that name. */
static bool resolve(const struct lk_schema *schema, const field_proto *proto, struct lk_schema_field *field)
{
	bool is_message = field->type == LK_SCHEMA_MESSAGE;
	if (!is_message && field->type != LK_SCHEMA_ENUM) {
		return true;
	}
	/* protoc names types in full, behind a dot. */
	if (proto->type_name == NULL || proto->type_name[0] != '.') {
		return false;
	}
	if (is_message) {
		field->message = lk_schema_message(schema, proto->type_name + 1);
		return field->message != NULL;
	}
	field->enumeration = lk_schema_enum_named(schema, proto->type_name + 1);
	return field->enumeration != NULL;
}

/* Groups are left out of the house: proto3 has none. */
static bool is_type(int type)
{
	return type >= LK_SCHEMA_DOUBLE && type <= LK_SCHEMA_SINT64 && type != LK_SCHEMA_GROUP;
}

static bool is_sound(const field_proto *proto, size_t n_oneofs)
{
	return is_text(proto->name) && proto->number >= 1 && proto->number <= field_number_max &&
	       is_type((int)proto->type) &&
	       (!proto->has_oneof_index || (proto->oneof_index >= 0 && (size_t)proto->oneof_index < n_oneofs));
}

static enum lk_err read_field(const struct lk_schema *schema, const struct lk_schema_message_entry *entry,
	const field_proto *proto, struct lk_schema_field *field)
{
	if (!is_sound(proto, entry->proto->n_oneof_decl)) {
		return LK_PROTOCOL;
	}
	field->name = proto->name;
	field->json_name = is_text(proto->json_name) ? strdup(proto->json_name) : camel_case(proto->name);
	if (field->json_name == NULL) {
		return LK_NO_MEMORY;
	}
	field->number = (uint32_t)proto->number;
	field->type = (enum lk_schema_type)proto->type;
	field->secret = is_secret(proto);
	if (!resolve(schema, proto, field)) {
		return LK_PROTOCOL;
	}
	field->repeated = proto->label == GOOGLE__PROTOBUF__FIELD_DESCRIPTOR_PROTO__LABEL__LABEL_REPEATED;
	field->map = field->repeated && field->message != NULL && field->message->is_map_entry;
	bool asks_packed = proto->options != NULL && proto->options->has_packed ? (bool)proto->options->packed
										: entry->is_proto3;
	field->packed = field->repeated && can_be_packed(field->type) && asks_packed;
	/* The oneof of a proto3 `optional` is a fiction of protoc's. */
	field->oneof = proto->has_oneof_index && !proto->proto3_optional ? proto->oneof_index : -1;
	field->has_presence = !field->repeated &&
			      (!entry->is_proto3 || proto->has_oneof_index || field->message != NULL);
	return LK_OK;
}

static int compare_fields(const void *a, const void *b)
{
	uint32_t first = ((const struct lk_schema_field *)a)->number;
	uint32_t second = ((const struct lk_schema_field *)b)->number;
	return (first > second) - (first < second);
}

static enum lk_err read_oneofs(struct lk_schema_message_entry *entry)
{
	struct lk_schema_message *message = &entry->message;
	message->oneofs = calloc(entry->proto->n_oneof_decl + 1, sizeof(*message->oneofs));
	if (message->oneofs == NULL) {
		return LK_NO_MEMORY;
	}
	for (size_t i = 0; i < entry->proto->n_oneof_decl; i++) {
		message->oneofs[i] = entry->proto->oneof_decl[i]->name == NULL ? "" : entry->proto->oneof_decl[i]->name;
	}
	message->n_oneofs = entry->proto->n_oneof_decl;
	return LK_OK;
}

/* Pass 3: the fields, whose types all have names by now. */
static enum lk_err read_fields(const struct lk_schema *schema, struct lk_schema_message_entry *entry)
{
	struct lk_schema_message *message = &entry->message;
	message->fields = calloc(entry->proto->n_field + 1, sizeof(*message->fields));
	if (message->fields == NULL) {
		return LK_NO_MEMORY;
	}
	message->n_fields = entry->proto->n_field;
	enum lk_err err = read_oneofs(entry);
	for (size_t i = 0; err == LK_OK && i < message->n_fields; i++) {
		err = read_field(schema, entry, entry->proto->field[i], &message->fields[i]);
	}
	return err != LK_OK ? err : sort(message->fields, message->n_fields, sizeof(*message->fields), compare_fields);
}

/* A map's entry has a scalar key at 1 and a value at 2: protoc sees to it, a stranger may not. */
static bool is_entry_sound(const struct lk_schema_message *message)
{
	if (!message->is_map_entry) {
		return true;
	}
	if (message->n_fields != 2 || message->fields[0].number != 1 || message->fields[1].number != 2) {
		return false;
	}
	const struct lk_schema_field *key = &message->fields[0];
	return !key->repeated && !message->fields[1].repeated && key->message == NULL && key->enumeration == NULL &&
	       key->type != LK_SCHEMA_DOUBLE && key->type != LK_SCHEMA_FLOAT && key->type != LK_SCHEMA_BYTES;
}

static enum lk_err read_rule(const method_proto *proto, struct lk_schema_method *method)
{
	const uint8_t *at = NULL;
	size_t len = 0;
	struct option_field option;
	const char *access = "";
	size_t access_len = 0;
	if (proto->options != NULL && find_option(&proto->options->base, &at, &len)) {
		for (const uint8_t *end = at + len; next_option_field(&at, end, &option);) {
			if (option.number == option_access && option.data != NULL) {
				access = (const char *)option.data;
				access_len = option.len;
			} else if (option.number == option_effect && option.value <= LK_SCHEMA_EFFECT_BULK) {
				method->effect = (enum lk_schema_effect)option.value;
			}
		}
	}
	/* Not strndup(): the option's bytes end without a NUL. */
	char *copy = calloc(1, access_len + 1);
	if (copy != NULL) {
		memcpy(copy, access, access_len);
	}
	method->access = copy;
	return copy == NULL ? LK_NO_MEMORY : LK_OK;
}

static enum lk_err read_method(
	const struct lk_schema *schema, const char *service, const method_proto *proto, struct lk_schema_method *method)
{
	if (!is_text(proto->name) || proto->input_type == NULL || proto->input_type[0] != '.' ||
		proto->output_type == NULL || proto->output_type[0] != '.') {
		return LK_PROTOCOL;
	}
	method->name = join(service, '/', proto->name);
	if (method->name == NULL) {
		return LK_NO_MEMORY;
	}
	method->input = lk_schema_message(schema, proto->input_type + 1);
	method->output = lk_schema_message(schema, proto->output_type + 1);
	return method->input == NULL || method->output == NULL ? LK_PROTOCOL : read_rule(proto, method);
}

static enum lk_err read_service(
	const struct lk_schema *schema, const char *package, const service_proto *proto, struct lk_schema_method **next)
{
	if (!is_text(proto->name)) {
		return LK_PROTOCOL;
	}
	char *service = join(package, '.', proto->name);
	if (service == NULL) {
		return LK_NO_MEMORY;
	}
	enum lk_err err = LK_OK;
	for (size_t i = 0; err == LK_OK && i < proto->n_method; i++) {
		err = read_method(schema, service, proto->method[i], (*next)++);
	}
	free(service);
	return err;
}

static enum lk_err read_services(struct lk_schema *schema)
{
	struct lk_schema_method *next = schema->methods;
	enum lk_err err = LK_OK;
	for (size_t i = 0; err == LK_OK && i < schema->set->n_file; i++) {
		const file_proto *file = schema->set->file[i];
		for (size_t j = 0; err == LK_OK && j < file->n_service; j++) {
			err = read_service(schema, file->package, file->service[j], &next);
		}
	}
	return err != LK_OK ? err : sort(schema->methods, schema->n_methods, sizeof(*schema->methods), compare_methods);
}

enum lk_err lk_schema_read(struct lk_schema *schema)
{
	enum lk_err err = allocate(schema);
	if (err == LK_OK) {
		err = name_types(schema);
	}
	for (size_t i = 0; err == LK_OK && i < schema->n_messages; i++) {
		err = read_fields(schema, &schema->messages[i]);
	}
	for (size_t i = 0; err == LK_OK && i < schema->n_messages; i++) {
		err = is_entry_sound(&schema->messages[i].message) ? LK_OK : LK_PROTOCOL;
	}
	return err != LK_OK ? err : read_services(schema);
}
