/* latchkey keyspace */
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "latchkey/v1/keyspace.flags.h"
#include "tools/latchkey/command.h"
#include "tools/latchkey/input.h"

/* The bytes that may sign by HS256; the daemon has the same bounds. */
#define SECRET_MIN 32
#define SECRET_MAX 64
#define SECRET     "jwt_secret"

static const struct lk_show_field list_fields[] = {
	{.column = {.header = "ID", .least = 8}, .path = "id"},
	{.column = {.header = "NAME", .dispensable = 1, .least = 8}, .path = "displayName"},
	{.column = {.header = "PREFIX"}, .path = "policy.tokenPrefix"},
	{.column = {.header = "DEFAULT TTL", .dispensable = 2},
		.path = "policy.defaultTtl",
		.kind = LK_SHOW_SPAN,
		.absent = "none"},
	{.column = {.header = "CREATED", .dispensable = 3}, .path = "createTime", .kind = LK_SHOW_TIME},
};

static const struct lk_show_field fields[] = {
	{.column = {.header = "ID"}, .path = "id"},
	{.column = {.header = "Tenant"}, .path = "tenant"},
	{.column = {.header = "Name"}, .path = "displayName"},
	{.column = {.header = "Token prefix"}, .path = "policy.tokenPrefix"},
	{.column = {.header = "Token format"}, .path = "policy.tokenFormat", .prefix = "TOKEN_FORMAT_"},
	{.column = {.header = "JWT algorithm"},
		.path = "policy.jwtAlgorithm",
		.kind = LK_SHOW_CHOICE,
		.prefix = "JWT_ALGORITHM_"},
	{.column = {.header = "JWT issuer"}, .path = "policy.jwtIssuer"},
	{.column = {.header = "Display length"}, .path = "policy.displayLength", .kind = LK_SHOW_COUNT},
	{.column = {.header = "Name required"}, .path = "policy.nameRequired"},
	{.column = {.header = "Shortest name"}, .path = "policy.nameMinLength", .kind = LK_SHOW_COUNT},
	{.column = {.header = "Longest name"}, .path = "policy.nameMaxLength", .kind = LK_SHOW_COUNT},
	{.column = {.header = "Name unique"}, .path = "policy.nameUnique"},
	{.column = {.header = "Owner required"}, .path = "policy.ownerRequired"},
	{.column = {.header = "Expiry required"}, .path = "policy.expiryRequired"},
	{.column = {.header = "Default TTL"}, .path = "policy.defaultTtl", .kind = LK_SHOW_SPAN, .absent = "none"},
	{.column = {.header = "Maximum TTL"}, .path = "policy.maxTtl", .kind = LK_SHOW_SPAN, .absent = "none"},
	{.column = {.header = "Revoke deletes"}, .path = "policy.revokeDeletes"},
	{.column = {.header = "Permissions"}, .path = "policy.defaultPermissions"},
	{.column = {.header = "Rate limits"}, .path = "policy.defaultRateLimits", .kind = LK_SHOW_LIMITS},
	{.column = {.header = "Addresses"}, .path = "allowedCidrs"},
	{.column = {.header = "Denials"}, .path = "denials"},
	{.column = {.header = "Created"}, .path = "createTime", .kind = LK_SHOW_TIME},
	{.column = {.header = "Updated"}, .path = "updateTime", .kind = LK_SHOW_TIME},
	{.column = {.header = "Etag"}, .path = "etag"},
};

/* The counts as a map, code by code, which is shown on one line. NULL: out of memory. */
static json_t *map_denials(const json_t *denials)
{
	static const char prefix[] = "VERIFY_CODE_";
	json_t *map = json_object();
	const json_t *item;
	size_t i;

	json_array_foreach(denials, i, item)
	{
		const char *code = json_string_value(json_object_get(item, "code"));

		/* A code of a newer daemon is a number, and told by it. */
		code = code && strncmp(code, prefix, strlen(prefix)) == 0 ? code + strlen(prefix) : code;
		if (map && json_object_set(map, code ? code : "?", json_object_get(item, "count")) != 0) {
			json_decref(map);
			map = NULL;
		}
	}
	return map;
}

static enum lk_err show(const struct lk_run *run, const json_t *response)
{
	json_t *shown = json_copy((json_t *)response);
	json_t *denials = map_denials(json_object_get(response, "denials"));
	enum lk_err err = LK_NO_MEMORY;

	/* Where there were none, the line says so by being empty. */
	if (shown && denials && json_object_set(shown, "denials", denials) == 0) {
		err = lk_show_record(fields, sizeof(fields) / sizeof(fields[0]), shown, &run->page);
	}
	json_decref(denials);
	json_decref(shown);
	return err;
}

static enum lk_err show_list(const struct lk_run *run, const json_t *response)
{
	return lk_show_rows(list_fields, sizeof(list_fields) / sizeof(list_fields[0]),
		json_object_get(response, "keyspaces"), "no keyspaces", &run->page);
}

