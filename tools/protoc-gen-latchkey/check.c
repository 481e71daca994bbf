#include "tools/protoc-gen-latchkey/check.h"

#include "tools/protoc-gen-latchkey/flags.h"

void lk_check(struct lk_report *report, const struct lk_model *model)
{
	lk_check_elements(report, model);
	lk_check_names(report, model);
	if (lk_check_cycles(report, model)) {
		lk_check_flags(report, model);
	}
}

static void check_method_flags(struct lk_report *report, const struct lk_proto_method *method)
{
	const struct lk_flag_plans plans = lk_flags_of(report->pool, method->request);

	for (size_t i = 0; i < plans.n_flags; i++) {
		const struct lk_flag_plan *flag = &plans.flags[i];
		const struct lk_proto_element *field = &flag->field->element;

		if (!flag->form.kind) {
			lk_report_add(report, field->origin,
				"field \"%s\" has a type that cannot be a flag of the command line; make it a string, "
				"bool, integer, "
				"enum, bytes, Timestamp, Duration, FieldMask, a map of strings, or a single message of "
				"these, or say no_flag where the command line fills it by other means",
				field->full_name);
		}
		if (flag->is_taken) {
			lk_report_add(report, field->origin,
				"field \"%s\" would be the flag --%s, which the CLI has itself; rename it",
				field->full_name, flag->name);
		}
		/* Of each pair once. */
		if (flag->clash && flag->clash > flag) {
			lk_report_add(report, field->origin,
				"fields \"%s\" and \"%s\" of \"%s\" would both be the flag --%s; rename one",
				flag->path, flag->clash->path, method->request->element.full_name, flag->name);
		}
	}
}

void lk_check_flags(struct lk_report *report, const struct lk_model *model)
{
	for (size_t i = 0; i < model->n_methods; i++) {
		check_method_flags(report, model->methods[i]);
	}
}
