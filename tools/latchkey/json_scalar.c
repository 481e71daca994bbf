#include "tools/latchkey/json_scalar.h"

#include <inttypes.h>
#include <math.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/utf8.h"

/* The most bytes of a value that a fault quotes. */
enum {
	shown_max = 60
};

struct source {
	const struct lk_schema_field *field;
	const json_t *value;
	const struct lk_json_step *step;
	char **ret_fault;
};

struct rule;

typedef enum lk_err reader(const struct source *source, const struct rule *rule, struct lk_json_scalar *ret);
typedef json_t *shower(const struct lk_schema_field *field, uint64_t number, const uint8_t *data, size_t len);

struct rule {
	enum lk_wire_type wire;
	reader *read;
	shower *show;
	/* Of integers: the bounds, and whether small negative numbers are written short. */
	int64_t min;
	uint64_t max;
	bool zigzag;
};

/* A number or a text as JSON writes it. malloc'ed: the program may have given jansson an allocator of its own. NULL: none. */
static char *quote(const json_t *value)
{
	if (!json_is_string(value) && !json_is_number(value)) {
		return NULL;
	}
	size_t len = json_dumpb(value, NULL, 0, JSON_ENCODE_ANY);
	char *text = calloc(1, len + 1);
	if (text != NULL && json_dumpb(value, text, len, JSON_ENCODE_ANY) != len) {
		text[0] = '\0';
	}
	return text;
}

/* Says what was found and what is wanted. */
static enum lk_err refuse(const struct source *source, const char *wanted)
{
	static const char *const kinds[] = {
		[JSON_OBJECT] = "an object",
		[JSON_ARRAY] = "a list",
		[JSON_STRING] = "a text",
		[JSON_INTEGER] = "a number",
		[JSON_REAL] = "a number",
		[JSON_TRUE] = "true",
		[JSON_FALSE] = "false",
		[JSON_NULL] = "null",
	};
	const json_t *value = source->value;
	char *text = quote(value);
	enum lk_err err = LK_OK;
	if (text == NULL || source->field->secret) {
		err = lk_json_fault(source->ret_fault, LK_INVALID_ARGUMENT, source->step, "%s is wrong here: give %s",
			kinds[json_typeof(value)], wanted);
	} else {
		int shown = lk_json_shown(text, strlen(text), shown_max);
		err = lk_json_fault(source->ret_fault, LK_INVALID_ARGUMENT, source->step,
			"%.*s%s is wrong here: give %s", shown, text, text[shown] == '\0' ? "" : "...", wanted);
	}
	free(text);
	return err;
}

/* An integer of more than 64 bits' worth: a sign and a size. */
struct integer {
	bool is_negative;
	uint64_t size;
};

static bool integer_of_text(const char *text, size_t len, struct integer *ret)
{
	size_t at = len > 0 && text[0] == '-' ? 1 : 0;
	uint64_t size = 0;
	/* As JSON writes numbers: no leading zero. */
	if (at == len || (text[at] == '0' && len > at + 1)) {
		return false;
	}
	ret->is_negative = at == 1;
	for (; at < len; at++) {
		if (text[at] < '0' || text[at] > '9' || __builtin_mul_overflow(size, 10, &size) ||
			__builtin_add_overflow(size, (uint64_t)(text[at] - '0'), &size)) {
			return false;
		}
	}
	ret->size = size;
	return true;
}

static bool integer_of_real(double real, struct integer *ret)
{
	/* 2^64 is exact in a double, and whatever is below it fits. */
	double size = fabs(real);
	if (!(size < 18446744073709551616.0) || (double)(uint64_t)size != size) {
		return false;
	}
	ret->is_negative = real < 0;
	ret->size = (uint64_t)size;
	return true;
}

static bool integer_of_json(const json_t *value, struct integer *ret)
{
	if (json_is_integer(value)) {
		json_int_t number = json_integer_value(value);
		ret->is_negative = number < 0;
		ret->size = number < 0 ? -(uint64_t)number : (uint64_t)number;
		return true;
	}
	if (json_is_real(value)) {
		return integer_of_real(json_real_value(value), ret);
	}
	return json_is_string(value) && integer_of_text(json_string_value(value), json_string_length(value), ret);
}

