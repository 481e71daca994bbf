#include "tools/latchkey/json_path.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* The most bytes of a name or a key that a path shows. */
enum {
	name_shown_max = 64
};

int lk_json_shown(const char *text, size_t len, size_t max)
{
	size_t shown = len < max ? len : max;
	while (shown < len && shown > 0 && ((unsigned char)text[shown] & 0xc0) == 0x80) {
		shown--;
	}
	return (int)shown;
}

static void write_step(FILE *out, const struct lk_json_step *step)
{
	if (step->up == NULL) {
		return;
	}
	write_step(out, step->up);
	if (step->name == NULL) {
		(void)fprintf(out, "[%zu]", step->index);
	} else if (step->is_key) {
		(void)fprintf(out, "[\"%.*s\"]", lk_json_shown(step->name, step->name_len, name_shown_max), step->name);
	} else {
		(void)fprintf(out, "%s%.*s", step->up->up == NULL ? "" : ".",
			lk_json_shown(step->name, step->name_len, name_shown_max), step->name);
	}
}

enum lk_err lk_json_fault(char **ret_fault, enum lk_err err, const struct lk_json_step *step, const char *format, ...)
{
	char *text = NULL;
	size_t len = 0;
	*ret_fault = NULL;
	FILE *out = open_memstream(&text, &len);
	if (out == NULL) {
		return LK_NO_MEMORY;
	}
	write_step(out, step);
	if (step->up != NULL) {
		(void)fputs(": ", out);
	}
	va_list args;
	va_start(args, format);
	(void)vfprintf(out, format, args);
	va_end(args);
	if (fclose(out) != 0) {
		free(text);
		return LK_NO_MEMORY;
	}
	*ret_fault = text;
	return err;
}
