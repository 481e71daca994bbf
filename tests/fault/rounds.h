/*
 * What the tests that kill the daemon are told on the command line: [--rounds N] [--seed N].
 */
#ifndef LK_TESTS_FAULT_ROUNDS_H
#define LK_TESTS_FAULT_ROUNDS_H

struct rounds {
	unsigned long count;
	unsigned seed;
};

/* Reads the options into `ret_rounds`, which holds the defaults; fails the test on any other. */
void rounds_read(int argc, char **argv, struct rounds *ret_rounds);

#endif