static enum lk_err read_integer(const struct source *source, const struct rule *rule, struct lk_json_scalar *ret)
{
	struct integer integer = {0};
	bool fits = integer_of_json(source->value, &integer) &&
		    integer.size <= (integer.is_negative ? -(uint64_t)rule->min : rule->max);
	if (!fits) {
		char wanted[96];
		(void)snprintf(wanted, sizeof(wanted), "an integer from %" PRId64 " to %" PRIu64, rule->min, rule->max);
		return refuse(source, wanted);
	}
	ret->number = integer.is_negative ? -integer.size : integer.size;
	if (rule->zigzag) {
		ret->number = ret->number << 1 ^ (integer.is_negative && integer.size > 0 ? UINT64_MAX : 0);
	} else if (rule->wire == LK_WIRE_FIXED32) {
		ret->number &= UINT32_MAX;
	}
	return LK_OK;
}

static enum lk_err read_bool(const struct source *source, const struct rule *rule, struct lk_json_scalar *ret)
{
	(void)rule;
	if (!json_is_boolean(source->value)) {
		return refuse(source, "true or false");
	}
	ret->number = json_is_true(source->value) ? 1 : 0;
	return LK_OK;
}

/* A number, its text, or one of the three that JSON has no number for. */
static bool real_of_json(const json_t *value, double *ret)
{
	if (json_is_number(value)) {
		*ret = json_number_value(value);
		return true;
	}
	if (!json_is_string(value)) {
		return false;
	}
	const char *text = json_string_value(value);
	if (strcmp(text, "NaN") == 0) {
		*ret = (double)NAN;
	} else if (strcmp(text, "Infinity") == 0 || strcmp(text, "-Infinity") == 0) {
		*ret = text[0] == '-' ? -(double)INFINITY : (double)INFINITY;
	} else {
		char *end = NULL;
		/* strtod() also takes blanks, hexadecimal digits, "inf" and "nan". */
		*ret = strtod(text, &end);
		return text[0] != '\0' && text[strspn(text, "+-0123456789.eE")] == '\0' && *end == '\0' &&
		       isfinite(*ret);
	}
	return true;
}

static enum lk_err read_double(const struct source *source, const struct rule *rule, struct lk_json_scalar *ret)
{
	double real = 0;
	(void)rule;
	if (!real_of_json(source->value, &real)) {
		return refuse(source, "a number");
	}
	memcpy(&ret->number, &real, sizeof(real));
	return LK_OK;
}

static enum lk_err read_float(const struct source *source, const struct rule *rule, struct lk_json_scalar *ret)
{
	double real = 0;
	(void)rule;
	/* What only overflows by rounding is out of range too. */
	if (!real_of_json(source->value, &real) || (isfinite(real) && !isfinite((float)real))) {
		return refuse(source, "a number of single precision");
	}
	float single = (float)real;
	uint32_t bits = 0;
	memcpy(&bits, &single, sizeof(bits));
	ret->number = bits;
	return LK_OK;
}

static enum lk_err keep(struct lk_json_scalar *ret, const void *data, size_t len)
{
	lk_bytes_append(&ret->bytes, data, len);
	return ret->bytes.failed ? LK_NO_MEMORY : LK_OK;
}

static enum lk_err read_text(const struct source *source, const struct rule *rule, struct lk_json_scalar *ret)
{
	(void)rule;
	if (!json_is_string(source->value)) {
		return refuse(source, "a text");
	}
	return keep(ret, json_string_value(source->value), json_string_length(source->value));
}

static enum lk_err read_base64(const struct source *source, const struct rule *rule, struct lk_json_scalar *ret)
{
	(void)rule;
	if (!json_is_string(source->value)) {
		return refuse(source, "a text in base64");
	}
	const char *text = json_string_value(source->value);
	size_t text_len = json_string_length(source->value);
	bool is_padded = text_len > 0 && text[text_len - 1] == '=';
	int variant = is_padded ? sodium_base64_VARIANT_ORIGINAL : sodium_base64_VARIANT_ORIGINAL_NO_PADDING;
	if (strpbrk(text, "-_") != NULL) {
		variant = is_padded ? sodium_base64_VARIANT_URLSAFE : sodium_base64_VARIANT_URLSAFE_NO_PADDING;
	}
	size_t room = text_len / 4 * 3 + 3;
	size_t len = 0;
	uint8_t *data = lk_bytes_add(&ret->bytes, room);
	if (data == NULL) {
		return LK_NO_MEMORY;
	}
	if (sodium_base642bin(data, room, text, text_len, NULL, &len, NULL, variant) != 0) {
		return refuse(source, "a text in base64");
	}
	ret->bytes.len = len;
	return LK_OK;
}

/* The names of an enum's values, cut off where there are many. */
static enum lk_err refuse_enum(const struct source *source)
{
	const struct lk_schema_enum *enumeration = source->field->enumeration;
	char wanted[512] = "";
	size_t len = 0;
	for (size_t i = 0; i < enumeration->n_values && len < sizeof(wanted); i++) {
		int added = snprintf(
			wanted + len, sizeof(wanted) - len, "%s%s", i == 0 ? "" : ", ", enumeration->values[i].name);
		len += added > 0 ? (size_t)added : 0;
	}
	return refuse(source, wanted);
}

