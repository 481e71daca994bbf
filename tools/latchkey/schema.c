#include "tools/latchkey/schema.h"

#include <stdlib.h>
#include <string.h>

#include "client/varint.h"
#include "tools/latchkey/schema_read.h"

/* Messages within messages; a set with more is an attack on the stack, for protobuf-c has no bound of its own. */
enum {
	nesting_max = 32
};

/* Where a FileDescriptorSet nests without end: set.file, file.message_type, message.nested_type. */
static const uint32_t nesting_fields[] = {1, 4, 3};

static bool nesting_fine(const uint8_t *data, size_t len, size_t depth)
{
	const uint8_t *end = data + len;
	uint32_t nesting_field = nesting_fields[depth < 2 ? depth : 2];
	while (data < end) {
		uint32_t number = 0;
		enum lk_wire_type type = LK_WIRE_VARINT;
		const uint8_t *inner = NULL;
		size_t inner_len = 0;
		if (!lk_varint_get_tag(&data, end, &number, &type)) {
			return false;
		}
		if (number != nesting_field || type != LK_WIRE_BYTES) {
			if (!lk_varint_skip(&data, end, type)) {
				return false;
			}
		} else if (depth == nesting_max || !lk_varint_get_bytes(&data, end, &inner, &inner_len) ||
			   !nesting_fine(inner, inner_len, depth + 1)) {
			return false;
		}
	}
	return true;
}

enum lk_err lk_schema_open(const uint8_t *set, size_t len, struct lk_schema **ret)
{
	if (!nesting_fine(set, len, 0)) {
		return LK_PROTOCOL;
	}
	struct lk_schema *schema = calloc(1, sizeof(*schema));
	if (schema == NULL) {
		return LK_NO_MEMORY;
	}
	schema->set = google__protobuf__file_descriptor_set__unpack(NULL, len, set);
	enum lk_err err = schema->set == NULL ? LK_PROTOCOL : lk_schema_read(schema);
	if (err != LK_OK) {
		lk_schema_free(schema);
		return err;
	}
	*ret = schema;
	return LK_OK;
}

static void message_done(struct lk_schema_message *message)
{
	for (size_t i = 0; i < message->n_fields; i++) {
		free((char *)message->fields[i].json_name);
	}
	free(message->fields);
	free(message->oneofs);
	free((char *)message->name);
}

void lk_schema_free(struct lk_schema *schema)
{
	if (schema == NULL) {
		return;
	}
	for (size_t i = 0; i < schema->n_messages; i++) {
		message_done(&schema->messages[i].message);
	}
	for (size_t i = 0; i < schema->n_enums; i++) {
		free(schema->enums[i].values);
		free((char *)schema->enums[i].name);
	}
	for (size_t i = 0; i < schema->n_methods; i++) {
		free((char *)schema->methods[i].name);
		free((char *)schema->methods[i].access);
	}
	free(schema->messages);
	free(schema->enums);
	free(schema->methods);
	if (schema->set != NULL) {
		google__protobuf__file_descriptor_set__free_unpacked(schema->set, NULL);
	}
	free(schema);
}

/* Entries, enums and methods alike are found by the name that stands somewhere in each. */
static int compare_message(const void *name, const void *entry)
{
	return strcmp(name, ((const struct lk_schema_message_entry *)entry)->message.name);
}

static int compare_enum(const void *name, const void *enumeration)
{
	return strcmp(name, ((const struct lk_schema_enum *)enumeration)->name);
}

static int compare_method(const void *name, const void *method)
{
	return strcmp(name, ((const struct lk_schema_method *)method)->name);
}

/* bsearch() takes no NULL, not even for an empty table. */
static const void *find(const char *name, const void *table, size_t count, size_t size,
	int (*compare)(const void *name, const void *item))
{
	return count == 0 ? NULL : bsearch(name, table, count, size, compare);
}

const struct lk_schema_message *lk_schema_message(const struct lk_schema *schema, const char *full_name)
{
	const struct lk_schema_message_entry *entry = find(
		full_name, schema->messages, schema->n_messages, sizeof(*schema->messages), compare_message);
	return entry == NULL ? NULL : &entry->message;
}

const struct lk_schema_enum *lk_schema_enum_named(const struct lk_schema *schema, const char *full_name)
{
	return find(full_name, schema->enums, schema->n_enums, sizeof(*schema->enums), compare_enum);
}

const struct lk_schema_method *lk_schema_method(const struct lk_schema *schema, const char *full_name)
{
	return find(full_name, schema->methods, schema->n_methods, sizeof(*schema->methods), compare_method);
}

const struct lk_schema_method *lk_schema_methods(const struct lk_schema *schema, size_t *ret_count)
{
	*ret_count = schema->n_methods;
	return schema->methods;
}

static bool is_named(const char *candidate, const char *name, size_t len)
{
	return strlen(candidate) == len && memcmp(candidate, name, len) == 0;
}

const struct lk_schema_field *lk_schema_field(const struct lk_schema_message *message, const char *name, size_t len)
{
	for (size_t i = 0; i < message->n_fields; i++) {
		const struct lk_schema_field *field = &message->fields[i];
		if (is_named(field->json_name, name, len) || is_named(field->name, name, len)) {
			return field;
		}
	}
	return NULL;
}

const struct lk_schema_field *lk_schema_field_by_number(const struct lk_schema_message *message, uint32_t number)
{
	for (size_t i = 0; i < message->n_fields; i++) {
		if (message->fields[i].number == number) {
			return &message->fields[i];
		}
	}
	return NULL;
}

const struct lk_schema_value *lk_schema_value(const struct lk_schema_enum *enumeration, const char *name, size_t len)
{
	for (size_t i = 0; i < enumeration->n_values; i++) {
		if (is_named(enumeration->values[i].name, name, len)) {
			return &enumeration->values[i];
		}
	}
	return NULL;
}

const char *lk_schema_value_name(const struct lk_schema_enum *enumeration, int32_t number)
{
	for (size_t i = 0; i < enumeration->n_values; i++) {
		if (enumeration->values[i].number == number) {
			return enumeration->values[i].name;
		}
	}
	return NULL;
}
