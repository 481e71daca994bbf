#include "tests/fault/rounds.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/lib/check.h"

static unsigned long number_of(const char *text)
{
	char *end = NULL;
	unsigned long number = strtoul(text, &end, 10);

	CHECK_MSG(*text != '\0' && *end == '\0', text);
	return number;
}

void rounds_read(int argc, char **argv, struct rounds *ret_rounds)
{
	static const struct option options[] = {
		{"rounds", required_argument, NULL, 'r'}, {"seed", required_argument, NULL, 's'}, {NULL, 0, NULL, 0}};

	for (int option = 0; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
		CHECK_MSG(option == 'r' || option == 's', "give [--rounds N] [--seed N]");
		if (option == 'r') {
			ret_rounds->count = number_of(optarg);
		} else {
			ret_rounds->seed = (unsigned)number_of(optarg);
		}
	}
}
