#include "server/config_option.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define AT(member) offsetof(struct lk_config, member)

static const uint64_t kib = 1024;
#define MIB (1024ull * 1024)
#define TIB (MIB * 1024 * 1024)

const struct config_option config_options[] = {
	{"server", "data", "data", "DIR", CONFIG_PATH, AT(data_dir), 0, 0, NULL,
		"the directory of store, keys and socket; made where it is missing"},
	{"server", "listen", "listen", "URL", CONFIG_URL, AT(listen), 0, 0, NULL,
		"where to listen, repeatable: ipc:///path or tcp://host:port; ipc://DIR/latchkey.sock where none is "
		"given"},
	{"server", "allow_plaintext", "allow-plaintext", NULL, CONFIG_BOOL, AT(allow_plaintext), 0, 0, "false",
		"allow tcp beyond loopback, where credentials can be overheard"},
	{"server", "log_level", "log-level", "LEVEL", CONFIG_LEVEL, AT(log_level), 0, 0, "info",
		"error, warn, info or debug"},
	{"store", "map_size", "map-size", "SIZE", CONFIG_SIZE, AT(map_size), 256 * MIB, TIB, "64GiB",
		"the most that the store can grow to; address space, not disk"},
	{"store", "writer_queue", NULL, NULL, CONFIG_COUNT, AT(writer_queue), 1, 65536, "1024",
		"changes that wait for the writer"},
	{"store", "slots_max", NULL, NULL, CONFIG_COUNT, AT(slots_max), 1024, 4294967296, "268435456",
		"keys that there can ever have been; 64 bytes of address space each"},
	{"store", "slots_sync_s", NULL, NULL, CONFIG_COUNT, AT(slots_sync_s), 1, 86400, "60",
		"seconds between two flushes of usage counts to disk"},
	{"limits", "exchanges_max", NULL, NULL, CONFIG_COUNT, AT(exchanges_max), 2, 16384, "1024",
		"requests under way in all"},
	{"limits", "exchanges_reserved", NULL, NULL, CONFIG_COUNT, AT(exchanges_reserved), 1, 4096, "32",
		"places among those that waiting writes never take"},
	{"limits", "connections_max", NULL, NULL, CONFIG_COUNT, AT(connections_max), 1, 65536, "1024",
		"connections; one more is closed"},
	{"limits", "in_flight_max", NULL, NULL, CONFIG_COUNT, AT(in_flight_max), 1, 4096, "256",
		"requests under way of one connection"},
	{"limits", "drain_ms", NULL, NULL, CONFIG_COUNT, AT(drain_ms), 0, 60000, "3000",
		"milliseconds that a stop waits for what is under way"},
};

const size_t config_options_count = sizeof(config_options) / sizeof(config_options[0]);

void config_fault(struct config_load *load, const struct config_source *source, const struct config_option *option,
	const char *value, const char *format, ...)
{
	FILE *out = load->faults;
	va_list args;

	if (load->faulty) {
		(void)fputc('\n', out);
	}
	load->faulty = true;
	if (source->file != NULL) {
		(void)fprintf(out, "%s:%d: ", source->file, source->line);
	}
	if (option != NULL && source->file != NULL) {
		(void)fprintf(out, "%s.%s: ", option->section, option->key);
	} else if (option != NULL) {
		(void)fprintf(out, "--%s: ", option->flag);
	}
	if (value != NULL) {
		(void)fprintf(out, "\"%s\": ", value);
	}
	va_start(args, format);
	(void)vfprintf(out, format, args);
	va_end(args);
}

static bool parse_digits(const char *text, uint64_t *ret, const char **ret_rest)
{
	uint64_t value = 0;
	size_t digits = strspn(text, "0123456789");

	if (digits == 0 || digits > 19) {
		return false;
	}
	for (size_t i = 0; i < digits; i++) {
		value = value * 10 + (uint64_t)(text[i] - '0');
	}
	*ret = value;
	*ret_rest = text + digits;
	return true;
}

static bool parse_size(const char *text, uint64_t *ret)
{
	static const char *const units[] = {"", "KiB", "MiB", "GiB", "TiB"};
	uint64_t value = 0;
	const char *rest = NULL;
	uint64_t factor = 1;

	if (!parse_digits(text, &value, &rest)) {
		return false;
	}
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++, factor *= kib) {
		if (strcmp(rest, units[i]) == 0 && value <= UINT64_MAX / factor) {
			*ret = value * factor;
			return true;
		}
	}
	return false;
}

