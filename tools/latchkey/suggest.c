#include "tools/latchkey/suggest.h"

#include <string.h>

/* A word longer than this is never suggested, nor anything for it: no name of ours is. */
#define WORD_MAX 48

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* The optimal string alignment distance: Levenshtein's, with neighbours swapped for one. */
static size_t distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
	size_t cost[WORD_MAX + 1][WORD_MAX + 1];

	for (size_t i = 0; i <= a_len; i++) {
		cost[i][0] = i;
	}
	for (size_t j = 0; j <= b_len; j++) {
		cost[0][j] = j;
	}
	for (size_t i = 1; i <= a_len; i++) {
		for (size_t j = 1; j <= b_len; j++) {
			size_t change = cost[i - 1][j - 1] + (a[i - 1] != b[j - 1]);

			cost[i][j] = least(change, least(cost[i - 1][j], cost[i][j - 1]) + 1);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
				cost[i][j] = least(cost[i][j], cost[i - 2][j - 2] + 1);
			}
		}
	}
	return cost[a_len][b_len];
}

const char *lk_suggest(const char *typed, lk_suggest_word_fn word, const void *words)
{
	size_t typed_len = strlen(typed), best = typed_len / 3 + 2;
	const char *nearest = NULL, *candidate;

	if (typed_len == 0 || typed_len > WORD_MAX) {
		return NULL;
	}
	for (size_t i = 0; (candidate = word(words, i)); i++) {
		size_t len = strlen(candidate), away;

		if (len > WORD_MAX) {
			continue;
		}
		away = distance(typed, typed_len, candidate, len);
		/* "rev" for "revoke": far by letters, and yet meant. */
		if (typed_len >= 2 && strncmp(candidate, typed, typed_len) == 0) {
			away = 1;
		}
		/* A word with no letter of the typed one in it is never meant. */
		if (away < best && away < len) {
			best = away;
			nearest = candidate;
		}
	}
	return nearest;
}
