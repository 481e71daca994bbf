#include "tools/latchkey/confirm.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "tools/latchkey/text.h"

bool lk_confirm_can_ask(void)
{
	return isatty(STDIN_FILENO) == 1;
}

bool lk_confirm(const char *format, ...)
{
	char *question = NULL, *harmless = NULL, *line = NULL;
	size_t size = 0;
	bool yes = false;
	va_list args;

	va_start(args, format);
	if (vasprintf(&question, format, args) < 0) {
		question = NULL;
	}
	va_end(args);
	harmless = question ? lk_text_harmless(question) : NULL;
	if (harmless) {
		fprintf(stderr, "%s [y/N] ", harmless);
		fflush(stderr);
		yes = getline(&line, &size, stdin) > 0;
	}
	if (yes) {
		line[strcspn(line, "\r\n")] = '\0';
		yes = strcasecmp(line, "y") == 0 || strcasecmp(line, "yes") == 0;
	}
	free(line);
	free(harmless);
	free(question);
	return yes;
}
