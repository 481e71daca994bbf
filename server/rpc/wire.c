#include "server/rpc/wire.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "client/utf8.h"
#include "client/varint.h"

/* Where the walk stands, from the innermost field outwards. */
struct path {
	const struct path *up;
	/* NULL: a field that the descriptor does not know, `number`. */
	const char *name;
	uint32_t number;
	bool indexed;
	uint32_t index;
};

/* One level of the walk: a message and the bytes that are left of it. */
struct level {
	const ProtobufCMessageDescriptor *descriptor;
	/* NULL: no limits. */
	const struct lk_wire_field *limits;
	const uint8_t *at;
	const uint8_t *end;
	const struct path *path;
	unsigned depth;
	/* Entries of a repeated field that has no limit of its own. */
	uint32_t items_max;
	/* How often each field was given; of a repeated field, its entries. */
	uint32_t given[LK_WIRE_FIELDS_MAX];
};

/* One field's value, tag already read. */
struct value {
	const ProtobufCFieldDescriptor *field;
	const struct lk_wire_field *limits;
	const struct path *path;
	enum lk_wire_type type;
};

struct map_key {
	/* A key that is no string: its value. */
	uint64_t number;
	const uint8_t *data;
	size_t len;
};

static const struct lk_wire_field no_limits;

static bool walk(struct level *level, struct lk_faults *faults);

static enum lk_wire_type wire_type(ProtobufCType type)
{
	static const enum lk_wire_type types[] = {
		[PROTOBUF_C_TYPE_INT32] = LK_WIRE_VARINT,
		[PROTOBUF_C_TYPE_SINT32] = LK_WIRE_VARINT,
		[PROTOBUF_C_TYPE_SFIXED32] = LK_WIRE_FIXED32,
		[PROTOBUF_C_TYPE_INT64] = LK_WIRE_VARINT,
		[PROTOBUF_C_TYPE_SINT64] = LK_WIRE_VARINT,
		[PROTOBUF_C_TYPE_SFIXED64] = LK_WIRE_FIXED64,
		[PROTOBUF_C_TYPE_UINT32] = LK_WIRE_VARINT,
		[PROTOBUF_C_TYPE_FIXED32] = LK_WIRE_FIXED32,
		[PROTOBUF_C_TYPE_UINT64] = LK_WIRE_VARINT,
		[PROTOBUF_C_TYPE_FIXED64] = LK_WIRE_FIXED64,
		[PROTOBUF_C_TYPE_FLOAT] = LK_WIRE_FIXED32,
		[PROTOBUF_C_TYPE_DOUBLE] = LK_WIRE_FIXED64,
		[PROTOBUF_C_TYPE_BOOL] = LK_WIRE_VARINT,
		[PROTOBUF_C_TYPE_ENUM] = LK_WIRE_VARINT,
		[PROTOBUF_C_TYPE_STRING] = LK_WIRE_BYTES,
		[PROTOBUF_C_TYPE_BYTES] = LK_WIRE_BYTES,
		[PROTOBUF_C_TYPE_MESSAGE] = LK_WIRE_BYTES,
	};

	return types[type];
}

/* Writes `path` to `out` and returns where it ends; a path that is too long is cut off. */
static size_t path_text(const struct path *path, char *out, size_t size)
{
	size_t len = 0;
	int n = 0;

	if (path == NULL) {
		return 0;
	}
	len = path_text(path->up, out, size);
	if (path->name != NULL) {
		n = snprintf(out + len, size - len, "%s%s", len > 0 ? "." : "", path->name);
	} else {
		n = snprintf(out + len, size - len, "%s%u", len > 0 ? "." : "", path->number);
	}
	len = n < 0 || (size_t)n >= size - len ? size - 1 : len + (size_t)n;
	if (path->indexed) {
		n = snprintf(out + len, size - len, "[%u]", path->index);
		len = n < 0 || (size_t)n >= size - len ? size - 1 : len + (size_t)n;
	}
	return len;
}

/* Adds a fault and returns false, so that a check can end with it. */
static bool __attribute__((format(printf, 3, 4)))
fault(struct lk_faults *faults, const struct path *path, const char *format, ...)
{
	char field[256] = "";
	char description[256] = "";
	va_list args;

	path_text(path, field, sizeof(field));
	va_start(args, format);
	(void)vsnprintf(description, sizeof(description), format, args);
	va_end(args);
	lk_fault_add(faults, field, "%s", description);
	return false;
}

