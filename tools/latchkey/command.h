/*
 * Commands: what `latchkey NOUN VERB` does, as tables. A command is a generated method (flags.h) and what the command line adds
 * to it: fields that are always set, flags of its own, and how its answer is shown. One file a noun.
 */
#ifndef LK_CLI_COMMAND_H
#define LK_CLI_COMMAND_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "tools/latchkey/flags.h"
#include "tools/latchkey/options.h"
#include "tools/latchkey/say.h"
#include "tools/latchkey/session.h"
#include "tools/latchkey/show.h"
#include "tools/latchkey/table.h"

/* A field that a command always sends; it has no flag then. */
struct lk_preset {
	/* NULL ends an array of them. */
	const char *path;
	const char *value;
};

/* The flags that are the command line's own and not a request's. */
enum lk_own_flag {
	LK_OWN_LIMIT,
	LK_OWN_TOKEN_FILE,
	LK_OWN_FILE,
	LK_OWN_RESUME,
	LK_OWN_SKIP_EXISTING,
	/* No flag, but the one word that a command may take without one; see lk_command.operand. */
	LK_OWN_OPERAND,
	LK_OWN_FLAGS,
};

/* One bit of lk_command.own_flags. */
#define LK_OWN(flag) (1U << (flag))

/* What a command was told to do and what it does it with. */
struct lk_run {
	const struct lk_command *command;
	const struct lk_options *options;
	struct lk_session *session;
	/* The request, by the names of the .proto files. */
	json_t *request;
	/* The values of the own flags, NULL where not given; of one for yes or no, "" where it was. */
	const char *own[LK_OWN_FLAGS];
	/* From LK_OWN_LIMIT. 0: none. */
	size_t limit;
	struct lk_page page;
	/* The file of LK_OWN_TOKEN_FILE, once it was made. */
	int token_fd;
};

struct lk_command {
	const char *verb;
	/* What the method calls itself in the generated tables. */
	const struct lk_cli_service *service;
	const char *rpc_verb;
	/* NULL: the method's own comment. */
	const char *help;
	/* NULL: none. */
	const struct lk_preset *presets;
	/* Fields without a flag here: their paths, or the beginnings of them such as "grant.". NULL: none; NULL ends it. */
	const char *const *hidden;
	/* Which of the own flags it takes. */
	unsigned own_flags;
	/* What the one word stands for that is given without a flag, and must be: "FILE|-". NULL: there is none. */
	const char *operand;
	/* Does all that follows on the reading of the flags, in place of one call and its answer. NULL: calls and shows. */
	enum lk_exit (*run)(struct lk_run *run);
	/* Of a list: the response's field with the items, whose pages are followed to the end; else NULL. */
	const char *items;
	/* Done before the call. NULL: nothing. */
	enum lk_exit (*prepare)(struct lk_run *run);
	/* Done after the call, with NULL where it came to nothing. NULL: nothing. */
	enum lk_exit (*deliver)(struct lk_run *run, json_t *response);
	/* Prints the answer for people. NULL where `run` does. */
	enum lk_err (*show)(const struct lk_run *run, const json_t *response);
	/* The exit code that the answer means. NULL: LK_EXIT_OK. */
	enum lk_exit (*judge)(const json_t *response);
};

/* A noun: its commands, or, where there is no verb to it, one command with the verb NULL. */
struct lk_noun {
	const char *name;
	const char *help;
	const struct lk_command *commands;
	size_t n_commands;
	/* Set where the noun does all by itself, and `commands` is NULL. */
	enum lk_exit (*run)(const struct lk_options *options, char **words, size_t n_words);
	/* What comes behind the noun then. */
	const char *usage;
};

extern const struct lk_noun lk_noun_tenant;
extern const struct lk_noun lk_noun_keyspace;
extern const struct lk_noun lk_noun_key;
extern const struct lk_noun lk_noun_root_key;
extern const struct lk_noun lk_noun_health;
extern const struct lk_noun lk_noun_whoami;
extern const struct lk_noun lk_noun_call;

/* The generated method of a command; never NULL of a command in the tables (a unit test looks at each). */
const struct lk_cli_method *lk_command_method(const struct lk_command *command);

/* Whether a flag of the method is one of the command's, that is neither preset nor hidden. */
bool lk_command_has_flag(const struct lk_command *command, const struct lk_flag *flag);

/* The name, value and help of an own flag. One for yes or no has no value: NULL. */
const char *lk_own_flag_name(enum lk_own_flag flag);
const char *lk_own_flag_metavar(enum lk_own_flag flag);
const char *lk_own_flag_help(enum lk_own_flag flag);

/* Runs a command: reads `words`, its flags, calls, and prints. */
enum lk_exit lk_command_run(const struct lk_command *command, const struct lk_options *options, char **words, size_t n);

#endif
