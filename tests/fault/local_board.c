#include "tests/fault/local_board.h"

#include <sys/mman.h>

#include "tests/lib/check.h"

#define CODE(name) LATCHKEY__V1__VERIFY_CODE__VERIFY_CODE_##name

struct board *board_new(void)
{
	struct board *board = mmap(NULL, sizeof *board, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	CHECK(board != MAP_FAILED);
	return board;
}

/* Asks, and keeps the books; UNSPECIFIED where there was no verdict. */
static Latchkey__V1__VerifyCode ask_about(struct board_key *key, board_ask *ask, void *context)
{
	Latchkey__V1__VerifyCode code = CODE(UNSPECIFIED);
	uint64_t lost = 0;

	atomic_fetch_add(&key->asked, 1);
	bool is_answered = ask(context, key->token, &code, &lost);
	/* What is told as heard is in the books already. */
	atomic_fetch_add(&key->lost, lost);
	atomic_fetch_add(&key->valid, is_answered && code == CODE(VALID) ? 1 : 0);
	atomic_fetch_add(&key->heard, 1);
	return is_answered ? code : CODE(UNSPECIFIED);
}

void board_try(struct board *board, size_t index, board_ask *ask, void *context)
{
	struct board_key *key = &board->keys[index];
	int before = atomic_load(&key->state);

	if (before == BOARD_ABSENT) {
		return;
	}
	Latchkey__V1__VerifyCode code = ask_about(key, ask, context);
	int after = atomic_load(&key->state);
	if (code == CODE(UNSPECIFIED)) {
		return;
	}
	CHECK_MSG(before != BOARD_REVOKED || code == CODE(REVOKED), "after a revocation that was acknowledged");
	CHECK_MSG(after != BOARD_LIVE || code == CODE(VALID), "after a creation that was acknowledged");
	CHECK_MSG(code == CODE(VALID) || code == CODE(REVOKED), "while it was being revoked");
}

bool board_spend(struct board *board, enum board_spent kind, board_ask *ask, void *context)
{
	struct board_key *key = &board->spent[kind];
	bool was_exhausted = atomic_load(&key->exhausted);

	Latchkey__V1__VerifyCode code = ask_about(key, ask, context);
	if (code == CODE(UNSPECIFIED)) {
		return false;
	}
	if (code == CODE(VALID)) {
		/* A limit comes back by one in 86 seconds: the bounds in the end allow for it. */
		CHECK_MSG(!was_exhausted || kind == BOARD_LIMITED, "VALID after it was refused");
		return false;
	}
	CHECK_MSG((kind != BOARD_CREDITED && code == CODE(RATE_LIMITED)) ||
			  (kind != BOARD_LIMITED && code == CODE(CREDITS_EXHAUSTED)),
		"refused for another reason");
	atomic_store(&key->exhausted, true);
	return true;
}
