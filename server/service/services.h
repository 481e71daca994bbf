/*
 * The services of this daemon: each file fills in the handlers of one, and services.c lists them all for the dispatcher.
 */
#ifndef LK_SERVER_SERVICE_SERVICES_H
#define LK_SERVER_SERVICE_SERVICES_H

#include <stddef.h>

#include "latchkey/v1/admin.server.h"
#include "latchkey/v1/audit.server.h"
#include "latchkey/v1/health.server.h"
#include "latchkey/v1/key.server.h"
#include "latchkey/v1/keyspace.server.h"
#include "latchkey/v1/owner.server.h"
#include "latchkey/v1/reflection.server.h"
#include "latchkey/v1/role.server.h"
#include "latchkey/v1/tenant.server.h"
#include "server/service/method.h"

extern const struct latchkey_v1_admin_handlers lk_admin_handlers;
extern const struct latchkey_v1_audit_handlers lk_audit_handlers;
extern const struct latchkey_v1_health_handlers lk_health_handlers;
extern const struct latchkey_v1_key_handlers lk_key_handlers;
extern const struct latchkey_v1_keyspace_handlers lk_keyspace_handlers;
extern const struct latchkey_v1_owner_handlers lk_owner_handlers;
extern const struct latchkey_v1_reflection_handlers lk_reflection_handlers;
extern const struct latchkey_v1_role_handlers lk_role_handlers;
extern const struct latchkey_v1_tenant_handlers lk_tenant_handlers;

struct lk_service_entry {
	const struct lk_server_service *service;
	/* The service's struct of handlers. */
	const void *handlers;
};

extern const struct lk_service_entry lk_services[];
extern const size_t lk_n_services;

#endif
