/*
 * Where the elements of a .proto file stand in its text, and what its comments say of them: google.protobuf.SourceCodeInfo.
 */
#ifndef LK_GENERATOR_SOURCE_H
#define LK_GENERATOR_SOURCE_H

#include <stddef.h>
#include <stdint.h>

#include "google/protobuf/descriptor.pb-c.h"
#include "tools/protoc-gen-latchkey/pool.h"
#include "tools/protoc-gen-latchkey/report.h"

/* Messages nest no deeper than protoc's own limit, 32; each takes two steps. */
#define LK_SOURCE_STEPS_MAX 72

/* The way from a FileDescriptorProto to an element: field numbers and indices in turn. All zero: the file itself. */
struct lk_source_path {
	int32_t steps[LK_SOURCE_STEPS_MAX];
	size_t n_steps;
};

/* The element `index` of the repeated field `number` below `parent`. */
struct lk_source_path lk_source_child(const struct lk_source_path *parent, int32_t number, size_t index);

/* The field `number` of the element `parent`. */
struct lk_source_path lk_source_field(const struct lk_source_path *parent, int32_t number);

/* Where the element begins; the file's first line where its text does not tell. */
struct lk_origin lk_source_origin(const Google__Protobuf__FileDescriptorProto *file, const struct lk_source_path *path);

/* The comment before the element, else the one behind it; NULL where there is none. See lk_proto_element. */
const char *lk_source_comment(
	struct lk_pool *pool, const Google__Protobuf__FileDescriptorProto *file, const struct lk_source_path *path);

#endif
