#include "server/store/denials.h"

#include <sodium.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/store/lines.h"

#define WORDS 4

/*
 * The last word: the family in bits 4 to 7, the code in bits 0 to 3, and above them as much of the checksum as there is room
 * for.
 */
#define CODE_BITS   4
#define PACKED_BITS 8
#define PACKED_MASK ((UINT64_C(1) << PACKED_BITS) - 1)

/* Of two that write one line at once, how often each looks whether a whole one came of it. */
#define TRIES 4

_Static_assert(LK_DENIAL_CODES <= 1 << CODE_BITS, "a code fits its bits");
_Static_assert(LK_ADDRESS_V6 < 1 << (PACKED_BITS - CODE_BITS), "a family fits its bits");

/* The time, the address in two, and what is packed: words, since lines are written and read while others do. */
struct denial_line {
	_Atomic uint64_t words[WORDS];
};

struct gates_line {
	_Atomic uint64_t counts[LK_DENIAL_CODES];
	uint64_t reserved[16 - LK_DENIAL_CODES];
};

_Static_assert(sizeof(struct denial_line) == 32, "two denials a cache line");
_Static_assert(sizeof(struct gates_line) == 128, "two cache lines a keyspace");

struct lk_denials {
	/* Line n is of slot n. */
	struct lk_lines last;
	/* Line n is of the keyspace of number n. */
	struct lk_lines gates;
};

/* Smaller steps than the slots': a store of few keys needs little of either. */
static const struct lk_lines_kind last_kind = {
	.file = "denials.mmap",
	.magic = {'L', 'K', 'D', 'E', 'N', 'Y', 'S', '1'},
	.schema = 1,
	.line_len = sizeof(struct denial_line),
	.step = (uint64_t)4 << 20,
	.wrong = "not a file of denials; remove it, and a new one is made, without the keys' last denials",
	.foreign = "belongs to another store; remove it, and a new one is made, without the keys' last denials",
	.too_few = "has more slots than max_slots allows: raise it to at least what it was",
	.too_many = "max_slots is more than memory has addresses: lower it",
};

static const struct lk_lines_kind gates_kind = {
	.file = "gates.mmap",
	.magic = {'L', 'K', 'G', 'A', 'T', 'E', 'S', '1'},
	.schema = 1,
	.line_len = sizeof(struct gates_line),
	.step = (uint64_t)64 << 10,
	.wrong = "not a file of counts of denials; remove it, and a new one is made that counts from 0",
	.foreign = "belongs to another store; remove it, and a new one is made that counts from 0",
	.too_few = "the store has had more keyspaces than this latchkeyd counts denials of: upgrade it",
	.too_many = "memory has too few addresses for it",
};

enum lk_err lk_denials_open(int dir, bool make, const uint8_t store_id[static LK_STORE_ID_LEN], uint64_t last_slot,
	uint64_t max_slots, uint32_t last_keyspace, struct lk_denials **ret_denials,
	char ret_message[static LK_STORE_MESSAGE_LEN])
{
	struct lk_denials *denials = calloc(1, sizeof *denials);

	if (denials == NULL) {
		(void)snprintf(ret_message, LK_STORE_MESSAGE_LEN, "%s: no memory", last_kind.file);
		return LK_NO_MEMORY;
	}
	enum lk_err err = lk_lines_open(
		&denials->last, &last_kind, dir, make, store_id, last_slot, max_slots, ret_message);
	if (err == LK_OK) {
		err = lk_lines_open(&denials->gates, &gates_kind, dir, make, store_id, last_keyspace,
			LK_DENIAL_KEYSPACES, ret_message);
	}
	if (err != LK_OK) {
		lk_denials_close(denials);
		return err;
	}
	*ret_denials = denials;
	return LK_OK;
}

enum lk_err lk_denials_attach(
	int dir, uint64_t max_slots, struct lk_denials **ret_denials, char ret_message[static LK_STORE_MESSAGE_LEN])
{
	struct lk_denials *denials = calloc(1, sizeof *denials);

	if (denials == NULL) {
		(void)snprintf(ret_message, LK_STORE_MESSAGE_LEN, "%s: no memory", last_kind.file);
		return LK_NO_MEMORY;
	}
	enum lk_err err = lk_lines_attach(&denials->last, &last_kind, dir, max_slots, ret_message);
	if (err == LK_OK) {
		err = lk_lines_attach(&denials->gates, &gates_kind, dir, LK_DENIAL_KEYSPACES, ret_message);
	}
	if (err != LK_OK) {
		lk_denials_close(denials);
		return err;
	}
	*ret_denials = denials;
	return LK_OK;
}

enum lk_err lk_denials_check_owner(const struct lk_denials *denials, const uint8_t store_id[static LK_STORE_ID_LEN],
	uint64_t last_slot, char ret_message[static LK_STORE_MESSAGE_LEN])
{
	enum lk_err err = lk_lines_check_owner(&denials->last, store_id, last_slot, ret_message);

	return err == LK_OK ? lk_lines_check_owner(&denials->gates, store_id, 0, ret_message) : err;
}