static bool is_int32(uint64_t raw)
{
	return raw <= INT32_MAX || raw >= (uint64_t)INT64_MAX + 1 + (uint64_t)INT64_MAX - INT32_MAX;
}

/* Whether a varint means the same number in the field's own type: protobuf-c would cut it down silently. */
static bool check_number(const struct value *value, uint64_t raw, struct lk_faults *faults)
{
	switch (value->field->type) {
	case PROTOBUF_C_TYPE_INT32:
		return is_int32(raw) || fault(faults, value->path, "the number does not fit into 32 bits");
	case PROTOBUF_C_TYPE_UINT32:
	case PROTOBUF_C_TYPE_SINT32:
		return raw <= UINT32_MAX || fault(faults, value->path, "the number does not fit into 32 bits");
	case PROTOBUF_C_TYPE_BOOL:
		return raw <= 1 || fault(faults, value->path, "a bool is 0 or 1");
	case PROTOBUF_C_TYPE_ENUM:
		if (!is_int32(raw) ||
			protobuf_c_enum_descriptor_get_value(value->field->descriptor, (int)(int32_t)raw) == NULL) {
			return fault(faults, value->path, "%lld is no value of %s", (long long)(int64_t)raw,
				((const ProtobufCEnumDescriptor *)value->field->descriptor)->name);
		}
		return true;
	default:
		return true;
	}
}

static bool check_scalar(const struct value *value, const uint8_t **at, const uint8_t *end, struct lk_faults *faults)
{
	enum lk_wire_type type = wire_type(value->field->type);
	uint64_t raw = 0;

	if (type != LK_WIRE_VARINT) {
		return lk_varint_skip(at, end, type) || fault(faults, value->path, "the value is cut off");
	}
	if (!lk_varint_get(at, end, &raw)) {
		return fault(faults, value->path, "the varint is cut off or longer than 64 bits");
	}
	return check_number(value, raw, faults);
}

/* A length over the limit is a fault, but the walk goes on. */
static bool check_length(const struct value *value, size_t length, const char *unit, struct lk_faults *faults)
{
	uint32_t max = value->limits->max_length;

	if (max > 0 && length > max) {
		fault(faults, value->path, "has %zu %s; at most %u are allowed", length, unit, max);
	}
	return true;
}

static bool check_string(const struct value *value, const uint8_t *data, size_t len, struct lk_faults *faults)
{
	size_t length = 0;

	switch (lk_utf8_check(data, len, &length)) {
	case LK_UTF8_INVALID:
		return fault(faults, value->path, "the text is not valid UTF-8");
	case LK_UTF8_NUL:
		return fault(faults, value->path, "the text holds a NUL character");
	case LK_UTF8_FINE:
		break;
	}
	return check_length(value, length, "characters", faults);
}

static bool check_message(
	const struct level *outer, const struct value *value, const uint8_t *data, size_t len, struct lk_faults *faults)
{
	const struct lk_wire_message *rules = value->limits->message;
	struct level level = {
		.descriptor = value->field->descriptor,
		.limits = rules != NULL && !value->limits->apart ? rules->fields : NULL,
		.at = data,
		.end = data + len,
		.path = value->path,
		.depth = outer->depth + 1,
		.items_max = value->limits->apart ? LK_WIRE_APART_ITEMS_MAX : outer->items_max,
	};

	if (level.depth > LK_WIRE_DEPTH_MAX) {
		return fault(faults, value->path, "messages are nested more than %d deep", LK_WIRE_DEPTH_MAX);
	}
	return walk(&level, faults);
}

/* A value of wire type BYTES, other than packed numbers. */
static bool check_bytes(struct level *level, const struct value *value, struct lk_faults *faults)
{
	const uint8_t *data = NULL;
	size_t len = 0;

	if (!lk_varint_get_bytes(&level->at, level->end, &data, &len)) {
		return fault(faults, value->path, "the value is cut off: its length reaches past the end");
	}
	if (value->field->type == PROTOBUF_C_TYPE_STRING) {
		return check_string(value, data, len, faults);
	}
	if (value->field->type == PROTOBUF_C_TYPE_BYTES) {
		return check_length(value, len, "bytes", faults);
	}
	return check_message(level, value, data, len, faults);
}

static bool check_packed(
	struct level *level, struct value *value, struct path *path, uint32_t *given, struct lk_faults *faults)
{
	const uint8_t *at = NULL;
	size_t len = 0;

