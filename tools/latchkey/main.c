/* latchkey: the operator's command line. */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <sodium.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "tools/latchkey/command.h"
#include "tools/latchkey/help.h"
#include "tools/latchkey/output.h"
#include "tools/latchkey/text.h"

/* The leak sanitizer has to look into the process. */
#ifdef __SANITIZE_ADDRESS__
#define LEAKS_ARE_LOOKED_FOR
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define LEAKS_ARE_LOOKED_FOR
#endif
#endif

/* Before each block of jansson's: its size, so that it can be wiped. As wide as what malloc() aligns to. */
union block {
	size_t size;
	max_align_t align;
};

static void *allocate(size_t size)
{
	union block *block = malloc(sizeof(*block) + size);

	if (!block) {
		return NULL;
	}
	block->size = size;
	return block + 1;
}

/* Tokens pass through JSON: none of it stays in freed memory. */
static void wipe_and_free(void *memory)
{
	union block *block = memory ? (union block *)memory - 1 : NULL;

	if (block) {
		sodium_memzero(memory, block->size);
	}
	free(block);
}

/* Tokens and credentials pass through this process: it leaves no core file, and no other process may look into it. */
static void forbid_cores(void)
{
	const struct rlimit none = {0};

	setrlimit(RLIMIT_CORE, &none);
#ifndef LEAKS_ARE_LOOKED_FOR
	prctl(PR_SET_DUMPABLE, 0);
#endif
}

/*
 * A standard stream that was closed would be the next file or connection that is opened, and be written into. What takes its
 * place can no more be read, or written, than it could. False: nothing could take its place.
 */
static bool hold_standard_streams(void)
{
	static const int modes[] = {[STDIN_FILENO] = O_WRONLY, [STDOUT_FILENO] = O_RDONLY, [STDERR_FILENO] = O_RDONLY};

	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
		/* The lowest number that is free is this one: those below it are taken. */
		if (fcntl(fd, F_GETFD) < 0 && errno == EBADF && open("/dev/null", modes[fd]) != fd) {
			return false;
		}
	}
	return true;
}

static enum lk_exit help_wanted(FILE *file)
{
	lk_help_print(file);
	return file == stdout ? lk_output_end() : LK_EXIT_USAGE;
}

static enum lk_exit run_noun(const struct lk_noun *noun, const struct lk_options *options)
{
	if (options->help) {
		lk_help_print_noun(stdout, noun);
		return lk_output_end();
	}
	return noun->run(options, options->words + 1, options->n_words - 1);
}

/* Runs the command that the words name. */
static enum lk_exit run_words(const struct lk_options *options)
{
	const struct lk_noun *noun = lk_help_find_noun(options->words[0]);
	const struct lk_command *command;
	size_t used = 2;

	if (!noun) {
		return LK_EXIT_USAGE;
	}
	if (noun->run) {
		return run_noun(noun, options);
	}
	if (!noun->commands[0].verb) {
		command = &noun->commands[0];
		used = 1;
	} else if (options->n_words < 2) {
		lk_help_print_noun(options->help ? stdout : stderr, noun);
		return options->help ? lk_output_end() : LK_EXIT_USAGE;
	} else {
		command = lk_help_find_verb(noun, options->words[1]);
	}
	if (!command) {
		return LK_EXIT_USAGE;
	}
	if (options->help) {
		lk_help_print_command(stdout, noun, command);
		return lk_output_end();
	}
	return lk_command_run(command, options, options->words + used, options->n_words - used);
}

int main(int argc, char **argv)
{
	struct lk_options options;
	enum lk_exit code;

	forbid_cores();
	if (!hold_standard_streams()) {
		return (int)LK_EXIT_USAGE;
	}
	/* A reader that went away is an error of writing, which is said. */
	signal(SIGPIPE, SIG_IGN);
	lk_text_init();
	if (sodium_init() < 0) {
		return (int)lk_say_no_memory();
	}
	json_set_alloc_funcs(allocate, wipe_and_free);
	code = lk_options_read(argc, argv, &options);
	if (code != LK_EXIT_OK) {
		return (int)code;
	}
	if (options.version) {
		puts("latchkey " LK_VERSION);
		return (int)lk_output_end();
	}
	if (options.n_words == 0) {
		return (int)help_wanted(options.help ? stdout : stderr);
	}
	return (int)run_words(&options);
}
