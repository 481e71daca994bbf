/*
 * Where the keys of a test belong: tenant "acme" and its keyspace "prod", with the prefix "sk-", made over a channel.
 */
#ifndef LK_TESTS_LIB_PLACE_H
#define LK_TESTS_LIB_PLACE_H

#include <stdint.h>

struct lk_channel;

/* Texts of requests are not const in protobuf-c's types; nothing writes to them. */
#define TEXT(text) ((char *)(uintptr_t)(text))

/* Makes both; fails the test where it cannot. */
void place_make(struct lk_channel *channel);

#endif
