/*
 * What the processes of local_rounds know of each other, in memory that all share: the keys there are, and what each was said to
 * be.
 */
#ifndef LK_TESTS_FAULT_LOCAL_BOARD_H
#define LK_TESTS_FAULT_LOCAL_BOARD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "latchkey/v1/key.pb-c.h"

/* The most keys of a run that are made and revoked. */
#define BOARD_KEYS 8192
/* What each of the keys that are spent may be used. */
#define BOARD_SIZE 1000

enum board_spent {
	BOARD_LIMITED,
	BOARD_CREDITED,
	BOARD_BOTH,
	BOARD_SPENT,
};

enum board_state {
	/* Create is not acknowledged yet, and nobody has the token. */
	BOARD_ABSENT,
	BOARD_LIVE,
	/* Revoke is on its way. */
	BOARD_REVOKING,
	/* And acknowledged. */
	BOARD_REVOKED,
};

struct board_key {
	_Atomic int state;
	char id[40];
	char token[64];
	/* Calls that began, and those that ended; one that is between them in a process that was killed may have counted. */
	_Atomic uint64_t asked;
	_Atomic uint64_t heard;
	/* Attempts over the wire whose outcome did not arrive. */
	_Atomic uint64_t lost;
	/* VALID verdicts. */
	_Atomic uint64_t valid;
	/* Of one that is spent: somebody was refused. */
	_Atomic bool exhausted;
};

struct board {
	char data[80];
	char url[112];
	/* How often somebody may still ask about a key that is spent, before `over`: so that there is something left at each kill. */
	_Atomic int64_t permits;
	/* Nothing more is to be made: who asks spends what is left, and ends. */
	_Atomic bool over;
	/* Those before it are made. */
	_Atomic size_t n;
	struct board_key keys[BOARD_KEYS];
	struct board_key spent[BOARD_SPENT];
	/* Verdicts in process, and calls there that were told to come again. */
	_Atomic uint64_t verdicts;
	_Atomic uint64_t put_off;
};

/* Shared with every process that is forked afterwards. */
struct board *board_new(void);

/*
 * What asks: says VALID or not into `*ret_code`, and how many attempts were without an outcome; false where there was no verdict.
 */
typedef bool board_ask(void *context, const char *token, Latchkey__V1__VerifyCode *ret_code, uint64_t *ret_lost);

/*
 * Asks about a key that is made and revoked, and checks the verdict against what was acknowledged before the call began; or about
 * one that is spent, and returns whether that was refused. For any thread of any process.
 */
void board_try(struct board *board, size_t index, board_ask *ask, void *context);
bool board_spend(struct board *board, enum board_spent kind, board_ask *ask, void *context);

#endif
