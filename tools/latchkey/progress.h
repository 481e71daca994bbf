/*
 * Progress of a long work on standard error: a bar that is drawn over and over on a terminal, a line now and then elsewhere.
 *
 * From one thread. Whoever says something else meanwhile hides the bar first.
 */
#ifndef LK_CLI_PROGRESS_H
#define LK_CLI_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Room for what is shown, its NUL included. */
#define LK_PROGRESS_TEXT_MAX 256

struct lk_progress {
	/* What the whole work is, in the parts that are told; 0: nobody knows. */
	uint64_t total;
	/* What is counted, in the plural: "keys" from the start. */
	const char *unit;
	bool is_terminal;
	/* The bar stands on the terminal. */
	bool is_drawn;
	/* On CLOCK_MONOTONIC. */
	int64_t started_ms, shown_ms;
};

/* Begins; nothing is shown yet. */
void lk_progress_start(struct lk_progress *progress, uint64_t total);

/* Tells how many keys are done, and how much of the total; shows it where it is time for that. */
void lk_progress_tell(struct lk_progress *progress, uint64_t keys, uint64_t done);

/* Takes the bar away, until it is drawn again. */
void lk_progress_hide(struct lk_progress *progress);

/* How long it has taken so far, in milliseconds. */
int64_t lk_progress_elapsed_ms(const struct lk_progress *progress);

/*
 * What is shown of `keys` keys after `elapsed_ms`: with a bar where `columns` is over 0, which it then does not exceed. Pure.
 * "[#####-----]  50%  500,000 keys  10,000/s  0:50 left"
 */
void lk_progress_format(uint64_t keys, uint64_t done, uint64_t total, int64_t elapsed_ms, size_t columns,
	char ret_text[static LK_PROGRESS_TEXT_MAX]);

/* The same of other things than keys. */
void lk_progress_format_unit(const char *unit, uint64_t count, uint64_t done, uint64_t total, int64_t elapsed_ms,
	size_t columns, char ret_text[static LK_PROGRESS_TEXT_MAX]);

/* Writes a number with its thousands apart, "1,234,567". */
#define LK_PROGRESS_NUMBER_MAX 32
void lk_progress_number(uint64_t number, char ret_text[static LK_PROGRESS_NUMBER_MAX]);

#endif
