/* What is shown of a key, and where its token goes; see key.h. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "tools/latchkey/key.h"
#include "tools/latchkey/times.h"

static const struct lk_show_field fields[] = {
	{.column = {.header = "ID"}, .path = "id"},
	{.column = {.header = "Number"}, .path = "number"},
	{.column = {.header = "Tenant"}, .path = "tenant"},
	{.column = {.header = "Keyspace"}, .path = "keyspace"},
	{.column = {.header = "Scope"}, .path = "scope", .prefix = "KEY_SCOPE_"},
	{.column = {.header = "Name"}, .path = "name"},
	{.column = {.header = "Owner"}, .path = "owner"},
	{.column = {.header = "Prefix"}, .path = "displayPrefix"},
	{.column = {.header = "State"}, .path = "state", .prefix = "KEY_STATE_"},
	{.column = {.header = "Suspend reason"}, .path = "suspendReason"},
	{.column = {.header = "Revoke reason"}, .path = "revokeReason"},
	{.column = {.header = "Permissions"}, .path = "permissions"},
	{.column = {.header = "Roles"}, .path = "roles"},
	{.column = {.header = "Addresses"}, .path = "allowedCidrs"},
	{.column = {.header = "Rate limits"}, .path = "rateLimits", .kind = LK_SHOW_LIMITS},
	{.column = {.header = "Credits left"}, .path = "credits.balance"},
	{.column = {.header = "Refill"}, .path = "credits.refill.amount"},
	{.column = {.header = "Refill each"}, .path = "credits.refill.interval", .prefix = "CREDIT_INTERVAL_"},
	{.column = {.header = "Refill mode"}, .path = "credits.refill.mode", .prefix = "CREDIT_REFILL_MODE_"},
	{.column = {.header = "Next refill"}, .path = "credits.nextRefillTime", .kind = LK_SHOW_TIME},
	{.column = {.header = "Metadata"}, .path = "metadata"},
	{.column = {.header = "Not before"}, .path = "notBeforeTime", .kind = LK_SHOW_TIME},
	{.column = {.header = "Expires"}, .path = "expireTime", .kind = LK_SHOW_TIME, .absent = "Never"},
	{.column = {.header = "Old secret ends"}, .path = "previousSecretExpireTime", .kind = LK_SHOW_TIME},
	{.column = {.header = "Last used"}, .path = "lastUsedTime", .kind = LK_SHOW_TIME, .absent = "Never"},
	{.column = {.header = "Uses"}, .path = "usageCount"},
	{.column = {.header = "Last denial"}, .path = "lastDenial.code", .prefix = "VERIFY_CODE_"},
	{.column = {.header = "Denied at"}, .path = "lastDenial.time", .kind = LK_SHOW_TIME},
	{.column = {.header = "Denied from"}, .path = "lastDenial.clientIp"},
	{.column = {.header = "Methods"}, .path = "grant.methods"},
	{.column = {.header = "Tenants"}, .path = "grant.tenants"},
	{.column = {.header = "Keyspaces"}, .path = "grant.keyspaces"},
	{.column = {.header = "Own keys only"}, .path = "grant.ownOnly"},
	{.column = {.header = "Created"}, .path = "createTime", .kind = LK_SHOW_TIME},
	{.column = {.header = "Created by"}, .path = "createdBy"},
	{.column = {.header = "Updated"}, .path = "updateTime", .kind = LK_SHOW_TIME},
	{.column = {.header = "Actions"}, .path = "availableActions", .prefix = "KEY_ACTION_"},
	{.column = {.header = "Etag"}, .path = "etag"},
};

enum lk_err lk_key_show(const struct lk_run *run, const json_t *key)
{
	return lk_show_record(fields, sizeof(fields) / sizeof(fields[0]), key, &run->page);
}

/* Shows the key, and behind it its token, where that goes into no file. */
static enum lk_err show_with_token(const struct lk_run *run, const json_t *response)
{
	const json_t *token = json_object_get(response, "token");
	enum lk_err err = lk_key_show(run, json_object_get(response, "key"));

