/*
 * Where in a message a fault is: a chain of steps, each on the stack of the function that takes it. For the JSON codec alone.
 */
#ifndef LK_CLI_JSON_PATH_H
#define LK_CLI_JSON_PATH_H

#include <stdbool.h>
#include <stddef.h>

#include <latchkey/error.h>

/* Either the entry of a list, or a field, or the entry of a map. */
struct lk_json_step {
	/* NULL in the first step, which is the message itself. */
	const struct lk_json_step *up;
	/* The field, or the key; NULL: an entry of a list. */
	const char *name;
	/* Bytes of the name. */
	size_t name_len;
	/* The name is a key. */
	bool is_key;
	/* The entry's place in the list. */
	size_t index;
};

/*
 * Sets `*ret_fault` to "path: what", the path being that of `step` ("keys[3].metadata[\"a\"]"; nothing for the message itself),
 * and returns `err`; LK_NO_MEMORY, with `*ret_fault` NULL, where there is no room for it.
 */
enum lk_err lk_json_fault(char **ret_fault, enum lk_err err, const struct lk_json_step *step, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* How many bytes of the `len` of UTF-8 at `text` make whole characters and are at most `max`. */
int lk_json_shown(const char *text, size_t len, size_t max);

#endif
