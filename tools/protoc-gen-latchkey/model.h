/*
 * The model: what the generator knows of the .proto files. read.c makes it, check.c judges it, the emitters only look at it.
 *
 * All of it lives in one pool, and borrows from protoc's request, which must outlive it. Every name that an emitter needs is
 * here in the form in which C has it, as protoc-c makes it or as names.h does.
 */
#ifndef LK_GENERATOR_MODEL_H
#define LK_GENERATOR_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "google/protobuf/descriptor.pb-c.h"
#include "tools/protoc-gen-latchkey/pool.h"
#include "tools/protoc-gen-latchkey/report.h"
#include "tools/protoc-gen-latchkey/rules.h"

typedef Google__Protobuf__FieldDescriptorProto__Type lk_proto_type;

/* What every named thing of a .proto file has. */
struct lk_proto_element {
	/* Within its parent: "Verify"; of a file, its path. */
	const char *name;
	/* "latchkey.v1.KeyService.Verify" */
	const char *full_name;
	/* Without the marks of a comment, lines separated by '\n'; NULL where there is none. */
	const char *comment;
	struct lk_origin origin;
};

struct lk_proto_value {
	struct lk_proto_element element;
	int32_t number;
};

struct lk_proto_enum {
	struct lk_proto_element element;
	const struct lk_proto_file *file;
	/* "KEY_SCOPE_", which its values' names begin with. */
	const char *prefix;
	struct lk_proto_value *values;
	size_t n_values;
};

struct lk_proto_oneof {
	struct lk_proto_element element;
};

struct lk_proto_field {
	struct lk_proto_element element;
	int32_t number;
	lk_proto_type type;
	bool is_repeated;
	bool is_map;
	/* Marked `optional`. */
	bool is_optional;
	/* Of a field of a message's or enum's type: that type. Of a map: its entry. */
	const struct lk_proto_message *message;
	const struct lk_proto_enum *enumeration;
	/* NULL where it is in none. */
	const struct lk_proto_oneof *oneof;
	struct lk_field_rule rule;
	/* ".latchkey.v1.Key"; NULL of a scalar. */
	const char *type_name;
};

struct lk_proto_message {
	struct lk_proto_element element;
	const struct lk_proto_file *file;
	/* Made by protoc for a map field. */
	bool is_map_entry;
	/* In the order of their numbers, as protoc-c has them. */
	struct lk_proto_field *fields;
	size_t n_fields;
	struct lk_proto_oneof *oneofs;
	size_t n_oneofs;
	/* "Latchkey__V1__Key", "latchkey__v1__key" */
	const char *c_type;
	const char *c_lower;
};

struct lk_proto_method {
	struct lk_proto_element element;
	const struct lk_proto_service *service;
	bool is_streaming;
	const struct lk_proto_message *request;
	const struct lk_proto_message *response;
	struct lk_method_rule rule;
	/* "latchkey.v1.KeyService/Verify" */
	const char *wire_name;
	/* "latchkey_v1_key_verify" */
	const char *c_name;
	/* "verify"; of a keyword, "delete_" */
	const char *c_member;
};

struct lk_proto_service {
	struct lk_proto_element element;
	struct lk_proto_method *methods;
	size_t n_methods;
	/* "latchkey_v1_key" */
	const char *c_name;
};

struct lk_proto_file {
	struct lk_proto_element element;
	/* protoc was told to generate it, and no option says otherwise. */
	bool is_generated;
	bool is_proto3;
	/* "latchkey.v1" */
	const char *package;
	/* "latchkey/v1/key" */
	const char *stem;
	/* Nested ones too, each behind the one that it is nested in. */
	struct lk_proto_message *messages;
	size_t n_messages;
	struct lk_proto_enum *enums;
	size_t n_enums;
	struct lk_proto_service *services;
	size_t n_services;
	const Google__Protobuf__FileDescriptorProto *descriptor;
};

struct lk_model {
	struct lk_pool *pool;
	/* All files of the run, each behind those that it imports. */
	struct lk_proto_file *files;
	size_t n_files;
	/* The methods of the files that are generated. */
	const struct lk_proto_method **methods;
	size_t n_methods;
	/* The first file that is generated; its package and folder are those of the run. NULL where none is. */
	const struct lk_proto_file *first;
};

/* The message of this name ("latchkey.v1.Key"), of whatever file; NULL where there is none. */
const struct lk_proto_message *lk_model_message(const struct lk_model *model, const char *full_name);

/* The field of this name; NULL where there is none. */
const struct lk_proto_field *lk_model_field(const struct lk_proto_message *message, const char *name);

#endif
