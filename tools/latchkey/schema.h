/*
 * A schema: messages, enums and methods by name, read from a google.protobuf.FileDescriptorSet
 * (https://github.com/protocolbuffers/protobuf/blob/main/src/google/protobuf/descriptor.proto), as ReflectionService gives it.
 *
 * Everything below belongs to the schema that it came from and lives as long. A schema does not change once it is open, and may
 * be read from any thread. The set may come from a stranger: what does not add up is refused.
 */
#ifndef LK_CLI_SCHEMA_H
#define LK_CLI_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <latchkey/error.h>

struct lk_schema;

/* The types of fields, numbered as descriptor.proto has them. */
enum lk_schema_type {
	LK_SCHEMA_DOUBLE = 1,
	LK_SCHEMA_FLOAT,
	LK_SCHEMA_INT64,
	LK_SCHEMA_UINT64,
	LK_SCHEMA_INT32,
	LK_SCHEMA_FIXED64,
	LK_SCHEMA_FIXED32,
	LK_SCHEMA_BOOL,
	LK_SCHEMA_STRING,
	LK_SCHEMA_GROUP,
	LK_SCHEMA_MESSAGE,
	LK_SCHEMA_BYTES,
	LK_SCHEMA_UINT32,
	LK_SCHEMA_ENUM,
	LK_SCHEMA_SFIXED32,
	LK_SCHEMA_SFIXED64,
	LK_SCHEMA_SINT32,
	LK_SCHEMA_SINT64,
};

/* What a call of a method does, numbered as latchkey.v1.Effect; 0 where the set does not say. */
enum lk_schema_effect {
	LK_SCHEMA_EFFECT_UNKNOWN,
	LK_SCHEMA_EFFECT_READ,
	LK_SCHEMA_EFFECT_WRITE,
	LK_SCHEMA_EFFECT_SCAN,
	LK_SCHEMA_EFFECT_BULK,
};

/* How the JSON of a message looks. */
enum lk_schema_form {
	/* An object with its fields. */
	LK_SCHEMA_OBJECT,
	/* A text: google.protobuf.Timestamp, Duration and FieldMask. */
	LK_SCHEMA_TIMESTAMP,
	LK_SCHEMA_DURATION,
	LK_SCHEMA_MASK,
	/* Another well-known type, whose own form is not supported. */
	LK_SCHEMA_UNSUPPORTED,
};

struct lk_schema_value {
	const char *name;
	int32_t number;
};

struct lk_schema_enum {
	/* "latchkey.v1.KeyScope" */
	const char *name;
	struct lk_schema_value *values;
	size_t n_values;
};

struct lk_schema_message;

struct lk_schema_field {
	/* As in the .proto, and in lowerCamelCase. */
	const char *name;
	const char *json_name;
	uint32_t number;
	enum lk_schema_type type;
	bool repeated;
	/* Its message is an entry with the fields "key" and "value"; `repeated` is true too. */
	bool map;
	/* Repeated, and written as one run of values. */
	bool packed;
	/* It can be there with its default: a message, a member of a oneof, a proto3 `optional`. */
	bool has_presence;
	/* Which of the message's oneofs it is a member of; -1: of none. */
	int32_t oneof;
	/* A token or the like (latchkey.v1.FieldRule). */
	bool secret;
	/* Of a message or group field, or of an enum field; else NULL. */
	const struct lk_schema_message *message;
	const struct lk_schema_enum *enumeration;
};

struct lk_schema_message {
	/* "latchkey.v1.CreateKeyRequest" */
	const char *name;
	enum lk_schema_form form;
	bool is_map_entry;
	/* By number. */
	struct lk_schema_field *fields;
	size_t n_fields;
	/* The names of its oneofs. */
	const char **oneofs;
	size_t n_oneofs;
};

struct lk_schema_method {
	/* "latchkey.v1.KeyService/Verify" */
	const char *name;
	const struct lk_schema_message *input;
	const struct lk_schema_message *output;
	/* "keys.verify"; "" where the set does not say. */
	const char *access;
	enum lk_schema_effect effect;
};

/*
 * Reads a serialized FileDescriptorSet of `len` bytes, which is not needed afterwards. LK_PROTOCOL: it is none, or names a type
 * that is not in it. LK_NO_MEMORY.
 */
LK_MUST_CHECK enum lk_err lk_schema_open(const uint8_t *set, size_t len, struct lk_schema **ret);

/* Frees it; takes NULL. */
void lk_schema_free(struct lk_schema *schema);

/* By full name, as shown above; NULL where there is none. */
const struct lk_schema_message *lk_schema_message(const struct lk_schema *schema, const char *full_name);
const struct lk_schema_method *lk_schema_method(const struct lk_schema *schema, const char *full_name);

/* Every method, by name; `*ret_count` of them. */
const struct lk_schema_method *lk_schema_methods(const struct lk_schema *schema, size_t *ret_count);

/* A field of `message`, by its name of `len` bytes in either form, or by its number; NULL where there is none. */
const struct lk_schema_field *lk_schema_field(const struct lk_schema_message *message, const char *name, size_t len);
const struct lk_schema_field *lk_schema_field_by_number(const struct lk_schema_message *message, uint32_t number);

/* A value of an enum by its name of `len` bytes; the first name of a number. NULL where there is none. */
const struct lk_schema_value *lk_schema_value(const struct lk_schema_enum *enumeration, const char *name, size_t len);
const char *lk_schema_value_name(const struct lk_schema_enum *enumeration, int32_t number);

#endif