	if (err != LK_OK) {
		return err;
	}
	if (json_string_length(token) == 0) {
		return lk_run_flush(run);
	}
	/* A token is printable ASCII by its making, and printed as it stands: the last line, for a script as for an eye. */
	fprintf(run->page.file, "\n%s\n", json_string_value(token));
	return lk_run_flush(run);
}

enum lk_err lk_key_show_created(const struct lk_run *run, const json_t *response)
{
	enum lk_err err = show_with_token(run, response);

	if (err == LK_OK && json_string_length(json_object_get(response, "token")) > 0) {
		lk_say_line("This is the key's token. It is shown this once and can never be shown again.");
	}
	return err;
}

enum lk_err lk_key_show_rotated(const struct lk_run *run, const json_t *response)
{
	const json_t *key = json_object_get(response, "key");
	const char *until = json_string_value(json_object_get(key, "previousSecretExpireTime"));
	char shown[LK_TIMES_TEXT_MAX];
	enum lk_err err = show_with_token(run, response);

	if (err != LK_OK) {
		return err;
	}
	if (json_string_length(json_object_get(response, "token")) > 0) {
		lk_say_line("This is the key's new token. It is shown this once and can never be shown again.");
	}
	if (until) {
		lk_times_shown(until, shown);
		lk_say_line("The old token is good until %s.", shown);
	} else {
		lk_say_line("The old token is good no more.");
	}
	return LK_OK;
}

enum lk_err lk_key_say_total(const struct lk_run *run, const json_t *response)
{
	const char *total = json_string_value(json_object_get(response, "totalSize"));
	enum lk_err err = lk_run_flush(run);

	/* Without keys it was said that there are none. */
	if (err == LK_OK && total && *total != '-' && json_array_size(json_object_get(response, "keys")) > 0) {
		lk_say_line("(%s in all)", total);
	}
	return err;
}

enum lk_exit lk_key_open_token_file(struct lk_run *run)
{
	const char *path = run->own[LK_OWN_TOKEN_FILE];

	if (!path) {
		return LK_EXIT_OK;
	}
	run->token_fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (run->token_fd >= 0) {
		return LK_EXIT_OK;
	}
	if (errno == EEXIST) {
		lk_say("--token-file %s: it is there already: give a new name, or remove it", path);
	} else {
		lk_say("--token-file %s: cannot make it: %s", path, strerror(errno));
	}
	return LK_EXIT_USAGE;
}

/* Writes the token and a newline, and waits until the disk has both. */
static bool write_token(int fd, const char *token)
{
	size_t len = strlen(token);

	while (len > 0) {
		ssize_t n = write(fd, token, len);

		if (n < 0 && errno == EINTR) {
			continue;
		}
		if (n < 0) {
			return false;
		}
		token += n;
		len -= (size_t)n;
	}
	return write(fd, "\n", 1) == 1 && fsync(fd) == 0;
}

enum lk_exit lk_key_fill_token_file(struct lk_run *run, json_t *response)
{
	const char *path = run->own[LK_OWN_TOKEN_FILE];
	const char *token = json_string_value(json_object_get(response, "token"));
	enum lk_exit code = LK_EXIT_OK;

	if (run->token_fd < 0) {
		return LK_EXIT_OK;
	}
	if (!token || *token == '\0') {
		unlink(path);
	} else if (write_token(run->token_fd, token)) {
		json_object_del(response, "token");
	} else {
		/* It stays in the response, and is printed: better on a screen than lost. */
		lk_say("cannot write the token to %s: %s; it is printed instead", path, strerror(errno));
		unlink(path);
		code = LK_EXIT_USAGE;
	}
	close(run->token_fd);
	run->token_fd = -1;
	return code;
}
