/*
 * Expressions at random, against two judges of their own: a tree that the text was printed from, and a reader by recursive
 * descent of text that may mean nothing.
 */
#include "server/core/expression.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define PERMISSIONS 6
#define NODES_MAX   512
#define TEXT_MAX    (4 * LK_EXPRESSION_MAX)

static const char *const permissions[PERMISSIONS] = {"a", "b:c", "agents:install", "Or.x", "and:or", "_9-"};

/* xorshift64 (Marsaglia, 2003): the same numbers in each run. */
static uint64_t random_state = 88172645463325252U;

static unsigned below(unsigned bound)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (unsigned)(random_state >> 33) % bound;
}

enum shape {
	SHAPE_PERMISSION,
	SHAPE_AND,
	SHAPE_OR,
};

struct node {
	enum shape shape;
	/* Of which permission. */
	unsigned permission;
	struct node *left;
	struct node *right;
};

/* What is held, and which permissions were asked for, in order. */
struct trial {
	unsigned held;
	size_t n_asked;
	unsigned asked[LK_EXPRESSION_MAX];
};

static bool ask(struct trial *trial, unsigned permission)
{
	trial->asked[trial->n_asked++] = permission;
	return (trial->held >> permission & 1) != 0;
}

static bool holds(void *context, const char *asked, size_t len)
{
	for (unsigned i = 0; i < PERMISSIONS; i++) {
		if (strlen(permissions[i]) == len && memcmp(permissions[i], asked, len) == 0) {
			return ask(context, i);
		}
	}
	fail_msg("asked for '%.*s'", (int)len, asked);
	return false;
}

static struct node *grow(struct node *nodes, size_t *count, unsigned levels)
{
	struct node *node = &nodes[(*count)++];

	node->shape = levels == 0 ? SHAPE_PERMISSION : (enum shape)below(3);
	node->permission = below(PERMISSIONS);
	if (node->shape != SHAPE_PERMISSION) {
		node->left = grow(nodes, count, levels - 1);
		node->right = grow(nodes, count, levels - 1);
	}
	return node;
}

static bool tree_holds(const struct node *node, struct trial *trial)
{
	if (node->shape == SHAPE_PERMISSION) {
		return ask(trial, node->permission);
	}
	if (node->shape == SHAPE_AND) {
		return tree_holds(node->left, trial) && tree_holds(node->right, trial);
	}
	return tree_holds(node->left, trial) || tree_holds(node->right, trial);
}

static void print_blanks(char *text, bool needed)
{
	static const char *const blanks[] = {" ", "\t", "\n", "\r\n", "  "};

	if (needed || below(3) == 0) {
		(void)strcat(text, blanks[below(5)]);
	}
}

static void print_operator(char *text, const char *word)
{
	size_t len = strlen(text);

	for (size_t i = 0; word[i] != '\0'; i++) {
		text[len++] = (char)(below(2) == 0 ? word[i] : word[i] + ('a' - 'A'));
	}
	text[len] = '\0';
}

/* A blank is needed only between two words. */
static bool ends_in_word(const char *text)
{
	size_t len = strlen(text);

	return len > 0 && strchr("() \t\r\n", text[len - 1]) == NULL;
}

static void print_tree(const struct node *node, enum shape around, char *text)
{
	/* OR within AND needs them; anything may have them. */
	bool grouped = (node->shape == SHAPE_OR && around == SHAPE_AND) || below(5) == 0;

	if (grouped) {
		print_blanks(text, false);
		(void)strcat(text, "(");
		around = SHAPE_PERMISSION;
	}
	if (node->shape == SHAPE_PERMISSION) {
		print_blanks(text, ends_in_word(text));
		(void)strcat(text, permissions[node->permission]);
	} else {
		print_tree(node->left, node->shape, text);
		print_blanks(text, ends_in_word(text));
		print_operator(text, node->shape == SHAPE_AND ? "AND" : "OR");
		print_tree(node->right, node->shape, text);
	}
	if (grouped) {
		print_blanks(text, false);
		(void)strcat(text, ")");
	}
}

