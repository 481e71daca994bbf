#include "tools/protoc-gen-latchkey/names.h"

#include <ctype.h>
#include <stddef.h>
#include <string.h>

/* Keywords of C17 and C++20, in alphabetical order. */
static const char *const keywords[] = {"alignas", "alignof", "and", "and_eq", "asm", "auto", "bitand", "bitor", "bool",
	"break", "case", "catch", "char", "char16_t", "char32_t", "char8_t", "class", "co_await", "co_return",
	"co_yield", "compl", "concept", "const", "const_cast", "consteval", "constexpr", "constinit", "continue",
	"decltype", "default", "delete", "do", "double", "dynamic_cast", "else", "enum", "explicit", "export", "extern",
	"false", "float", "for", "friend", "goto", "if", "inline", "int", "long", "mutable", "namespace", "new",
	"noexcept", "not", "not_eq", "nullptr", "operator", "or", "or_eq", "private", "protected", "public", "register",
	"reinterpret_cast", "requires", "restrict", "return", "short", "signed", "sizeof", "static", "static_assert",
	"static_cast", "struct", "switch", "template", "this", "thread_local", "throw", "true", "try", "typedef",
	"typeid", "typename", "union", "unsigned", "using", "virtual", "void", "volatile", "wchar_t", "while", "xor",
	"xor_eq"};

static bool is_upper(char c)
{
	return isupper((unsigned char)c) != 0;
}

static char lower(char c)
{
	return (char)tolower((unsigned char)c);
}

/* A word begins at an upper-case letter behind a lower-case one or a digit, and at the last of a run that goes on in lower case. */
static bool begins_word(const char *name, size_t i)
{
	if (i == 0 || !is_upper(name[i]) || name[i - 1] == '_') {
		return false;
	}
	return !is_upper(name[i - 1]) || islower((unsigned char)name[i + 1]);
}

static char *words(struct lk_pool *pool, const char *name, char separator)
{
	char *result = lk_pool_array(pool, 2 * strlen(name) + 1, 1);
	char *end = result;

	for (size_t i = 0; name[i]; i++) {
		if (begins_word(name, i)) {
			*end++ = separator;
		}
		*end++ = name[i] == '_' ? separator : lower(name[i]);
	}
	return result;
}

char *lk_names_snake(struct lk_pool *pool, const char *name)
{
	return words(pool, name, '_');
}

char *lk_names_kebab(struct lk_pool *pool, const char *name)
{
	return words(pool, name, '-');
}

char *lk_names_upper_snake(struct lk_pool *pool, const char *name)
{
	return lk_names_upper(pool, lk_names_snake(pool, name));
}

char *lk_names_without_service(struct lk_pool *pool, const char *name)
{
	static const char suffix[] = "Service";
	size_t len = strlen(name);
	size_t suffix_len = sizeof(suffix) - 1;

	if (len > suffix_len && strcmp(name + len - suffix_len, suffix) == 0) {
		len -= suffix_len;
	}
	return lk_pool_text(pool, name, len);
}

char *lk_names_identifier(struct lk_pool *pool, const char *name)
{
	char *result = lk_pool_text(pool, name, strlen(name));

	for (char *at = result; *at; at++) {
		if (!isalnum((unsigned char)*at)) {
			*at = '_';
		}
	}
	return result;
}

char *lk_names_c_type(struct lk_pool *pool, const char *full_name)
{
	char *result = lk_pool_array(pool, 2 * strlen(full_name) + 1, 1);
	char *end = result;
	bool begins = true;

	for (; *full_name; full_name++) {
		if (*full_name == '.') {
			*end++ = '_';
			*end++ = '_';
		} else if (*full_name != '_') {
			*end++ = begins ? (char)toupper((unsigned char)*full_name) : *full_name;
		}
		begins = *full_name == '.' || *full_name == '_';
	}
	return result;
}

char *lk_names_c_lower(struct lk_pool *pool, const char *full_name)
{
	char *result = lk_pool_array(pool, 2 * strlen(full_name) + 1, 1);
	char *end = result;
	bool was_upper = true;

	for (; *full_name; full_name++) {
		if (*full_name == '.') {
			*end++ = '_';
			*end++ = '_';
		} else {
			if (is_upper(*full_name) && !was_upper) {
				*end++ = '_';
			}
			*end++ = lower(*full_name);
		}
		was_upper = *full_name == '.' || is_upper(*full_name);
	}
	return result;
}

char *lk_names_c_member(struct lk_pool *pool, const char *name)
{
	size_t len = strlen(name);
	char *result = lk_pool_array(pool, len + 2, 1);

	for (size_t i = 0; i < len; i++) {
		result[i] = lower(name[i]);
	}
	if (lk_names_is_keyword(result)) {
		result[len] = '_';
	}
	return result;
}

char *lk_names_upper(struct lk_pool *pool, const char *name)
{
	char *result = lk_pool_text(pool, name, strlen(name));

	for (char *at = result; *at; at++) {
		*at = (char)toupper((unsigned char)*at);
	}
	return result;
}

char *lk_names_lower(struct lk_pool *pool, const char *name)
{
	char *result = lk_pool_text(pool, name, strlen(name));

	for (char *at = result; *at; at++) {
		*at = lower(*at);
	}
	return result;
}

bool lk_names_is_keyword(const char *name)
{
	for (size_t i = 0; i < sizeof(keywords) / sizeof(keywords[0]); i++) {
		if (strcmp(keywords[i], name) == 0) {
			return true;
		}
	}
	return false;
}
