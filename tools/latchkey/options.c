#include "tools/latchkey/options.h"

#include <stdlib.h>
#include <string.h>

#include "tools/latchkey/times.h"

/* A day: past it a wait is a mistake. */
#define TIMEOUT_MAX_MS ((int64_t)86400 * 1000)

struct option {
	const char *name;
	/* NULL: it takes no value. */
	const char *value;
	const char *help;
	/* `value` is NULL for one that takes none. */
	enum lk_exit (*read)(struct lk_options *, const char *value);
};

static enum lk_exit read_url(struct lk_options *options, const char *value)
{
	options->url = value;
	return LK_EXIT_OK;
}

static enum lk_exit read_credential_file(struct lk_options *options, const char *value)
{
	options->credential_file = value;
	return LK_EXIT_OK;
}

static enum lk_exit read_output(struct lk_options *options, const char *value)
{
	options->json = strcmp(value, "json") == 0;
	if (options->json || strcmp(value, "table") == 0) {
		return LK_EXIT_OK;
	}
	lk_say("--output %s: there is no such output; give table or json", value);
	return LK_EXIT_USAGE;
}

static enum lk_exit read_timeout(struct lk_options *options, const char *value)
{
	const char *fault;
	int64_t ms;

	if (lk_times_span(value, &ms, &fault) != LK_OK) {
		lk_say("--timeout %s: %s", value, fault);
		return LK_EXIT_USAGE;
	}
	if (ms == 0 || ms > TIMEOUT_MAX_MS) {
		lk_say("--timeout %s: give a time from 1ms to 1d", value);
		return LK_EXIT_USAGE;
	}
	options->timeout_ms = (uint32_t)ms;
	return LK_EXIT_OK;
}

static enum lk_exit read_help(struct lk_options *options, const char *value)
{
	(void)value;
	options->help = true;
	return LK_EXIT_OK;
}

static enum lk_exit read_version(struct lk_options *options, const char *value)
{
	(void)value;
	options->version = true;
	return LK_EXIT_OK;
}

static const struct option table[] = {
	{"--url", "URL", "Where the daemon listens; else LATCHKEY_URL, else " LK_OPTIONS_DEFAULT_URL ".", read_url},
	{"--credential-file", "FILE",
		"The root key or JWT to call with; else LATCHKEY_CREDENTIAL, else who you are over ipc.",
		read_credential_file},
	{"--output", "table|json", "How the answer looks; table unless given.", read_output},
	{"--timeout", "DURATION", "How long to wait for the answer; 5s unless given.", read_timeout},
	{"--help", NULL, "Show what a command does and takes.", read_help},
	{"--version", NULL, "Show the version.", read_version},
};

#define N_OPTIONS (sizeof(table) / sizeof(table[0]))

const char *lk_options_name(const void *unused, size_t i)
{
	(void)unused;
	return i < N_OPTIONS ? table[i].name : NULL;
}

void lk_options_print_help(FILE *file)
{
	fputs("Flags of every command:\n", file);
	for (size_t i = 0; i < N_OPTIONS; i++) {
		char left[32];

		snprintf(left, sizeof(left), "%s %s", table[i].name, table[i].value ? table[i].value : "");
		fprintf(file, "  %-22s  %s\n", left, table[i].help);
	}
}

/* The option that `word` names, "-h" being --help; `*ret_inline` is what stands behind its '=', or NULL. */
static const struct option *option_of(const char *word, const char **ret_inline)
{
	const char *equals = strchr(word, '=');
	size_t len = equals ? (size_t)(equals - word) : strlen(word);

	*ret_inline = equals ? equals + 1 : NULL;
	if (strcmp(word, "-h") == 0) {
		word = "--help";
		len = strlen(word);
	}
	for (size_t i = 0; i < N_OPTIONS; i++) {
		if (strlen(table[i].name) == len && memcmp(table[i].name, word, len) == 0) {
			return &table[i];
		}
	}
	return NULL;
}

/* Reads one option, whose value may be the next word, and moves `*at` onto the last word that it used. */
static enum lk_exit read_one(const struct option *option, const char *inline_value, int argc, char **argv, int *at,
	struct lk_options *options)
{
	const char *value = inline_value;

	if (!option->value) {
		if (!value) {
			return option->read(options, NULL);
		}
		lk_say("%s takes no value, and was given \"%s\"", option->name, value);
		return LK_EXIT_USAGE;
	}
	if (!value && *at + 1 < argc && strncmp(argv[*at + 1], "--", 2) != 0) {
		value = argv[++*at];
	}
	if (value && *value != '\0') {
		return option->read(options, value);
	}
	lk_say("%s needs a value: %s %s", option->name, option->name, option->value);
	return LK_EXIT_USAGE;
}

static void read_environment(struct lk_options *options)
{
	const char *url = getenv("LATCHKEY_URL");

	options->url = url && *url != '\0' ? url : LK_OPTIONS_DEFAULT_URL;
	options->timeout_ms = LK_OPTIONS_DEFAULT_TIMEOUT_MS;
}

enum lk_exit lk_options_read(int argc, char **argv, struct lk_options *ret)
{
	struct lk_options options = {0};
	enum lk_exit code = LK_EXIT_OK;
	bool seen[N_OPTIONS] = {false}, ended = false;

	read_environment(&options);
	options.words = argv;
	for (int i = 1; i < argc && code == LK_EXIT_OK; i++) {
		const char *value;
		const struct option *option = ended ? NULL : option_of(argv[i], &value);

		if (!ended && strcmp(argv[i], "--") == 0) {
			ended = true;
		} else if (!option) {
			/* Never ahead of `i`: what was read is what is overwritten. */
			options.words[options.n_words++] = argv[i];
		} else if (option->value && seen[option - table]) {
			lk_say("%s was given twice", option->name);
			code = LK_EXIT_USAGE;
		} else {
			seen[option - table] = true;
			code = read_one(option, value, argc, argv, &i, &options);
		}
	}
	if (code == LK_EXIT_OK) {
		*ret = options;
	}
	return code;
}
