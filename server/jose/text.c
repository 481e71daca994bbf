#include "server/jose/text.h"

#include <sodium.h>

bool lk_jose_decode(const char *text, size_t len, uint8_t *ret_data, size_t room, size_t *ret_len)
{
	return sodium_base642bin(
		       ret_data, room, text, len, NULL, ret_len, NULL, sodium_base64_VARIANT_URLSAFE_NO_PADDING) == 0;
}

/* jansson takes one nesting in another on the stack, 2048 deep: that is more than anybody needs. */
static bool is_shallow(const char *text, size_t len)
{
	size_t depth = 0;
	bool in_string = false;

	for (size_t i = 0; i < len; i++) {
		char c = text[i];
		if (in_string) {
			i += c == '\\';
			in_string = c != '"';
		} else if (c == '"') {
			in_string = true;
		} else if (c == '{' || c == '[') {
			if (++depth > LK_JOSE_DEPTH_MAX) {
				return false;
			}
		} else if ((c == '}' || c == ']') && depth > 0) {
			depth--;
		}
	}
	return true;
}

json_t *lk_jose_read_object(const char *text, size_t len)
{
	json_t *value = is_shallow(text, len) ? json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL) : NULL;

	if (json_is_object(value)) {
		return value;
	}
	json_decref(value);
	return NULL;
}
