#include "server/core/verdict.h"

#include <string.h>

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

static bool is_kept_out(const struct lk_verdict_facts *facts, int64_t now_us)
{
	(void)now_us;
	return !facts->ip_fits;
}

static bool lacks_permission(const struct lk_verdict_facts *facts, int64_t now_us)
{
	(void)now_us;
	return !facts->permitted;
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
	{is_kept_out, LATCHKEY__V1__VERIFY_CODE__VERIFY_CODE_IP_DENIED},
	{lacks_permission, LATCHKEY__V1__VERIFY_CODE__VERIFY_CODE_INSUFFICIENT_PERMISSIONS},
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

bool lk_verdict_refuses(Latchkey__V1__VerifyCode code, const struct lk_verdict_facts *facts, int64_t now_us)
{
	for (size_t i = 0; i < sizeof(gates) / sizeof(gates[0]); i++) {
		if (gates[i].code == code) {
			return gates[i].refuses(facts, now_us);
		}
	}
	return false;
}

int64_t lk_verdict_secret_end(const struct lk_verdict_facts *facts)
{
	if (!facts->replaced) {
		return 0;
	}
	bool key_ends_first = facts->expire_us != 0 && facts->expire_us < facts->replaced_until_us;
	return key_ends_first ? facts->expire_us : facts->replaced_until_us;
}

/* How many of base64url's characters (RFC 4648, section 5) a text begins with. */
static size_t base64url_len(const char *text, size_t len)
{
	size_t i = 0;

	while (i < len && ((text[i] >= '0' && text[i] <= '9') || (text[i] >= 'A' && text[i] <= 'Z') ||
				  (text[i] >= 'a' && text[i] <= 'z') || text[i] == '-' || text[i] == '_')) {
		i++;
	}
	return i;
}

/* Three parts of base64url with dots between them, the first of which begins as a JSON object does: a JWS in its compact form. */
static bool is_compact_jws(const char *token, size_t token_len)
{
	static const char begin[] = "eyJ";
	size_t at = 0;

	if (token_len < strlen(begin) || memcmp(token, begin, strlen(begin)) != 0) {
		return false;
	}
	for (unsigned part = 0; part < 3; part++) {
		size_t part_len = base64url_len(token + at, token_len - at);
		at += part_len;
		if (part_len == 0 || (part < 2 && (at == token_len || token[at] != '.'))) {
			return false;
		}
		at += part < 2;
	}
	return at == token_len;
}

Latchkey__V1__VerifyCode lk_verdict_of_unknown(const char *token, size_t token_len, bool imports)
{
	bool has_checksum = !imports && !is_compact_jws(token, token_len);
	bool may_be_ours = has_checksum ? lk_token_check(token, token_len, NULL) == LK_TOKEN_FINE
					: lk_verdict_can_look_up(token, token_len);

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
