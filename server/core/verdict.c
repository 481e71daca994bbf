#include "server/core/verdict.h"

#include <latchkey/token.h>

static bool is_revoked(const struct lk_verdict_facts *facts, int64_t now_us)
{
	/* A state that this version does not know must not open anything. */
	bool is_over = facts->state != LATCHKEY__STORE__STORED_STATE__STORED_STATE_ACTIVE &&
		       facts->state != LATCHKEY__STORE__STORED_STATE__STORED_STATE_SUSPENDED;

	return is_over || (facts->replaced && now_us >= facts->replaced_until_us);
}

static bool is_expired(const struct lk_verdict_facts *facts, int64_t now_us)
{
	return facts->expire_us != 0 && now_us >= facts->expire_us;
}

static bool is_suspended(const struct lk_verdict_facts *facts, int64_t now_us)
{
	(void)now_us;
	return facts->state == LATCHKEY__STORE__STORED_STATE__STORED_STATE_SUSPENDED;
}

static bool is_early(const struct lk_verdict_facts *facts, int64_t now_us)
{
	return facts->not_before_us != 0 && now_us < facts->not_before_us;
}

static bool is_elsewhere(const struct lk_verdict_facts *facts, int64_t now_us)
{
	(void)now_us;
	return !facts->keyspace_fits;
}

static const struct {
	bool (*refuses)(const struct lk_verdict_facts *facts, int64_t now_us);
	Latchkey__V1__VerifyCode code;
} gates[] = {
	{is_revoked, LATCHKEY__V1__VERIFY_CODE__VERIFY_CODE_REVOKED},
	{is_expired, LATCHKEY__V1__VERIFY_CODE__VERIFY_CODE_EXPIRED},
	{is_suspended, LATCHKEY__V1__VERIFY_CODE__VERIFY_CODE_SUSPENDED},
	{is_early, LATCHKEY__V1__VERIFY_CODE__VERIFY_CODE_NOT_YET_VALID},
	{is_elsewhere, LATCHKEY__V1__VERIFY_CODE__VERIFY_CODE_WRONG_KEYSPACE},
};

Latchkey__V1__VerifyCode lk_verdict_decide(const struct lk_verdict_facts *facts, int64_t now_us)
{
	for (size_t i = 0; i < sizeof(gates) / sizeof(gates[0]); i++) {
		if (gates[i].refuses(facts, now_us)) {
			return gates[i].code;
		}
	}
	return LATCHKEY__V1__VERIFY_CODE__VERIFY_CODE_VALID;
}

int64_t lk_verdict_secret_end(const struct lk_verdict_facts *facts)
{
	if (!facts->replaced) {
		return 0;
	}
	bool key_ends_first = facts->expire_us != 0 && facts->expire_us < facts->replaced_until_us;
	return key_ends_first ? facts->expire_us : facts->replaced_until_us;
}

Latchkey__V1__VerifyCode lk_verdict_of_unknown(const char *token, size_t token_len, bool imports)
{
	bool may_be_ours = imports ? lk_verdict_can_look_up(token, token_len)
				   : lk_token_check(token, token_len, NULL) == LK_TOKEN_FINE;

	return may_be_ours ? LATCHKEY__V1__VERIFY_CODE__VERIFY_CODE_NOT_FOUND
			   : LATCHKEY__V1__VERIFY_CODE__VERIFY_CODE_MALFORMED;
}

bool lk_verdict_can_look_up(const char *token, size_t token_len)
{
	if (token_len > LK_TOKEN_MAX) {
		return false;
	}
	for (size_t i = 0; i < token_len; i++) {
		if (token[i] < 0x20 || token[i] > 0x7e) {
			return false;
		}
	}
	return true;
}
