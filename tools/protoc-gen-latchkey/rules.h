/*
 * The rules that latchkey/v1/options.proto lets a .proto file state, read from where protobuf-c leaves an option that it was
 * not built with: the unknown fields of the options.
 */
#ifndef LK_GENERATOR_RULES_H
#define LK_GENERATOR_RULES_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stdint.h>

#include "tools/protoc-gen-latchkey/pool.h"
#include "tools/protoc-gen-latchkey/report.h"

/* latchkey.v1.Effect */
enum lk_rule_effect {
	LK_RULE_EFFECT_UNSPECIFIED,
	LK_RULE_EFFECT_READ,
	LK_RULE_EFFECT_WRITE,
	LK_RULE_EFFECT_SCAN,
	LK_RULE_EFFECT_BULK,
	LK_RULE_EFFECT_COUNT,
};

/* latchkey.v1.MethodRule */
struct lk_method_rule {
	/* The option was given. */
	bool is_given;
	/* NULL where it was not given. */
	const char *access;
	/* Below LK_RULE_EFFECT_COUNT. */
	uint32_t effect;
	bool large_request;
	bool own;
};

/* latchkey.v1.FieldRule */
struct lk_field_rule {
	uint32_t max_length;
	uint32_t max_items;
	bool secret;
	bool output_only;
	bool no_flag;
	bool ago;
	bool apart;
};

/* The rule in a method's or field's options. What this generator does not know of is a fault at `origin`. */
struct lk_method_rule lk_rules_of_method(
	struct lk_report *report, struct lk_origin origin, const ProtobufCMessage *options);
struct lk_field_rule lk_rules_of_field(
	struct lk_report *report, struct lk_origin origin, const ProtobufCMessage *options);

/*
 * Whether a file's options tell protoc-c, and so this generator too, to leave the file alone: (pb_c_file).no_generate. Its other
 * options change the names of C on which this generator relies: a fault.
 */
bool lk_rules_no_generate(struct lk_report *report, struct lk_origin origin, const ProtobufCMessage *options);

#endif