static struct lk_expression *compile(const char *text, size_t len, char fault[static LK_EXPRESSION_FAULT_LEN])
{
	struct lk_expression *expression = NULL;
	/* With nothing behind it, which AddressSanitizer watches. */
	char *copy = malloc(len + (len == 0));

	assert_non_null(copy);
	memcpy(copy, text, len);
	enum lk_err err = lk_expression_compile(copy, len, &expression, fault);
	assert_int_equal(err, expression == NULL ? LK_INVALID_ARGUMENT : LK_OK);
	free(copy);
	return expression;
}

static void assert_same(
	const char *text, const struct lk_expression *expression, const struct node *tree, unsigned held)
{
	struct trial by_tree = {.held = held};
	struct trial by_program = {.held = held};
	bool expected = tree_holds(tree, &by_tree);

	if (lk_expression_evaluate(expression, holds, &by_program) != expected) {
		fail_msg("'%s' with %#x is not %d", text, held, expected);
	}
	if (by_tree.n_asked != by_program.n_asked ||
		memcmp(by_tree.asked, by_program.asked, by_tree.n_asked * sizeof by_tree.asked[0]) != 0) {
		fail_msg("'%s' with %#x asks for others", text, held);
	}
}

static void test_expression_says_what_its_tree_says(void **state)
{
	char fault[LK_EXPRESSION_FAULT_LEN] = "";
	char *text = malloc((size_t)64 * 1024);
	size_t n_compiled = 0;

	(void)state;
	assert_non_null(text);
	for (int round = 0; round < 3000; round++) {
		struct node nodes[NODES_MAX] = {0};
		size_t count = 0;
		const struct node *tree = grow(nodes, &count, below(8));
		text[0] = '\0';
		print_tree(tree, SHAPE_PERMISSION, text);
		print_blanks(text, false);
		struct lk_expression *expression = compile(text, strlen(text), fault);
		if (strlen(text) > LK_EXPRESSION_MAX) {
			assert_null(expression);
			assert_non_null(strstr(fault, "shorten it to at most 1000"));
			continue;
		}
		if (expression == NULL) {
			fail_msg("'%s': %s", text, fault);
		}
		n_compiled++;
		for (unsigned held = 0; held < 1U << PERMISSIONS; held++) {
			assert_same(text, expression, tree, held);
		}
		lk_expression_free(expression);
	}
	assert_true(n_compiled > 2000);
	free(text);
}

/* Reads text by recursive descent, and answers from it at once. */
struct reader {
	const char *at;
	bool broken;
	struct trial *trial;
};

static void skip_blanks(struct reader *reader)
{
	reader->at += strspn(reader->at, " \t\r\n");
}

static size_t word_len(const struct reader *reader)
{
	return strcspn(reader->at, " \t\r\n()");
}

static bool take_word(struct reader *reader, const char *lower, const char *upper)
{
	skip_blanks(reader);
	size_t len = word_len(reader);
	if (len != strlen(lower)) {
		return false;
	}
	for (size_t i = 0; i < len; i++) {
		if (reader->at[i] != lower[i] && reader->at[i] != upper[i]) {
			return false;
		}
	}
	reader->at += len;
	return true;
}

static bool read_or(struct reader *reader, bool matters);

static bool read_primary(struct reader *reader, bool matters)
{
	skip_blanks(reader);
	if (*reader->at == '(') {
		reader->at++;
		bool result = read_or(reader, matters);
		skip_blanks(reader);
		reader->broken = reader->broken || *reader->at != ')';
		reader->at += *reader->at == ')';
		return result;
	}
	size_t len = word_len(reader);
	const char *word = reader->at;
	reader->at += len;
	for (unsigned i = 0; i < PERMISSIONS; i++) {
		if (strlen(permissions[i]) == len && memcmp(permissions[i], word, len) == 0) {
			return matters && ask(reader->trial, i);
		}
	}
	reader->broken = true;
	return false;
}

static bool read_and(struct reader *reader, bool matters)
{
	bool result = read_primary(reader, matters);

	while (!reader->broken && take_word(reader, "and", "AND")) {
		result = read_primary(reader, matters && result) && result;
	}
	return result;
}

