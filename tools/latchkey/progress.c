#include "tools/latchkey/progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tools/latchkey/say.h"
#include "tools/latchkey/text.h"

/* How often the bar is drawn, and how often a line is said where there is no terminal. */
#define DRAW_EVERY_MS 100
#define SAY_EVERY_MS  10000
/* A rate or a remaining time is a guess before this. */
#define GUESS_FROM_MS 500

#define BAR_MAX 40
#define BAR_MIN 8

static int64_t now_ms(void)
{
	struct timespec now = {0};

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void lk_progress_start(struct lk_progress *progress, uint64_t total)
{
	*progress = (struct lk_progress){
		.total = total,
		.unit = "keys",
		.is_terminal = isatty(STDERR_FILENO) == 1,
		.started_ms = now_ms(),
	};
	progress->shown_ms = progress->started_ms;
}

int64_t lk_progress_elapsed_ms(const struct lk_progress *progress)
{
	return now_ms() - progress->started_ms;
}

void lk_progress_number(uint64_t number, char ret_text[static LK_PROGRESS_NUMBER_MAX])
{
	char digits[24];
	int len = snprintf(digits, sizeof(digits), "%" PRIu64, number);
	char *out = ret_text;

	for (int i = 0; i < len; i++) {
		if (i > 0 && (len - i) % 3 == 0) {
			*out++ = ',';
		}
		*out++ = digits[i];
	}
	*out = '\0';
}

/* "0:07", "12:34" or "1:02:03". */
static void format_left(uint64_t seconds, size_t size, char *ret_text)
{
	uint64_t hours = seconds / 3600, minutes = seconds / 60 % 60;

	if (hours > 0) {
		snprintf(
			ret_text, size, "  %" PRIu64 ":%02" PRIu64 ":%02" PRIu64 " left", hours, minutes, seconds % 60);
	} else {
		snprintf(ret_text, size, "  %" PRIu64 ":%02" PRIu64 " left", minutes, seconds % 60);
	}
}

static void put_bar(unsigned percent, size_t room, char *ret_bar)
{
	size_t width = room > BAR_MAX ? BAR_MAX : room, full = width * percent / 100;

	*ret_bar = '\0';
	if (width < BAR_MIN) {
		return;
	}
	ret_bar[0] = '[';
	memset(ret_bar + 1, '#', full);
	memset(ret_bar + 1 + full, '-', width - full);
	memcpy(ret_bar + 1 + width, "]", 2);
}

void lk_progress_format(uint64_t keys, uint64_t done, uint64_t total, int64_t elapsed_ms, size_t columns,
	char ret_text[static LK_PROGRESS_TEXT_MAX])
{
	lk_progress_format_unit("keys", keys, done, total, elapsed_ms, columns, ret_text);
}

void lk_progress_format_unit(const char *unit, uint64_t count, uint64_t done, uint64_t total, int64_t elapsed_ms,
	size_t columns, char ret_text[static LK_PROGRESS_TEXT_MAX])
{
	char number[LK_PROGRESS_NUMBER_MAX], rate[LK_PROGRESS_NUMBER_MAX + 4] = "", left[48] = "", share[8] = "";
	char words[LK_PROGRESS_TEXT_MAX - BAR_MAX - 4], bar[BAR_MAX + 3] = "";
	unsigned percent = 0;

	if (total > 0) {
		percent = done >= total ? 100 : (unsigned)((double)done * 100 / (double)total);
		snprintf(share, sizeof(share), "%3u%%  ", percent);
	}
	lk_progress_number(count, number);
	if (elapsed_ms >= GUESS_FROM_MS) {
		char per_second[LK_PROGRESS_NUMBER_MAX];
		lk_progress_number(count * 1000 / (uint64_t)elapsed_ms, per_second);
		snprintf(rate, sizeof(rate), "  %s/s", per_second);
	}
	if (elapsed_ms >= GUESS_FROM_MS && done > 0 && total >= done) {
		double left_ms = (double)elapsed_ms * (double)(total - done) / (double)done;
		format_left((uint64_t)(left_ms / 1000 + 0.5), sizeof(left), left);
	}
	snprintf(words, sizeof(words), "%s%s %s%s%s", share, number, unit, rate, left);
	/* The brackets, a blank, and the last column, in which some terminals wrap. */
	if (total > 0 && columns > strlen(words) + 4) {
		put_bar(percent, columns - strlen(words) - 4, bar);
	}
	snprintf(ret_text, LK_PROGRESS_TEXT_MAX, "%s%s%s", bar, *bar == '\0' ? "" : " ", words);
	if (columns > 0 && strlen(ret_text) >= columns) {
		ret_text[columns - 1] = '\0';
	}
}

void lk_progress_tell(struct lk_progress *progress, uint64_t keys, uint64_t done)
{
	int64_t now = now_ms();
	char text[LK_PROGRESS_TEXT_MAX];

	if (now - progress->shown_ms < (progress->is_terminal ? DRAW_EVERY_MS : SAY_EVERY_MS)) {
		return;
	}
	progress->shown_ms = now;
	if (progress->is_terminal) {
		size_t columns = lk_text_columns(stderr);

		lk_progress_format_unit(progress->unit, keys, done, progress->total, now - progress->started_ms,
			columns > 0 && columns < LK_PROGRESS_TEXT_MAX ? columns : 80, text);
		fprintf(stderr, "\r\x1b[K%s", text);
		fflush(stderr);
		progress->is_drawn = true;
		lk_say_line_taken(true);
	} else {
		lk_progress_format_unit(
			progress->unit, keys, done, progress->total, now - progress->started_ms, 0, text);
		lk_say("%s", text);
	}
}

void lk_progress_hide(struct lk_progress *progress)
{
	if (progress->is_drawn) {
		fputs("\r\x1b[K", stderr);
		fflush(stderr);
		progress->is_drawn = false;
		lk_say_line_taken(false);
	}
}
