/*
 * The command line's nouns, verbs and flags; see tools/latchkey/flags.h.
 *
 * Made by protoc-gen-latchkey from echo.proto: not to be edited.
 */
#ifndef ECHO_FLAGS_H
#define ECHO_FLAGS_H

#include "tools/latchkey/flags.h"

extern const struct lk_cli_service golden_echo_echo_cli;

#endif
