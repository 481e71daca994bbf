/*
 * The command line's nouns, verbs and flags, which the generator makes from the services, their methods, and the fields of the
 * methods' requests (latchkey/v1/key.flags.h and its neighbours): `latchkey NOUN VERB --FLAG VALUE`.
 *
 * Constant tables: any thread may read them, for as long as the program runs.
 */
#ifndef LK_TOOLS_LATCHKEY_FLAGS_H
#define LK_TOOLS_LATCHKEY_FLAGS_H

#include <stdbool.h>
#include <stddef.h>

#include <latchkey/method.h>

/* The CLI's own flags: the generator gives a field's flag another name or refuses it. */
#define LK_FLAGS_OWN "credential-file", "help", "output", "timeout", "url", "version"

/* What a flag's value is, and thereby the field that it fills. */
enum lk_flag_kind {
	LK_FLAG_STRING,
	LK_FLAG_BOOL,
	LK_FLAG_INT,
	LK_FLAG_UINT,
	/* A value's name without the enum's prefix, in lower case. */
	LK_FLAG_ENUM,
	/* google.protobuf.Timestamp */
	LK_FLAG_TIMESTAMP,
	/* google.protobuf.Duration */
	LK_FLAG_DURATION,
	/* One entry of a map from string to string: KEY=VALUE. */
	LK_FLAG_MAP,
	/* In base64, as in JSON. */
	LK_FLAG_BYTES,
	/* google.protobuf.FieldMask: one path of it. */
	LK_FLAG_MASK,
};

struct lk_flag {
	/* Without its dashes: "page-size". */
	const char *name;
	/* The names of the fields that lead to the field from the request: "policy.token_prefix". */
	const char *path;
	enum lk_flag_kind kind;
	/* May be given several times: a repeated field, a map, or a mask. */
	bool repeated;
	/* Of a Timestamp: a span that is given in its place counts back from now, not forward. */
	bool ago;
	/* "TEXT", "N", "TIME", "DURATION", "FIELD", "KEY=VALUE", "BASE64"; of an enum its values, "keyspace|tenant"; of a bool NULL. */
	const char *metavar;
	/* Of an enum: what its values' names begin with, "KEY_SCOPE_"; else NULL. */
	const char *enum_prefix;
	/* The field's comment, in one line. */
	const char *help;
};

struct lk_cli_method {
	const struct lk_method *method;
	/* "key" */
	const char *noun;
	/* "create" */
	const char *verb;
	/* The method's comment, in one line. */
	const char *help;
	const struct lk_flag *flags;
	size_t n_flags;
};

struct lk_cli_service {
	const char *noun;
	/* The service's comment, in one line. */
	const char *help;
	const struct lk_cli_method *methods;
	size_t n_methods;
};

#endif
