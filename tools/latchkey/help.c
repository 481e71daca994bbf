#include "tools/latchkey/help.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "tools/latchkey/suggest.h"
#include "tools/latchkey/text.h"

/* The width of help that goes to no terminal. */
#define WIDTH 100

static const struct lk_noun *const nouns[] = {
	&lk_noun_tenant,
	&lk_noun_keyspace,
	&lk_noun_key,
	&lk_noun_role,
	&lk_noun_owner,
	&lk_noun_root_key,
	&lk_noun_audit,
	&lk_noun_health,
	&lk_noun_whoami,
	&lk_noun_call,
	&lk_noun_selftest,
};

#define N_NOUNS (sizeof(nouns) / sizeof(nouns[0]))

const struct lk_noun *const *lk_help_nouns(size_t *ret_n)
{
	*ret_n = N_NOUNS;
	return nouns;
}

/* The most columns that a name on the left takes; a longer one has a line of its own. */
#define LEFT_MAX 30

/* Prints text wrapped between words, from column `indent` on, where the line stands already. */
static void print_wrapped(FILE *file, size_t indent, const char *text)
{
	size_t columns = lk_text_columns(file), room;

	columns = columns > 0 ? columns : WIDTH;
	room = columns > indent + 20 ? columns - indent : 20;
	while (strlen(text) > room) {
		size_t len = room;

		while (len > 0 && text[len] != ' ') {
			len--;
		}
		len = len > 0 ? len : strcspn(text, " ");
		fprintf(file, "%.*s\n%*s", (int)len, text, (int)indent, "");
		text += len + strspn(text + len, " ");
	}
	fprintf(file, "%s\n", text);
}

/* Prints "  left  text", the text wrapped between words behind column `left_width`. */
static void print_entry(FILE *file, const char *left, size_t left_width, const char *text)
{
	size_t indent = left_width + 4;

	if (strlen(left) > left_width) {
		fprintf(file, "  %s\n%*s", left, (int)indent, "");
	} else {
		fprintf(file, "  %-*s  ", (int)left_width, left);
	}
	print_wrapped(file, indent, text);
}

static const char *help_of(const struct lk_command *command)
{
	return command->help ? command->help : lk_command_method(command)->help;
}

void lk_help_print(FILE *file)
{
	fputs("Usage: latchkey NOUN VERB [flags]\n\n"
	      "Issues API keys and says whether a key may do a thing, by asking latchkeyd.\n\n"
	      "Nouns:\n",
		file);
	for (size_t i = 0; i < N_NOUNS; i++) {
		print_entry(file, nouns[i]->name, 10, nouns[i]->help);
	}
	fputs("\n", file);
	lk_options_print_help(file);
	fputs("\n\"latchkey NOUN --help\" shows a noun's verbs, \"latchkey NOUN VERB --help\" a verb's flags.\n\n"
	      "Exit codes: 0 done; 1 a verdict other than VALID; 2 wrong usage; 3 the daemon refused; 4 no answer; 5 "
	      "the audit\n"
	      "chain is broken.\n",
		file);
}

void lk_help_print_noun(FILE *file, const struct lk_noun *noun)
{
	if (noun->run) {
		fprintf(file, "Usage: latchkey %s %s\n\n%s\n\n", noun->name, noun->usage, noun->help);
		lk_options_print_help(file);
		return;
	}
	if (!noun->commands[0].verb) {
		lk_help_print_command(file, noun, &noun->commands[0]);
		return;
	}
	fprintf(file, "Usage: latchkey %s VERB [flags]\n\n%s\n\nVerbs:\n", noun->name, noun->help);
	for (size_t i = 0; i < noun->n_commands; i++) {
		print_entry(file, noun->commands[i].verb, 11, help_of(&noun->commands[i]));
	}
	fputs("\n", file);
	lk_options_print_help(file);
}

static void print_flag(
	FILE *file, size_t width, const char *name, const char *metavar, const char *help, const char *more)
{
	char left[128], text[1024];

	snprintf(left, sizeof(left), "--%s%s%s", name, metavar ? " " : "", metavar ? metavar : "");
	snprintf(text, sizeof(text), "%s%s", help, more);
	print_entry(file, left, width, text);
}

/* What the kind of a flag adds to its help. */
static const char *more_help(const struct lk_flag *flag)
{
	if (flag->kind == LK_FLAG_TIMESTAMP) {
		return flag->ago ? " A span such as 90d counts back from now."
				 : " A span such as 14d counts forward from now.";
	}
	return flag->repeated ? " May be given several times." : "";
}

