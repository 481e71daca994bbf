#include "tools/protoc-gen-latchkey/text.h"

#include <assert.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void lk_text_done(struct lk_text *text)
{
	free(text->data);
	*text = (struct lk_text){0};
}

static void add_bytes(struct lk_text *text, const char *bytes, size_t len)
{
	if (text->size - text->len < len + 1) {
		text->size = 2 * (text->len + len + 1);
		text->data = lk_pool_grow(text->data, text->size);
	}
	memcpy(text->data + text->len, bytes, len);
	text->len += len;
	text->data[text->len] = '\0';
}

void lk_text_add(struct lk_text *text, const char *added)
{
	add_bytes(text, added, strlen(added));
}

static const char *find_variable(const struct lk_text_variable *variables, const char *name, size_t len)
{
	for (; variables->name; variables++) {
		if (strlen(variables->name) == len && memcmp(variables->name, name, len) == 0) {
			return variables->value;
		}
	}
	fprintf(stderr, "protoc-gen-latchkey: a template names @%.*s@, which its emitter does not set\n", (int)len,
		name);
	abort();
}

void lk_text_expand(struct lk_text *text, const char *pattern, const struct lk_text_variable *variables)
{
	const char *mark;

	while ((mark = strchr(pattern, '@'))) {
		const char *name = mark + 1;
		const char *end = strchr(name, '@');

		assert(end);
		add_bytes(text, pattern, (size_t)(mark - pattern));
		lk_text_add(text, find_variable(variables, name, (size_t)(end - name)));
		pattern = end + 1;
	}
	lk_text_add(text, pattern);
}

/* Writes how `c` stands in a literal. '?' is escaped because two of them may begin a trigraph. */
static size_t escape(char *to, unsigned char c)
{
	if (c == '"' || c == '\\' || c == '?') {
		to[0] = '\\';
		to[1] = (char)c;
		return 2;
	}
	if (c < 0x20 || c == 0x7f) {
		to[0] = '\\';
		to[1] = (char)('0' + (c >> 6));
		to[2] = (char)('0' + (c >> 3 & 7));
		to[3] = (char)('0' + (c & 7));
		return 4;
	}
	to[0] = (char)c;
	return 1;
}

const char *lk_text_literal(struct lk_pool *pool, const char *string)
{
	char *literal;
	char *end;

	if (!string) {
		return "NULL";
	}
	literal = end = lk_pool_array(pool, 4 * strlen(string) + 4, 1);
	*end++ = '"';
	for (; *string; string++) {
		end += escape(end, (unsigned char)*string);
	}
	*end = '"';
	return literal;
}

const char *lk_text_one_line(struct lk_pool *pool, const char *comment)
{
	char *line;

	if (!comment) {
		return "";
	}
	line = lk_pool_text(pool, comment, strlen(comment));
	for (char *at = line; (at = strchr(at, '\n'));) {
		*at = ' ';
	}
	return line;
}

/* A copy of `comment` that neither ends a comment of C nor looks like the beginning of one. */
static const char *defuse(struct lk_pool *pool, const char *comment)
{
	char *copy = lk_pool_array(pool, 2 * strlen(comment) + 1, 1);
	char *end = copy;

	for (; *comment; comment++) {
		*end++ = *comment;
		if ((comment[0] == '*' && comment[1] == '/') || (comment[0] == '/' && comment[1] == '*')) {
			*end++ = ' ';
		}
		/* "??/" is a backslash, which joins a comment's lines. */
		if (comment[0] == '?' && comment[1] == '?') {
			*end++ = ' ';
		}
	}
	return copy;
}

const char *lk_text_comment(struct lk_pool *pool, const char *indent, const char *comment)
{
	const char *text;
	const char *line;

	if (!comment) {
		return "";
	}
	line = defuse(pool, comment);
	if (!strchr(line, '\n')) {
		return lk_pool_printf(pool, "%s/* %s */\n", indent, line);
	}
	text = lk_pool_printf(pool, "%s/*\n", indent);
	while (*line) {
		int len = (int)strcspn(line, "\n");

		text = lk_pool_printf(pool, "%s%s *%s%.*s\n", text, indent, len > 0 ? " " : "", len, line);
		line += len;
		line += *line == '\n';
	}
	return lk_pool_printf(pool, "%s%s */\n", text, indent);
}
