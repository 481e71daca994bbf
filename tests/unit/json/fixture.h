/*
 * What the tests of the JSON codec share: the schema of types.proto and latchkey.v1, and files.
 */
#ifndef LK_TESTS_JSON_FIXTURE_H
#define LK_TESTS_JSON_FIXTURE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tools/latchkey/schema.h"

/* Takes main()'s arguments: where the built files are, and where the cases are. Ends the program where there are none. */
void fixture_init(int argc, char **argv);

/* The bytes of a built file ("schema.pb") or of a case ("maps.json"), with a NUL behind, malloc'ed. */
uint8_t *fixture_built(const char *name, size_t *ret_len);
uint8_t *fixture_case(const char *name, size_t *ret_len);

/* Group fixtures: open the schema, and free it. */
int fixture_setup(void **state);
int fixture_teardown(void **state);

/* The open schema, and a message of it; a name without a dot is one of latchkey.test. */
const struct lk_schema *fixture_schema(void);
const struct lk_schema_message *fixture_message(const char *name);

/* JSON of a text, to be json_decref()'ed; a fault in it ends the test. */
json_t *fixture_json(const char *text);

#endif
