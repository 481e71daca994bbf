#include "server/log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "client/utf8.h"

/* The most bytes of one value, as written; so that one hostile value cannot push the others out of the line. */
#define VALUE_MAX 1024

static const char truncated_mark[] = " truncated=true";

static const char *const level_names[LK_LOG_LEVELS] = {
	[LK_LOG_ERROR] = "error",
	[LK_LOG_WARN] = "warn",
	[LK_LOG_INFO] = "info",
	[LK_LOG_DEBUG] = "debug",
};

static atomic_int log_fd = STDERR_FILENO;
static atomic_int log_level = LK_LOG_INFO;

/* A line under construction: always with room for the mark and the line's end. */
struct line {
	char text[LK_LOG_LINE_MAX];
	size_t len;
	bool truncated;
};

#define LINE_ROOM (LK_LOG_LINE_MAX - sizeof(truncated_mark))

void lk_log_setup(int fd, enum lk_log_level level)
{
	atomic_store(&log_fd, fd);
	atomic_store(&log_level, (int)level);
}

bool lk_log_enabled(enum lk_log_level level)
{
	return (int)level <= atomic_load_explicit(&log_level, memory_order_relaxed);
}

const char *lk_log_level_name(enum lk_log_level level)
{
	return level_names[level];
}

bool lk_log_level_parse(const char *name, enum lk_log_level *ret_level)
{
	for (unsigned i = 0; i < LK_LOG_LEVELS; i++) {
		if (strcmp(name, level_names[i]) == 0) {
			*ret_level = (enum lk_log_level)i;
			return true;
		}
	}
	return false;
}

/* Adds all of `data` or nothing. */
static bool add(struct line *line, const char *data, size_t len)
{
	if (len > LINE_ROOM - line->len) {
		return false;
	}
	memcpy(line->text + line->len, data, len);
	line->len += len;
	return true;
}

/* The bytes of the UTF-8 character at `data`; 0 where there is none. */
static size_t character_len(const uint8_t *data, size_t len)
{
	size_t expected = data[0] < 0x80 ? 1 : data[0] < 0xe0 ? 2 : data[0] < 0xf0 ? 3 : 4;

	if (data[0] == 0) {
		return 1;
	}
	return expected <= len && lk_utf8_check(data, expected, NULL) == LK_UTF8_FINE ? expected : 0;
}

static uint32_t code_point(const uint8_t *data, size_t len)
{
	static const uint8_t lead_bits[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
	uint32_t code = data[0] & lead_bits[len];

	for (size_t i = 1; i < len; i++) {
		code = code << 6 | (data[i] & 0x3f);
	}
	return code;
}

/* Characters that a terminal obeys instead of showing: controls, separators of lines, what reorders or hides text. */
static bool is_unsafe(uint32_t code)
{
	static const struct {
		uint32_t first;
		uint32_t last;
	} ranges[] = {
		{0x0000, 0x001f},
		{0x007f, 0x009f},
		{0x00ad, 0x00ad},
		{0x061c, 0x061c},
		{0x200b, 0x200f},
		{0x2028, 0x202e},
		{0x2060, 0x206f},
		{0xfeff, 0xfeff},
		{0xfff9, 0xfffb},
		{0xe0000, 0xe007f},
	};

	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
		if (code >= ranges[i].first && code <= ranges[i].last) {
			return true;
		}
	}
	return false;
}

/* How one character stands in a quoted value. Returns its bytes in `out`; `*ret_used` is how many of `data` it took. */
static size_t escape(const uint8_t *data, size_t len, char out[static 16], size_t *ret_used)
{
	size_t used = character_len(data, len);
	uint32_t code = used > 0 ? code_point(data, used) : 0;
	int n = 0;

	*ret_used = used > 0 ? used : 1;
	if (used == 0) {
		n = snprintf(out, 16, "\\x%02x", data[0]);
	} else if (code == '\n' || code == '\r' || code == '\t') {
		n = snprintf(out, 16, "\\%c", code == '\n' ? 'n' : code == '\r' ? 'r' : 't');
	} else if (code == '"' || code == '\\') {
		n = snprintf(out, 16, "\\%c", (char)code);
	} else if (is_unsafe(code)) {
		n = snprintf(out, 16, code > 0xffff ? "\\U%08x" : "\\u%04x", code);
	} else {
		memcpy(out, data, used);
	}
	return n > 0 ? (size_t)n : used;
}

