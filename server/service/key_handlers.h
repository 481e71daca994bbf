/*
 * The handlers of KeyService, file by file: key.c puts them together. See method.h for what build, reply and answer owe.
 */
#ifndef LK_SERVER_SERVICE_KEY_HANDLERS_H
#define LK_SERVER_SERVICE_KEY_HANDLERS_H

#include "latchkey/store/change.pb-c.h"
#include "latchkey/v1/key.pb-c.h"
#include "server/service/request.h"

/* key_create.c */
enum lk_err lk_key_create_build(struct lk_request *request, const Latchkey__V1__CreateKeyRequest *message,
	Latchkey__Store__Change *change, Latchkey__V1__CreateKeyResponse *response);
void lk_key_create_reply(struct lk_request *request, const Latchkey__V1__CreateKeyRequest *message,
	const Latchkey__Store__Change *change, Latchkey__V1__CreateKeyResponse *response);

/* key_read.c */
enum lk_err lk_key_get(
	struct lk_request *request, const Latchkey__V1__GetKeyRequest *message, Latchkey__V1__Key *response);

/* key_list.c */
enum lk_err lk_key_list(struct lk_request *request, const Latchkey__V1__ListKeysRequest *message,
	Latchkey__V1__ListKeysResponse *response);

/* key_change.c */
enum lk_err lk_key_update_build(struct lk_request *request, const Latchkey__V1__UpdateKeyRequest *message,
	Latchkey__Store__Change *change, Latchkey__V1__Key *response);
void lk_key_update_reply(struct lk_request *request, const Latchkey__V1__UpdateKeyRequest *message,
	const Latchkey__Store__Change *change, Latchkey__V1__Key *response);
enum lk_err lk_key_activate_build(struct lk_request *request, const Latchkey__V1__ActivateKeyRequest *message,
	Latchkey__Store__Change *change, Latchkey__V1__Key *response);
void lk_key_activate_reply(struct lk_request *request, const Latchkey__V1__ActivateKeyRequest *message,
	const Latchkey__Store__Change *change, Latchkey__V1__Key *response);
enum lk_err lk_key_suspend_build(struct lk_request *request, const Latchkey__V1__SuspendKeyRequest *message,
	Latchkey__Store__Change *change, Latchkey__V1__Key *response);
void lk_key_suspend_reply(struct lk_request *request, const Latchkey__V1__SuspendKeyRequest *message,
	const Latchkey__Store__Change *change, Latchkey__V1__Key *response);

/* key_credits.c */
enum lk_err lk_key_adjust_credits_build(struct lk_request *request, const Latchkey__V1__AdjustCreditsRequest *message,
	Latchkey__Store__Change *change, Latchkey__V1__Key *response);
void lk_key_adjust_credits_reply(struct lk_request *request, const Latchkey__V1__AdjustCreditsRequest *message,
	const Latchkey__Store__Change *change, Latchkey__V1__Key *response);

/* key_rotate.c */
enum lk_err lk_key_rotate_build(struct lk_request *request, const Latchkey__V1__RotateKeyRequest *message,
	Latchkey__Store__Change *change, Latchkey__V1__RotateKeyResponse *response);
void lk_key_rotate_reply(struct lk_request *request, const Latchkey__V1__RotateKeyRequest *message,
	const Latchkey__Store__Change *change, Latchkey__V1__RotateKeyResponse *response);

/* key_export.c */
enum lk_err lk_key_export(struct lk_request *request, const Latchkey__V1__ExportKeysRequest *message,
	Latchkey__V1__ExportKeysResponse *response);

/* key_end.c */
enum lk_err lk_key_revoke_build(struct lk_request *request, const Latchkey__V1__RevokeKeyRequest *message,
	Latchkey__Store__Change *change, Latchkey__V1__Key *response);
void lk_key_revoke_reply(struct lk_request *request, const Latchkey__V1__RevokeKeyRequest *message,
	const Latchkey__Store__Change *change, Latchkey__V1__Key *response);
enum lk_err lk_key_delete_build(struct lk_request *request, const Latchkey__V1__DeleteKeyRequest *message,
	Latchkey__Store__Change *change, Latchkey__V1__DeleteKeyResponse *response);

/* bulk_revoke.c */
enum lk_err lk_key_bulk_revoke_build(struct lk_request *request, const Latchkey__V1__BulkRevokeKeysRequest *message,
	Latchkey__Store__Change *change, Latchkey__V1__BulkRevokeKeysResponse *response);
void lk_key_bulk_revoke_reply(struct lk_request *request, const Latchkey__V1__BulkRevokeKeysRequest *message,
	const Latchkey__Store__Change *change, Latchkey__V1__BulkRevokeKeysResponse *response);

/* key_import.c */
enum lk_err lk_key_import_build(struct lk_request *request, const Latchkey__V1__ImportKeysRequest *message,
	Latchkey__Store__Change *change, Latchkey__V1__ImportKeysResponse *response);

/* verify.c */
enum lk_err lk_key_verify(struct lk_request *request, const Latchkey__V1__VerifyKeyRequest *message,
	Latchkey__V1__VerifyKeyResponse *response);

/* verify_batch.c */
enum lk_err lk_key_verify_batch(struct lk_request *request, const Latchkey__V1__VerifyBatchRequest *message,
	Latchkey__V1__VerifyBatchResponse *response);

#endif
