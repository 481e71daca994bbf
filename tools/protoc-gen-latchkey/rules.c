#include "tools/protoc-gen-latchkey/rules.h"

#include <stddef.h>

/*
 * The numbers of the extensions: latchkey/v1/options.proto has one for methods and one for fields, protobuf-c.proto one for
 * files.
 */
#define LATCHKEY_RULE 50001
#define PB_C_FILE     1019

#define NEWER_RULE "build it from the sources that the option is from, or leave the field out"

/* One field of a rule, as it stands on the wire. */
struct wire_field {
	uint32_t number;
	uint64_t value;
	const uint8_t *data;
	size_t len;
};

struct wire {
	const uint8_t *at;
	const uint8_t *end;
};

/* An option whose value is a message, the rule. */
struct option {
	/* Of the extension. */
	uint32_t number;
	const char *name;
	/* Puts one field into the rule; false where it is not known. */
	bool (*set)(struct lk_report *report, void *rule, const struct wire_field *field);
	/* What is to be done about a field that is not known. */
	const char *remedy;
};

static bool read_varint(struct wire *wire, uint64_t *ret)
{
	uint64_t value = 0;

	for (unsigned shift = 0; shift < 64 && wire->at < wire->end; shift += 7) {
		uint8_t byte = *wire->at++;

		value |= (uint64_t)(byte & 0x7f) << shift;
		if (byte < 0x80) {
			*ret = value;
			return true;
		}
	}
	return false;
}

static bool read_bytes(struct wire *wire, struct wire *ret)
{
	uint64_t len;

	if (!read_varint(wire, &len) || len > (size_t)(wire->end - wire->at)) {
		return false;
	}
	*ret = (struct wire){wire->at, wire->at + len};
	wire->at += len;
	return true;
}

/* Rules are made of varints and of strings alone. */
static bool read_field(struct wire *wire, struct wire_field *ret)
{
	uint64_t tag;
	struct wire bytes;

	*ret = (struct wire_field){0};
	if (!read_varint(wire, &tag)) {
		return false;
	}
	ret->number = (uint32_t)(tag >> 3);
	if ((tag & 7) == PROTOBUF_C_WIRE_TYPE_VARINT) {
		return read_varint(wire, &ret->value);
	}
	if ((tag & 7) != PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED || !read_bytes(wire, &bytes)) {
		return false;
	}
	ret->data = bytes.at;
	ret->len = (size_t)(bytes.end - bytes.at);
	return true;
}

static void read_fields(
	struct lk_report *report, struct lk_origin origin, const struct option *option, struct wire wire, void *rule)
{
	struct wire_field field;

	while (wire.at < wire.end) {
		if (!read_field(&wire, &field) || !option->set(report, rule, &field)) {
			lk_report_add(report, origin,
				"field %u of option (%s) is not known to this generator, or its value is not; %s",
				field.number, option->name, option->remedy);
			return;
		}
	}
}

/*
 * Reads an option into `rule`; true where it was there. It is there several times where a file sets the fields of a rule one by
 * one.
 */
static bool read_option(struct lk_report *report, struct lk_origin origin, const ProtobufCMessage *options,
	const struct option *option, void *rule)
{
	bool is_given = false;

	for (unsigned i = 0; i < options->n_unknown_fields; i++) {
		const ProtobufCMessageUnknownField *unknown = &options->unknown_fields[i];
		/* protobuf-c keeps the length before the bytes. */
		struct wire data = {unknown->data, unknown->data + unknown->len};
		struct wire rule_data;

		if (unknown->tag != option->number) {
			continue;
		}
		is_given = true;
		if (unknown->wire_type == PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED && read_bytes(&data, &rule_data)) {
			read_fields(report, origin, option, rule_data, rule);
		} else {
			lk_report_add(report, origin, "option (%s) is no message; %s", option->name, option->remedy);
		}
	}
	return is_given;
}

static bool set_method_rule(struct lk_report *report, void *rule, const struct wire_field *field)
{
	struct lk_method_rule *method = rule;

	switch (field->number) {
	case 1:
		if (!field->data) {
			return false;
		}
		method->access = lk_pool_text(report->pool, (const char *)field->data, field->len);
		return true;
	case 2:
		method->effect = (uint32_t)field->value;
		return field->value < LK_RULE_EFFECT_COUNT;
	case 3:
		method->large_request = field->value != 0;
		return true;
	case 4:
		method->own = field->value != 0;
		return true;
	default:
		return false;
	}
}

static const struct option method_option = {
	.number = LATCHKEY_RULE,
	.name = "method",
	.set = set_method_rule,
	.remedy = NEWER_RULE,
};

struct lk_method_rule lk_rules_of_method(
	struct lk_report *report, struct lk_origin origin, const ProtobufCMessage *options)
{
	struct lk_method_rule rule = {0};

	rule.is_given = read_option(report, origin, options, &method_option, &rule);
	return rule;
}

static bool set_field_rule(struct lk_report *report, void *rule, const struct wire_field *field)
{
	struct lk_field_rule *limits = rule;

	(void)report;
	switch (field->number) {
	case 1:
		limits->max_length = (uint32_t)field->value;
		return true;
	case 2:
		limits->max_items = (uint32_t)field->value;
		return true;
	case 3:
		limits->secret = field->value != 0;
		return true;
	case 4:
		limits->output_only = field->value != 0;
		return true;
	case 5:
		limits->no_flag = field->value != 0;
		return true;
	case 6:
		limits->ago = field->value != 0;
		return true;
	case 7:
		limits->apart = field->value != 0;
		return true;
	default:
		return false;
	}
}

static const struct option field_option = {
	.number = LATCHKEY_RULE,
	.name = "field",
	.set = set_field_rule,
	.remedy = NEWER_RULE,
};

struct lk_field_rule lk_rules_of_field(
	struct lk_report *report, struct lk_origin origin, const ProtobufCMessage *options)
{
	struct lk_field_rule rule = {0};

	read_option(report, origin, options, &field_option, &rule);
	return rule;
}

static bool set_no_generate(struct lk_report *report, void *rule, const struct wire_field *field)
{
	bool *no_generate = rule;

	(void)report;
	*no_generate = field->value != 0;
	return field->number == 1;
}

static const struct option file_option = {
	.number = PB_C_FILE,
	.name = "pb_c_file",
	.set = set_no_generate,
	.remedy = "leave out all but no_generate: they change names on which this generator relies",
};

bool lk_rules_no_generate(struct lk_report *report, struct lk_origin origin, const ProtobufCMessage *options)
{
	bool no_generate = false;

	read_option(report, origin, options, &file_option, &no_generate);
	return no_generate;
}