	path->indexed = false;
	if (!lk_varint_get_bytes(&level->at, level->end, &at, &len)) {
		return fault(faults, value->path, "the value is cut off: its length reaches past the end");
	}
	path->indexed = true;
	for (const uint8_t *end = at + len; at < end; (*given)++) {
		path->index = *given;
		if (!check_scalar(value, &at, end, faults)) {
			return false;
		}
	}
	return true;
}

/* Whether another member of the field's oneof was given before. */
static const ProtobufCFieldDescriptor *other_member(const struct level *level, const ProtobufCFieldDescriptor *field)
{
	for (unsigned i = 0; i < level->descriptor->n_fields; i++) {
		const ProtobufCFieldDescriptor *other = &level->descriptor->fields[i];

		if (other != field && level->given[i] > 0 && other->flags & PROTOBUF_C_FIELD_FLAG_ONEOF &&
			other->quantifier_offset == field->quantifier_offset) {
			return other;
		}
	}
	return NULL;
}

static bool check_singular(struct level *level, const struct value *value, uint32_t *given, struct lk_faults *faults)
{
	const ProtobufCFieldDescriptor *other = NULL;

	if (value->type != wire_type(value->field->type)) {
		return fault(
			faults, value->path, "has wire type %d, not %d", value->type, wire_type(value->field->type));
	}
	if ((*given)++ > 0) {
		return fault(faults, value->path, "is given twice");
	}
	if (value->field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) {
		other = other_member(level, value->field);
	}
	if (other != NULL) {
		return fault(faults, value->path, "cannot be given together with %s", other->name);
	}
	if (value->type == LK_WIRE_BYTES) {
		return check_bytes(level, value, faults);
	}
	return check_scalar(value, &level->at, level->end, faults);
}

static uint32_t items_max(const struct level *level, const struct lk_wire_field *limits)
{
	return limits->max_items > 0 ? limits->max_items : level->items_max;
}

static bool check_repeated(
	struct level *level, struct value *value, struct path *path, uint32_t *given, struct lk_faults *faults)
{
	enum lk_wire_type type = wire_type(value->field->type);

	path->indexed = true;
	path->index = *given;
	if (value->type == LK_WIRE_BYTES && type != LK_WIRE_BYTES) {
		return check_packed(level, value, path, given, faults);
	}
	if (value->type != type) {
		return fault(faults, path, "has wire type %d, not %d", value->type, type);
	}
	if (++*given > items_max(level, value->limits) && type == LK_WIRE_BYTES) {
		/* There are too many already: these are counted, and cost no more. */
		return lk_varint_skip(&level->at, level->end, type) ||
		       fault(faults, path, "the value is cut off: its length reaches past the end");
	}
	if (type == LK_WIRE_BYTES) {
		return check_bytes(level, value, faults);
	}
	return check_scalar(value, &level->at, level->end, faults);
}

static bool walk_field(struct level *level, struct lk_faults *faults)
{
	const ProtobufCFieldDescriptor *field = NULL;
	struct path path = {.up = level->path};
	struct value value = {.path = &path, .limits = &no_limits};
	unsigned index = 0;

	if (!lk_varint_get_tag(&level->at, level->end, &path.number, &value.type)) {
		return fault(faults, level->path, "holds bytes that are no protobuf field");
	}
	field = protobuf_c_message_descriptor_get_field(level->descriptor, path.number);
	if (field == NULL) {
		return fault(faults, &path, "is not a field of %s", level->descriptor->name);
	}
	index = (unsigned)(field - level->descriptor->fields);
	path.name = field->name;
	value.field = field;
	if (level->limits != NULL) {
		value.limits = &level->limits[index];
	}
	if (field->label == PROTOBUF_C_LABEL_REPEATED) {
		return check_repeated(level, &value, &path, &level->given[index], faults);
	}
	return check_singular(level, &value, &level->given[index], faults);
}

/* Reads the key of a map's entry whose bytes the walk found sound. A key that is left out is the default: 0 or "". */
static struct map_key entry_key(const uint8_t *at, const uint8_t *end)
{
	struct map_key key = {.data = (const uint8_t *)""};
	enum lk_wire_type type = LK_WIRE_VARINT;
	uint32_t number = 0;