static enum lk_err read_enum(const struct source *source, const struct rule *rule, struct lk_json_scalar *ret)
{
	if (!json_is_string(source->value)) {
		return json_is_number(source->value) ? read_integer(source, rule, ret) : refuse_enum(source);
	}
	const struct lk_schema_value *value = lk_schema_value(
		source->field->enumeration, json_string_value(source->value), json_string_length(source->value));
	if (value == NULL) {
		return refuse_enum(source);
	}
	ret->number = (uint64_t)(int64_t)value->number;
	return LK_OK;
}

static json_t *show_double(const struct lk_schema_field *field, uint64_t number, const uint8_t *data, size_t len)
{
	double real = 0;
	(void)field;
	(void)data;
	(void)len;
	memcpy(&real, &number, sizeof(real));
	if (isnan(real)) {
		return json_string("NaN");
	}
	return isinf(real) ? json_string(real > 0 ? "Infinity" : "-Infinity") : json_real(real);
}

static json_t *show_float(const struct lk_schema_field *field, uint64_t number, const uint8_t *data, size_t len)
{
	uint32_t bits = (uint32_t)number;
	float single = 0;
	memcpy(&single, &bits, sizeof(single));
	double real = (double)single;
	memcpy(&number, &real, sizeof(number));
	return show_double(field, number, data, len);
}

/* 32 bits: signed, and sign-extended where they come as a varint. */
static json_t *show_int32(const struct lk_schema_field *field, uint64_t number, const uint8_t *data, size_t len)
{
	(void)field;
	(void)data;
	(void)len;
	return json_integer((int32_t)(uint32_t)number);
}

static json_t *show_uint32(const struct lk_schema_field *field, uint64_t number, const uint8_t *data, size_t len)
{
	(void)field;
	(void)data;
	(void)len;
	return json_integer((uint32_t)number);
}

static json_t *show_int64(const struct lk_schema_field *field, uint64_t number, const uint8_t *data, size_t len)
{
	(void)field;
	(void)data;
	(void)len;
	return json_sprintf("%" PRId64, (int64_t)number);
}

static json_t *show_uint64(const struct lk_schema_field *field, uint64_t number, const uint8_t *data, size_t len)
{
	(void)field;
	(void)data;
	(void)len;
	return json_sprintf("%" PRIu64, number);
}

static uint64_t unzigzag(uint64_t number)
{
	return number >> 1 ^ -(number & 1);
}

static json_t *show_sint32(const struct lk_schema_field *field, uint64_t number, const uint8_t *data, size_t len)
{
	return show_int32(field, unzigzag((uint32_t)number), data, len);
}

static json_t *show_sint64(const struct lk_schema_field *field, uint64_t number, const uint8_t *data, size_t len)
{
	return show_int64(field, unzigzag(number), data, len);
}

static json_t *show_bool(const struct lk_schema_field *field, uint64_t number, const uint8_t *data, size_t len)
{
	(void)field;
	(void)data;
	(void)len;
	return json_boolean(number != 0);
}

static json_t *show_enum(const struct lk_schema_field *field, uint64_t number, const uint8_t *data, size_t len)
{
	const char *name = lk_schema_value_name(field->enumeration, (int32_t)(uint32_t)number);
	return name != NULL ? json_string(name) : show_int32(field, number, data, len);
}

static json_t *show_text(const struct lk_schema_field *field, uint64_t number, const uint8_t *data, size_t len)
{
	(void)field;
	(void)number;
	return json_stringn(len == 0 ? "" : (const char *)data, len);
}

static json_t *show_base64(const struct lk_schema_field *field, uint64_t number, const uint8_t *data, size_t len)
{
	(void)field;
	(void)number;
	size_t size = sodium_base64_ENCODED_LEN(len, sodium_base64_VARIANT_ORIGINAL);
	char *text = malloc(size);
	if (text == NULL) {
		return NULL;
	}
	sodium_bin2base64(text, size, data, len, sodium_base64_VARIANT_ORIGINAL);
	json_t *shown = json_string(text);
	sodium_memzero(text, size);
	free(text);
	return shown;
}

