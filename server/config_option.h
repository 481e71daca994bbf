/*
 * The options of latchkeyd as a table, and how one is set from a text. Private to config*.c.
 */
#ifndef LK_SERVER_CONFIG_OPTION_H
#define LK_SERVER_CONFIG_OPTION_H

#include <stdio.h>

#include "server/config.h"

/* As many as there are kinds of line in a section of an issuer. */
#define CONFIG_ISSUER_KEYS 14

enum config_type {
	CONFIG_PATH,
	CONFIG_URL,
	CONFIG_BOOL,
	CONFIG_LEVEL,
	CONFIG_COUNT,
	/* Bytes, with or without a unit: 64GiB. */
	CONFIG_SIZE,
};

struct config_option {
	const char *section;
	const char *key;
	/* The long flag, or NULL where it stands in the file alone. */
	const char *flag;
	/* What the flag takes, for the help; NULL: nothing. */
	const char *argument;
	enum config_type type;
	/* In struct lk_config; of a list, its first member. */
	size_t offset;
	uint64_t min;
	uint64_t max;
	/* NULL: none. */
	const char *fallback;
	const char *help;
};

extern const struct config_option config_options[];
extern const size_t config_options_count;

/* What a load gathers; `faults` is a memory stream. */
struct config_load {
	struct lk_config config;
	FILE *faults;
	bool faulty;
	/* Of the issuers: the line that their section begins in, and those that gave its keys, or 0. */
	struct {
		int begin;
		int given[CONFIG_ISSUER_KEYS];
	} issuer_lines[LK_ISSUERS_MAX];
	/* Whence they are; NULL: there are none. */
	const char *issuer_file;
};

/* Where a value came from: a line of a file, or, with `file` NULL, a flag. */
struct config_source {
	const char *file;
	int line;
};

/* Adds a fault that begins with where it was found and, unless NULL, which option and value it is about. */
void config_fault(struct config_load *load, const struct config_source *source, const struct config_option *option,
	const char *value, const char *format, ...) __attribute__((format(printf, 5, 6)));

/* Sets an option, or adds a fault that tells what its values are. */
void config_set(struct config_load *load, const struct config_source *source, const struct config_option *option,
	const char *value);

/*
 * Reads a config file and sets what it says, except options of which `overridden` is true: those are only checked for being
 * known and given once. `overridden` has config_options_count entries.
 */
void config_read_file(struct config_load *load, const char *file, const bool *overridden);

#endif
