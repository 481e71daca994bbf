/*
 * The smaller things that the lines of an issuer are made of: lists, conditions, grants. Private to config*.c.
 */
#ifndef LK_SERVER_CONFIG_GRANT_H
#define LK_SERVER_CONFIG_GRANT_H

#include <stdbool.h>
#include <stddef.h>

#include "server/jose/issuer_config.h"

/* Adds a copy of a word. NULL; or what is wrong: it is there already, or there are LK_ISSUER_LIST_MAX. */
const char *config_list_add(struct lk_issuer_list *list, const char *word);

/* Reads CLAIM=VALUE of `len` bytes. NULL; or what is wrong, with `ret_condition` untouched. */
const char *config_condition_read(const char *text, size_t len, struct lk_issuer_condition *ret_condition);

/*
 * Reads "CLAIM=VALUE: methods=M,M keyspaces=K,K own_only=true", or "*" in the place of CLAIM=VALUE. False with what is wrong in
 * `ret_remedy`, and `ret_grant` all zero.
 */
bool config_grant_read(const char *text, struct lk_issuer_grant *ret_grant, char *ret_remedy, size_t size);

#endif
