/* latchkey health, latchkey whoami: questions about the daemon. */
#include <stdlib.h>
#include <string.h>

#include "latchkey/v1/admin.flags.h"
#include "latchkey/v1/health.flags.h"
#include "tools/latchkey/command.h"

static const struct lk_show_field health_fields[] = {
	{.column = {.header = "Status"}, .path = "status", .prefix = "SERVING_STATUS_"},
	{.column = {.header = "Version"}, .path = "version"},
};

static const struct lk_show_field caller_fields[] = {
	{.column = {.header = "Caller"}, .path = "caller"},
	{.column = {.header = "Kind"}, .path = "kind", .prefix = "CALLER_KIND_"},
	{.column = {.header = "Subject"}, .path = "subject"},
	{.column = {.header = "Expires"}, .path = "expireTime", .kind = LK_SHOW_TIME, .absent = "Never"},
	{.column = {.header = "Rights"}, .path = "grant.methods"},
	{.column = {.header = "Tenants"}, .path = "grant.tenants"},
	{.column = {.header = "Keyspaces"}, .path = "grant.keyspaces"},
	{.column = {.header = "Own keys only"}, .path = "grant.ownOnly"},
};

#define CALLER_FIELDS (sizeof(caller_fields) / sizeof(caller_fields[0]))
/* The most services that are shown on lines of their own; a daemon has some ten. */
#define SERVICES_MAX 64

static enum lk_err show_health(const struct lk_run *run, const json_t *response)
{
	return lk_show_record(health_fields, sizeof(health_fields) / sizeof(health_fields[0]), response, &run->page);
}

/* "KeyService" of "latchkey.v1.KeyService/Get", as far as that is one; puts "Get" into its list of `services`. */
static bool group_method(json_t *services, const char *name)
{
	const char *slash = strchr(name, '/');
	size_t end = slash ? (size_t)(slash - name) : 0;
	size_t begin = end;

	while (begin > 0 && name[begin - 1] != '.') {
		begin--;
	}
	char *service = strndup(name + begin, end - begin);
	if (!service) {
		return false;
	}
	json_t *list = json_object_get(services, service);
	bool ok = list || json_object_set_new(services, service, json_array()) == 0;
	if (ok) {
		ok = json_array_append_new(json_object_get(services, service), json_string(slash ? slash + 1 : name)) ==
		     0;
	}
	free(service);
	return ok;
}

/* The methods by service: {"KeyService": ["Get", ...], ...}. NULL: out of memory. */
static json_t *group_methods(const json_t *methods)
{
	json_t *services = json_object();
	const json_t *item;
	size_t i;

	json_array_foreach(methods, i, item)
	{
		if (services && json_is_string(item) && !group_method(services, json_string_value(item))) {
			json_decref(services);
			services = NULL;
		}
	}
	return services;
}

/* Who it is, and then a line a service. */
static enum lk_err show_caller(const struct lk_run *run, const json_t *response)
{
	struct lk_show_field fields[CALLER_FIELDS + SERVICES_MAX];
	json_t *shown = json_copy((json_t *)response);
	json_t *services = group_methods(json_object_get(response, "methods"));
	enum lk_err err = LK_NO_MEMORY;
	size_t n = CALLER_FIELDS;
	json_t *list;
	const char *service;

	memcpy(fields, caller_fields, sizeof(caller_fields));
	if (shown && services && json_object_update(shown, services) == 0) {
		json_object_foreach(services, service, list)
		{
			if (n < sizeof(fields) / sizeof(fields[0])) {
				fields[n++] = (struct lk_show_field){.column = {.header = service}, .path = service};
			}
		}
		err = lk_show_record(fields, n, shown, &run->page);
	}
	json_decref(services);
	json_decref(shown);
	return err;
}

static const struct lk_command health_commands[] = {
	{.verb = "check", .service = &latchkey_v1_health_cli, .rpc_verb = "check", .show = show_health},
};

static const struct lk_command whoami_commands[] = {
	{.verb = NULL,
		.service = &latchkey_v1_admin_cli,
		.rpc_verb = "who-am-i",
		.help = "Says who the daemon takes you for, what you are granted, and which methods you may call.",
		.show = show_caller},
};

const struct lk_noun lk_noun_health = {
	.name = "health",
	.help = "Whether the daemon serves.",
	.commands = health_commands,
	.n_commands = sizeof(health_commands) / sizeof(health_commands[0]),
};

const struct lk_noun lk_noun_whoami = {
	.name = "whoami",
	.help = "Who the daemon takes you for, and what you may do.",
	.commands = whoami_commands,
	.n_commands = sizeof(whoami_commands) / sizeof(whoami_commands[0]),
};
