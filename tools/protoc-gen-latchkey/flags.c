#include "tools/protoc-gen-latchkey/flags.h"

#include <string.h>

#include "tools/latchkey/flags.h"
#include "tools/protoc-gen-latchkey/names.h"

#define TYPE(name) GOOGLE__PROTOBUF__FIELD_DESCRIPTOR_PROTO__TYPE__TYPE_##name

static const char *const taken[] = {LK_FLAGS_OWN};

/* By type of field. Floating-point numbers and groups have no form; messages and enums see below. */
static const struct lk_flag_form scalar_forms[] = {
	[TYPE(INT64)] = {"LK_FLAG_INT", "N", false},
	[TYPE(UINT64)] = {"LK_FLAG_UINT", "N", false},
	[TYPE(INT32)] = {"LK_FLAG_INT", "N", false},
	[TYPE(FIXED64)] = {"LK_FLAG_UINT", "N", false},
	[TYPE(FIXED32)] = {"LK_FLAG_UINT", "N", false},
	[TYPE(BOOL)] = {"LK_FLAG_BOOL", NULL, false},
	[TYPE(STRING)] = {"LK_FLAG_STRING", "TEXT", false},
	[TYPE(BYTES)] = {"LK_FLAG_BYTES", "BASE64", false},
	[TYPE(UINT32)] = {"LK_FLAG_UINT", "N", false},
	[TYPE(SFIXED32)] = {"LK_FLAG_INT", "N", false},
	[TYPE(SFIXED64)] = {"LK_FLAG_INT", "N", false},
	[TYPE(SINT32)] = {"LK_FLAG_INT", "N", false},
	[TYPE(SINT64)] = {"LK_FLAG_INT", "N", false},
};

/* Messages that are one value to people. */
static const struct {
	const char *message;
	struct lk_flag_form form;
} message_forms[] = {
	{"google.protobuf.Timestamp", {"LK_FLAG_TIMESTAMP", "TIME", false}},
	{"google.protobuf.Duration", {"LK_FLAG_DURATION", "DURATION", false}},
	{"google.protobuf.FieldMask", {"LK_FLAG_MASK", "FIELD", true}},
};

static struct lk_flag_form map_form(const struct lk_proto_message *entry)
{
	for (size_t i = 0; i < entry->n_fields; i++) {
		if (entry->fields[i].type != TYPE(STRING)) {
			return (struct lk_flag_form){0};
		}
	}
	return (struct lk_flag_form){"LK_FLAG_MAP", "KEY=VALUE", true};
}

static struct lk_flag_form message_form(const struct lk_proto_message *message)
{
	for (size_t i = 0; i < sizeof(message_forms) / sizeof(message_forms[0]); i++) {
		if (strcmp(message_forms[i].message, message->element.full_name) == 0) {
			return message_forms[i].form;
		}
	}
	return (struct lk_flag_form){0};
}

/* "keyspace|tenant": the first value says that none is set, and is nothing to ask for. */
static struct lk_flag_form enum_form(struct lk_pool *pool, const struct lk_proto_enum *enumeration)
{
	const char *metavar = "";

	for (size_t i = 1; i < enumeration->n_values; i++) {
		const char *name = enumeration->values[i].element.name;

		if (strncmp(name, enumeration->prefix, strlen(enumeration->prefix)) == 0) {
			name += strlen(enumeration->prefix);
		}
		metavar = lk_pool_printf(pool, "%s%s%s", metavar, *metavar ? "|" : "", lk_names_lower(pool, name));
	}
	return (struct lk_flag_form){"LK_FLAG_ENUM", metavar, false};
}

static struct lk_flag_form single_form(struct lk_pool *pool, const struct lk_proto_field *field)
{
	if (field->is_map) {
		return map_form(field->message);
	}
	if (field->message) {
		return message_form(field->message);
	}
	if (field->enumeration) {
		return enum_form(pool, field->enumeration);
	}
	if ((size_t)field->type < sizeof(scalar_forms) / sizeof(scalar_forms[0])) {
		return scalar_forms[field->type];
	}
	return (struct lk_flag_form){0};
}

