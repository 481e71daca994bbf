#include "server/core/expression.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "client/utf8.h"
#include "server/core/permission.h"

/* The most characters of a word that a fault quotes. */
#define QUOTE_MAX 24

/*
 * One permission of the expression, and where the evaluation goes on by whether the holder has it: at a later term, or,
 * behind the last of them, at the end. So it needs no stack, and short-circuits by itself.
 */
struct term {
	/* In the text. */
	uint16_t at;
	uint16_t len;
	/* The index of a term; n_terms: the expression is fulfilled, and one more: it is not. */
	uint16_t when_held;
	uint16_t when_not;
};

/* One allocation: the terms are followed by the text. */
struct lk_expression {
	uint16_t n_terms;
	size_t text_len;
	struct term terms[];
};

enum kind {
	/* Before the first token, and behind the last. */
	KIND_NONE,
	KIND_PERMISSION,
	KIND_AND,
	KIND_OR,
	KIND_OPEN,
	KIND_CLOSE,
};

struct token {
	enum kind kind;
	uint16_t at;
	uint16_t len;
};

struct parser {
	const char *text;
	size_t len;
	/* What is to be read next. Everything before it is ASCII, so that characters there are bytes. */
	size_t at;
	/* A token has a character at least. */
	struct token tokens[LK_EXPRESSION_MAX];
	size_t n_tokens;
	size_t n_terms;
	/* The parentheses that are open: where in the text. */
	uint16_t open[LK_EXPRESSION_DEPTH];
	size_t depth;
	char *fault;
};

/* Says what is wrong at a byte of the text. Always false. */
__attribute__((format(printf, 3, 4))) static bool fail(struct parser *parser, size_t at, const char *format, ...)
{
	va_list arguments;

	int len = snprintf(parser->fault, LK_EXPRESSION_FAULT_LEN, "at position %zu: ", at + 1);
	va_start(arguments, format);
	(void)vsnprintf(parser->fault + len, LK_EXPRESSION_FAULT_LEN - (size_t)len, format, arguments);
	va_end(arguments);
	return false;
}

/* A word as a fault shows it; its characters are those of permissions. */
struct quote {
	char text[QUOTE_MAX + sizeof("\"\"...")];
};

static struct quote quote_of(const struct parser *parser, size_t at, size_t len)
{
	struct quote quote;
	bool fits = len <= QUOTE_MAX;

	(void)snprintf(quote.text, sizeof quote.text, "\"%.*s\"%s", (int)(fits ? len : QUOTE_MAX), parser->text + at,
		fits ? "" : "...");
	return quote;
}

static struct quote quote_token(const struct parser *parser, const struct token *token)
{
	return quote_of(parser, token->at, token->len);
}

/* What to write in place of a character that people try; of any other, what there is. */
static const char *remedy_of(char character)
{
	static const struct {
		char character;
		const char *remedy;
	} remedies[] = {
		{'*', "name the permission that is needed; only those that a key holds have '*'"},
		{'&', "write AND"},
		{'|', "write OR"},
		{'+', "write AND or OR"},
		{',', "write AND or OR"},
		{';', "write AND or OR"},
		{'!', "there is no NOT; name what the holder must be permitted"},
		{'"', "write permissions without quotes"},
		{'\'', "write permissions without quotes"},
		{'[', "group with '(' and ')'"},
		{']', "group with '(' and ')'"},
		{'{', "group with '(' and ')'"},
		{'}', "group with '(' and ')'"},
		{'/', "put ':' between the segments of a permission"},
	};

	for (size_t i = 0; i < sizeof remedies / sizeof remedies[0]; i++) {
		if (remedies[i].character == character) {
			return remedies[i].remedy;
		}
	}
	return "permissions have A-Z, a-z, 0-9, '_', '-', '.' and ':', and stand with blanks between AND, OR, '(' and "
	       "')'";
}

