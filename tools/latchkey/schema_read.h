/*
 * How a schema is kept, and how it is read from the unpacked descriptors. For schema.c alone.
 */
#ifndef LK_CLI_SCHEMA_READ_H
#define LK_CLI_SCHEMA_READ_H

#include "google/protobuf/descriptor.pb-c.h"
#include "tools/latchkey/schema.h"

/* The full names, the json_names and the lists are the schema's own; all other texts stand in `set`. */
struct lk_schema_message_entry {
	struct lk_schema_message message;
	const Google__Protobuf__DescriptorProto *proto;
	/* Of the file that it stands in: whether scalars have no presence, and lists are packed. */
	bool is_proto3;
};

struct lk_schema {
	Google__Protobuf__FileDescriptorSet *set;
	/* Each by full name. */
	struct lk_schema_message_entry *messages;
	size_t n_messages;
	struct lk_schema_enum *enums;
	size_t n_enums;
	struct lk_schema_method *methods;
	size_t n_methods;
};

/*
 * Fills in messages, enums and methods from `schema->set`. On LK_PROTOCOL and LK_NO_MEMORY they are half filled in, for
 * lk_schema_free() to free.
 */
LK_MUST_CHECK enum lk_err lk_schema_read(struct lk_schema *schema);

/* By full name; NULL where there is none. */
const struct lk_schema_enum *lk_schema_enum_named(const struct lk_schema *schema, const char *full_name);

#endif
