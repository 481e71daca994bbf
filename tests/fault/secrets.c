/*
 * A secret exists once: makes keys with a real daemon, uses and ends them, and then looks for their tokens everywhere where they
 * must not be: in every file below the data directory, in the log, and in the store as the daemon's memory maps it.
 */
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <latchkey/latchkey.h>

#include "tests/lib/check.h"
#include "tests/lib/daemon.h"
#include "tests/lib/place.h"

/* The last of them is a root key. */
#define KEYS 9

/* Of each key the secret that it was made with, and behind those of all keys the one that it was rotated to, or nothing. */
#define SECRETS (2 * KEYS)

/* What is looked for: the random part of each token; and, to see that the search finds what is there, the name of each key. */
static char secrets[SECRETS][33];
static char names[KEYS][32];
static size_t secrets_found;
static size_t names_found;

static void search(const char *where, const uint8_t *data, size_t len)
{
	for (size_t i = 0; i < SECRETS; i++) {
		if (secrets[i][0] != '\0' && memmem(data, len, secrets[i], strlen(secrets[i])) != NULL) {
			(void)fprintf(stderr, "a token is in %s\n", where);
			secrets_found++;
		}
	}
	for (size_t i = 0; i < KEYS; i++) {
		names_found += memmem(data, len, names[i], strlen(names[i])) != NULL;
	}
}

static int search_file(const char *path, const struct stat *status, int kind, struct FTW *where)
{
	(void)where;
	if (kind != FTW_F || !S_ISREG(status->st_mode)) {
		return 0;
	}
	size_t len = (size_t)status->st_size;
	uint8_t *data = malloc(len + 1);
	FILE *file = fopen(path, "r");
	CHECK_MSG(data != NULL && file != NULL, path);
	CHECK_MSG(fread(data, 1, len, file) == len, path);
	CHECK(fclose(file) == 0);
	search(path, data, len);
	free(data);
	return 0;
}

/* Searches what is there of one mapping; what lies beyond the end of its file cannot be read, and holds nothing. */
static void search_mapping(int memory, const char *name, uint64_t from, uint64_t to)
{
	static uint8_t piece[1 << 20];
	/* A token may lie across the end of a piece. */
	const size_t overlap = 64;
	ssize_t len = 0;

	for (uint64_t at = from; at < to; at += (uint64_t)len - overlap) {
		len = pread(memory, piece, sizeof piece, (off_t)at);
		if (len <= (ssize_t)overlap) {
			return;
		}
		search(name, piece, (size_t)len);
	}
}

/* Searches the daemon's mappings of the files of its store; returns how many there were. */
static size_t search_memory(const struct daemon *daemon)
{
	char path[64] = "";
	char line[512] = "";
	size_t count = 0;

	(void)snprintf(path, sizeof path, "/proc/%d/mem", (int)daemon->pid);
	int memory = open(path, O_RDONLY | O_CLOEXEC);
	(void)snprintf(path, sizeof path, "/proc/%d/maps", (int)daemon->pid);
	FILE *maps = fopen(path, "r");
	CHECK_MSG(memory >= 0 && maps != NULL, path);
	while (fgets(line, sizeof line, maps) != NULL) {
		uint64_t from = 0;
		uint64_t to = 0;
		const char *name = strstr(line, daemon->data);
		if (name != NULL && sscanf(line, "%" SCNx64 "-%" SCNx64, &from, &to) == 2) {
			search_mapping(memory, name, from, to);
			count++;
		}
	}
	CHECK(fclose(maps) == 0);
	close(memory);
	return count;
}

/* A token in the wrong place: the answer names the field, but not the value. */
static void misplace(struct lk_channel *channel, char *token, const char *secret)
{
	Latchkey__V1__GetKeyRequest request = LATCHKEY__V1__GET_KEY_REQUEST__INIT;
	Latchkey__V1__Key *response = NULL;
	struct lk_call call = LK_CALL_INIT;

	request.tenant = TEXT("acme");
	request.key = token;
	CHECK(latchkey_v1_key_get(channel, &request, &response, &call) == LK_INVALID_ARGUMENT);
	CHECK(strstr(call.message, "key") != NULL && strstr(call.message, secret) == NULL);
	CHECK(call.n_violations == 1 && strstr(call.violations[0].description, secret) == NULL);
	lk_call_done(&call);
}

/* As above, in the place of the key that an Update is about. */
static void misplace_in_update(struct lk_channel *channel, char *token, const char *secret)
{
	Latchkey__V1__UpdateKeyRequest request = LATCHKEY__V1__UPDATE_KEY_REQUEST__INIT;
	Latchkey__V1__Key key = LATCHKEY__V1__KEY__INIT;
	Latchkey__V1__Key *response = NULL;
	struct lk_call call = LK_CALL_INIT;

	request.tenant = TEXT("acme");
	request.key = &key;
	key.id = token;
	request.etag = token;
	CHECK(latchkey_v1_key_update(channel, &request, &response, &call) == LK_INVALID_ARGUMENT);
	CHECK(strstr(call.message, secret) == NULL);
	CHECK(call.n_violations == 2);
	for (size_t i = 0; i < call.n_violations; i++) {
		CHECK(strstr(call.violations[i].description, secret) == NULL);
	}
	lk_call_done(&call);
}

/* Without the first characters, which are shown. */
static void remember(size_t i, const char *token, const Latchkey__V1__Key *key)
{
	(void)snprintf(secrets[i], sizeof secrets[i], "%s", token + strlen(key->display_prefix));
}