void lk_denials_close(struct lk_denials *denials)
{
	if (denials == NULL) {
		return;
	}
	lk_lines_close(&denials->last);
	lk_lines_close(&denials->gates);
	free(denials);
}

enum lk_err lk_denials_reserve(struct lk_denials *denials, uint64_t last_slot, uint32_t last_keyspace)
{
	enum lk_err err = lk_lines_reserve(&denials->last, last_slot);

	return err == LK_OK ? lk_lines_reserve(&denials->gates, last_keyspace) : err;
}

/* Mixes the slot's number in, so that a line that landed elsewhere is none there. Against accidents, not against forgers. */
static uint64_t seal(uint64_t slot, const uint64_t words[static WORDS])
{
	static const uint8_t no_key[crypto_shorthash_KEYBYTES] = {0};
	uint64_t sealed[WORDS + 1] = {slot, words[0], words[1], words[2], words[3] & PACKED_MASK};
	uint64_t sum = 0;

	_Static_assert(sizeof sum == crypto_shorthash_BYTES, "64 bits");
	(void)crypto_shorthash((uint8_t *)&sum, (const uint8_t *)sealed, sizeof sealed, no_key);
	return (sum & ~PACKED_MASK) | (words[3] & PACKED_MASK);
}

static void load(const struct denial_line *line, uint64_t ret_words[static WORDS])
{
	for (size_t i = WORDS; i > 0; i--) {
		ret_words[i - 1] = atomic_load_explicit(&line->words[i - 1], memory_order_acquire);
	}
}

static bool is_whole(uint64_t slot, const uint64_t words[static WORDS])
{
	return (words[WORDS - 1] & PACKED_MASK) != 0 && seal(slot, words) == words[WORDS - 1];
}

/* Where two write a line at the same moment a mix of both may come of it: whoever sees that writes its own again. */
static void store_line(struct denial_line *line, uint64_t slot, const uint64_t words[static WORDS])
{
	uint64_t found[WORDS] = {0};

	for (int i = 0; i < TRIES; i++) {
		for (size_t j = 0; j < WORDS; j++) {
			atomic_store_explicit(&line->words[j], words[j], memory_order_release);
		}
		load(line, found);
		if (memcmp(found, words, sizeof found) == 0 || is_whole(slot, found)) {
			return;
		}
	}
}

void lk_denials_note(struct lk_denials *denials, uint64_t slot, uint32_t keyspace, const struct lk_denial *denial)
{
	/* VALID is 1. */
	if (denial->code <= 1 || denial->code >= LK_DENIAL_CODES) {
		return;
	}
	struct gates_line *gates = lk_lines_at(&denials->gates, keyspace);
	if (gates != NULL) {
		atomic_fetch_add_explicit(&gates->counts[denial->code], 1, memory_order_relaxed);
	}
	struct denial_line *line = lk_lines_at(&denials->last, slot);
	if (line != NULL) {
		uint64_t words[WORDS] = {(uint64_t)denial->time_us};

		memcpy(&words[1], denial->address.bytes, sizeof denial->address.bytes);
		words[3] = (uint64_t)denial->address.family << CODE_BITS | denial->code;
		words[3] = seal(slot, words);
		store_line(line, slot, words);
	}
}

struct lk_denial lk_denials_last(const struct lk_denials *denials, uint64_t slot)
{
	const struct denial_line *line = lk_lines_at(&denials->last, slot);
	uint64_t words[WORDS] = {0};

	if (line == NULL) {
		return (struct lk_denial){0};
	}
	load(line, words);
	if (!is_whole(slot, words)) {
		return (struct lk_denial){0};
	}
	struct lk_denial denial = {
		.code = (uint32_t)(words[3] & ((1u << CODE_BITS) - 1)),
		.time_us = (int64_t)words[0],
		.address.family = (uint8_t)((words[3] & PACKED_MASK) >> CODE_BITS),
	};
	memcpy(denial.address.bytes, &words[1], sizeof denial.address.bytes);
	return denial;
}

void lk_denials_counts(const struct lk_denials *denials, uint32_t keyspace, uint64_t ret_counts[static LK_DENIAL_CODES])
{
	const struct gates_line *gates = lk_lines_at(&denials->gates, keyspace);

	for (size_t i = 0; i < LK_DENIAL_CODES; i++) {
		ret_counts[i] = gates == NULL ? 0 : atomic_load_explicit(&gates->counts[i], memory_order_relaxed);
	}
}

enum lk_err lk_denials_sync(struct lk_denials *denials)
{
	enum lk_err err = lk_lines_sync(&denials->last);

	return err == LK_OK ? lk_lines_sync(&denials->gates) : err;
}