/* Prints every flag of a command. */
static void print_flags(FILE *file, const struct lk_command *command, const struct lk_cli_method *method)
{
	size_t width = 0;

	for (size_t i = 0; i < method->n_flags; i++) {
		const struct lk_flag *flag = &method->flags[i];
		size_t len = strlen(lk_command_flag_name(command, flag)) + 2 +
			     (flag->metavar ? strlen(flag->metavar) + 1 : 0);

		if (lk_command_has_flag(command, flag) && len > width && len <= LEFT_MAX) {
			width = len;
		}
	}
	for (size_t i = 0; i < method->n_flags; i++) {
		const struct lk_flag *flag = &method->flags[i];

		if (lk_command_has_flag(command, flag)) {
			print_flag(file, width, lk_command_flag_name(command, flag), flag->metavar,
				lk_command_flag_help(command, flag), more_help(flag));
		}
	}
	for (unsigned i = 0; i < LK_OWN_FLAGS; i++) {
		if (command->own_flags & LK_OWN(i)) {
			print_flag(file, width, lk_own_flag_name(i), lk_own_flag_metavar(i), lk_own_flag_help(i), "");
		}
	}
}

/* Whether a command has a flag of one of the kinds that take a time. */
static bool takes_times(const struct lk_command *command, const struct lk_cli_method *method)
{
	for (size_t i = 0; i < method->n_flags; i++) {
		if ((method->flags[i].kind == LK_FLAG_TIMESTAMP || method->flags[i].kind == LK_FLAG_DURATION) &&
			lk_command_has_flag(command, &method->flags[i])) {
			return true;
		}
	}
	return false;
}

static void print_usage(FILE *file, const struct lk_noun *noun, const struct lk_command *command, bool has_flags)
{
	const struct lk_flag *flag = command->word ? lk_command_flag_at(command, command->word) : NULL;

	fprintf(file, "Usage: latchkey %s", noun->name);
	if (command->verb) {
		fprintf(file, " %s", command->verb);
	}
	if (command->operand) {
		fprintf(file, " %s", command->operand);
	}
	if (flag) {
		fputs(flag->repeated ? " [" : " ", file);
		for (const char *letter = lk_command_flag_name(command, flag); *letter != '\0'; letter++) {
			fputc(toupper((unsigned char)*letter), file);
		}
		fputs(flag->repeated ? "...]" : "", file);
	}
	fprintf(file, "%s\n\n", has_flags ? " [flags]" : "");
	print_wrapped(file, 0, help_of(command));
	fputs("\n", file);
	if (flag) {
		fprintf(file, "The word without a flag is that of --%s.\n\n", lk_command_flag_name(command, flag));
	}
}

void lk_help_print_command(FILE *file, const struct lk_noun *noun, const struct lk_command *command)
{
	const struct lk_cli_method *method = lk_command_method(command);
	bool any = command->own_flags != 0;

	for (size_t i = 0; i < method->n_flags; i++) {
		any |= lk_command_has_flag(command, &method->flags[i]);
	}
	print_usage(file, noun, command, any);
	if (any) {
		fputs("Flags:\n", file);
		print_flags(file, command, method);
		fputs("\n", file);
	}
	if (takes_times(command, method)) {
		fputs("A DURATION is a span: 30d, 12h, 90m or 1d12h. A TIME is RFC 3339, such as "
		      "2026-02-01T12:00:00Z,\n"
		      "or a span from now; \"-30d\" is always 30 days ago.\n\n",
			file);
	}
	lk_options_print_help(file);
}

static const char *noun_name(const void *unused, size_t i)
{
	(void)unused;
	return i < N_NOUNS ? nouns[i]->name : NULL;
}

static const char *verb_name(const void *noun, size_t i)
{
	const struct lk_noun *words = noun;

	return i < words->n_commands ? words->commands[i].verb : NULL;
}

const struct lk_noun *lk_help_find_noun(const char *name)
{
	const char *meant;

	for (size_t i = 0; i < N_NOUNS; i++) {
		if (strcmp(nouns[i]->name, name) == 0) {
			return nouns[i];
		}
	}
	meant = lk_suggest(name, noun_name, NULL);
	if (meant) {
		lk_say("there is no \"latchkey %s\"; did you mean \"latchkey %s\"?", name, meant);
	} else {
		lk_say("there is no \"latchkey %s\"; \"latchkey --help\" shows what there is", name);
	}
	return NULL;
}

const struct lk_command *lk_help_find_verb(const struct lk_noun *noun, const char *verb)
{
	const char *meant;

	for (size_t i = 0; i < noun->n_commands; i++) {
		if (strcmp(noun->commands[i].verb, verb) == 0) {
			return &noun->commands[i];
		}
	}
	meant = lk_suggest(verb, verb_name, noun);
	if (meant) {
		lk_say("there is no \"latchkey %s %s\"; did you mean \"latchkey %s %s\"?", noun->name, verb, noun->name,
			meant);
	} else {
		lk_say("there is no \"latchkey %s %s\"; \"latchkey %s --help\" shows what there is", noun->name, verb,
			noun->name);
	}
	return NULL;
}
