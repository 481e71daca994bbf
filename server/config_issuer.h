/*
 * The sections [issuer "NAME"] of the config file: whose tokens are taken as credentials, and what these stand for. Private
 * to config*.c.
 */
#ifndef LK_SERVER_CONFIG_ISSUER_H
#define LK_SERVER_CONFIG_ISSUER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "server/config_option.h"

/* Whether the text between a section's brackets is meant to be that of an issuer. */
bool config_issuer_is_section(const char *section);

/* Begins an issuer, or adds a fault. `section` has `len` bytes. */
void config_issuer_begin(struct config_load *load, const struct config_source *source, const char *section, size_t len);

/* Sets what a line of a section says, or adds a fault. Lines of a section that is faulty itself are passed over. */
void config_issuer_set(struct config_load *load, const struct config_source *source, const char *section,
	const char *key, const char *value);

/* Adds a fault for whatever the issuers lack, or have of two kinds where one is meant. */
void config_issuers_check(struct config_load *load);

/* The part of --help. */
void config_issuer_help(FILE *out);

#endif