	while (at < end && lk_varint_get_tag(&at, end, &number, &type)) {
		if (number != 1) {
			if (!lk_varint_skip(&at, end, type)) {
				break;
			}
		} else if (type == LK_WIRE_BYTES) {
			if (!lk_varint_get_bytes(&at, end, &key.data, &key.len)) {
				break;
			}
		} else if (type == LK_WIRE_VARINT) {
			if (!lk_varint_get(&at, end, &key.number)) {
				break;
			}
		} else {
			key.len = type == LK_WIRE_FIXED32 ? 4 : 8;
			key.data = at;
			at += key.len;
		}
	}
	return key;
}

static int compare_keys(const struct map_key *a, const struct map_key *b)
{
	if (a->number != b->number) {
		return a->number < b->number ? -1 : 1;
	}
	if (a->len != b->len) {
		return a->len < b->len ? -1 : 1;
	}
	return memcmp(a->data, b->data, a->len);
}

/* Puts `key` into the sorted `keys`; false where it is there already. */
static bool insert_key(struct map_key *keys, size_t count, const struct map_key *key)
{
	size_t low = 0;

	for (size_t high = count; low < high;) {
		size_t middle = low + (high - low) / 2;
		int order = compare_keys(key, &keys[middle]);

		if (order == 0) {
			return false;
		}
		if (order < 0) {
			high = middle;
		} else {
			low = middle + 1;
		}
	}
	memmove(&keys[low + 1], &keys[low], (count - low) * sizeof(*keys));
	keys[low] = *key;
	return true;
}

/* Goes over a message that was found sound once more, for the keys of one of its maps. */
static void check_map(const struct level *level, const uint8_t *at, unsigned index, struct lk_faults *faults)
{
	const ProtobufCFieldDescriptor *field = &level->descriptor->fields[index];
	struct path path = {.up = level->path, .name = field->name, .indexed = true};
	struct map_key keys[LK_WIRE_ITEMS_MAX + 1];
	enum lk_wire_type type = LK_WIRE_VARINT;
	const uint8_t *data = NULL;
	uint32_t number = 0;
	size_t count = 0;
	size_t len = 0;

	while (at < level->end && path.index < LK_WIRE_ITEMS_MAX) {
		if (!lk_varint_get_tag(&at, level->end, &number, &type)) {
			return;
		}
		if (number != field->id) {
			if (!lk_varint_skip(&at, level->end, type)) {
				return;
			}
			continue;
		}
		if (!lk_varint_get_bytes(&at, level->end, &data, &len)) {
			return;
		}
		struct map_key key = entry_key(data, data + len);

		if (insert_key(keys, count, &key)) {
			count++;
		} else {
			struct path inner = {.up = &path, .name = "key"};

			fault(faults, &inner, "the same key is given twice");
		}
		path.index++;
	}
}

/* The limits that only the whole message shows. */
static void check_counts(const struct level *level, const uint8_t *start, struct lk_faults *faults)
{
	for (unsigned i = 0; i < level->descriptor->n_fields; i++) {
		const struct lk_wire_field *limits = level->limits != NULL ? &level->limits[i] : &no_limits;
		uint32_t max = items_max(level, limits);
		struct path path = {.up = level->path, .name = level->descriptor->fields[i].name};

		if (level->given[i] > max) {
			fault(faults, &path, "has %u entries; at most %u are allowed", level->given[i], max);
		} else if (limits->is_map && level->given[i] > 1) {
			check_map(level, start, i, faults);
		}
	}
}

/* Walks what is left of one level. False on a structural fault. */
static bool walk(struct level *level, struct lk_faults *faults)
{
	const uint8_t *start = level->at;

	if (level->descriptor->n_fields > LK_WIRE_FIELDS_MAX) {
		return fault(faults, level->path, "%s has more fields than can be checked", level->descriptor->name);
	}
	while (level->at < level->end) {
		if (!walk_field(level, faults)) {
			return false;
		}
	}
	check_counts(level, start, faults);
	return true;
}

enum lk_err lk_wire_check(
	const struct lk_wire_message *rules, const uint8_t *data, size_t len, struct lk_faults *faults)
{
	size_t before = faults->count;
	struct level level = {
		.descriptor = rules->descriptor,
		.limits = rules->fields,
		.at = data,
		/* NULL + 0 is undefined in C. */
		.end = len > 0 ? data + len : data,
		.depth = 1,
		.items_max = LK_WIRE_ITEMS_MAX,
	};

	/* What counts are faults, for a limit that is passed does not end the walk. */
	(void)walk(&level, faults);
	return faults->count > before ? LK_INVALID_ARGUMENT : LK_OK;
}