static struct lk_flag_form form_of(struct lk_pool *pool, const struct lk_proto_field *field)
{
	struct lk_flag_form form = single_form(pool, field);

	if (field->is_repeated && form.repeated && !field->is_map) {
		/* A list of what is several values already: nobody could say where one ends. */
		return (struct lk_flag_form){0};
	}
	form.repeated |= field->is_repeated;
	return form;
}

/* A single message that is no value of its own stands for its fields. */
static bool is_flattened(const struct lk_proto_field *field)
{
	return field->message && !field->is_repeated && !message_form(field->message).kind;
}

static size_t count(const struct lk_proto_message *message)
{
	size_t n_flags = 0;

	for (size_t i = 0; i < message->n_fields; i++) {
		n_flags += is_flattened(&message->fields[i]) ? count(message->fields[i].message) : 1;
	}
	return n_flags;
}

/* Adds the flags of `message`, to which `path` leads: "" or "filter.". */
static void collect(
	struct lk_pool *pool, const struct lk_proto_message *message, const char *path, struct lk_flag_plans *plans)
{
	for (size_t i = 0; i < message->n_fields; i++) {
		const struct lk_proto_field *field = &message->fields[i];
		struct lk_flag_plan *plan;

		if (field->rule.secret || field->rule.output_only || field->rule.no_flag) {
			continue;
		}
		if (is_flattened(field)) {
			collect(pool, field->message, lk_pool_printf(pool, "%s%s.", path, field->element.name), plans);
			continue;
		}
		plan = &plans->flags[plans->n_flags++];
		*plan = (struct lk_flag_plan){
			.path = lk_pool_printf(pool, "%s%s", path, field->element.name),
			.form = form_of(pool, field),
			.field = field,
		};
		plan->name_start = plan->path + strlen(path);
	}
}

static void name(struct lk_pool *pool, struct lk_flag_plan *plan)
{
	char *result = lk_names_kebab(pool, plan->name_start);

	for (char *dot = result; (dot = strchr(dot, '.'));) {
		*dot = '-';
	}
	plan->name = result;
	plan->is_taken = false;
	for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++) {
		plan->is_taken |= strcmp(taken[i], result) == 0;
	}
}

static void find_clashes(struct lk_flag_plans *plans)
{
	for (size_t i = 0; i < plans->n_flags; i++) {
		plans->flags[i].clash = NULL;
		for (size_t j = 0; j < plans->n_flags; j++) {
			if (i != j && strcmp(plans->flags[i].name, plans->flags[j].name) == 0) {
				plans->flags[i].clash = &plans->flags[j];
			}
		}
	}
}

/* Puts one more parent before the name of each flag that needs it; false where none could. */
static bool lengthen(struct lk_flag_plans *plans)
{
	bool is_changed = false;

	for (size_t i = 0; i < plans->n_flags; i++) {
		struct lk_flag_plan *plan = &plans->flags[i];

		if ((!plan->clash && !plan->is_taken) || plan->name_start == plan->path) {
			continue;
		}
		/* From behind the dot before the name to behind the one before that. */
		plan->name_start--;
		while (plan->name_start > plan->path && plan->name_start[-1] != '.') {
			plan->name_start--;
		}
		is_changed = true;
	}
	return is_changed;
}

struct lk_flag_plans lk_flags_of(struct lk_pool *pool, const struct lk_proto_message *request)
{
	struct lk_flag_plans plans = {0};

	plans.flags = lk_pool_array(pool, count(request), sizeof(*plans.flags));
	collect(pool, request, "", &plans);
	do {
		for (size_t i = 0; i < plans.n_flags; i++) {
			name(pool, &plans.flags[i]);
		}
		find_clashes(&plans);
	} while (lengthen(&plans));
	return plans;
}
