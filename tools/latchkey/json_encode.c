#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/latchkey/json.h"
#include "tools/latchkey/json_mask.h"
#include "tools/latchkey/json_scalar.h"
#include "tools/latchkey/json_time.h"

/* A value on its way into the bytes of the message around it. */
struct place {
	struct lk_bytes *out;
	const struct lk_json_step *step;
	/* Messages around it. */
	unsigned depth;
	char **ret_fault;
};

static enum lk_err encode_message(
	const struct place *place, const struct lk_schema_message *message, const json_t *value);

static enum lk_err refuse(const struct place *place, const char *wanted)
{
	return lk_json_fault(place->ret_fault, LK_INVALID_ARGUMENT, place->step, "give %s", wanted);
}

/* Where memory is wanting, `out` says so at the end: nobody below looks. */
static void put_varint(struct lk_bytes *out, uint64_t value)
{
	uint8_t bytes[LK_VARINT_MAX];
	lk_bytes_append(out, bytes, (size_t)(lk_varint_put(bytes, value) - bytes));
}

static void put_tag(struct lk_bytes *out, uint32_t number, enum lk_wire_type type)
{
	put_varint(out, (uint64_t)number << 3 | type);
}

static void put_run(struct lk_bytes *out, uint32_t number, const struct lk_bytes *run)
{
	put_tag(out, number, LK_WIRE_BYTES);
	put_varint(out, run->len);
	lk_bytes_append(out, run->data, run->len);
	out->failed = out->failed || run->failed;
}

static void put_fixed(struct lk_bytes *out, uint64_t value, size_t len)
{
	uint8_t bytes[8];
	for (size_t i = 0; i < len; i++) {
		bytes[i] = (uint8_t)(value >> 8 * i);
	}
	lk_bytes_append(out, bytes, len);
}

/* The value without its tag; not for LK_WIRE_BYTES. */
static void put_number(struct lk_bytes *out, const struct lk_json_scalar *scalar)
{
	if (scalar->wire == LK_WIRE_VARINT) {
		put_varint(out, scalar->number);
	} else {
		put_fixed(out, scalar->number, scalar->wire == LK_WIRE_FIXED64 ? 8 : 4);
	}
}

static void put_scalar(struct lk_bytes *out, uint32_t number, const struct lk_json_scalar *scalar)
{
	if (scalar->wire == LK_WIRE_BYTES) {
		put_run(out, number, &scalar->bytes);
		return;
	}
	put_tag(out, number, scalar->wire);
	put_number(out, scalar);
}

static enum lk_err encode_time(const struct place *place, const json_t *value,
	bool (*parse)(const char *text, struct lk_json_time *ret), const char *wanted)
{
	struct lk_json_time time = {0};
	/* A NUL inside would hide what stands behind it. */
	if (!json_is_string(value) || strlen(json_string_value(value)) != json_string_length(value) ||
		!parse(json_string_value(value), &time)) {
		return refuse(place, wanted);
	}
	if (time.seconds != 0) {
		put_tag(place->out, 1, LK_WIRE_VARINT);
		put_varint(place->out, (uint64_t)time.seconds);
	}
	if (time.nanos != 0) {
		put_tag(place->out, 2, LK_WIRE_VARINT);
		put_varint(place->out, (uint64_t)(int64_t)time.nanos);
	}
	return LK_OK;
}

static enum lk_err encode_mask(const struct place *place, const json_t *value)
{
	const char *wanted = "the paths of fields in lowerCamelCase, commas between, such as \"name,expireTime\"";
	const char *path = json_string_value(value), *end;
	if (path == NULL) {
		return refuse(place, wanted);
	}
	end = path + json_string_length(value);
	if (path == end) {
		return LK_OK;
	}
	for (const char *comma;; path = comma + 1) {
		struct lk_bytes name = {0};
		comma = memchr(path, ',', (size_t)(end - path));
		bool is_path = lk_json_mask_from_json(path, (size_t)((comma != NULL ? comma : end) - path), &name);
		if (is_path) {
			put_run(place->out, 1, &name);
		}
		lk_bytes_done(&name);
		if (!is_path) {
			return refuse(place, wanted);
		}
		if (comma == NULL) {
			return LK_OK;
		}
	}
}

