#include "tools/latchkey/say.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "tools/latchkey/text.h"

static bool is_line_taken;

void lk_say_line_taken(bool taken)
{
	is_line_taken = taken;
}

__attribute__((format(printf, 2, 0))) static void say(const char *before, const char *format, va_list arguments)
{
	char *text = NULL, *harmless = NULL;

	if (vasprintf(&text, format, arguments) >= 0) {
		harmless = lk_text_harmless(text);
	} else {
		text = NULL;
	}
	if (is_line_taken) {
		/* To its beginning, and wiped. */
		fputs("\r\x1b[K", stderr);
		is_line_taken = false;
	}
	fprintf(stderr, "%s%s\n", before, harmless ? harmless : "out of memory");
	free(harmless);
	free(text);
}

void lk_say(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	say("latchkey: ", format, arguments);
	va_end(arguments);
}

void lk_say_line(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	say("", format, arguments);
	va_end(arguments);
}

enum lk_exit lk_say_no_memory(void)
{
	lk_say("out of memory");
	return LK_EXIT_USAGE;
}
