#include "server/jose/issuer_config.h"

#include <stdlib.h>
#include <string.h>

static void free_list(struct lk_issuer_list *list)
{
	for (size_t i = 0; i < list->count; i++) {
		free(list->items[i]);
	}
	free((void *)list->items);
}

static void free_condition(struct lk_issuer_condition *condition)
{
	free(condition->claim);
	free(condition->value);
}

void lk_issuer_config_done(struct lk_issuer_config *config)
{
	free(config->issuer);
	free_list(&config->audiences);
	for (size_t i = 0; i < config->n_required; i++) {
		free_condition(&config->required[i]);
	}
	free(config->jwks_file);
	free(config->jwks_url);
	free(config->tenant_claim);
	free_list(&config->tenants);
	free(config->subject_claim);
	for (size_t i = 0; i < config->n_grants; i++) {
		free_condition(&config->grants[i].when);
		free_list(&config->grants[i].methods);
		free_list(&config->grants[i].keyspaces);
	}
	memset(config, 0, sizeof *config);
}
