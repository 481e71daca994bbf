/* Makes a tenant, a keyspace and a key at the URL that is given, and prints the key's token. */
#include <latchkey/latchkey.h>
#include <stdio.h>
#include <stdlib.h>

static void must(enum lk_err err, const struct lk_call *call)
{
	if (err == LK_OK)
		return;
	fprintf(stderr, "%s: %s\n", lk_err_name(err), call->message ? call->message : lk_err_text(err));
	exit(1);
}

int main(int argc, char **argv)
{
	const char *const *urls = (const char *const *)argv + 1;
	struct lk_channel_options options = {.urls = urls, .n_urls = (size_t)argc - 1};
	struct lk_channel *channel = NULL;
	struct lk_call call = LK_CALL_INIT;
	char tenant[] = "acme", keyspace[] = "prod", prefix[] = "sk-";

	must(lk_channel_open(&options, &channel), &call);
	Latchkey__V1__CreateTenantRequest tenant_request = LATCHKEY__V1__CREATE_TENANT_REQUEST__INIT;
	Latchkey__V1__Tenant *made_tenant = NULL;
	tenant_request.tenant = tenant;
	must(latchkey_v1_tenant_create(channel, &tenant_request, &made_tenant, &call), &call);
	latchkey__v1__tenant__free_unpacked(made_tenant, NULL);

	Latchkey__V1__CreateKeyspaceRequest keyspace_request = LATCHKEY__V1__CREATE_KEYSPACE_REQUEST__INIT;
	Latchkey__V1__KeyPolicy policy = LATCHKEY__V1__KEY_POLICY__INIT;
	Latchkey__V1__Keyspace *made_keyspace = NULL;
	policy.token_prefix = prefix;
	keyspace_request.tenant = tenant;
	keyspace_request.keyspace = keyspace;
	keyspace_request.policy = &policy;
	must(latchkey_v1_keyspace_create(channel, &keyspace_request, &made_keyspace, &call), &call);
	latchkey__v1__keyspace__free_unpacked(made_keyspace, NULL);

	Latchkey__V1__CreateKeyRequest key_request = LATCHKEY__V1__CREATE_KEY_REQUEST__INIT;
	Latchkey__V1__CreateKeyResponse *made_key = NULL;
	key_request.tenant = tenant;
	key_request.keyspace = keyspace;
	must(latchkey_v1_key_create(channel, &key_request, &made_key, &call), &call);
	puts(made_key->token);
	latchkey__v1__create_key_response__free_unpacked(made_key, NULL);
	lk_call_done(&call);
	lk_channel_close(channel);
	return 0;
}
