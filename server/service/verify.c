#include "server/service/key_handlers.h"
#include "server/service/verify_question.h"
#include "server/service/verify_reply.h"

enum lk_err lk_key_verify(struct lk_request *request, const Latchkey__V1__VerifyKeyRequest *message,
	Latchkey__V1__VerifyKeyResponse *response)
{
	struct lk_asked asked = {0};
	struct lk_answer answer;

	enum lk_err err = lk_verify_read(request, message, &asked);
	if (err == LK_OK) {
		err = lk_verify_judge(request, &asked, &answer);
	}
	if (err == LK_OK) {
		lk_verify_reply(request, &asked.question, &answer, response);
		err = lk_request_check(request);
	}
	lk_verify_release(request, &asked);
	return err;
}