/* The code point that `len` bytes begin with; false where they are not UTF-8. */
static bool decode(const char *text, size_t len, uint32_t *ret_code)
{
	for (size_t n = 1; n <= 4 && n <= len; n++) {
		if (lk_utf8_check(text, n, NULL) != LK_UTF8_INVALID) {
			/* The lead byte has its own bits below those that say how many follow: 7, 5, 4, 3. */
			uint32_t code = (unsigned char)text[0] & (n == 1 ? 0x7fU : 0xffU >> (n + 1));
			for (size_t i = 1; i < n; i++) {
				code = code << 6 | ((unsigned char)text[i] & 0x3fU);
			}
			*ret_code = code;
			return true;
		}
	}
	return false;
}

/* Says that the character at parser->at has no place there. A character that does not show goes by its number. */
static bool fail_character(struct parser *parser)
{
	const char *at = parser->text + parser->at;
	const char *remedy = remedy_of(*at);
	uint32_t code = 0;

	if (*at == '\0') {
		return fail(parser, parser->at, "a NUL stands there: %s", remedy);
	}
	if (*at > ' ' && *at <= '~') {
		return fail(parser, parser->at, "'%c' has no meaning there: %s", *at, remedy);
	}
	if (decode(at, parser->len - parser->at, &code)) {
		return fail(parser, parser->at, "the character U+%04X stands there: %s", (unsigned)code, remedy);
	}
	return fail(parser, parser->at, "the byte 0x%02X, which is no UTF-8, stands there: %s",
		(unsigned)(unsigned char)*at, remedy);
}

static bool is_blank(char character)
{
	return character == ' ' || character == '\t' || character == '\r' || character == '\n';
}

/* Whether a word may end before what stands at `at`. */
static bool ends_word(const struct parser *parser, size_t at)
{
	return at == parser->len || is_blank(parser->text[at]) || parser->text[at] == '(' || parser->text[at] == ')';
}

/* Looks at the segments of a word, which stands before parser->at, and at what ended it. */
static bool check_word(struct parser *parser, size_t start)
{
	size_t end = parser->at;

	for (size_t i = start; i <= end; i++) {
		/* The last segment goes on where something else than the end of the word follows it. */
		bool segment_ends = i == end ? ends_word(parser, end) : parser->text[i] == ':';
		if (segment_ends && (i == start || parser->text[i - 1] == ':')) {
			return fail(parser, i,
				"%s has an empty segment: give A-Z, a-z, 0-9, '_', '-' or '.' on both sides of "
				"each ':'",
				quote_of(parser, start, end - start).text);
		}
	}
	if (!ends_word(parser, end)) {
		return fail_character(parser);
	}
	if (end - start > LK_PERMISSION_MAX) {
		return fail(parser, start, "%s has %zu characters: a permission has at most %d",
			quote_of(parser, start, end - start).text, end - start, LK_PERMISSION_MAX);
	}
	return true;
}

static enum kind kind_of_word(const char *word, size_t len)
{
	if (len == 3 && strncasecmp(word, "and", len) == 0) {
		return KIND_AND;
	}
	if (len == 2 && strncasecmp(word, "or", len) == 0) {
		return KIND_OR;
	}
	return KIND_PERMISSION;
}

/* Reads the next token; KIND_NONE at the end. */
static bool read_token(struct parser *parser, struct token *ret_token)
{
	while (parser->at < parser->len && is_blank(parser->text[parser->at])) {
		parser->at++;
	}
	size_t start = parser->at;
	enum kind kind = KIND_NONE;
	if (start < parser->len && ends_word(parser, start)) {
		kind = parser->text[start] == '(' ? KIND_OPEN : KIND_CLOSE;
		parser->at++;
	} else if (start < parser->len) {
		while (parser->at < parser->len &&
			(lk_permission_has_character(parser->text[parser->at]) || parser->text[parser->at] == ':')) {
			parser->at++;
		}
		if (!check_word(parser, start)) {
			return false;
		}
		kind = kind_of_word(parser->text + start, parser->at - start);
	}
	*ret_token = (struct token){kind, (uint16_t)start, (uint16_t)(parser->at - start)};
	return true;
}

