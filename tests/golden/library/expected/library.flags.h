/*
 * The command line's nouns, verbs and flags; see tools/latchkey/flags.h.
 *
 * Made by protoc-gen-latchkey from library.proto: not to be edited.
 */
#ifndef LIBRARY_FLAGS_H
#define LIBRARY_FLAGS_H

#include "tools/latchkey/flags.h"

extern const struct lk_cli_service golden_library_v1_book_cli;
extern const struct lk_cli_service golden_library_v1_desk_cli;

#endif
