#include "server/service/build.h"

#include "server/store/change.h"

void lk_build_expect_tenant(
	struct lk_request *request, Latchkey__Store__Change *change, const char *id, uint64_t revision)
{
	lk_change_expect_tenant(request->arena, change, id, revision);
}

void lk_build_expect_keyspace(
	struct lk_request *request, Latchkey__Store__Change *change, uint32_t tenant, const char *id, uint64_t revision)
{
	lk_change_expect_keyspace(request->arena, change, tenant, id, revision);
}

void lk_build_expect_key(struct lk_request *request, Latchkey__Store__Change *change, uint64_t slot, uint64_t revision)
{
	lk_change_expect_key(request->arena, change, slot, revision);
}

void lk_build_expect_name_free(
	struct lk_request *request, Latchkey__Store__Change *change, uint32_t keyspace, const char *name)
{
	lk_change_expect_name_free(request->arena, change, keyspace, name);
}

void lk_build_expect_digest_free(
	struct lk_request *request, Latchkey__Store__Change *change, const uint8_t digest[static LK_DIGEST_LEN])
{
	lk_change_expect_digest_free(request->arena, change, digest);
}

void lk_build_expect_id_free(struct lk_request *request, Latchkey__Store__Change *change, const char *id)
{
	lk_change_expect_id_free(request->arena, change, id);
}

void lk_build_expect_keyspace_idle(struct lk_request *request, Latchkey__Store__Change *change, uint32_t keyspace)
{
	lk_change_expect_keyspace_idle(request->arena, change, keyspace);
}

void lk_build_expect_tenant_idle(struct lk_request *request, Latchkey__Store__Change *change, uint32_t tenant)
{
	lk_change_expect_tenant_idle(request->arena, change, tenant);
}

void lk_build_put_tenant(
	struct lk_request *request, Latchkey__Store__Change *change, Latchkey__Store__TenantRecord *record)
{
	lk_change_put_tenant(request->arena, change, record);
}

void lk_build_put_keyspace(
	struct lk_request *request, Latchkey__Store__Change *change, Latchkey__Store__KeyspaceRecord *record)
{
	lk_change_put_keyspace(request->arena, change, record);
}

void lk_build_put_key(struct lk_request *request, Latchkey__Store__Change *change, Latchkey__Store__KeyRecord *record)
{
	lk_change_put_key(request->arena, change, record);
}

void lk_build_delete_key(struct lk_request *request, Latchkey__Store__Change *change, uint64_t slot)
{
	lk_change_delete_key(request->arena, change, slot);
}
