/*
 * How names of a .proto file become names of C, of files, and of the command line. Pure; results are the pool's.
 */
#ifndef LK_GENERATOR_NAMES_H
#define LK_GENERATOR_NAMES_H

#include <stdbool.h>

#include "tools/protoc-gen-latchkey/pool.h"

/* "WhoAmI" -> "who_am_i", "TLSConfig" -> "tls_config". */
char *lk_names_snake(struct lk_pool *pool, const char *name);

/* "WhoAmI" -> "WHO_AM_I". */
char *lk_names_upper_snake(struct lk_pool *pool, const char *name);

/* "WhoAmI" -> "who-am-i", "page_size" -> "page-size". */
char *lk_names_kebab(struct lk_pool *pool, const char *name);

/* "KeyService" -> "Key"; a name without the suffix, or with nothing else, as it is. */
char *lk_names_without_service(struct lk_pool *pool, const char *name);

/* "latchkey.v1" -> "latchkey_v1", "latchkey/v1/key" -> "latchkey_v1_key": what is no letter or digit becomes '_'. */
char *lk_names_identifier(struct lk_pool *pool, const char *name);

/* As protoc-c names a type: "latchkey.v1.WhoAmIRequest" -> "Latchkey__V1__WhoAmIRequest". */
char *lk_names_c_type(struct lk_pool *pool, const char *full_name);

/* As protoc-c begins the names of a type's functions: "latchkey.v1.WhoAmIRequest" -> "latchkey__v1__who_am_irequest". */
char *lk_names_c_lower(struct lk_pool *pool, const char *full_name);

/* As protoc-c names a member: in lower case, with '_' behind a keyword of C or C++. */
char *lk_names_c_member(struct lk_pool *pool, const char *name);

char *lk_names_upper(struct lk_pool *pool, const char *name);
char *lk_names_lower(struct lk_pool *pool, const char *name);

bool lk_names_is_keyword(const char *name);

#endif
