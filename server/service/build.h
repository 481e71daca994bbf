/*
 * Building Changes: the pieces that every write puts together. All live in the request's arena.
 */
#ifndef LK_SERVER_SERVICE_BUILD_H
#define LK_SERVER_SERVICE_BUILD_H

#include "latchkey/store/change.pb-c.h"
#include "server/service/request.h"

/* Each adds one to `change`. Where the arena is exhausted it adds nothing; arena->exhausted then fails the request. */
void lk_build_expect_tenant(
	struct lk_request *request, Latchkey__Store__Change *change, const char *id, uint64_t revision);
void lk_build_expect_keyspace(struct lk_request *request, Latchkey__Store__Change *change, uint32_t tenant,
	const char *id, uint64_t revision);
void lk_build_expect_key(struct lk_request *request, Latchkey__Store__Change *change, uint64_t slot, uint64_t revision);
void lk_build_expect_name_free(
	struct lk_request *request, Latchkey__Store__Change *change, uint32_t keyspace, const char *name);
void lk_build_expect_digest_free(
	struct lk_request *request, Latchkey__Store__Change *change, const uint8_t digest[static LK_DIGEST_LEN]);
void lk_build_expect_id_free(struct lk_request *request, Latchkey__Store__Change *change, const char *id);
void lk_build_expect_keyspace_idle(struct lk_request *request, Latchkey__Store__Change *change, uint32_t keyspace);
void lk_build_expect_tenant_idle(struct lk_request *request, Latchkey__Store__Change *change, uint32_t tenant);

void lk_build_put_tenant(
	struct lk_request *request, Latchkey__Store__Change *change, Latchkey__Store__TenantRecord *record);
void lk_build_put_keyspace(
	struct lk_request *request, Latchkey__Store__Change *change, Latchkey__Store__KeyspaceRecord *record);
void lk_build_put_key(struct lk_request *request, Latchkey__Store__Change *change, Latchkey__Store__KeyRecord *record);
void lk_build_delete_key(struct lk_request *request, Latchkey__Store__Change *change, uint64_t slot);

#endif
