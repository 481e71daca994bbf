/*
 * Emission: from a model without faults to the files that protoc writes. One emitter a file, each thin: what it emits are
 * constant tables and stubs over a runtime written by hand.
 */
#ifndef LK_GENERATOR_EMIT_H
#define LK_GENERATOR_EMIT_H

#include "google/protobuf/compiler/plugin.pb-c.h"
#include "tools/protoc-gen-latchkey/model.h"
#include "tools/protoc-gen-latchkey/text.h"

struct lk_emit_file {
	struct lk_emit_file *next;
	const char *name;
	struct lk_text text;
};

struct lk_emit {
	struct lk_pool *pool;
	const struct lk_model *model;
	/* In the order in which they were begun. */
	struct lk_emit_file *files;
	size_t n_files;
};

void lk_emit_init(struct lk_emit *emit, const struct lk_model *model);

void lk_emit_done(struct lk_emit *emit);

/* Emits everything. */
void lk_emit_all(struct lk_emit *emit);

/* Adds the files to protoc's response, which borrows them. */
void lk_emit_to_response(struct lk_emit *emit, Google__Protobuf__Compiler__CodeGeneratorResponse *response);

/* The stem of a file of this name in the folder of the model's first file. */
const char *lk_emit_beside(struct lk_emit *emit, const char *name);

/* Begins a file named `stem` and `suffix` together. The text is the emitter's to write. */
struct lk_text *lk_emit_begin(struct lk_emit *emit, const char *stem, const char *suffix);

/* A header and its source. */
struct lk_emit_unit {
	/* Their name without ".h" and ".c": "latchkey/v1/key.client". */
	const char *stem;
	/* What they are made from: "latchkey/v1/key.proto". */
	const char *from;
	/* What the header is for: a sentence. */
	const char *purpose;
	/* What the header includes: whole lines. */
	const char *includes;
	/* The header is installed, and C++ may include it. */
	bool is_public;
};

/* Begins the header; lk_emit_header_end() ends it. */
struct lk_text *lk_emit_header(struct lk_emit *emit, const struct lk_emit_unit *unit);
void lk_emit_header_end(struct lk_text *text, const struct lk_emit_unit *unit);

/* Begins the source, which includes the header. */
struct lk_text *lk_emit_source(struct lk_emit *emit, const struct lk_emit_unit *unit);

/* The emitters: client stubs, server tables, wire rules and command-line flags of one file. */
void lk_emit_client(struct lk_emit *emit, const struct lk_proto_file *file);
void lk_emit_server(struct lk_emit *emit, const struct lk_proto_file *file);
void lk_emit_wire(struct lk_emit *emit, const struct lk_proto_file *file);
void lk_emit_flags(struct lk_emit *emit, const struct lk_proto_file *file);

/* Those of the whole run: calls.proto and the descriptor set, beside the model's first file. */
void lk_emit_calls(struct lk_emit *emit);
void lk_emit_descriptors(struct lk_emit *emit);

#endif
