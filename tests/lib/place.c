#include "tests/lib/place.h"

#include <stdint.h>

#include <latchkey/latchkey.h>

#include "tests/lib/check.h"

void place_make(struct lk_channel *channel)
{
	Latchkey__V1__CreateTenantRequest tenant = LATCHKEY__V1__CREATE_TENANT_REQUEST__INIT;
	Latchkey__V1__CreateKeyspaceRequest keyspace = LATCHKEY__V1__CREATE_KEYSPACE_REQUEST__INIT;
	Latchkey__V1__KeyPolicy policy = LATCHKEY__V1__KEY_POLICY__INIT;
	Latchkey__V1__Tenant *tenant_made = NULL;
	Latchkey__V1__Keyspace *keyspace_made = NULL;

	tenant.tenant = TEXT("acme");
	CHECK(latchkey_v1_tenant_create(channel, &tenant, &tenant_made, NULL) == LK_OK);
	policy.token_prefix = TEXT("sk-");
	keyspace.tenant = TEXT("acme");
	keyspace.keyspace = TEXT("prod");
	keyspace.policy = &policy;
	CHECK(latchkey_v1_keyspace_create(channel, &keyspace, &keyspace_made, NULL) == LK_OK);
	latchkey__v1__tenant__free_unpacked(tenant_made, NULL);
	latchkey__v1__keyspace__free_unpacked(keyspace_made, NULL);
}
