#include "tools/protoc-gen-latchkey/report.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "tools/protoc-gen-latchkey/text.h"

struct lk_fault {
	struct lk_origin origin;
	/* The order in which they were found settles the order within a line. */
	size_t number;
	const char *text;
};

void lk_report_init(struct lk_report *report, struct lk_pool *pool)
{
	*report = (struct lk_report){.pool = pool};
}

void lk_report_done(struct lk_report *report)
{
	free(report->faults);
	report->faults = NULL;
	report->n_faults = 0;
}

/* The same may be found on several ways, as a message is in several requests. */
static bool is_known(const struct lk_report *report, struct lk_origin origin, const char *text)
{
	for (size_t i = 0; i < report->n_faults; i++) {
		const struct lk_fault *fault = &report->faults[i];

		if (fault->origin.line == origin.line && strcmp(fault->origin.file, origin.file) == 0 &&
			strcmp(fault->text, text) == 0) {
			return true;
		}
	}
	return false;
}

void lk_report_add(struct lk_report *report, struct lk_origin origin, const char *format, ...)
{
	const char *text;
	va_list args;

	va_start(args, format);
	text = lk_pool_vprintf(report->pool, format, args);
	va_end(args);
	if (is_known(report, origin, text)) {
		return;
	}
	if (report->n_faults == report->size) {
		report->size = 2 * report->size + 8;
		report->faults = lk_pool_grow(report->faults, report->size * sizeof(*report->faults));
	}
	report->faults[report->n_faults] = (struct lk_fault){
		.origin = origin,
		.number = report->n_faults,
		.text = text,
	};
	report->n_faults++;
}

static int compare_faults(const void *left, const void *right)
{
	const struct lk_fault *a = left;
	const struct lk_fault *b = right;
	int files = strcmp(a->origin.file, b->origin.file);

	if (files != 0) {
		return files;
	}
	if (a->origin.line != b->origin.line) {
		return a->origin.line < b->origin.line ? -1 : 1;
	}
	return a->number < b->number ? -1 : 1;
}

const char *lk_report_text(struct lk_report *report)
{
	struct lk_text text = {0};
	const char *kept;

	if (report->n_faults == 0) {
		return NULL;
	}
	qsort(report->faults, report->n_faults, sizeof(*report->faults), compare_faults);
	lk_text_add(&text,
		report->n_faults == 1 ? "1 fault" : lk_pool_printf(report->pool, "%zu faults", report->n_faults));
	for (size_t i = 0; i < report->n_faults; i++) {
		const struct lk_fault *fault = &report->faults[i];

		lk_text_add(&text, lk_pool_printf(report->pool, "\n%s:%d: %s", fault->origin.file, fault->origin.line,
					   fault->text));
	}
	kept = lk_pool_text(report->pool, text.data, text.len);
	lk_text_done(&text);
	return kept;
}
