/*
 * Calls in JSON: a request as its text, by what the daemon's reflection says of the method. For tables of many requests.
 */
#ifndef LK_TESTS_SYSTEMS_JSON_CALL_H
#define LK_TESTS_SYSTEMS_JSON_CALL_H

#include "tests/lib/caller.h"

struct lk_schema;

/* Asks the daemon for its schema; to be freed with lk_schema_free(). */
struct lk_schema *json_schema(struct caller *caller);

/*
 * Calls `method`, "KeyService/List", with a request whose texts may stand in ' instead of ". The response, if there is one, is
 * dropped; the outcome is `caller->err` and `caller->call`. Fails the test where the text is no such request.
 */
void json_call(struct caller *caller, const struct lk_schema *schema, const char *method, const char *text);

#endif
