#include "tools/latchkey/text.h"

#include <errno.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <wchar.h>

/* The most bytes that one byte of text turns into: "\xff"; a character of three bytes at least becomes "\u{e0001}". */
#define GROWTH 4

/* Characters that a terminal shows as nothing or that turn others round, which iswprint() calls printable. */
static const struct {
	wchar_t first, last;
} invisible[] = {
	{0xad, 0xad},
	{0x61c, 0x61c},
	{0x180e, 0x180e},
	{0x200b, 0x200b},
	{0x200e, 0x200f},
	{0x2028, 0x202e},
	{0x2060, 0x206f},
	{0xfeff, 0xfeff},
	{0xfff9, 0xfffb},
	{0xe0000, 0xe007f},
};

void lk_text_init(void)
{
	/* Latchkey's texts are UTF-8 whatever the user's locale; Debian's libc has C.UTF-8 built in. */
	if (!setlocale(LC_CTYPE, "C.UTF-8")) {
		setlocale(LC_CTYPE, "");
	}
}

static bool is_harmless(wchar_t character)
{
	if (wcwidth(character) < 0) {
		return false;
	}
	for (size_t i = 0; i < sizeof(invisible) / sizeof(invisible[0]); i++) {
		if (character >= invisible[i].first && character <= invisible[i].last) {
			return false;
		}
	}
	return true;
}

/* The character at `text` and its bytes; 0: no UTF-8 there. */
static size_t character_at(const char *text, wchar_t *ret)
{
	mbstate_t state = {0};
	size_t len = mbrtowc(ret, text, strlen(text), &state);

	return len == (size_t)-1 || len == (size_t)-2 ? 0 : len;
}

static size_t write_escape(char *out, size_t room, const char *text, size_t len, wchar_t character)
{
	static const struct {
		wchar_t character;
		const char *escape;
	} named[] = {{L'\n', "\\n"}, {L'\r', "\\r"}, {L'\t', "\\t"}};

	for (size_t i = 0; len > 0 && i < sizeof(named) / sizeof(named[0]); i++) {
		if (named[i].character == character) {
			return (size_t)snprintf(out, room, "%s", named[i].escape);
		}
	}
	if (len > 0 && character > 0xff) {
		return (size_t)snprintf(out, room, "\\u{%x}", (unsigned)character);
	}
	return (size_t)snprintf(out, room, "\\x%02x", len > 0 ? (unsigned)character : (unsigned char)*text);
}

char *lk_text_harmless(const char *text)
{
	size_t room = strlen(text) * GROWTH + 1, used = 0;
	char *out = malloc(room);

	while (out && *text != '\0') {
		wchar_t character = 0;
		size_t len = character_at(text, &character);

		if (len > 0 && is_harmless(character)) {
			memcpy(out + used, text, len);
			used += len;
		} else {
			used += write_escape(out + used, room - used, text, len, character);
		}
		text += len > 0 ? len : 1;
	}
	if (out) {
		out[used] = '\0';
	}
	return out;
}

size_t lk_text_fit(const char *text, size_t columns, size_t *ret_columns)
{
	size_t bytes = 0, taken = 0;

	while (text[bytes] != '\0') {
		wchar_t character = 0;
		size_t len = character_at(text + bytes, &character);
		int width = len > 0 ? wcwidth(character) : 1;
		size_t wide = width > 0 ? (size_t)width : 0;

		if (taken + wide > columns) {
			break;
		}
		taken += wide;
		bytes += len > 0 ? len : 1;
	}
	*ret_columns = taken;
	return bytes;
}

size_t lk_text_width(const char *text)
{
	size_t columns;

	lk_text_fit(text, (size_t)-1 / 2, &columns);
	return columns;
}

size_t lk_text_columns(FILE *file)
{
	const char *said = getenv("COLUMNS");
	struct winsize size;
	char *end;
	long columns;

	if (said && *said != '\0') {
		errno = 0;
		columns = strtol(said, &end, 10);
		if (errno == 0 && *end == '\0' && columns > 0 && columns < 100000) {
			return (size_t)columns;
		}
	}
	if (ioctl(fileno(file), TIOCGWINSZ, &size) == 0) {
		return size.ws_col;
	}
	return 0;
}

bool lk_text_coloured(FILE *file)
{
	const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

	if ((no && *no != '\0') || !term || strcmp(term, "dumb") == 0) {
		return false;
	}
	return isatty(fileno(file)) == 1;
}
