#include "tools/latchkey/json_mask.h"

/* Letters of ASCII, whatever the locale. */
static bool is_upper(char letter)
{
	return letter >= 'A' && letter <= 'Z';
}

static bool is_lower(char letter)
{
	return letter >= 'a' && letter <= 'z';
}

/* Names of fields are ASCII, and so is the "*" that some take for all of them. */
static bool is_path_letter(char letter)
{
	return letter > ' ' && letter < 0x7f && letter != ',';
}

bool lk_json_mask_from_json(const char *path, size_t len, struct lk_bytes *out)
{
	for (size_t i = 0; i < len; i++) {
		char letter = path[i];

		if (letter == '_' || !is_path_letter(letter)) {
			return false;
		}
		if (is_upper(letter)) {
			lk_bytes_append(out, "_", 1);
			letter = (char)(letter - 'A' + 'a');
		}
		lk_bytes_append(out, &letter, 1);
	}
	return len > 0;
}

bool lk_json_mask_to_json(const char *path, size_t len, struct lk_bytes *out)
{
	for (size_t i = 0; i < len; i++) {
		char letter = path[i];

		if (is_upper(letter) || !is_path_letter(letter)) {
			return false;
		}
		if (letter == '_') {
			if (++i == len || !is_lower(path[i])) {
				return false;
			}
			letter = (char)(path[i] - 'a' + 'A');
		}
		lk_bytes_append(out, &letter, 1);
	}
	return len > 0;
}
