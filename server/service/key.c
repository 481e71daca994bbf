#include "server/service/key_handlers.h"
#include "server/service/services.h"

const struct latchkey_v1_key_handlers lk_key_handlers = {
	.create = {lk_key_create_build, lk_key_create_reply},
	.get = lk_key_get,
	.list = lk_key_list,
	.update = {lk_key_update_build, lk_key_update_reply},
	.activate = {lk_key_activate_build, lk_key_activate_reply},
	.suspend = {lk_key_suspend_build, lk_key_suspend_reply},
	.rotate = {lk_key_rotate_build, lk_key_rotate_reply},
	.revoke = {lk_key_revoke_build, lk_key_revoke_reply},
	/* What an Import answers, and a Delete, is known before it is done. */
	.import = {lk_key_import_build, NULL},
	.delete_ = {lk_key_delete_build, NULL},
	.verify = lk_key_verify,
	.verify_batch = lk_key_verify_batch,
	.export_ = lk_key_export,
	.adjust_credits = {lk_key_adjust_credits_build, lk_key_adjust_credits_reply},
	.bulk_revoke = {lk_key_bulk_revoke_build, lk_key_bulk_revoke_reply},
};