static const struct rule rules[] = {
	[LK_SCHEMA_DOUBLE] = {.wire = LK_WIRE_FIXED64, .read = read_double, .show = show_double},
	[LK_SCHEMA_FLOAT] = {.wire = LK_WIRE_FIXED32, .read = read_float, .show = show_float},
	[LK_SCHEMA_INT64] = {LK_WIRE_VARINT, read_integer, show_int64, INT64_MIN, INT64_MAX, false},
	[LK_SCHEMA_UINT64] = {LK_WIRE_VARINT, read_integer, show_uint64, 0, UINT64_MAX, false},
	[LK_SCHEMA_INT32] = {LK_WIRE_VARINT, read_integer, show_int32, INT32_MIN, INT32_MAX, false},
	[LK_SCHEMA_FIXED64] = {LK_WIRE_FIXED64, read_integer, show_uint64, 0, UINT64_MAX, false},
	[LK_SCHEMA_FIXED32] = {LK_WIRE_FIXED32, read_integer, show_uint32, 0, UINT32_MAX, false},
	[LK_SCHEMA_BOOL] = {.wire = LK_WIRE_VARINT, .read = read_bool, .show = show_bool},
	[LK_SCHEMA_STRING] = {.wire = LK_WIRE_BYTES, .read = read_text, .show = show_text},
	[LK_SCHEMA_MESSAGE] = {.wire = LK_WIRE_BYTES},
	[LK_SCHEMA_BYTES] = {.wire = LK_WIRE_BYTES, .read = read_base64, .show = show_base64},
	[LK_SCHEMA_UINT32] = {LK_WIRE_VARINT, read_integer, show_uint32, 0, UINT32_MAX, false},
	[LK_SCHEMA_ENUM] = {LK_WIRE_VARINT, read_enum, show_enum, INT32_MIN, INT32_MAX, false},
	[LK_SCHEMA_SFIXED32] = {LK_WIRE_FIXED32, read_integer, show_int32, INT32_MIN, INT32_MAX, false},
	[LK_SCHEMA_SFIXED64] = {LK_WIRE_FIXED64, read_integer, show_int64, INT64_MIN, INT64_MAX, false},
	[LK_SCHEMA_SINT32] = {LK_WIRE_VARINT, read_integer, show_sint32, INT32_MIN, INT32_MAX, true},
	[LK_SCHEMA_SINT64] = {LK_WIRE_VARINT, read_integer, show_sint64, INT64_MIN, INT64_MAX, true},
};

enum lk_wire_type lk_json_wire_type(enum lk_schema_type type)
{
	return rules[type].wire;
}

enum lk_err lk_json_scalar_read(const struct lk_schema_field *field, const json_t *value,
	const struct lk_json_step *step, struct lk_json_scalar *ret, char **ret_fault)
{
	const struct source source = {field, value, step, ret_fault};
	struct lk_json_scalar scalar = {.wire = rules[field->type].wire};
	enum lk_err err = rules[field->type].read(&source, &rules[field->type], &scalar);
	if (err != LK_OK) {
		lk_bytes_done(&scalar.bytes);
		return err;
	}
	*ret = scalar;
	return LK_OK;
}

enum lk_err lk_json_scalar_read_key(const struct lk_schema_field *field, const char *key, size_t key_len,
	const struct lk_json_step *step, struct lk_json_scalar *ret, char **ret_fault)
{
	bool is_true = key_len == 4 && memcmp(key, "true", 4) == 0;
	bool is_false = key_len == 5 && memcmp(key, "false", 5) == 0;
	json_t *value = field->type == LK_SCHEMA_BOOL && (is_true || is_false) ? json_boolean(is_true)
									       : json_stringn(key, key_len);
	if (value == NULL) {
		return LK_NO_MEMORY;
	}
	enum lk_err err = lk_json_scalar_read(field, value, step, ret, ret_fault);
	json_decref(value);
	return err;
}

/* Piece by piece between NULs: JSON has them, and of a text with both faults lk_utf8_check() names only the first. */
static bool is_utf8(const uint8_t *data, size_t len)
{
	while (len > 0) {
		const uint8_t *nul = memchr(data, '\0', len);
		size_t piece = nul == NULL ? len : (size_t)(nul - data);
		if (lk_utf8_check(data, piece, NULL) != LK_UTF8_FINE) {
			return false;
		}
		piece += nul == NULL ? 0 : 1;
		data += piece;
		len -= piece;
	}
	return true;
}

enum lk_err lk_json_scalar_show(const struct lk_schema_field *field, uint64_t number, const uint8_t *data, size_t len,
	const struct lk_json_step *step, json_t **ret, char **ret_fault)
{
	if (field->type == LK_SCHEMA_STRING && !is_utf8(data, len)) {
		return lk_json_fault(ret_fault, LK_PROTOCOL, step, "the text is not UTF-8");
	}
	*ret = rules[field->type].show(field, number, data, len);
	return *ret == NULL ? LK_NO_MEMORY : LK_OK;
}
