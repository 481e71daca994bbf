#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/latchkey/json.h"
#include "tools/latchkey/json_mask.h"
#include "tools/latchkey/json_scalar.h"
#include "tools/latchkey/json_time.h"

/* What stays the same all the way down, and where on it we are. */
struct place {
	const struct lk_json_step *step;
	/* Messages around it. */
	unsigned depth;
	unsigned flags;
	char **ret_fault;
};

/* A value on the wire, behind its tag. */
struct value {
	uint64_t number;
	const uint8_t *data;
	size_t len;
};

/* What an absent message points at: NULL takes no arithmetic. */
static const uint8_t nothing[1];

static enum lk_err decode_message(const struct place *place, const struct lk_schema_message *message,
	const uint8_t *data, size_t len, json_t **ret);

static enum lk_err refuse(const struct place *place, const char *what)
{
	return lk_json_fault(place->ret_fault, LK_PROTOCOL, place->step, "%s", what);
}

static bool get_fixed(const uint8_t **at, const uint8_t *end, size_t len, uint64_t *ret)
{
	uint64_t value = 0;
	if ((size_t)(end - *at) < len) {
		return false;
	}
	for (size_t i = 0; i < len; i++) {
		value |= (uint64_t)(*at)[i] << 8 * i;
	}
	*at += len;
	*ret = value;
	return true;
}

static bool get_value(const uint8_t **at, const uint8_t *end, enum lk_wire_type type, struct value *ret)
{
	*ret = (struct value){0};
	if (type == LK_WIRE_VARINT) {
		return lk_varint_get(at, end, &ret->number);
	}
	if (type == LK_WIRE_BYTES) {
		return lk_varint_get_bytes(at, end, &ret->data, &ret->len);
	}
	return get_fixed(at, end, type == LK_WIRE_FIXED64 ? 8 : 4, &ret->number);
}

static enum lk_err show(
	const struct place *place, const struct lk_schema_field *field, const struct value *value, json_t **ret)
{
	if (field->message != NULL) {
		return decode_message(place, field->message, value->data, value->len, ret);
	}
	return lk_json_scalar_show(field, value->number, value->data, value->len, place->step, ret, place->ret_fault);
}

/* Appends one value of a list, and takes it over. */
static enum lk_err append(
	const struct place *place, const struct lk_schema_field *field, const struct value *value, json_t *list)
{
	const struct lk_json_step step = {.up = place->step, .index = json_array_size(list)};
	const struct place within = {&step, place->depth, place->flags, place->ret_fault};
	json_t *item = NULL;
	enum lk_err err = show(&within, field, value, &item);
	if (err != LK_OK) {
		return err;
	}
	return json_array_append_new(list, item) != 0 ? LK_NO_MEMORY : LK_OK;
}

static enum lk_err append_packed(
	const struct place *place, const struct lk_schema_field *field, const struct value *run, json_t *list)
{
	enum lk_err err = LK_OK;
	const uint8_t *at = run->data;
	for (const uint8_t *end = at + run->len; err == LK_OK && at < end;) {
		struct value value = {0};
		if (!get_value(&at, end, lk_json_wire_type(field->type), &value)) {
			return refuse(place, "the packed list is cut off");
		}
		err = append(place, field, &value, list);
	}
	return err;
}

/* The halves of a map's entry as JSON; a half that is absent has its default. */
static enum lk_err decode_entry(const struct place *place, const struct lk_schema_message *entry,
	const struct value *run, json_t *halves[static 2])
{
	const uint8_t *at = run->data;
	struct value values[2] = {{.data = nothing}, {.data = nothing}};
	for (const uint8_t *end = at + run->len; at < end;) {
		uint32_t number = 0;
		enum lk_wire_type type = LK_WIRE_VARINT;
		struct value value = {0};
		if (!lk_varint_get_tag(&at, end, &number, &type) || !get_value(&at, end, type, &value)) {
			return refuse(place, "an entry of the map is cut off");
		}
		if (number > 2) {
			continue;
		}
		if (type != lk_json_wire_type(entry->fields[number - 1].type)) {
			return refuse(place, "an entry of the map has another wire type than the schema says");
		}
		values[number - 1] = value;
	}
	enum lk_err err = show(place, &entry->fields[0], &values[0], &halves[0]);
	return err != LK_OK ? err : show(place, &entry->fields[1], &values[1], &halves[1]);
}

/* The text that a key has in JSON, where all are texts. A text may hold NULs. NULL: out of memory. */
static char *key_text(const json_t *key, size_t *ret_len)
{
	char *text = NULL;
	if (json_is_string(key)) {
		*ret_len = json_string_length(key);
		text = malloc(*ret_len + 1);
		return text == NULL ? NULL : memcpy(text, json_string_value(key), *ret_len + 1);
	}
	int len = json_is_boolean(key) ? asprintf(&text, "%s", json_is_true(key) ? "true" : "false")
				       : asprintf(&text, "%" JSON_INTEGER_FORMAT, json_integer_value(key));
	*ret_len = len < 0 ? 0 : (size_t)len;
	return len < 0 ? NULL : text;
}

