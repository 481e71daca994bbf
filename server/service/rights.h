/*
 * Rights: which methods a grant lets its holder call, and which rights there are at all. The method table (services.h) knows
 * both.
 */
#ifndef LK_SERVER_SERVICE_RIGHTS_H
#define LK_SERVER_SERVICE_RIGHTS_H

#include <stdbool.h>
#include <stddef.h>

#include <latchkey/method.h>

#include "latchkey/store/record.pb-c.h"
#include "server/core/faults.h"

/* Whether anybody may call the method, without a credential. */
bool lk_right_is_public(const struct lk_method *method);
/* Whether the grant names the method's right, or needs to name none. */
bool lk_right_is_granted(const Latchkey__Store__GrantRecord *grant, const struct lk_method *method);
/* Whether a caller that has to do with its own keys alone is kept from the method, whatever rights its grant names. */
bool lk_right_is_withheld(const Latchkey__Store__GrantRecord *grant, const struct lk_method *method);

/*
 * The full names of all methods that a caller with this grant may call, in the order of the services; in the arena, the names
 * borrowed. NULL where that is exhausted.
 */
char **lk_rights_methods(struct lk_arena *arena, const Latchkey__Store__GrantRecord *grant, size_t *ret_count);

/*
 * Adds a fault of "`field`.methods[0]" and so on for each right of the grant that no method needs, naming the nearest that
 * one does. One that has a fault already, since it is malformed, gets none.
 */
void lk_rights_check(struct lk_faults *faults, const char *field, const Latchkey__Store__GrantRecord *grant);

#endif
