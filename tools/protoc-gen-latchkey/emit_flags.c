/* Command-line tables: the nouns, verbs and flags of the CLI; see tools/latchkey/flags.h. */
#include "tools/protoc-gen-latchkey/emit.h"
#include "tools/protoc-gen-latchkey/flags.h"
#include "tools/protoc-gen-latchkey/names.h"

static const char flag_template[] = "\t{\n"
				    "\t\t.name = @name@,\n"
				    "\t\t.path = @path@,\n"
				    "\t\t.kind = @kind@,\n"
				    "\t\t.repeated = @repeated@,\n"
				    "\t\t.ago = @ago@,\n"
				    "\t\t.metavar = @metavar@,\n"
				    "\t\t.enum_prefix = @enum_prefix@,\n"
				    "\t\t.help = @help@,\n"
				    "\t},\n";

static const char method_template[] = "\t{\n"
				      "\t\t.method = &@method@_method,\n"
				      "\t\t.noun = @noun@,\n"
				      "\t\t.verb = @verb@,\n"
				      "\t\t.help = @help@,\n"
				      "\t\t.flags = @flags@,\n"
				      "\t\t.n_flags = @n_flags@,\n"
				      "\t},\n";

static const char service_template[] =
	"};\n"
	"\n"
	"const struct lk_cli_service @service@_cli = {\n"
	"\t.noun = @noun@,\n"
	"\t.help = @help@,\n"
	"\t.methods = @service@_cli_methods,\n"
	"\t.n_methods = sizeof(@service@_cli_methods) / sizeof(@service@_cli_methods[0]),\n"
	"};\n";

static const char *help(struct lk_pool *pool, const struct lk_proto_element *element)
{
	return lk_text_literal(pool, lk_text_one_line(pool, element->comment));
}

static const char *noun(struct lk_pool *pool, const struct lk_proto_service *service)
{
	return lk_text_literal(pool, lk_names_kebab(pool, lk_names_without_service(pool, service->element.name)));
}

static void emit_flag(struct lk_pool *pool, struct lk_text *text, const struct lk_flag_plan *flag)
{
	const struct lk_proto_enum *enumeration = flag->field->enumeration;

	LK_TEXT_EXPAND(text, flag_template, {"name", lk_text_literal(pool, flag->name)},
		{"path", lk_text_literal(pool, flag->path)}, {"kind", flag->form.kind},
		{"repeated", flag->form.repeated ? "true" : "false"}, {"ago", flag->field->rule.ago ? "true" : "false"},
		{"metavar", lk_text_literal(pool, flag->form.metavar)},
		{"enum_prefix", lk_text_literal(pool, enumeration ? enumeration->prefix : NULL)},
		{"help", help(pool, &flag->field->element)});
}

static void emit_method_flags(struct lk_pool *pool, struct lk_text *text, const struct lk_proto_method *method)
{
	const struct lk_flag_plans plans = lk_flags_of(pool, method->request);

	if (plans.n_flags == 0) {
		return;
	}
	LK_TEXT_EXPAND(text, "\nstatic const struct lk_flag @method@_flags[] = {\n", {"method", method->c_name});
	for (size_t i = 0; i < plans.n_flags; i++) {
		emit_flag(pool, text, &plans.flags[i]);
	}
	lk_text_add(text, "};\n");
}

static void emit_method(struct lk_pool *pool, struct lk_text *text, const struct lk_proto_method *method)
{
	const char *flags = lk_pool_printf(pool, "%s_flags", method->c_name);
	const bool has_flags = lk_flags_of(pool, method->request).n_flags > 0;

	LK_TEXT_EXPAND(text, method_template, {"method", method->c_name}, {"noun", noun(pool, method->service)},
		{"verb", lk_text_literal(pool, lk_names_kebab(pool, method->element.name))},
		{"help", help(pool, &method->element)}, {"flags", has_flags ? flags : "NULL"},
		{"n_flags", has_flags ? lk_pool_printf(pool, "sizeof(%s) / sizeof(%s[0])", flags, flags) : "0"});
}

static void emit_service(struct lk_pool *pool, struct lk_text *text, const struct lk_proto_service *service)
{
	for (size_t i = 0; i < service->n_methods; i++) {
		emit_method_flags(pool, text, &service->methods[i]);
	}
	LK_TEXT_EXPAND(text, "\nstatic const struct lk_cli_method @service@_cli_methods[] = {\n",
		{"service", service->c_name});
	for (size_t i = 0; i < service->n_methods; i++) {
		emit_method(pool, text, &service->methods[i]);
	}
	LK_TEXT_EXPAND(text, service_template, {"service", service->c_name}, {"noun", noun(pool, service)},
		{"help", help(pool, &service->element)});
}

void lk_emit_flags(struct lk_emit *emit, const struct lk_proto_file *file)
{
	const struct lk_emit_unit unit = {
		.stem = lk_pool_printf(emit->pool, "%s.flags", file->stem),
		.from = file->element.name,
		.purpose = "The command line's nouns, verbs and flags; see tools/latchkey/flags.h.",
		.includes = "#include \"tools/latchkey/flags.h\"\n",
	};
	struct lk_text *text;

	text = lk_emit_header(emit, &unit);
	lk_text_add(text, "\n");
	for (size_t i = 0; i < file->n_services; i++) {
		LK_TEXT_EXPAND(text, "extern const struct lk_cli_service @service@_cli;\n",
			{"service", file->services[i].c_name});
	}
	lk_emit_header_end(text, &unit);

	text = lk_emit_source(emit, &unit);
	LK_TEXT_EXPAND(text, "\n#include \"@stem@.client.h\"\n", {"stem", file->stem});
	for (size_t i = 0; i < file->n_services; i++) {
		emit_service(emit->pool, text, &file->services[i]);
	}
}