static bool read_or(struct reader *reader, bool matters)
{
	bool result = read_and(reader, matters);

	while (!reader->broken && take_word(reader, "or", "OR")) {
		result = read_and(reader, matters && !result) || result;
	}
	return result;
}

/* Whether the text means something; then also what. */
static bool read_text(const char *text, struct trial *trial, bool *ret_fulfilled)
{
	struct reader reader = {.at = text, .trial = trial};
	bool fulfilled = read_or(&reader, true);

	skip_blanks(&reader);
	*ret_fulfilled = fulfilled;
	return !reader.broken && *reader.at == '\0';
}

/* That a fault has a place in the text, or right behind it. */
static void assert_placed(const char *fault, size_t len)
{
	size_t position = 0;

	assert_int_equal(sscanf(fault, "at position %zu: ", &position), 1);
	assert_in_range(position, 1, len + 1);
	assert_in_range(strlen(fault), 30, LK_EXPRESSION_FAULT_LEN - 2);
}

static void assert_read_alike(const char *text)
{
	char fault[LK_EXPRESSION_FAULT_LEN] = "";
	struct lk_expression *expression = compile(text, strlen(text), fault);

	for (unsigned held = 0; held < 1U << PERMISSIONS; held++) {
		struct trial by_reader = {.held = held};
		struct trial by_program = {.held = held};
		bool fulfilled = false;
		if (read_text(text, &by_reader, &fulfilled) != (expression != NULL)) {
			fail_msg("'%s' is %s", text, expression == NULL ? fault : "no expression");
		}
		if (expression == NULL) {
			assert_placed(fault, strlen(text));
			return;
		}
		assert_int_equal(lk_expression_evaluate(expression, holds, &by_program), fulfilled);
		assert_int_equal(by_program.n_asked, by_reader.n_asked);
	}
	lk_expression_free(expression);
}

/* Words in any order: most mean nothing. */
static void test_expression_takes_what_means_something(void **state)
{
	static const char *const words[] = {"a", "b:c", "_9-", "AND", "or", "And", "(", ")", "(", ")"};
	size_t n_meant = 0;

	(void)state;
	for (int round = 0; round < 200000; round++) {
		char text[128] = "";
		unsigned count = below(9);
		for (unsigned i = 0; i < count; i++) {
			const char *word = words[below(10)];
			print_blanks(text, ends_in_word(text) && *word != '(' && *word != ')');
			(void)strcat(text, word);
		}
		struct trial trial = {0};
		bool fulfilled = false;
		n_meant += read_text(text, &trial, &fulfilled);
		assert_read_alike(text);
	}
	assert_true(n_meant > 1000);
}

/* Bytes that were altered, left out and put in: whatever they mean, nothing past them is touched, and a fault has its place. */
static void test_expression_survives_any_bytes(void **state)
{
	static const char bytes[] = "aZ09_-.::**() \t\r\n&|!\"\0\x01\x7f\x80\xc3\xa4\xe2\x82\xac\xf0\x9f\xff";
	static const char seed[] = "agents:install AND (a OR b:c AND (_9- or Or.x)) OR and:or";

	(void)state;
	for (int round = 0; round < 200000; round++) {
		char text[sizeof seed + 8];
		char fault[LK_EXPRESSION_FAULT_LEN] = "";
		size_t len = sizeof seed - 1;
		memcpy(text, seed, sizeof seed);
		for (unsigned i = 1 + below(4); i > 0; i--) {
			size_t at = below((unsigned)len);
			unsigned kind = below(3);
			if (kind == 0) {
				memmove(text + at, text + at + 1, --len - at);
				continue;
			}
			if (kind == 1) {
				memmove(text + at + 1, text + at, len++ - at);
			}
			text[at] = bytes[below(sizeof bytes - 1)];
		}
		struct lk_expression *expression = compile(text, len, fault);
		if (expression == NULL) {
			assert_placed(fault, len);
		} else {
			assert_int_equal(fault[0], '\0');
		}
		lk_expression_free(expression);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_expression_says_what_its_tree_says),
		cmocka_unit_test(test_expression_takes_what_means_something),
		cmocka_unit_test(test_expression_survives_any_bytes),
	};

	return cmocka_run_group_tests_name("core expression at random", tests, NULL, NULL);
}
