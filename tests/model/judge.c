#include <stdio.h>
#include <string.h>

#include "tests/model/model.h"

bool may_call(const struct client *client, const char *access)
{
	for (size_t i = 0; client->methods[i] != NULL; i++) {
		const char *method = client->methods[i];
		size_t len = strlen(method);
		if (strcmp(method, access) == 0 || (method[len - 1] == '*' && strncmp(method, access, len - 1) == 0)) {
			return true;
		}
	}
	return false;
}

bool may_tenant(const struct client *client, const char *tenant)
{
	return client->tenant == NULL || strcmp(client->tenant, tenant) == 0;
}

bool may_keyspace(const struct client *client, const char *keyspace)
{
	return client->keyspace == NULL || strcmp(client->keyspace, keyspace) == 0;
}

bool may_scope(const struct client *client, bool tenant_scope)
{
	return !tenant_scope || client->keyspace == NULL;
}

unsigned against_tenant(const struct world *world, const struct client *client, const char *access, const char *tenant)
{
	if (!may_call(client, access) || !may_tenant(client, tenant)) {
		return E(LK_PERMISSION_DENIED);
	}
	return find_tenant(world, tenant) == NONE ? E(LK_NOT_FOUND) : 0;
}

unsigned against_key(const struct world *world, const struct client *client, const char *access, const struct key *key)
{
	const struct keyspace *keyspace = &world->keyspaces[key->keyspace];
	unsigned against = against_tenant(world, client, access, world->tenants[keyspace->tenant].id);

	/* A keyspace that is not granted is one that is not there. */
	return against == 0 && (is_gone(world, key) || !may_keyspace(client, keyspace->id)) ? E(LK_NOT_FOUND) : against;
}

void begin(struct world *world)
{
	world->before_us = now_us();
}

void finish(struct world *world)
{
	world->after_us = now_us();
}

static void describe(unsigned errors, char *out, size_t room)
{
	out[0] = '\0';
	for (unsigned err = 0; err <= LK_UNAUTHENTICATED; err++) {
		if (errors & E(err)) {
			size_t len = strlen(out);
			(void)snprintf(
				out + len, room - len, "%s%s", len == 0 ? "" : " or ", lk_err_name((enum lk_err)err));
		}
	}
}

bool judge(struct world *world, struct client *client, unsigned before, unsigned after)
{
	const struct caller *caller = &client->caller;
	const char *message = caller->call.message == NULL ? "" : caller->call.message;
	char expected[160] = "";

	note(world, "  %s: %s %s", client->name, lk_err_name(caller->err), message);
	/* What is denied is not told in any other way. */
	if ((before | after) & E(LK_PERMISSION_DENIED)) {
		before = after = (before | after) & (E(LK_PERMISSION_DENIED) | E(LK_INVALID_ARGUMENT));
	}
	describe(before | after | (before == 0 || after == 0 ? E(LK_OK) : 0), expected, sizeof expected);
	if (caller->err == LK_OK) {
		world->n_ok++;
		if (before != 0 && after != 0) {
			mismatch(world, "answered OK, not %s", expected);
		}
		return true;
	}
	world->n_refused++;
	if ((unsigned)caller->err > LK_UNAUTHENTICATED || ((before | after) & E(caller->err)) == 0) {
		mismatch(world, "answered %s, not %s: %s", lk_err_name(caller->err), expected, message);
	}
	if (message[0] == '\0') {
		mismatch(world, "answered %s without a word", lk_err_name(caller->err));
	}
	return false;
}

void judge_faults(struct world *world, const struct client *client, const char *prefix, unsigned faults)
{
	static const char *const names[] = {"name", "owner", "expire_time", "ttl"};
	const struct caller *caller = &client->caller;
	size_t expected = 0;

	if (caller->err != LK_INVALID_ARGUMENT) {
		return;
	}
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		char field[32];
		(void)snprintf(field, sizeof field, "%s%s", prefix, names[i]);
		bool at_fault = (faults & 1u << i) != 0;
		if (caller_was_told_of(caller, field) != at_fault) {
			mismatch(world, "\"%s\" %s %s", caller->call.message, at_fault ? "says nothing of" : "blames",
				field);
		}
		expected += at_fault;
	}
	if (caller->call.n_violations != expected) {
		mismatch(world, "%zu violations, not %zu: %s", caller->call.n_violations, expected,
			caller->call.message);
	}
}