static enum lk_err add_entry(
	const struct place *place, const struct lk_schema_field *field, const struct value *run, json_t *map)
{
	json_t *halves[2] = {NULL, NULL};
	char *key = NULL;
	size_t key_len = 0;
	enum lk_err err = decode_entry(place, field->message, run, halves);
	if (err != LK_OK) {
		goto out;
	}
	key = key_text(halves[0], &key_len);
	if (key == NULL) {
		err = LK_NO_MEMORY;
	} else if (json_object_getn(map, key, key_len) != NULL) {
		err = refuse(place, "a key is there twice");
	} else if (json_object_setn(map, key, key_len, halves[1]) != 0) {
		err = LK_NO_MEMORY;
	}
out:
	free(key);
	json_decref(halves[0]);
	json_decref(halves[1]);
	return err;
}

/* Makes `*slot` the empty list or map that it is to be, where it is not there yet. */
static enum lk_err open_slot(const struct lk_schema_field *field, json_t **slot)
{
	if (*slot == NULL) {
		*slot = field->map ? json_object() : json_array();
	}
	return *slot == NULL ? LK_NO_MEMORY : LK_OK;
}

static enum lk_err fill_slot(const struct place *place, const struct lk_schema_field *field, enum lk_wire_type type,
	const struct value *value, json_t **slot)
{
	enum lk_wire_type own = lk_json_wire_type(field->type);
	bool is_packed = field->repeated && type == LK_WIRE_BYTES && own != LK_WIRE_BYTES;
	if (type != own && !is_packed) {
		return refuse(place, "it has another wire type than the schema says");
	}
	if (!field->repeated) {
		return *slot != NULL ? refuse(place, "it is there twice") : show(place, field, value, slot);
	}
	enum lk_err err = open_slot(field, slot);
	if (err != LK_OK) {
		return err;
	}
	if (field->map) {
		return add_entry(place, field, value, *slot);
	}
	return is_packed ? append_packed(place, field, value, *slot) : append(place, field, value, *slot);
}

static enum lk_err check_oneof(const struct place *place, const struct lk_schema_message *message,
	const struct lk_schema_field *field, json_t *const *slots)
{
	for (size_t i = 0; field->oneof >= 0 && i < message->n_fields; i++) {
		if (slots[i] != NULL && &message->fields[i] != field && message->fields[i].oneof == field->oneof) {
			return lk_json_fault(place->ret_fault, LK_PROTOCOL, place->step,
				"%s is there too, which excludes it", message->fields[i].json_name);
		}
	}
	return LK_OK;
}

/* Reads every field on the wire into the slot of its own; what the schema does not know is skipped. */
static enum lk_err fill_slots(const struct place *place, const struct lk_schema_message *message, const uint8_t *data,
	size_t len, json_t **slots)
{
	const uint8_t *end = data + len;
	enum lk_err err = LK_OK;
	while (err == LK_OK && data < end) {
		uint32_t number = 0;
		enum lk_wire_type type = LK_WIRE_VARINT;
		struct value value = {0};
		if (!lk_varint_get_tag(&data, end, &number, &type) || !get_value(&data, end, type, &value)) {
			return refuse(place, "the message is cut off or no protobuf");
		}
		const struct lk_schema_field *field = lk_schema_field_by_number(message, number);
		if (field == NULL) {
			continue;
		}
		const struct lk_json_step step = {
			.up = place->step,
			.name = field->json_name,
			.name_len = strlen(field->json_name),
		};
		const struct place within = {&step, place->depth, place->flags, place->ret_fault};
		err = check_oneof(&within, message, field, slots);
		if (err == LK_OK) {
			err = fill_slot(&within, field, type, &value, &slots[field - message->fields]);
		}
	}
	return err;
}

/* The default of a field that is absent, where it has one. */
static enum lk_err fill_default(const struct place *place, const struct lk_schema_field *field, json_t **slot)
{
	static const struct value zero = {0};
	if (*slot != NULL || field->has_presence) {
		return LK_OK;
	}
	return field->repeated ? open_slot(field, slot) : show(place, field, &zero, slot);
}

static enum lk_err collect(
	const struct place *place, const struct lk_schema_message *message, json_t **slots, json_t *object)
{
	enum lk_err err = LK_OK;
	for (size_t i = 0; err == LK_OK && i < message->n_fields; i++) {
		if ((place->flags & LK_JSON_EMIT_DEFAULTS) != 0) {
			err = fill_default(place, &message->fields[i], &slots[i]);
		}
		if (err == LK_OK && slots[i] != NULL &&
			json_object_set(object, message->fields[i].json_name, slots[i]) != 0) {
			err = LK_NO_MEMORY;
		}
	}
	return err;
}

