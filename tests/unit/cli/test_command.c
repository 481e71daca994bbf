#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tools/latchkey/help.h"
#include "tools/latchkey/text.h"

/* Calls `look` for each command there is. */
static void each_command(void (*look)(const struct lk_noun *, const struct lk_command *))
{
	size_t n = 0, n_commands = 0;
	const struct lk_noun *const *nouns = lk_help_nouns(&n);

	for (size_t i = 0; i < n; i++) {
		for (size_t j = 0; j < nouns[i]->n_commands; j++, n_commands++) {
			look(nouns[i], &nouns[i]->commands[j]);
		}
	}
	assert_true(n_commands > 15);
}

static void has_what_it_needs(const struct lk_noun *noun, const struct lk_command *command)
{
	assert_non_null(noun->help);
	assert_true(command->show || command->run);
	assert_non_null(lk_command_method(command));
	assert_true(command->verb || noun->n_commands == 1);
}

static void test_command_each_has_what_it_needs(void **state)
{
	(void)state;
	each_command(has_what_it_needs);
}

/* Whether the method has a field at `path`, or one below it where that ends in a dot. */
static bool has_field(const struct lk_cli_method *method, const char *path)
{
	for (size_t i = 0; i < method->n_flags; i++) {
		if (strncmp(method->flags[i].path, path, strlen(path)) == 0) {
			return true;
		}
	}
	return false;
}

static void names_fields_that_are(const struct lk_noun *noun, const struct lk_command *command)
{
	const struct lk_cli_method *method = lk_command_method(command);

	(void)noun;
	for (const struct lk_preset *preset = command->presets; preset && preset->path; preset++) {
		assert_true(has_field(method, preset->path));
	}
	for (const char *const *hidden = command->hidden; hidden && *hidden; hidden++) {
		assert_true(has_field(method, *hidden));
	}
	for (const struct lk_rename *rename = command->renames; rename && rename->path; rename++) {
		assert_non_null(lk_command_flag_at(command, rename->path));
	}
	if (command->word) {
		assert_non_null(lk_command_flag_at(command, command->word));
	}
	if (command->update) {
		assert_non_null(lk_command_flag_at(command, command->update->id));
		assert_true(has_field(method, command->update->message));
		assert_true(!command->update->whole || has_field(method, command->update->whole));
	}
}

static void test_command_tables_name_fields_that_are(void **state)
{
	(void)state;
	each_command(names_fields_that_are);
}

static void has_no_flag_twice(const struct lk_noun *noun, const struct lk_command *command)
{
	const struct lk_cli_method *method = lk_command_method(command);

	(void)noun;
	for (size_t i = 0; i < method->n_flags; i++) {
		const char *name = lk_command_flag_name(command, &method->flags[i]), *global;

		if (!lk_command_has_flag(command, &method->flags[i])) {
			continue;
		}
		assert_ptr_equal(lk_command_flag(command, name, strlen(name)), &method->flags[i]);
		for (size_t j = 0; (global = lk_options_name(NULL, j)); j++) {
			assert_string_not_equal(name, global + 2);
		}
		for (unsigned j = 0; j < LK_OWN_FLAGS; j++) {
			assert_string_not_equal(name, lk_own_flag_name(j));
		}
	}
}

static void test_command_flags_do_not_clash(void **state)
{
	(void)state;
	each_command(has_no_flag_twice);
}

static char *help_of(const struct lk_noun *noun, const struct lk_command *command)
{
	char *text = NULL;
	size_t len = 0;
	FILE *file = open_memstream(&text, &len);

	assert_non_null(file);
	if (command) {
		lk_help_print_command(file, noun, command);
	} else if (noun) {
		lk_help_print_noun(file, noun);
	} else {
		lk_help_print(file);
	}
	assert_int_equal(fclose(file), 0);
	return text;
}

static void help_fits(const struct lk_noun *noun, const struct lk_command *command)
{
	char *text = help_of(noun, command), *rest = text, *line;

	assert_int_equal(strncmp(text, "Usage: latchkey ", strlen("Usage: latchkey ")), 0);
	while ((line = strsep(&rest, "\n"))) {
		assert_in_range(strlen(line), 0, 140);
	}
	free(text);
}

static void test_command_help_fits(void **state)
{
	(void)state;
	each_command(help_fits);
}

static void test_command_help_shows_what_there_is(void **state)
{
	const struct lk_noun *key = lk_help_find_noun("key");
	char *all = help_of(NULL, NULL), *of_key = help_of(key, NULL);
	char *of_create = help_of(key, lk_help_find_verb(key, "create"));

	(void)state;
	assert_non_null(strstr(all, "root-key"));
	assert_non_null(strstr(all, "--credential-file FILE"));
	assert_non_null(strstr(of_key, "revoke"));
	assert_non_null(strstr(of_create, "--expire-time TIME"));
	assert_non_null(strstr(of_create, "--scope keyspace|tenant"));
	assert_non_null(strstr(of_create, "--token-file FILE"));
	assert_null(strstr(of_create, "--methods"));
	assert_null(strstr(of_create, "--token "));
	free(all);
	free(of_key);
	free(of_create);
}

/* Whether `text` has `part`, with a line's end and what follows it for a space. */
static bool says(const char *text, const char *part)
{
	for (; *text != '\0'; text++) {
		const char *at = text, *wanted = part;

		while (*wanted != '\0' && (*at == *wanted || (*at == '\n' && *wanted == ' '))) {
			wanted++;
			at += *at == '\n' ? strspn(at, "\n ") : 1;
		}
		if (*wanted == '\0') {
			return true;
		}
	}
	return false;
}

static void test_command_help_says_which_way_a_span_counts(void **state)
{
	const struct lk_noun *key = lk_help_find_noun("key");
	char *of_list = help_of(key, lk_help_find_verb(key, "list"));
	char *of_update = help_of(key, lk_help_find_verb(key, "update"));

	(void)state;
	assert_true(says(of_list, "such as 90d counts back from now."));
	assert_true(says(of_list, "such as 14d counts forward from now."));
	assert_non_null(strstr(of_list, "--state active|suspended|revoked|expired"));
	assert_non_null(strstr(of_update, "Usage: latchkey key update KEY [flags]"));
	assert_non_null(strstr(of_update, "--clear FLAG"));
	assert_false(says(of_update, "counts back from now"));
	assert_null(strstr(of_update, "--update-mask"));
	assert_null(strstr(of_update, "--methods"));
	free(of_list);
	free(of_update);
}

static int choose_utf8(void **state)
{
	(void)state;
	lk_text_init();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_command_each_has_what_it_needs),
		cmocka_unit_test(test_command_tables_name_fields_that_are),
		cmocka_unit_test(test_command_flags_do_not_clash),
		cmocka_unit_test(test_command_help_fits),
		cmocka_unit_test(test_command_help_shows_what_there_is),
		cmocka_unit_test(test_command_help_says_which_way_a_span_counts),
	};

	return cmocka_run_group_tests(tests, choose_utf8, NULL);
}