static const struct lk_rename created[] = {
	{"policy.default_permissions", "default-permission", NULL},
	{"allowed_cidrs", "allowed-cidr",
		"A range of addresses that its keys may be used from, or one address: 10.0.0.0/8, 2001:db8::1."},
	{0},
};
/* Puts the bytes of --jwt-secret-file into the request. */
static enum lk_exit read_secret(struct lk_run *run)
{
	const char *path = run->own[LK_OWN_JWT_SECRET_FILE];
	char text[sodium_base64_ENCODED_LEN(SECRET_MAX, sodium_base64_VARIANT_ORIGINAL)];
	struct lk_input secret = {0};
	enum lk_exit code;

	if (!path) {
		return LK_EXIT_OK;
	}
	code = lk_input_read_private_file(path, "the secret", SECRET_MAX, &secret);
	if (code != LK_EXIT_OK) {
		return code;
	}
	if (secret.len < SECRET_MIN) {
		lk_say("the secret in %s has %zu bytes: give %d to %d", path, secret.len, SECRET_MIN, SECRET_MAX);
		lk_input_done(&secret);
		return LK_EXIT_USAGE;
	}
	sodium_bin2base64(
		text, sizeof(text), (const unsigned char *)secret.text, secret.len, sodium_base64_VARIANT_ORIGINAL);
	if (json_object_set_new(run->request, SECRET, json_string(text)) != 0) {
		code = lk_say_no_memory();
	}
	sodium_memzero(text, sizeof(text));
	lk_input_done(&secret);
	return code;
}

/* Wipes what read_secret() put there: the call is over. */
static enum lk_exit wipe_secret(struct lk_run *run, json_t *response)
{
	const json_t *secret = json_object_get(run->request, SECRET);

	(void)response;
	if (secret) {
		sodium_memzero((char *)(uintptr_t)json_string_value(secret), json_string_length(secret));
	}
	return LK_EXIT_OK;
}

/* The document itself, as whoever checks signatures wants it. */
static enum lk_err show_key_set(const struct lk_run *run, const json_t *response)
{
	fprintf(run->page.file, "%s\n", json_string_value(json_object_get(response, "jwks")));
	return lk_run_flush(run);
}

static const struct lk_rename updated[] = {
	{"keyspace.id", "keyspace", "The keyspace's id."},
	{"keyspace.policy.default_permissions", "default-permission", NULL},
	{"keyspace.allowed_cidrs", "allowed-cidr",
		"A range of addresses that its keys may be used from, or one address: 10.0.0.0/8, 2001:db8::1. Takes "
		"effect at once for every key."},
	{0},
};
static const struct lk_update update = {.message = "keyspace", .id = "keyspace.id"};

static const struct lk_command commands[] = {
	{
		.verb = "create",
		.service = &latchkey_v1_keyspace_cli,
		.rpc_verb = "create",
		.renames = created,
		.word = "keyspace",
		.own_flags = LK_OWN(LK_OWN_RATE_LIMIT) | LK_OWN(LK_OWN_JWT_SECRET_FILE),
		.rate_limits = "policy.default_rate_limits",
		.prepare = read_secret,
		.deliver = wipe_secret,
		.show = show,
	},
	{.verb = "get", .service = &latchkey_v1_keyspace_cli, .rpc_verb = "get", .word = "keyspace", .show = show},
	{
		.verb = "list",
		.service = &latchkey_v1_keyspace_cli,
		.rpc_verb = "list",
		.own_flags = LK_OWN(LK_OWN_LIMIT),
		.items = "keyspaces",
		.show = show_list,
	},
	{
		.verb = "update",
		.service = &latchkey_v1_keyspace_cli,
		.rpc_verb = "update",
		.help = "Changes what flags are given for, and nothing else. A new policy means nothing for keys that "
			"exist, "
			"until they are next changed; addresses hold for all of them at once.",
		.renames = updated,
		.word = "keyspace.id",
		.update = &update,
		.own_flags = LK_OWN(LK_OWN_CLEAR) | LK_OWN(LK_OWN_RATE_LIMIT),
		.rate_limits = "keyspace.policy.default_rate_limits",
		.show = show,
	},
	{
		.verb = "delete",
		.service = &latchkey_v1_keyspace_cli,
		.rpc_verb = "delete",
		.word = "keyspace",
		.show = lk_run_show_deleted,
	},
	{
		.verb = "jwks",
		.service = &latchkey_v1_keyspace_cli,
		.rpc_verb = "get-jwks",
		.help = "Prints the public keys by which the signatures of a keyspace's JWTs are checked, as a JSON "
			"Web "
			"Key Set (RFC 7517). Of HS256 there are none.",
		.word = "keyspace",
		.show = show_key_set,
	},
};

const struct lk_noun lk_noun_keyspace = {
	.name = "keyspace",
	.help = "Keyspaces: the products or environments of a tenant, with the rules for their keys.",
	.commands = commands,
	.n_commands = sizeof(commands) / sizeof(commands[0]),
};