static enum lk_err decode_object(const struct place *place, const struct lk_schema_message *message,
	const uint8_t *data, size_t len, json_t **ret)
{
	json_t *object = json_object();
	json_t **slots = calloc(message->n_fields + 1, sizeof(json_t *));
	enum lk_err err = object == NULL || slots == NULL ? LK_NO_MEMORY : fill_slots(place, message, data, len, slots);
	if (err == LK_OK) {
		err = collect(place, message, slots, object);
	}
	for (size_t i = 0; slots != NULL && i < message->n_fields; i++) {
		json_decref(slots[i]);
	}
	free(slots);
	if (err != LK_OK) {
		json_decref(object);
		return err;
	}
	*ret = object;
	return LK_OK;
}

static enum lk_err decode_time(const struct place *place, const uint8_t *data, size_t len,
	bool (*format)(const struct lk_json_time *time, char ret_text[static LK_JSON_TIME_LEN]), json_t **ret)
{
	const uint8_t *end = data + len;
	struct lk_json_time time = {0};
	char text[LK_JSON_TIME_LEN];
	while (data < end) {
		uint32_t number = 0;
		enum lk_wire_type type = LK_WIRE_VARINT;
		struct value value = {0};
		if (!lk_varint_get_tag(&data, end, &number, &type) || !get_value(&data, end, type, &value) ||
			(number <= 2 && type != LK_WIRE_VARINT)) {
			return refuse(place, "the message is cut off or no time");
		}
		if (number == 1) {
			time.seconds = (int64_t)value.number;
		} else if (number == 2) {
			time.nanos = (int32_t)(uint32_t)value.number;
		}
	}
	if (!format(&time, text)) {
		return refuse(place, "the time is out of range");
	}
	*ret = json_string(text);
	return *ret == NULL ? LK_NO_MEMORY : LK_OK;
}

static enum lk_err decode_mask(const struct place *place, const uint8_t *data, size_t len, json_t **ret)
{
	struct lk_bytes text = {0};
	enum lk_err err = LK_OK;
	for (const uint8_t *end = data + len; err == LK_OK && data < end;) {
		uint32_t number = 0;
		enum lk_wire_type type = LK_WIRE_VARINT;
		struct value value = {0};
		if (!lk_varint_get_tag(&data, end, &number, &type) || !get_value(&data, end, type, &value) ||
			(number == 1 && type != LK_WIRE_BYTES)) {
			err = refuse(place, "the message is cut off or no mask");
		} else if (number == 1) {
			lk_bytes_append(&text, ",", text.len > 0);
			err = lk_json_mask_to_json((const char *)value.data, value.len, &text)
				      ? LK_OK
				      : refuse(place, "a path of the mask has no form in JSON");
		}
	}
	if (err == LK_OK && text.failed) {
		err = LK_NO_MEMORY;
	}
	if (err == LK_OK) {
		*ret = json_stringn(text.len > 0 ? (const char *)text.data : "", text.len);
		err = *ret != NULL ? LK_OK : LK_NO_MEMORY;
	}
	lk_bytes_done(&text);
	return err;
}

static enum lk_err decode_message(const struct place *place, const struct lk_schema_message *message,
	const uint8_t *data, size_t len, json_t **ret)
{
	const struct place within = {place->step, place->depth + 1, place->flags, place->ret_fault};
	if (place->depth == LK_JSON_DEPTH_MAX) {
		return refuse(place, "too many messages within each other");
	}
	if (message->form == LK_SCHEMA_TIMESTAMP) {
		return decode_time(place, data, len, lk_json_timestamp_format, ret);
	}
	if (message->form == LK_SCHEMA_DURATION) {
		return decode_time(place, data, len, lk_json_duration_format, ret);
	}
	if (message->form == LK_SCHEMA_MASK) {
		return decode_mask(place, data, len, ret);
	}
	if (message->form == LK_SCHEMA_UNSUPPORTED) {
		return lk_json_fault(place->ret_fault, LK_PROTOCOL, place->step, "%s is not supported by this program",
			message->name);
	}
	return decode_object(&within, message, data, len, ret);
}

enum lk_err lk_json_decode(const struct lk_schema *schema, const struct lk_schema_message *message, const uint8_t *data,
	size_t len, unsigned flags, json_t **ret, char **ret_fault)
{
	const struct lk_json_step root = {0};
	const struct place place = {&root, 0, flags, ret_fault};
	(void)schema;
	*ret_fault = NULL;
	return decode_message(&place, message, len == 0 ? nothing : data, len, ret);
}