/* A size as a person would write it. */
static void size_text(uint64_t size, char out[static 32])
{
	static const char *const units[] = {"", "KiB", "MiB", "GiB", "TiB"};
	size_t unit = 0;

	for (; size >= kib && size % kib == 0 && unit + 1 < sizeof(units) / sizeof(units[0]); unit++) {
		size /= kib;
	}
	(void)snprintf(out, 32, "%llu%s", (unsigned long long)size, units[unit]);
}

static void set_text(struct config_load *load, const struct config_source *source, const struct config_option *option,
	const char *value, char **place)
{
	char *copy = strdup(value);

	if (copy == NULL) {
		config_fault(load, source, option, NULL, "out of memory");
		return;
	}
	free(*place);
	*place = copy;
}

static void set_number(struct config_load *load, const struct config_source *source, const struct config_option *option,
	const char *value, uint64_t number)
{
	char min[32] = "";
	char max[32] = "";

	if (number >= option->min && number <= option->max) {
		memcpy((char *)&load->config + option->offset, &number, sizeof(number));
		return;
	}
	if (option->type == CONFIG_SIZE) {
		size_text(option->min, min);
		size_text(option->max, max);
	} else {
		(void)snprintf(min, sizeof(min), "%llu", (unsigned long long)option->min);
		(void)snprintf(max, sizeof(max), "%llu", (unsigned long long)option->max);
	}
	config_fault(load, source, option, value, "give %s to %s", min, max);
}

static void set_path(struct config_load *load, const struct config_source *source, const struct config_option *option,
	const char *value)
{
	if (value[0] == '\0') {
		config_fault(load, source, option, value, "give the path of a directory");
	} else {
		set_text(load, source, option, value, (char **)(void *)((char *)&load->config + option->offset));
	}
}

static void set_url(struct config_load *load, const struct config_source *source, const struct config_option *option,
	const char *value)
{
	struct lk_config *config = &load->config;

	for (size_t i = 0; i < config->n_listen; i++) {
		if (strcmp(config->listen[i], value) == 0) {
			config_fault(load, source, option, value, "is given twice");
			return;
		}
	}
	if (config->n_listen == LK_CONFIG_LISTEN_MAX) {
		config_fault(load, source, option, value, "at most %d URLs are allowed", LK_CONFIG_LISTEN_MAX);
		return;
	}
	set_text(load, source, option, value, &config->listen[config->n_listen]);
	if (config->listen[config->n_listen] != NULL) {
		config->n_listen++;
	}
}

static void set_bool(struct config_load *load, const struct config_source *source, const struct config_option *option,
	const char *value)
{
	bool yes = strcmp(value, "true") == 0;

	if (!yes && strcmp(value, "false") != 0) {
		config_fault(load, source, option, value, "give true or false");
	} else {
		memcpy((char *)&load->config + option->offset, &yes, sizeof(yes));
	}
}

static void set_level(struct config_load *load, const struct config_source *source, const struct config_option *option,
	const char *value)
{
	enum lk_log_level level = LK_LOG_INFO;

	if (!lk_log_level_parse(value, &level)) {
		config_fault(load, source, option, value, "give error, warn, info or debug");
	} else {
		memcpy((char *)&load->config + option->offset, &level, sizeof(level));
	}
}

static void set_count(struct config_load *load, const struct config_source *source, const struct config_option *option,
	const char *value)
{
	const char *rest = NULL;
	uint64_t number = 0;

	if (!parse_digits(value, &number, &rest) || *rest != '\0') {
		config_fault(load, source, option, value, "give a whole number");
	} else {
		set_number(load, source, option, value, number);
	}
}

static void set_size(struct config_load *load, const struct config_source *source, const struct config_option *option,
	const char *value)
{
	uint64_t number = 0;

	if (!parse_size(value, &number)) {
		config_fault(
			load, source, option, value, "give bytes, or a whole number of KiB, MiB, GiB or TiB: 64GiB");
	} else {
		set_number(load, source, option, value, number);
	}
}

void config_set(struct config_load *load, const struct config_source *source, const struct config_option *option,
	const char *value)
{
	static void (*const setters[])(
		struct config_load *, const struct config_source *, const struct config_option *, const char *) = {
		[CONFIG_PATH] = set_path,
		[CONFIG_URL] = set_url,
		[CONFIG_BOOL] = set_bool,
		[CONFIG_LEVEL] = set_level,
		[CONFIG_COUNT] = set_count,
		[CONFIG_SIZE] = set_size,
	};

	setters[option->type](load, source, option, value);
}