/* One value with its tag: a singular field, one of a list that is not packed, or half of a map's entry. */
static enum lk_err encode_value(
	const struct place *place, const struct lk_schema_field *field, const json_t *value, bool skip_default)
{
	if (field->message == NULL) {
		struct lk_json_scalar scalar = {0};
		enum lk_err err = lk_json_scalar_read(field, value, place->step, &scalar, place->ret_fault);
		if (err == LK_OK && !(skip_default && scalar.number == 0 && scalar.bytes.len == 0)) {
			put_scalar(place->out, field->number, &scalar);
		}
		lk_bytes_done(&scalar.bytes);
		return err;
	}
	struct lk_bytes inner = {0};
	const struct place within = {&inner, place->step, place->depth, place->ret_fault};
	enum lk_err err = encode_message(&within, field->message, value);
	if (err == LK_OK) {
		put_run(place->out, field->number, &inner);
	}
	lk_bytes_done(&inner);
	return err;
}

static enum lk_err encode_packed(const struct place *place, const struct lk_schema_field *field, const json_t *list)
{
	struct lk_bytes run = {0};
	enum lk_err err = LK_OK;
	for (size_t i = 0; err == LK_OK && i < json_array_size(list); i++) {
		const struct lk_json_step step = {.up = place->step, .index = i};
		struct lk_json_scalar scalar = {0};
		err = lk_json_scalar_read(field, json_array_get(list, i), &step, &scalar, place->ret_fault);
		if (err == LK_OK) {
			put_number(&run, &scalar);
		}
	}
	if (err == LK_OK && (run.len > 0 || run.failed)) {
		put_run(place->out, field->number, &run);
	}
	lk_bytes_done(&run);
	return err;
}

static enum lk_err encode_list(const struct place *place, const struct lk_schema_field *field, const json_t *list)
{
	if (!json_is_array(list)) {
		return refuse(place, "a list");
	}
	if (field->packed) {
		return encode_packed(place, field, list);
	}
	enum lk_err err = LK_OK;
	for (size_t i = 0; err == LK_OK && i < json_array_size(list); i++) {
		const struct lk_json_step step = {.up = place->step, .index = i};
		const struct place within = {place->out, &step, place->depth, place->ret_fault};
		err = encode_value(&within, field, json_array_get(list, i), false);
	}
	return err;
}

/* An entry always has both its key and its value, as protoc writes it. */
static enum lk_err encode_entry(const struct place *place, const struct lk_schema_field *field, const json_t *value)
{
	const struct lk_schema_field *key_field = &field->message->fields[0];
	const struct lk_schema_field *value_field = &field->message->fields[1];
	struct lk_bytes entry = {0};
	struct lk_json_scalar key = {0};
	enum lk_err err = lk_json_scalar_read_key(
		key_field, place->step->name, place->step->name_len, place->step, &key, place->ret_fault);
	if (err == LK_OK) {
		put_scalar(&entry, key_field->number, &key);
		const struct place within = {&entry, place->step, place->depth, place->ret_fault};
		err = encode_value(&within, value_field, value, false);
	}
	if (err == LK_OK) {
		put_run(place->out, field->number, &entry);
	}
	lk_bytes_done(&key.bytes);
	lk_bytes_done(&entry);
	return err;
}

static enum lk_err encode_map(const struct place *place, const struct lk_schema_field *field, const json_t *map)
{
	if (!json_is_object(map)) {
		return refuse(place, "an object");
	}
	/* jansson has no iteration over a const object; nothing is changed. */
	json_t *object = (json_t *)map;
	enum lk_err err = LK_OK;
	for (void *at = json_object_iter(object); err == LK_OK && at != NULL; at = json_object_iter_next(object, at)) {
		const struct lk_json_step step = {
			.up = place->step,
			.name = json_object_iter_key(at),
			.name_len = json_object_iter_key_len(at),
			.is_key = true,
		};
		const struct place within = {place->out, &step, place->depth, place->ret_fault};
		err = encode_entry(&within, field, json_object_iter_value(at));
	}
	return err;
}

static enum lk_err encode_field(const struct place *place, const struct lk_schema_field *field, const json_t *value)
{
	const struct lk_json_step step = {
		.up = place->step,
		.name = field->json_name,
		.name_len = strlen(field->json_name),
	};
	const struct place within = {place->out, &step, place->depth, place->ret_fault};
	if (field->map) {
		return encode_map(&within, field, value);
	}
	if (field->repeated) {
		return encode_list(&within, field, value);
	}
	return encode_value(&within, field, value, !field->has_presence);
}

static enum lk_err refuse_unknown(
	const struct place *place, const struct lk_schema_message *message, const char *name, size_t name_len)
{
	char known[512] = "no field";
	size_t len = 0;
	for (size_t i = 0; i < message->n_fields && len < sizeof(known); i++) {
		int added = snprintf(
			known + len, sizeof(known) - len, "%s%s", i == 0 ? "" : ", ", message->fields[i].json_name);
		len += added > 0 ? (size_t)added : 0;
	}
	const struct lk_json_step step = {.up = place->step, .name = name, .name_len = name_len};
	return lk_json_fault(place->ret_fault, LK_INVALID_ARGUMENT, &step, "there is no such field: %s has %s",
		message->name, known);
}

