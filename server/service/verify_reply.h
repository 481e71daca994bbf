/*
 * The reply to a verdict: what a judge's answer reads in the message that goes back.
 */
#ifndef LK_SERVER_SERVICE_VERIFY_REPLY_H
#define LK_SERVER_SERVICE_VERIFY_REPLY_H

#include "latchkey/v1/key.pb-c.h"
#include "server/service/judge.h"
#include "server/service/request.h"

/*
 * Fills in the response, in the request's arena. The identity in it is the record's own packed bytes, in the snapshot: to be
 * packed before that is renewed.
 */
void lk_verify_reply(struct lk_request *request, const struct lk_question *question, const struct lk_answer *answer,
	Latchkey__V1__VerifyKeyResponse *response);

/*
 * The same as bytes, without a message between: what protobuf-c packs of lk_verify_reply()'s response, byte for byte, where nothing
 * is to be explained. lk_verify_packed_max() is room enough.
 */
size_t lk_verify_packed_max(const struct lk_answer *answer);
/* The most of it that is not the identity, whatever the answer. */
#define LK_VERIFY_PACKED_BESIDES 1024
size_t lk_verify_pack(const struct lk_answer *answer, uint8_t *ret_packed);

#endif
