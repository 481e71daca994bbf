#include "server/service/services.h"

const struct lk_service_entry lk_services[] = {
	{&latchkey_v1_admin_service, &lk_admin_handlers},
	{&latchkey_v1_audit_service, &lk_audit_handlers},
	{&latchkey_v1_health_service, &lk_health_handlers},
	{&latchkey_v1_key_service, &lk_key_handlers},
	{&latchkey_v1_keyspace_service, &lk_keyspace_handlers},
	{&latchkey_v1_owner_service, &lk_owner_handlers},
	{&latchkey_v1_reflection_service, &lk_reflection_handlers},
	{&latchkey_v1_role_service, &lk_role_handlers},
	{&latchkey_v1_tenant_service, &lk_tenant_handlers},
};

const size_t lk_n_services = sizeof lk_services / sizeof lk_services[0];
