#include "server/config.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server/config_issuer.h"
#include "server/config_option.h"
#include "server/rpc/url.h"

#define SOCKET_NAME "latchkey.sock"

/* What getopt_long() returns for a flag: its option's index above this, or one of these. */
enum flag {
	FLAG_CONFIG = 256,
	FLAG_HELP,
	FLAG_VERSION,
	FLAG_OPTION,
};

/* The command line, taken apart and not yet applied: the file comes first. */
struct command_line {
	const char *config_file;
	/* By option: how often it was given. */
	unsigned *given;
	struct {
		size_t option;
		const char *value;
	} * values;
	size_t n_values;
};

static const struct config_source from_flag = {.file = NULL};

/* The flags of the table, and the three that stand for themselves; ends in a zero entry. To be freed. */
static struct option *make_flags(void)
{
	static const struct option own[] = {
		{"config", required_argument, NULL, FLAG_CONFIG},
		{"help", no_argument, NULL, FLAG_HELP},
		{"version", no_argument, NULL, FLAG_VERSION},
	};
	const size_t n_own = sizeof(own) / sizeof(own[0]);
	struct option *flags = calloc(config_options_count + n_own + 1, sizeof(*flags));
	size_t n = n_own;

	if (flags == NULL) {
		return NULL;
	}
	memcpy(flags, own, sizeof(own));
	for (size_t i = 0; i < config_options_count; i++) {
		const struct config_option *option = &config_options[i];

		if (option->flag == NULL) {
			continue;
		}
		flags[n++] = (struct option){
			.name = option->flag,
			.has_arg = option->argument != NULL ? required_argument : no_argument,
			.val = FLAG_OPTION + (int)i,
		};
	}
	return flags;
}

static void take_option(struct config_load *load, struct command_line *line, size_t option, const char *value)
{
	if (line->given[option]++ > 0 && config_options[option].type != CONFIG_URL) {
		config_fault(load, &from_flag, &config_options[option], NULL, "is given twice");
		return;
	}
	line->values[line->n_values].option = option;
	line->values[line->n_values].value = value != NULL ? value : "true";
	line->n_values++;
}

static void take_flag(struct config_load *load, struct command_line *line, int flag, const char *word)
{
	if (flag == FLAG_HELP) {
		load->config.action = LK_CONFIG_HELP;
	} else if (flag == FLAG_VERSION) {
		load->config.action = LK_CONFIG_VERSION;
	} else if (flag == FLAG_CONFIG) {
		line->config_file = optarg;
	} else if (flag >= FLAG_OPTION) {
		take_option(load, line, (size_t)(flag - FLAG_OPTION), optarg);
	} else if (flag == ':') {
		config_fault(load, &from_flag, NULL, NULL, "%s needs a value", word);
	} else {
		config_fault(load, &from_flag, NULL, NULL, "there is no option %s; see latchkeyd --help", word);
	}
}

static void read_flags(
	struct config_load *load, struct command_line *line, int argc, char *const argv[], const struct option *flags)
{
	int flag = 0;

	/* 0: GNU's getopt starts afresh. */
	optind = 0;
	opterr = 0;
	while ((flag = getopt_long(argc, argv, "+:", flags, NULL)) != -1) {
		take_flag(load, line, flag, argv[optind - 1]);
	}
	for (int i = optind; i < argc; i++) {
		config_fault(load, &from_flag, NULL, NULL, "\"%s\" stands behind no option", argv[i]);
	}
}

static bool is_overridden(const struct command_line *line, size_t option)
{
	return line->given[option] > 0;
}

static void apply(struct config_load *load, const struct command_line *line, bool *overridden)
{
	for (size_t i = 0; i < config_options_count; i++) {
		overridden[i] = is_overridden(line, i);
		if (config_options[i].fallback != NULL) {
			config_set(load, &from_flag, &config_options[i], config_options[i].fallback);
		}
	}
	if (line->config_file != NULL) {
		config_read_file(load, line->config_file, overridden);
	}
	for (size_t i = 0; i < line->n_values; i++) {
		config_set(load, &from_flag, &config_options[line->values[i].option], line->values[i].value);
	}
}

/* Makes the data directory's path absolute: it is logged, and part of the socket's URL. */
static void complete_paths(struct config_load *load)
{
	struct lk_config *config = &load->config;
	char *absolute = NULL;
	char *cwd = NULL;

	if (config->data_dir == NULL) {
		config_fault(load, &from_flag, NULL, NULL, "--data is missing: where are store, keys and socket?");
		return;
	}
	if (config->data_dir[0] != '/') {
		cwd = getcwd(NULL, 0);
		if (cwd == NULL || asprintf(&absolute, "%s/%s", cwd, config->data_dir) < 0) {
			config_fault(load, &from_flag, NULL, NULL, "cannot tell the working directory's path");
			absolute = NULL;
		} else {
			free(config->data_dir);
			config->data_dir = absolute;
		}
		free(cwd);
	}
	if (config->n_listen > 0) {
		return;
	}
	if (asprintf(&config->listen[0], "ipc://%s/" SOCKET_NAME, config->data_dir) < 0) {
		config->listen[0] = NULL;
	} else {
		config->n_listen = 1;
	}
}

