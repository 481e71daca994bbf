/*
 * Commands: what `latchkey NOUN VERB` does, as tables. A command is a generated method (flags.h) and what the command line adds
 * to it: fields that are always set, flags of its own, and how its answer is shown. One file a noun.
 */
#ifndef LK_CLI_COMMAND_H
#define LK_CLI_COMMAND_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <latchkey/error.h>

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

/* A field whose flag has another name here than the generated one. */
struct lk_rename {
	/* NULL ends an array of them. */
	const char *path;
	/* Without its dashes. */
	const char *name;
	/* NULL: the field's own comment. */
	const char *help;
};

/* What an update changes: its mask (AIP-134) has the fields whose flags were given, or that LK_OWN_CLEAR names. */
struct lk_update {
	/* The request's field that holds the new values: "key". */
	const char *message;
	/* The field in it that names what is to be changed: "key.id". */
	const char *id;
	/* A field in it that is replaced as a whole: all flags below it go together. NULL: none. */
	const char *whole;
	/* The one flag below it that must be there with any; NULL: all of them must. */
	const char *whole_needs;
};

/* The flags that are the command line's own and not a request's. */
enum lk_own_flag {
	LK_OWN_LIMIT,
	LK_OWN_TOKEN_FILE,
	LK_OWN_CLEAR,
	LK_OWN_YES,
	LK_OWN_FILE,
	LK_OWN_RESUME,
	LK_OWN_SKIP_EXISTING,
	/* May be given several times; see lk_command.rate_limits. */
	LK_OWN_RATE_LIMIT,
	/* May be given several times; they are in the request alone. */
	LK_OWN_RATE_CHARGE,
	LK_OWN_JWT_SECRET_FILE,
	LK_OWN_KEYS,
	LK_OWN_DATA,
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
	/*
	 * The values of the own flags, NULL where not given; of one for yes or no, "" where it was. LK_OWN_CLEAR,
	 * LK_OWN_RATE_LIMIT and LK_OWN_RATE_CHARGE are in the request alone.
	 */
	const char *own[LK_OWN_FLAGS];
	/* From LK_OWN_LIMIT. 0: none. */
	size_t limit;
	struct lk_page page;
	/* The file of LK_OWN_TOKEN_FILE, once it was made. */
	int token_fd;
	/* What the messages look like, for lk_run_call(); NULL until then. */
	struct lk_schema *schema;
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
	/* Fields with a flag of another name. NULL: none. */
	const struct lk_rename *renames;
	/* The field whose value may be given as a word, without its flag; of a repeated one, several. NULL: none. */
	const char *word;
	/* Set where it is an update. */
	const struct lk_update *update;
	/* Which of the own flags it takes. */
	unsigned own_flags;
	/* The repeated RateLimit that LK_OWN_RATE_LIMIT fills: "key.rate_limits". */
	const char *rate_limits;
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
	/* Prints the answer for people. NULL where `run` does without lk_run_print(). */
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
extern const struct lk_noun lk_noun_role;
extern const struct lk_noun lk_noun_owner;
extern const struct lk_noun lk_noun_root_key;
extern const struct lk_noun lk_noun_audit;
extern const struct lk_noun lk_noun_health;
extern const struct lk_noun lk_noun_whoami;
extern const struct lk_noun lk_noun_call;
extern const struct lk_noun lk_noun_selftest;

/* The generated method of a command; never NULL of a command in the tables (a unit test looks at each). */
const struct lk_cli_method *lk_command_method(const struct lk_command *command);

/* Whether a flag of the method is one of the command's, that is neither preset nor hidden. */
bool lk_command_has_flag(const struct lk_command *command, const struct lk_flag *flag);

/* What the flag is called here, and what is said of it. */
const char *lk_command_flag_name(const struct lk_command *command, const struct lk_flag *flag);
const char *lk_command_flag_help(const struct lk_command *command, const struct lk_flag *flag);

/* The flag of the command with this path, or with this name of `len` bytes; NULL: it has none. */
const struct lk_flag *lk_command_flag_at(const struct lk_command *command, const char *path);
const struct lk_flag *lk_command_flag(const struct lk_command *command, const char *name, size_t len);

/* The name, value and help of an own flag. One for yes or no has no value: NULL. */
const char *lk_own_flag_name(enum lk_own_flag flag);
const char *lk_own_flag_metavar(enum lk_own_flag flag);
const char *lk_own_flag_help(enum lk_own_flag flag);

/*
 * For commands that run by themselves. One call of the command's method with `request`, whose answer is to be
 * json_decref()ed; what goes wrong is said. And the command's answer, as it was asked for, with the exit code that it means.
 */
enum lk_exit lk_run_call(struct lk_run *run, const json_t *request, json_t **ret_response);
enum lk_exit lk_run_print(const struct lk_run *run, const json_t *response);

/* Brings what was shown out before something is said of it, on the terminal that has both. LK_IO. */
LK_MUST_CHECK enum lk_err lk_run_flush(const struct lk_run *run);

/* A count in a response, which JSON has as a text; 0 where there is none. */
uint64_t lk_run_count(const json_t *response, const char *name);

/* Shows the empty answer to a Delete. */
LK_MUST_CHECK enum lk_err lk_run_show_deleted(const struct lk_run *run, const json_t *response);

/* Runs a command: reads `words`, its flags, calls, and prints. */
enum lk_exit lk_command_run(const struct lk_command *command, const struct lk_options *options, char **words, size_t n);

#endif
