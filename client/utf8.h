/*
 * UTF-8, strictly (RFC 3629): no overlong form, no surrogate, nothing above U+10FFFF, nothing cut off. Pure.
 */
#ifndef LK_CLIENT_UTF8_H
#define LK_CLIENT_UTF8_H

#include <stddef.h>

enum lk_utf8_fault {
	LK_UTF8_FINE = 0,
	/* Not UTF-8. */
	LK_UTF8_INVALID,
	/* UTF-8, but with a NUL inside, which a C string would end at. */
	LK_UTF8_NUL,
};

/*
 * Looks at `len` bytes. On LK_UTF8_FINE writes the number of code points to `*ret_length`, which may be NULL; else leaves it.
 * Where both faults are there, it is the first one that counts.
 */
enum lk_utf8_fault lk_utf8_check(const void *text, size_t len, size_t *ret_length);

#endif