static void check_urls(struct config_load *load)
{
	for (size_t i = 0; i < load->config.n_listen; i++) {
		const char *text = load->config.listen[i];
		char fault[LK_URL_FAULT_LEN] = "";
		struct lk_url url = {0};

		if (lk_url_parse(text, &url, fault) != LK_OK) {
			config_fault(load, &from_flag, NULL, NULL, "cannot listen on \"%s\": %s", text, fault);
		} else if (!url.loopback && !load->config.allow_plaintext) {
			config_fault(load, &from_flag, NULL, NULL,
				"will not listen on \"%s\": tcp is not encrypted, so beyond 127.0.0.0/8, [::1] and "
				"localhost "
				"it needs --allow-plaintext",
				text);
		}
	}
}

static void check_exchanges(struct config_load *load)
{
	const struct lk_config *config = &load->config;

	if (config->exchanges_reserved >= config->exchanges_max) {
		config_fault(load, &from_flag, NULL, NULL,
			"limits: exchanges_reserved (%llu) must be less than exchanges_max (%llu)",
			(unsigned long long)config->exchanges_reserved, (unsigned long long)config->exchanges_max);
	}
}

static enum lk_err load_all(struct config_load *load, int argc, char *const argv[])
{
	enum lk_err err = LK_NO_MEMORY;
	struct option *flags = make_flags();
	bool *overridden = calloc(config_options_count, sizeof(*overridden));
	struct command_line line = {
		.given = calloc(config_options_count, sizeof(*line.given)),
		.values = calloc((size_t)argc + 1, sizeof(*line.values)),
	};

	if (flags == NULL || overridden == NULL || line.given == NULL || line.values == NULL) {
		goto out;
	}
	read_flags(load, &line, argc, argv, flags);
	if (load->config.action == LK_CONFIG_RUN) {
		apply(load, &line, overridden);
		complete_paths(load);
		check_urls(load);
		check_exchanges(load);
		config_issuers_check(load);
	}
	err = load->faulty && load->config.action == LK_CONFIG_RUN ? LK_INVALID_ARGUMENT : LK_OK;
out:
	free(line.values);
	free(line.given);
	free(overridden);
	free(flags);
	return err;
}

enum lk_err lk_config_load(int argc, char *const argv[], struct lk_config *ret, char **ret_faults)
{
	struct config_load load = {.faulty = false};
	char *faults = NULL;
	size_t len = 0;
	enum lk_err err = LK_NO_MEMORY;

	*ret = (struct lk_config){0};
	*ret_faults = NULL;
	load.faults = open_memstream(&faults, &len);
	if (load.faults == NULL) {
		return err;
	}
	err = load_all(&load, argc, argv);
	if (fclose(load.faults) != 0) {
		err = LK_NO_MEMORY;
	}
	if (err == LK_OK) {
		*ret = load.config;
	} else {
		lk_config_done(&load.config);
	}
	if (err == LK_INVALID_ARGUMENT) {
		*ret_faults = faults;
	} else {
		free(faults);
	}
	return err;
}

void lk_config_done(struct lk_config *config)
{
	free(config->data_dir);
	for (size_t i = 0; i < config->n_listen; i++) {
		free(config->listen[i]);
	}
	for (size_t i = 0; i < config->n_issuers; i++) {
		lk_issuer_config_done(&config->issuers[i]);
	}
	*config = (struct lk_config){0};
}

static void help_flag(FILE *out, const struct config_option *option)
{
	char flag[64] = "";

	(void)snprintf(flag, sizeof(flag), "--%s%s%s", option->flag, option->argument != NULL ? " " : "",
		option->argument != NULL ? option->argument : "");
	(void)fprintf(out, "  %-20s %s", flag, option->help);
	if (option->argument != NULL && option->fallback != NULL) {
		(void)fprintf(out, " (%s)", option->fallback);
	}
	(void)fputc('\n', out);
}

static void help_file(FILE *out)
{
	const char *section = "";

	for (size_t i = 0; i < config_options_count; i++) {
		const struct config_option *option = &config_options[i];

		if (strcmp(section, option->section) != 0) {
			(void)fprintf(out, "\n  [%s]\n", option->section);
		}
		section = option->section;
		if (option->flag != NULL) {
			(void)fprintf(out, "  %-20s as --%s\n", option->key, option->flag);
		} else {
			(void)fprintf(out, "  %-20s %s (%s)\n", option->key, option->help, option->fallback);
		}
	}
}

char *lk_config_help(void)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	if (out == NULL) {
		return NULL;
	}
	(void)fputs("Usage: latchkeyd --data DIR [--listen URL]... [options]\n"
		    "Issues API keys and answers whether they may be used.\n\n",
		out);
	for (size_t i = 0; i < config_options_count; i++) {
		if (config_options[i].flag != NULL) {
			help_flag(out, &config_options[i]);
		}
	}
	(void)fprintf(out, "  %-20s %s\n  %-20s %s\n  %-20s %s\n", "--config FILE",
		"read options from FILE; flags win over it", "--help", "show this and exit", "--version",
		"show the version and exit");
	(void)fputs("\nThe file has sections, and in them lines of the form key = value:\n", out);
	help_file(out);
	config_issuer_help(out);
	if (fclose(out) != 0) {
		free(text);
		return NULL;
	}
	return text;
}
