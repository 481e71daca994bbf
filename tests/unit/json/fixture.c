#include "tests/unit/json/fixture.h"

#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char *built_dir;
static const char *case_dir;
static struct lk_schema *schema;

void fixture_init(int argc, char **argv)
{
	if (argc != 3 || sodium_init() < 0) {
		(void)fprintf(stderr, "usage: %s BUILT_DIR CASE_DIR\n", argv[0]);
		exit(2);
	}
	built_dir = argv[1];
	case_dir = argv[2];
}

static uint8_t *read_file(const char *dir, const char *name, size_t *ret_len)
{
	enum {
		most = 1 << 20
	};
	char path[4096];
	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	FILE *file = fopen(path, "rb");
	assert_non_null(file);
	uint8_t *data = calloc(1, most + 1);
	assert_non_null(data);
	*ret_len = fread(data, 1, most, file);
	assert_int_equal(ferror(file), 0);
	assert_int_equal(fclose(file), 0);
	return data;
}

uint8_t *fixture_built(const char *name, size_t *ret_len)
{
	return read_file(built_dir, name, ret_len);
}

uint8_t *fixture_case(const char *name, size_t *ret_len)
{
	return read_file(case_dir, name, ret_len);
}

int fixture_setup(void **state)
{
	size_t len = 0;
	(void)state;
	uint8_t *set = fixture_built("schema.pb", &len);
	enum lk_err err = lk_schema_open(set, len, &schema);
	free(set);
	return err == LK_OK ? 0 : -1;
}

int fixture_teardown(void **state)
{
	(void)state;
	lk_schema_free(schema);
	schema = NULL;
	return 0;
}

const struct lk_schema *fixture_schema(void)
{
	return schema;
}

const struct lk_schema_message *fixture_message(const char *name)
{
	char full_name[128];
	(void)snprintf(full_name, sizeof(full_name), "%s%s", strchr(name, '.') == NULL ? "latchkey.test." : "", name);
	const struct lk_schema_message *message = lk_schema_message(schema, full_name);
	assert_non_null(message);
	return message;
}

json_t *fixture_json(const char *text)
{
	json_error_t error;
	json_t *json = json_loads(text, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
	if (json == NULL) {
		fail_msg("%s: %s", error.text, text);
	}
	return json;
}