/* Lays the members of `object` into `given`, at the places of their fields; null is absent. */
static enum lk_err sort_members(
	const struct place *place, const struct lk_schema_message *message, const json_t *object, const json_t **given)
{
	json_t *members = (json_t *)object;
	for (void *at = json_object_iter(members); at != NULL; at = json_object_iter_next(members, at)) {
		const char *name = json_object_iter_key(at);
		size_t name_len = json_object_iter_key_len(at);
		const struct lk_schema_field *field = lk_schema_field(message, name, name_len);
		if (field == NULL) {
			return refuse_unknown(place, message, name, name_len);
		}
		if (json_is_null(json_object_iter_value(at))) {
			continue;
		}
		size_t index = (size_t)(field - message->fields);
		if (given[index] != NULL) {
			return lk_json_fault(place->ret_fault, LK_INVALID_ARGUMENT, place->step,
				"%s is given twice, as %s too: give one of them", field->json_name, field->name);
		}
		given[index] = json_object_iter_value(at);
	}
	return LK_OK;
}

static enum lk_err check_oneofs(
	const struct place *place, const struct lk_schema_message *message, const json_t *const *given)
{
	for (size_t i = 0; i < message->n_fields; i++) {
		for (size_t j = 0; given[i] != NULL && message->fields[i].oneof >= 0 && j < i; j++) {
			if (given[j] != NULL && message->fields[i].oneof == message->fields[j].oneof) {
				return lk_json_fault(place->ret_fault, LK_INVALID_ARGUMENT, place->step,
					"%s and %s exclude each other: give one of them", message->fields[j].json_name,
					message->fields[i].json_name);
			}
		}
	}
	return LK_OK;
}

static enum lk_err encode_object(
	const struct place *place, const struct lk_schema_message *message, const json_t *object)
{
	if (!json_is_object(object)) {
		return refuse(place, "an object");
	}
	const json_t **given = calloc(message->n_fields + 1, sizeof(*given));
	if (given == NULL) {
		return LK_NO_MEMORY;
	}
	enum lk_err err = sort_members(place, message, object, given);
	if (err == LK_OK) {
		err = check_oneofs(place, message, given);
	}
	for (size_t i = 0; err == LK_OK && i < message->n_fields; i++) {
		if (given[i] != NULL) {
			err = encode_field(place, &message->fields[i], given[i]);
		}
	}
	free(given);
	return err;
}

static enum lk_err encode_message(
	const struct place *place, const struct lk_schema_message *message, const json_t *value)
{
	const struct place within = {place->out, place->step, place->depth + 1, place->ret_fault};
	if (place->depth == LK_JSON_DEPTH_MAX) {
		return lk_json_fault(place->ret_fault, LK_INVALID_ARGUMENT, place->step,
			"more than %d messages within each other: give fewer", LK_JSON_DEPTH_MAX);
	}
	if (message->form == LK_SCHEMA_TIMESTAMP) {
		return encode_time(place, value, lk_json_timestamp_parse,
			"an instant of RFC 3339 as a text, such as \"2026-02-01T12:00:00Z\"");
	}
	if (message->form == LK_SCHEMA_DURATION) {
		return encode_time(
			place, value, lk_json_duration_parse, "a span in seconds as a text, such as \"3.5s\"");
	}
	if (message->form == LK_SCHEMA_MASK) {
		return encode_mask(place, value);
	}
	if (message->form == LK_SCHEMA_UNSUPPORTED) {
		return lk_json_fault(place->ret_fault, LK_INVALID_ARGUMENT, place->step,
			"%s is not supported: leave it out", message->name);
	}
	return encode_object(&within, message, value);
}

enum lk_err lk_json_encode(const struct lk_schema *schema, const struct lk_schema_message *message, const json_t *value,
	uint8_t **ret, size_t *ret_len, char **ret_fault)
{
	const struct lk_json_step root = {0};
	struct lk_bytes bytes = {0};
	const struct place place = {&bytes, &root, 0, ret_fault};
	(void)schema;
	*ret_fault = NULL;
	enum lk_err err = encode_message(&place, message, value);
	if (err == LK_OK && bytes.failed) {
		err = LK_NO_MEMORY;
	}
	if (err != LK_OK) {
		lk_bytes_done(&bytes);
		return err;
	}
	*ret = bytes.data;
	*ret_len = bytes.len;
	return LK_OK;
}
