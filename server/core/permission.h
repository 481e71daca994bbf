/*
 * Permissions: what the holder of a key may do, as texts that the keys' owners make up. Pure.
 *
 * A permission is segments with ':' between them: "agents:install", "storage:bucket-7:read". A segment is one or more of A-Z,
 * a-z, 0-9, '_', '-' and '.', or '*' alone. Case matters. A permission that is one segment is not "and" or "or" in any case:
 * those join permissions in expressions.
 */
#ifndef LK_SERVER_CORE_PERMISSION_H
#define LK_SERVER_CORE_PERMISSION_H

#include <stdbool.h>
#include <stddef.h>

#include "server/core/faults.h"

#define LK_PERMISSIONS_MAX 64
#define LK_PERMISSION_MAX  128

/* Whether a segment that is not '*' may have this character. */
bool lk_permission_has_character(char character);

/* Adds a fault of `field` where `text` is no permission, or has more than LK_PERMISSION_MAX characters. */
void lk_permission_check(struct lk_faults *faults, const char *field, const char *text);

/*
 * Checks each of `count` permissions as above, with faults of "`field`[0]" and so on; more than LK_PERMISSIONS_MAX are a fault
 * of `field`, and one that is given twice is a fault of the later.
 */
void lk_permission_check_list(struct lk_faults *faults, const char *field, char *const *list, size_t count);

/*
 * Whether whoever holds `held` holds all that `asked` stands for; both are permissions. '*' in `held` covers any one segment
 * and, as the last, one or more segments, so that "agents:*" covers "agents:install" and "agents:7:install", but not "agents".
 * '*' in `asked` is covered by '*' alone.
 */
bool lk_permission_covers(const char *held, const char *asked);
/* The same of texts without a NUL behind, in records as they lie. */
bool lk_permission_covers_text(const char *held, size_t held_len, const char *asked, size_t asked_len);

#endif
