#include "server/service/key_handlers.h"
#include "server/service/services.h"

const struct latchkey_v1_key_handlers lk_key_handlers = {
	.create = {lk_key_create_build, lk_key_create_reply},
	.get = lk_key_get,
	.list = lk_key_list,
	.revoke = {lk_key_revoke_build, lk_key_revoke_reply},
	/* What a Delete answers is known before it is done. */
	.delete_ = {lk_key_delete_build, NULL},
	.verify = lk_key_verify,
};
