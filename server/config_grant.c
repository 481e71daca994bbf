#include "server/config_grant.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/core/grant.h"
#include "server/service/rights.h"

static const char blanks[] = " \t";
static const char no_memory[] = "out of memory";
static const char form[] =
	"give CLAIM=VALUE: methods=keys.create,keys.list keyspaces=* own_only=true, or * in the place of "
	"CLAIM=VALUE for every token";

const char *config_list_add(struct lk_issuer_list *list, const char *word)
{
	for (size_t i = 0; i < list->count; i++) {
		if (strcmp(list->items[i], word) == 0) {
			return "is given twice";
		}
	}
	if (list->count == LK_ISSUER_LIST_MAX) {
		return "at most 32 are allowed";
	}
	if (list->items == NULL) {
		list->items = (char **)calloc(LK_ISSUER_LIST_MAX, sizeof *list->items);
	}
	char *copy = list->items == NULL ? NULL : strdup(word);
	if (copy == NULL) {
		return no_memory;
	}
	list->items[list->count++] = copy;
	return NULL;
}

const char *config_condition_read(const char *text, size_t len, struct lk_issuer_condition *ret_condition)
{
	const char *equals = memchr(text, '=', len);
	size_t claim_len = equals == NULL ? 0 : (size_t)(equals - text);

	if (claim_len == 0 || claim_len > LK_ISSUER_CLAIM_MAX || claim_len + 1 == len) {
		return "give CLAIM=VALUE, such as typ=Bearer or realm_access.roles=admin";
	}
	char *claim = strndup(text, claim_len);
	char *value = strndup(equals + 1, len - claim_len - 1);
	if (claim == NULL || value == NULL) {
		free(claim);
		free(value);
		return no_memory;
	}
	ret_condition->claim = claim;
	ret_condition->value = value;
	return NULL;
}

static const char *read_list(char *text, struct lk_issuer_list *list)
{
	char *rest = NULL;
	const char *error = list->count > 0 ? "is given twice" : NULL;

	for (char *word = strtok_r(text, ",", &rest); word != NULL && error == NULL;
		word = strtok_r(NULL, ",", &rest)) {
		error = config_list_add(list, word);
	}
	return error;
}

/* One of methods=, keyspaces= and own_only=. */
static const char *read_attribute(char *text, struct lk_issuer_grant *grant)
{
	char *value = strchr(text, '=');

	if (value == NULL) {
		return form;
	}
	*value++ = '\0';
	if (strcmp(text, "methods") == 0) {
		return read_list(value, &grant->methods);
	}
	if (strcmp(text, "keyspaces") == 0) {
		return read_list(value, &grant->keyspaces);
	}
	if (strcmp(text, "own_only") == 0 && (strcmp(value, "true") == 0 || strcmp(value, "false") == 0)) {
		grant->own_only = strcmp(value, "true") == 0;
		return NULL;
	}
	return form;
}

static const char *read_attributes(const char *text, struct lk_issuer_grant *grant)
{
	char *copy = strdup(text);
	char *rest = NULL;
	const char *error = copy == NULL ? no_memory : NULL;

	for (char *word = copy == NULL ? NULL : strtok_r(copy, blanks, &rest); word != NULL && error == NULL;
		word = strtok_r(NULL, blanks, &rest)) {
		error = read_attribute(word, grant);
	}
	free(copy);
	if (error == NULL && (grant->methods.count == 0 || grant->keyspaces.count == 0)) {
		return "give methods=, and keyspaces= (* for all)";
	}
	return error;
}

/* Whether its rights and keyspaces can be such, as those of a root key must. */
static bool check(const struct lk_issuer_grant *grant, char *ret_remedy, size_t size)
{
	Latchkey__Store__GrantRecord record = LATCHKEY__STORE__GRANT_RECORD__INIT;
	struct lk_arena arena = {0};
	struct lk_faults faults;

	if (lk_arena_init(&arena, 4096, (size_t)64 << 10) != LK_OK) {
		(void)snprintf(ret_remedy, size, "%s", no_memory);
		return false;
	}
	record.methods = grant->methods.items;
	record.n_methods = grant->methods.count;
	record.keyspaces = grant->keyspaces.items;
	record.n_keyspaces = grant->keyspaces.count;
	lk_faults_init(&faults, &arena);
	lk_grant_check(&faults, "grant", &record);
	lk_rights_check(&faults, "grant", &record);
	bool good = faults.count == 0;
	if (!good) {
		(void)snprintf(ret_remedy, size, "%s", faults.items[0].description);
	}
	lk_arena_done(&arena);
	return good;
}

bool config_grant_read(const char *text, struct lk_issuer_grant *ret_grant, char *ret_remedy, size_t size)
{
	/* A value may have colons in it ("urn:team:ops"), but none before a blank. */
	const char *colon = strstr(text, ": ");
	size_t len = colon == NULL ? 0 : (size_t)(colon - text);
	const char *error = NULL;

	memset(ret_grant, 0, sizeof *ret_grant);
	if (colon == NULL) {
		error = form;
	} else if (len != 1 || text[0] != '*') {
		error = config_condition_read(text, len, &ret_grant->when);
	}
	if (error == NULL) {
		error = read_attributes(colon + 2, ret_grant);
	}
	if (error != NULL) {
		(void)snprintf(ret_remedy, size, "%s", error);
	}
	if (error == NULL && check(ret_grant, ret_remedy, size)) {
		return true;
	}
	struct lk_issuer_config scrap = {.n_grants = 1};
	scrap.grants[0] = *ret_grant;
	lk_issuer_config_done(&scrap);
	memset(ret_grant, 0, sizeof *ret_grant);
	return false;
}
