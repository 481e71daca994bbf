/*
 * What is configured of an issuer: whose tokens are taken, by which keys, and what their claims stand for. Plain data, read by
 * server/config_issuer.c and not changed after; every text and list belongs to it.
 */
#ifndef LK_SERVER_JOSE_ISSUER_CONFIG_H
#define LK_SERVER_JOSE_ISSUER_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LK_ISSUERS_MAX        8
#define LK_ISSUER_NAME_MAX    32
#define LK_ISSUER_LIST_MAX    32
#define LK_ISSUER_GRANTS_MAX  32
#define LK_ISSUER_CLAIM_MAX   128
#define LK_ISSUER_SUBJECT_MAX 128
#define LK_ISSUER_TENANTS_MAX 64
#define LK_ISSUER_SKEW_MAX_S  300

/* Texts; at most LK_ISSUER_LIST_MAX of them but where something else is said. */
struct lk_issuer_list {
	char **items;
	size_t count;
};

/* Claim and value: "typ=Bearer". */
struct lk_issuer_condition {
	/* NULL: what holds of every token. */
	char *claim;
	char *value;
};

/* What callers may do of whom the condition holds. */
struct lk_issuer_grant {
	struct lk_issuer_condition when;
	struct lk_issuer_list methods;
	struct lk_issuer_list keyspaces;
	bool own_only;
};

struct lk_issuer_config {
	/* As this daemon calls it. */
	char name[LK_ISSUER_NAME_MAX + 1];
	/* The claim `iss` of its tokens. */
	char *issuer;
	/* A token is for us where its `aud` has one of them. */
	struct lk_issuer_list audiences;
	struct lk_issuer_condition required[LK_ISSUER_LIST_MAX];
	size_t n_required;
	/* A bit for each enum lk_jose_algorithm. */
	uint64_t algorithms;
	/* One of them. */
	char *jwks_file;
	char *jwks_url;
	uint64_t jwks_refresh_s;
	uint64_t jwks_min_interval_s;
	/* One of them: the claim that names tenants, or the tenants of every token. */
	char *tenant_claim;
	struct lk_issuer_list tenants;
	char *subject_claim;
	uint64_t clock_skew_s;
	/* The first whose condition holds is what the caller may do. */
	struct lk_issuer_grant grants[LK_ISSUER_GRANTS_MAX];
	size_t n_grants;
};

/* Frees what it holds; takes one that is all zero. */
void lk_issuer_config_done(struct lk_issuer_config *config);

#endif
