/*
 * Flags: how a request's fields become flags of the command line.
 *
 * A message in a request is flattened: its fields are flags under their own names. Where that makes two flags of one name, each
 * takes the name of its parent before its own, as far as it has one. A field marked secret, output_only or no_flag has no flag.
 */
#ifndef LK_GENERATOR_FLAGS_H
#define LK_GENERATOR_FLAGS_H

#include "tools/protoc-gen-latchkey/model.h"

/* What the CLI calls a kind of value: tools/latchkey/flags.h. */
struct lk_flag_form {
	/* "LK_FLAG_STRING"; NULL: the CLI has no flag for such a field. */
	const char *kind;
	/* "TEXT"; NULL where there is none. */
	const char *metavar;
	/* It may be given several times. */
	bool repeated;
};

struct lk_flag_plan {
	/* "page-size" */
	const char *name;
	/* "filter.keyspace" */
	const char *path;
	struct lk_flag_form form;
	const struct lk_proto_field *field;
	/* Another flag of the request that has the same name still; NULL: none. */
	const struct lk_flag_plan *clash;
	/* The CLI has a flag of its own of this name. */
	bool is_taken;
	/* Where its name begins in its path: the name takes more of the path until it is its own. */
	const char *name_start;
};

struct lk_flag_plans {
	struct lk_flag_plan *flags;
	size_t n_flags;
};

/* The flags of a request, which must not contain itself. They are the pool's. */
struct lk_flag_plans lk_flags_of(struct lk_pool *pool, const struct lk_proto_message *request);

#endif