static bool fail_unclosed(struct parser *parser)
{
	return fail(parser, parser->open[parser->depth - 1], "'(' is not closed: give a ')' for it");
}

static bool fail_stray(struct parser *parser, const struct token *token)
{
	return fail(parser, token->at, "')' closes no '(': give a '(' before it, or leave it out");
}

/* Whether `token` may stand where a permission or '(' must, behind `last`. */
static bool check_operand(struct parser *parser, const struct token *last, const struct token *token)
{
	bool after_operator = last->kind == KIND_AND || last->kind == KIND_OR;

	if (token->kind == KIND_PERMISSION || token->kind == KIND_OPEN) {
		return true;
	}
	if (token->kind == KIND_AND || token->kind == KIND_OR) {
		if (after_operator) {
			return fail(parser, token->at,
				"%s follows %s: give a permission between them, or leave one out",
				quote_token(parser, token).text, quote_token(parser, last).text);
		}
		return fail(parser, token->at, "%s has nothing before it: give a permission there, or leave it out",
			quote_token(parser, token).text);
	}
	if (after_operator) {
		return fail(parser, last->at, "%s has nothing behind it: give a permission there, or leave it out",
			quote_token(parser, last).text);
	}
	if (token->kind == KIND_CLOSE && last->kind == KIND_OPEN) {
		return fail(parser, last->at, "nothing stands between '(' and ')': give a permission there");
	}
	if (token->kind == KIND_CLOSE) {
		return fail_stray(parser, token);
	}
	if (last->kind == KIND_OPEN) {
		return fail_unclosed(parser);
	}
	return fail(parser, token->at,
		"the expression is empty: give permissions with AND and OR between them, for "
		"example \"agents:install AND (chat:chat OR chat:history)\"");
}

/* Whether `token` may stand where an operator, ')' or the end must, behind `last`. */
static bool check_operator(struct parser *parser, const struct token *last, const struct token *token)
{
	if (token->kind == KIND_PERMISSION || token->kind == KIND_OPEN) {
		return fail(parser, token->at, "%s follows %s without an operator: put AND or OR between them",
			quote_token(parser, token).text, quote_token(parser, last).text);
	}
	if (token->kind == KIND_CLOSE && parser->depth == 0) {
		return fail_stray(parser, token);
	}
	if (token->kind == KIND_NONE && parser->depth > 0) {
		return fail_unclosed(parser);
	}
	return true;
}

/* Keeps a token that fits. */
static bool take(struct parser *parser, const struct token *token)
{
	if (token->kind == KIND_OPEN) {
		if (parser->depth == LK_EXPRESSION_DEPTH) {
			return fail(parser, token->at, "'(' opens the %dth level: nest at most %d",
				LK_EXPRESSION_DEPTH + 1, LK_EXPRESSION_DEPTH);
		}
		parser->open[parser->depth++] = token->at;
	} else if (token->kind == KIND_CLOSE) {
		parser->depth--;
	} else if (token->kind == KIND_PERMISSION) {
		parser->n_terms++;
	}
	parser->tokens[parser->n_tokens++] = *token;
	return true;
}

/* Code points. What is not UTF-8 may count for less than it has: it is no expression however long it is. */
static size_t count_characters(const char *text, size_t len)
{
	size_t count = 0;

	for (size_t i = 0; i < len; i++) {
		count += ((unsigned char)text[i] & 0xc0) != 0x80;
	}
	return count;
}