/* Rotates the key, and leaves the secret so far good beside the new one. */
static void rotate(struct lk_channel *channel, size_t i, char *key)
{
	Latchkey__V1__RotateKeyRequest request = LATCHKEY__V1__ROTATE_KEY_REQUEST__INIT;
	Google__Protobuf__Duration overlap = GOOGLE__PROTOBUF__DURATION__INIT;
	Latchkey__V1__RotateKeyResponse *rotated = NULL;

	overlap.seconds = 3600;
	request.tenant = TEXT("acme");
	request.key = key;
	request.overlap = &overlap;
	CHECK(latchkey_v1_key_rotate(channel, &request, &rotated, NULL) == LK_OK);
	remember(KEYS + i, rotated->token, rotated->key);
	latchkey__v1__rotate_key_response__free_unpacked(rotated, NULL);
}

/* Makes a key under a request_id, so that its reply is kept, verifies and rotates it, and revokes every other one. */
static void use_key(struct lk_channel *channel, size_t i)
{
	Latchkey__V1__CreateKeyRequest create = LATCHKEY__V1__CREATE_KEY_REQUEST__INIT;
	Latchkey__V1__CreateKeyResponse *made = NULL;
	Latchkey__V1__VerifyKeyRequest verify = LATCHKEY__V1__VERIFY_KEY_REQUEST__INIT;
	Latchkey__V1__VerifyKeyResponse *verdict = NULL;
	Latchkey__V1__RevokeKeyRequest revoke = LATCHKEY__V1__REVOKE_KEY_REQUEST__INIT;
	Latchkey__V1__Key *revoked = NULL;

	(void)snprintf(names[i], sizeof names[i], "name-to-be-found-%zu", i);
	create.tenant = TEXT("acme");
	create.keyspace = TEXT("prod");
	create.name = names[i];
	CHECK(latchkey_v1_key_create(channel, &create, &made, NULL) == LK_OK);
	remember(i, made->token, made->key);
	verify.token = made->token;
	CHECK(latchkey_v1_key_verify(channel, &verify, &verdict, NULL) == LK_OK && verdict->valid);
	misplace(channel, made->token, secrets[i]);
	misplace_in_update(channel, made->token, secrets[i]);
	rotate(channel, i, made->key->id);
	revoke.tenant = TEXT("acme");
	revoke.key = made->key->id;
	CHECK(i % 2 == 0 || latchkey_v1_key_revoke(channel, &revoke, &revoked, NULL) == LK_OK);
	latchkey__v1__create_key_response__free_unpacked(made, NULL);
	latchkey__v1__verify_key_response__free_unpacked(verdict, NULL);
	latchkey__v1__key__free_unpacked(revoked, NULL);
}

/* Makes a root key, calls with it as the credential, and is refused once with it. */
static void use_root_key(struct lk_channel *channel, const char *url, size_t i)
{
	static char *all[] = {TEXT("*")};
	Latchkey__V1__CreateKeyRequest create = LATCHKEY__V1__CREATE_KEY_REQUEST__INIT;
	Latchkey__V1__Grant grant = LATCHKEY__V1__GRANT__INIT;
	Latchkey__V1__CreateKeyResponse *made = NULL;
	Latchkey__V1__GetTenantRequest get = LATCHKEY__V1__GET_TENANT_REQUEST__INIT;
	Latchkey__V1__Tenant *tenant = NULL;
	struct lk_channel *its_own = NULL;

	(void)snprintf(names[i], sizeof names[i], "name-to-be-found-%zu", i);
	grant.methods = grant.tenants = grant.keyspaces = all;
	grant.n_methods = grant.n_tenants = grant.n_keyspaces = 1;
	create.tenant = TEXT("system");
	create.keyspace = TEXT("root");
	create.name = names[i];
	create.grant = &grant;
	CHECK(latchkey_v1_key_create(channel, &create, &made, NULL) == LK_OK);
	remember(i, made->token, made->key);
	struct lk_channel_options options = {.urls = &url, .n_urls = 1, .credential = made->token};
	CHECK(lk_channel_open(&options, &its_own) == LK_OK);
	get.tenant = TEXT("acme");
	CHECK(latchkey_v1_tenant_get(its_own, &get, &tenant, NULL) == LK_OK);
	get.tenant = TEXT("system");
	Latchkey__V1__Tenant *none = NULL;
	CHECK(latchkey_v1_tenant_get(its_own, &get, &none, NULL) == LK_PERMISSION_DENIED);
	lk_channel_close(its_own);
	latchkey__v1__tenant__free_unpacked(tenant, NULL);
	latchkey__v1__create_key_response__free_unpacked(made, NULL);
}

int main(void)
{
	static const char *const arguments[] = {"--log-level", "debug", NULL};
	struct daemon daemon;
	struct lk_channel *channel = NULL;

	daemon_start(&daemon);
	daemon_stop(&daemon);
	daemon_restart(&daemon, arguments);
	const char *url = daemon.url;
	struct lk_channel_options options = {.urls = &url, .n_urls = 1};
	CHECK(lk_channel_open(&options, &channel) == LK_OK);
	place_make(channel);
	for (size_t i = 0; i < KEYS - 1; i++) {
		use_key(channel, i);
	}
	use_root_key(channel, url, KEYS - 1);
	/* The daemon hides its memory from all but root. */
	if (geteuid() == 0) {
		CHECK(search_memory(&daemon) >= 2);
		CHECK_MSG(names_found >= KEYS, "the search of the memory finds nothing at all");
	} else {
		(void)fprintf(stderr, "the memory was not searched: run this as root\n");
	}
	names_found = 0;
	CHECK(nftw(daemon.root, search_file, 16, FTW_PHYS) == 0);
	CHECK_MSG(names_found >= KEYS, "the search of the files finds nothing at all");
	CHECK(secrets_found == 0);
	lk_channel_close(channel);
	daemon_remove(&daemon);
	return 0;
}
