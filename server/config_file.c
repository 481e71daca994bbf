#include <ctype.h>
#include <errno.h>
#include <ini.h>
#include <stdlib.h>
#include <string.h>

#include "server/config_issuer.h"
#include "server/config_option.h"

/*
 * inih knows no line of what it hands over, and takes an indented line for more of the value before: so it is fed line by
 * line.
 */
struct file_load {
	struct config_load *load;
	const bool *overridden;
	FILE *stream;
	struct config_source source;
	/* By option: the line that gave it, or 0. */
	int *given;
};

static bool known_section(const char *name, size_t len)
{
	for (size_t i = 0; i < config_options_count; i++) {
		if (strncmp(config_options[i].section, name, len) == 0 && config_options[i].section[len] == '\0') {
			return true;
		}
	}
	return false;
}

/* A section that is unknown is a fault even without a key in it. */
static void check_section(struct file_load *file, const char *line)
{
	size_t len = 0;

	if (line[0] != '[') {
		return;
	}
	len = strcspn(++line, "]");
	if (line[len] != ']' || known_section(line, len)) {
		return;
	}
	if (config_issuer_is_section(line)) {
		config_issuer_begin(file->load, &file->source, line, len);
	} else {
		config_fault(file->load, &file->source, NULL, NULL,
			"there is no section [%.*s]: give [server], [store], [limits] or [issuer \"NAME\"]", (int)len,
			line);
	}
}

static void skip_line(FILE *stream)
{
	int c = 0;

	do {
		c = fgetc(stream);
	} while (c != EOF && c != '\n');
}

/* As fgets(3), for inih. */
static char *read_line(char *out, int size, void *stream)
{
	struct file_load *file = stream;
	size_t len = 0;

	if (fgets(out, size, file->stream) == NULL) {
		return NULL;
	}
	file->source.line++;
	len = strlen(out);
	if (len + 1 == (size_t)size && out[len - 1] != '\n') {
		config_fault(
			file->load, &file->source, NULL, NULL, "the line is too long; %d bytes are allowed", size - 3);
		skip_line(file->stream);
		out[0] = '\0';
	}
	len = strspn(out, " \t");
	memmove(out, out + len, strlen(out + len) + 1);
	check_section(file, out);
	return out;
}

static void take_value(struct file_load *file, size_t index, const char *value)
{
	const struct config_option *option = &config_options[index];

	if (file->given[index] > 0 && option->type != CONFIG_URL) {
		config_fault(file->load, &file->source, option, NULL, "is given twice; first in line %d",
			file->given[index]);
	} else if (!file->overridden[index]) {
		config_set(file->load, &file->source, option, value);
	}
	file->given[index] = file->source.line;
}

/* inih's handler. Always 1: its own faults it reports by itself. */
static int take_line(void *user, const char *section, const char *name, const char *value)
{
	struct file_load *file = user;

	if (config_issuer_is_section(section)) {
		config_issuer_set(file->load, &file->source, section, name, value);
		return 1;
	}
	for (size_t i = 0; i < config_options_count; i++) {
		if (strcmp(config_options[i].section, section) == 0 && strcmp(config_options[i].key, name) == 0) {
			take_value(file, i, value);
			return 1;
		}
	}
	if (section[0] == '\0') {
		config_fault(file->load, &file->source, NULL, NULL, "\"%s\" stands outside of any section", name);
	} else if (known_section(section, strlen(section))) {
		config_fault(file->load, &file->source, NULL, NULL, "there is no option \"%s\" in [%s]", name, section);
	}
	return 1;
}

void config_read_file(struct config_load *load, const char *path, const bool *overridden)
{
	struct file_load file = {
		.load = load,
		.overridden = overridden,
		.source = {.file = path},
		.given = calloc(config_options_count, sizeof(int)),
	};
	int bad_line = 0;

	if (file.given == NULL) {
		config_fault(load, &(struct config_source){0}, NULL, NULL, "out of memory");
		return;
	}
	file.stream = fopen(path, "re");
	if (file.stream == NULL) {
		config_fault(load, &(struct config_source){0}, NULL, NULL, "cannot open the config file %s: %s", path,
			strerror(errno));
		free(file.given);
		return;
	}
	bad_line = ini_parse_stream(read_line, &file, take_line, &file);
	if (bad_line > 0) {
		file.source.line = bad_line;
		config_fault(load, &file.source, NULL, NULL, "is neither [section] nor key = value");
	}
	if (bad_line < 0 || ferror(file.stream)) {
		config_fault(load, &(struct config_source){0}, NULL, NULL, "cannot read the config file %s", path);
	}
	(void)fclose(file.stream);
	free(file.given);
}