/* Splits the text into tokens that stand in an order that means something. */
static bool parse(struct parser *parser)
{
	struct token last = {0};
	struct token token = {0};
	size_t length = count_characters(parser->text, parser->len);

	if (length > LK_EXPRESSION_MAX) {
		return fail(parser, LK_EXPRESSION_MAX, "the expression has %zu characters: shorten it to at most %d",
			length, LK_EXPRESSION_MAX);
	}
	do {
		last = token;
		if (!read_token(parser, &token)) {
			return false;
		}
		bool ends_operand = last.kind == KIND_PERMISSION || last.kind == KIND_CLOSE;
		if (!(ends_operand ? check_operator : check_operand)(parser, &last, &token)) {
			return false;
		}
	} while (token.kind != KIND_NONE && take(parser, &token));
	return token.kind == KIND_NONE;
}

/* What is known of a pair of parentheses, or of the whole, right of where link_terms() is. */
struct level {
	/* Where it goes on when all of this level is fulfilled. */
	uint16_t fulfilled;
	/* Where it goes on by whether the operand left of here is. */
	uint16_t when_held;
	uint16_t when_not;
};

/*
 * Fills in the terms from the last to the first: what follows an operand is then known. AND leads on to the operand behind it;
 * OR, what fails before it.
 */
static void link_terms(struct lk_expression *expression, const struct token *tokens, size_t n_tokens)
{
	struct level levels[LK_EXPRESSION_DEPTH + 1];
	struct level *level = levels;
	uint16_t fulfilled = expression->n_terms;
	/* The term that was filled in last. */
	uint16_t first = expression->n_terms;

	*level = (struct level){fulfilled, fulfilled, (uint16_t)(fulfilled + 1)};
	for (size_t i = n_tokens; i-- > 0;) {
		switch (tokens[i].kind) {
		case KIND_PERMISSION:
			first--;
			expression->terms[first] = (struct term){
				tokens[i].at, tokens[i].len, level->when_held, level->when_not};
			break;
		case KIND_AND:
			level->when_held = first;
			break;
		case KIND_OR:
			level->when_held = level->fulfilled;
			level->when_not = first;
			break;
		case KIND_CLOSE:
			level[1] = (struct level){level->when_held, level->when_held, level->when_not};
			level++;
			break;
		case KIND_OPEN:
			level--;
			break;
		case KIND_NONE:
			break;
		}
	}
}

enum lk_err lk_expression_compile(const char *text, size_t len, struct lk_expression **ret_expression,
	char ret_fault[static LK_EXPRESSION_FAULT_LEN])
{
	struct parser parser;

	parser.text = text;
	parser.len = len;
	parser.at = 0;
	parser.n_tokens = 0;
	parser.n_terms = 0;
	parser.depth = 0;
	parser.fault = ret_fault;
	if (!parse(&parser)) {
		return LK_INVALID_ARGUMENT;
	}
	size_t terms_len = parser.n_terms * sizeof(struct term);
	struct lk_expression *expression = malloc(sizeof *expression + terms_len + len);
	if (expression == NULL) {
		return LK_NO_MEMORY;
	}
	expression->n_terms = (uint16_t)parser.n_terms;
	expression->text_len = len;
	link_terms(expression, parser.tokens, parser.n_tokens);
	memcpy(expression->terms + expression->n_terms, text, len);
	*ret_expression = expression;
	return LK_OK;
}

void lk_expression_free(const struct lk_expression *expression)
{
	free((struct lk_expression *)(uintptr_t)expression);
}

const char *lk_expression_text(const struct lk_expression *expression, size_t *ret_len)
{
	*ret_len = expression->text_len;
	return (const char *)(expression->terms + expression->n_terms);
}

bool lk_expression_evaluate(const struct lk_expression *expression, lk_expression_holds *holds, void *context)
{
	const char *text = (const char *)(expression->terms + expression->n_terms);
	size_t i = 0;

	while (i < expression->n_terms) {
		const struct term *term = &expression->terms[i];
		i = holds(context, text + term->at, term->len) ? term->when_held : term->when_not;
	}
	return i == expression->n_terms;
}