static bool is_plain(const uint8_t *data, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (data[i] <= ' ' || data[i] >= 0x7f || data[i] == '"' || data[i] == '\\' || data[i] == '=') {
			return false;
		}
	}
	return len > 0;
}

/* Writes a value, escaped, into `out` of VALUE_MAX bytes. */
static size_t format_bytes(const uint8_t *data, size_t len, char *out)
{
	/* Room for the longest escape, "..." and the closing quote. */
	const size_t room = VALUE_MAX - 16 - 4;
	size_t n = 0;

	if (len <= room && is_plain(data, len)) {
		memcpy(out, data, len);
		return len;
	}
	out[n++] = '"';
	for (size_t i = 0, used = 0; i < len; i += used) {
		if (n > room) {
			memcpy(out + n, "...", 3);
			n += 3;
			break;
		}
		n += escape(data + i, len - i, out + n, &used);
	}
	out[n++] = '"';
	return n;
}

static size_t format_value(const struct lk_log_field *field, char *out)
{
	const char *text = field->value.text;
	int n = 0;

	switch (field->type) {
	case LK_LOG_TYPE_TEXT:
		return format_bytes((const uint8_t *)(text != NULL ? text : ""), text != NULL ? strlen(text) : 0, out);
	case LK_LOG_TYPE_BYTES:
		return format_bytes(field->value.bytes.data, field->value.bytes.len, out);
	case LK_LOG_TYPE_INT:
		n = snprintf(out, VALUE_MAX, "%lld", (long long)field->value.integer);
		break;
	case LK_LOG_TYPE_UINT:
		n = snprintf(out, VALUE_MAX, "%llu", (unsigned long long)field->value.natural);
		break;
	case LK_LOG_TYPE_BOOL:
		n = snprintf(out, VALUE_MAX, "%s", field->value.flag ? "true" : "false");
		break;
	}
	return n > 0 ? (size_t)n : 0;
}

static void add_field(struct line *line, const struct lk_log_field *field)
{
	char value[VALUE_MAX];
	size_t before = line->len;
	size_t value_len = format_value(field, value);

	if ((before == 0 || add(line, " ", 1)) && add(line, field->key, strlen(field->key)) && add(line, "=", 1) &&
		add(line, value, value_len)) {
		return;
	}
	line->len = before;
	line->truncated = true;
}

static void format_time(char out[static 32])
{
	struct timespec now = {0};
	struct tm parts = {0};

	(void)clock_gettime(CLOCK_REALTIME, &now);
	(void)gmtime_r(&now.tv_sec, &parts);
	size_t len = strftime(out, 32, "%Y-%m-%dT%H:%M:%S", &parts);

	(void)snprintf(out + len, 32 - len, ".%06ldZ", now.tv_nsec / 1000);
}

void lk_log_write(enum lk_log_level level, const char *message, const struct lk_log_field *fields)
{
	int saved_errno = errno;
	struct line line = {.len = 0};
	char now[32] = "";

	format_time(now);
	add_field(&line, &LK_STR("ts", now));
	add_field(&line, &LK_STR("level", level_names[level]));
	add_field(&line, &LK_STR("msg", message));
	for (; fields->key != NULL; fields++) {
		add_field(&line, fields);
	}
	if (line.truncated) {
		memcpy(line.text + line.len, truncated_mark, sizeof(truncated_mark) - 1);
		line.len += sizeof(truncated_mark) - 1;
	}
	line.text[line.len++] = '\n';
	while (write(atomic_load_explicit(&log_fd, memory_order_relaxed), line.text, line.len) < 0 && errno == EINTR) {
		continue;
	}
	errno = saved_errno;
}

bool lk_log_allow(struct lk_log_limit *limit, uint64_t *ret_suppressed)
{
	struct timespec now = {0};
	uint64_t next = atomic_load(&limit->next_ms);

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	uint64_t now_ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;

	if (now_ms < next || !atomic_compare_exchange_strong(&limit->next_ms, &next, now_ms + 1000)) {
		atomic_fetch_add(&limit->suppressed, 1);
		return false;
	}
	*ret_suppressed = atomic_exchange(&limit->suppressed, 0);
	return true;
}
