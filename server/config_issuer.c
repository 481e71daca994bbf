#include "server/config_issuer.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "server/config_grant.h"
#include "server/core/grant.h"
#include "server/core/text.h"
#include "server/jose/algorithm.h"
#include "server/jose/fetch.h"

#define AT(member) offsetof(struct lk_issuer_config, member)

static const char blanks[] = " \t";
static const char name_characters[] = "abcdefghijklmnopqrstuvwxyz0123456789-";

/* What a line is about: the issuer's place among all, and its key. */
struct line {
	struct config_load *load;
	const struct config_source *source;
	struct lk_issuer_config *issuer;
	const struct issuer_key *key;
};

struct issuer_key {
	const char *name;
	void (*set)(const struct line *line, const char *value);
	/* In struct lk_issuer_config. */
	size_t offset;
	/* Of a number. */
	uint64_t min;
	uint64_t max;
	bool repeatable;
	const char *help;
};

static void fault(const struct line *line, const char *value, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static void fault(const struct line *line, const char *value, const char *format, ...)
{
	char text[512] = "";
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof text, format, args);
	va_end(args);
	if (value == NULL) {
		config_fault(line->load, line->source, NULL, NULL, "issuer \"%s\": %s: %s", line->issuer->name,
			line->key->name, text);
	} else {
		config_fault(line->load, line->source, NULL, NULL, "issuer \"%s\": %s: \"%s\": %s", line->issuer->name,
			line->key->name, value, text);
	}
}

static void *place(const struct line *line)
{
	return (char *)line->issuer + line->key->offset;
}

static char *copy_text(const struct line *line, const char *text, size_t len)
{
	char *copy = strndup(text, len);

	if (copy == NULL) {
		fault(line, NULL, "out of memory");
	}
	return copy;
}

static void set_text(const struct line *line, const char *value)
{
	if (value[0] == '\0') {
		fault(line, value, "give what it is");
		return;
	}
	*(char **)place(line) = copy_text(line, value, strlen(value));
}

static void set_file(const struct line *line, const char *value)
{
	if (value[0] != '/') {
		fault(line, value, "give the absolute path of a file with a JSON Web Key Set");
		return;
	}
	set_text(line, value);
}

static void set_url(const struct line *line, const char *value)
{
	const char *remedy = lk_fetch_check_url(value);

	if (remedy != NULL) {
		/* What stands before an @ may be a password. */
		fault(line, strchr(value, '@') == NULL ? value : NULL, "%s", remedy);
		return;
	}
	set_text(line, value);
}

static void set_claim(const struct line *line, const char *value)
{
	if (value[0] == '\0' || strlen(value) > LK_ISSUER_CLAIM_MAX) {
		fault(line, value, "give the name of a claim, or a path to it such as realm_access.roles");
		return;
	}
	set_text(line, value);
}

static void set_number(const struct line *line, const char *value)
{
	size_t digits = strspn(value, "0123456789");
	unsigned long long number = strtoull(value, NULL, 10);

	if (digits == 0 || digits > 9 || value[digits] != '\0' || number < line->key->min || number > line->key->max) {
		fault(line, value, "give %llu to %llu", (unsigned long long)line->key->min,
			(unsigned long long)line->key->max);
		return;
	}
	*(uint64_t *)place(line) = number;
}

/* Calls `take` for each word of `value`; a line without any is a fault. */
static void each_word(const struct line *line, const char *value, void (*take)(const struct line *, const char *))
{
	const char *at = value + strspn(value, blanks);

	if (*at == '\0') {
		fault(line, value, "give one or more, with blanks between them");
	}
	while (*at != '\0') {
		size_t len = strcspn(at, blanks);
		char *word = copy_text(line, at, len);
		if (word != NULL) {
			take(line, word);
		}
		free(word);
		at += len;
		at += strspn(at, blanks);
	}
}

static void add_word(const struct line *line, const char *word)
{
	const char *error = config_list_add(place(line), word);

	if (error != NULL) {
		fault(line, word, "%s", error);
	}
}

static void set_words(const struct line *line, const char *value)
{
	each_word(line, value, add_word);
}

static void add_tenant(const struct line *line, const char *word)
{
	bool any = strcmp(word, LK_GRANT_ANY) == 0;

	if (!any &&
		(!lk_text_is_id(word) || strcmp(word, LK_TENANT_SYSTEM) == 0 || strcmp(word, LK_TENANT_ACTIVE) == 0)) {
		fault(line, word, "give the ids of tenants, or * for all; never system or active");
		return;
	}
	add_word(line, word);
}

static void set_tenants(const struct line *line, const char *value)
{
	each_word(line, value, add_tenant);
}

static void add_algorithm(const struct line *line, const char *word)
{
	enum lk_jose_algorithm algorithm = LK_JOSE_RS256;

	if (!lk_jose_algorithm_parse(word, &algorithm)) {
		fault(line, word,
			"give some of RS256, PS256, ES256, EdDSA and HS256; a token that is not signed proves "
			"nothing");
		return;
	}
	line->issuer->algorithms |= UINT64_C(1) << algorithm;
}

static void set_algorithms(const struct line *line, const char *value)
{
	each_word(line, value, add_algorithm);
}

static void add_required(const struct line *line, const char *value)
{
	struct lk_issuer_config *issuer = line->issuer;
	struct lk_issuer_condition condition = {0};

	if (issuer->n_required == LK_ISSUER_LIST_MAX) {
		fault(line, value, "at most %d are allowed", LK_ISSUER_LIST_MAX);
		return;
	}
	const char *error = config_condition_read(value, strlen(value), &condition);
	if (error != NULL) {
		fault(line, value, "%s", error);
		return;
	}
	issuer->required[issuer->n_required++] = condition;
}

static void add_grant(const struct line *line, const char *value)
{
	struct lk_issuer_config *issuer = line->issuer;
	char remedy[256] = "";

	if (issuer->n_grants == LK_ISSUER_GRANTS_MAX) {
		fault(line, value, "at most %d are allowed", LK_ISSUER_GRANTS_MAX);
	} else if (!config_grant_read(value, &issuer->grants[issuer->n_grants], remedy, sizeof remedy)) {
		fault(line, value, "%s", remedy);
	} else {
		issuer->n_grants++;
	}
}

static const struct issuer_key keys[CONFIG_ISSUER_KEYS] = {
	{"issuer", set_text, AT(issuer), 0, 0, false, "what `iss` of its tokens is; no two have the same"},
	{"audiences", set_words, AT(audiences), 0, 0, true, "a token is taken where its `aud` has one of them"},
	{"required_claims", add_required, 0, 0, 0, true, "CLAIM=VALUE that every token must have; a line each"},
	{"algorithms", set_algorithms, 0, 0, 0, true,
		"how tokens may be signed (RS256 PS256 ES256 EdDSA; HS256 only where it is named, with jwks_file)"},
	{"jwks_file", set_file, AT(jwks_file), 0, 0, false, "the file of its JSON Web Key Set; or else"},
	{"jwks_url", set_url, AT(jwks_url), 0, 0, false, "where that is fetched: https, or http from loopback"},
	{"jwks_refresh_s", set_number, AT(jwks_refresh_s), 1, 86400, false, "seconds until it is read again (300)"},
	{"jwks_min_interval_s", set_number, AT(jwks_min_interval_s), 1, 3600, false,
		"as few seconds, where a token names a key that is not known (10)"},
	{"tenant_claim", set_claim, AT(tenant_claim), 0, 0, false,
		"the claim that names the caller's tenant or tenants; or else"},
	{"tenants", set_tenants, AT(tenants), 0, 0, true, "the tenants of every caller"},
	{"subject_claim", set_claim, AT(subject_claim), 0, 0, false, "the claim that names the caller (sub)"},
	{"clock_skew_s", set_number, AT(clock_skew_s), 0, LK_ISSUER_SKEW_MAX_S, false,
		"seconds that its clock may be off ours (30)"},
	{"grant", add_grant, 0, 0, 0, true, "what callers may do; a line each, the first that holds counts:"},
	{"", NULL, 0, 0, 0, false,
		"CLAIM=VALUE: methods=M,M keyspaces=K,K own_only=true; * in place of CLAIM=VALUE: all"},
};

bool config_issuer_is_section(const char *section)
{
	return strncmp(section, "issuer", strlen("issuer")) == 0;
}

/* Finds NAME in issuer "NAME"; false where it stands there otherwise. */
static bool read_name(const char *section, size_t len, char ret_name[static LK_ISSUER_NAME_MAX + 1])
{
	size_t begin = strlen("issuer");
	size_t gap = strspn(section + begin, blanks);

	/* A section may end here, and its buffer with it. */
	if (gap == 0 || section[begin + gap] != '"') {
		return false;
	}
	const char *name = section + begin + gap + 1;
	size_t name_len = strspn(name, name_characters);
	if (name_len == 0 || name_len > LK_ISSUER_NAME_MAX || name[name_len] != '"' ||
		(size_t)(name - section) + name_len + 1 != len) {
		return false;
	}
	memcpy(ret_name, name, name_len);
	ret_name[name_len] = '\0';
	return true;
}

static size_t find_issuer(const struct lk_config *config, const char *name)
{
	size_t i = 0;

	while (i < config->n_issuers && strcmp(config->issuers[i].name, name) != 0) {
		i++;
	}
	return i;
}

void config_issuer_begin(struct config_load *load, const struct config_source *source, const char *section, size_t len)
{
	struct lk_config *config = &load->config;
	char name[LK_ISSUER_NAME_MAX + 1] = "";

	if (!read_name(section, len, name)) {
		config_fault(load, source, NULL, NULL,
			"[%.*s]: give [issuer \"NAME\"], the name being 1 to %d of a to z, 0 to 9 and -", (int)len,
			section, LK_ISSUER_NAME_MAX);
		return;
	}
	size_t before = find_issuer(config, name);
	if (before < config->n_issuers) {
		config_fault(load, source, NULL, NULL, "[issuer \"%s\"] is given twice; first in line %d", name,
			load->issuer_lines[before].begin);
		return;
	}
	if (config->n_issuers == LK_ISSUERS_MAX) {
		config_fault(load, source, NULL, NULL, "[issuer \"%s\"]: at most %d are allowed", name, LK_ISSUERS_MAX);
		return;
	}
	struct lk_issuer_config *issuer = &config->issuers[config->n_issuers];
	memcpy(issuer->name, name, sizeof name);
	issuer->jwks_refresh_s = 300;
	issuer->jwks_min_interval_s = 10;
	issuer->clock_skew_s = 30;
	load->issuer_lines[config->n_issuers++].begin = source->line;
	load->issuer_file = source->file;
}

void config_issuer_set(struct config_load *load, const struct config_source *source, const char *section,
	const char *key, const char *value)
{
	char name[LK_ISSUER_NAME_MAX + 1] = "";

	if (!read_name(section, strlen(section), name)) {
		return;
	}
	size_t at = find_issuer(&load->config, name);
	if (at == load->config.n_issuers) {
		return;
	}
	for (size_t i = 0; i < CONFIG_ISSUER_KEYS; i++) {
		const struct line line = {load, source, &load->config.issuers[at], &keys[i]};
		int *given = &load->issuer_lines[at].given[i];
		if (keys[i].set == NULL || strcmp(keys[i].name, key) != 0) {
			continue;
		}
		if (*given > 0 && !keys[i].repeatable) {
			fault(&line, NULL, "is given twice; first in line %d", *given);
		} else {
			keys[i].set(&line, value);
		}
		*given = *given > 0 ? *given : source->line;
		return;
	}
	config_fault(load, source, NULL, NULL, "there is no option \"%s\" in [issuer \"%s\"]", key, name);
}

/* Whether one of the lines was given; a wrong one was told of already. */
static bool is_given(const struct config_load *load, size_t issuer, const char *key)
{
	for (size_t i = 0; i < CONFIG_ISSUER_KEYS; i++) {
		if (strcmp(keys[i].name, key) == 0) {
			return load->issuer_lines[issuer].given[i] > 0;
		}
	}
	return false;
}

static void check_issuer(struct config_load *load, size_t at)
{
	static const char *const needed[][2] = {
		{"issuer", NULL},
		{"audiences", NULL},
		{"grant", NULL},
		{"jwks_file", "jwks_url"},
		{"tenant_claim", "tenants"},
	};
	const struct config_source source = {load->issuer_file, load->issuer_lines[at].begin};
	const struct lk_issuer_config *issuer = &load->config.issuers[at];

	for (size_t i = 0; i < sizeof needed / sizeof needed[0]; i++) {
		const char *one = needed[i][0];
		const char *other = needed[i][1];
		int count = (int)is_given(load, at, one) + (other != NULL && is_given(load, at, other));
		if (count == 0) {
			config_fault(load, &source, NULL, NULL, "issuer \"%s\": give %s%s%s", issuer->name, one,
				other == NULL ? "" : " or ", other == NULL ? "" : other);
		} else if (count == 2) {
			config_fault(load, &source, NULL, NULL, "issuer \"%s\": give %s or %s, not both", issuer->name,
				one, other);
		}
	}
	if ((issuer->algorithms & UINT64_C(1) << LK_JOSE_HS256) != 0 && is_given(load, at, "jwks_url")) {
		config_fault(load, &source, NULL, NULL,
			"issuer \"%s\": algorithms: HS256 goes with jwks_file alone: a secret that a URL gives to "
			"anybody is none",
			issuer->name);
	}
	for (size_t i = 0; i < at; i++) {
		const char *before = load->config.issuers[i].issuer;
		if (issuer->issuer != NULL && before != NULL && strcmp(before, issuer->issuer) == 0) {
			config_fault(load, &source, NULL, NULL,
				"issuer \"%s\": issuer \"%s\" has the same iss: whose token would it be?", issuer->name,
				load->config.issuers[i].name);
		}
	}
}

/* What is left out, and is more than a number. */
static void complete(struct config_load *load, size_t at)
{
	static const uint64_t by_default = UINT64_C(1) << LK_JOSE_RS256 | UINT64_C(1) << LK_JOSE_PS256 |
					   UINT64_C(1) << LK_JOSE_ES256 | UINT64_C(1) << LK_JOSE_EDDSA;
	const struct config_source source = {load->issuer_file, load->issuer_lines[at].begin};
	struct lk_issuer_config *issuer = &load->config.issuers[at];

	if (issuer->algorithms == 0) {
		issuer->algorithms = by_default;
	}
	if (issuer->subject_claim == NULL) {
		issuer->subject_claim = strdup("sub");
	}
	if (issuer->subject_claim == NULL) {
		config_fault(load, &source, NULL, NULL, "out of memory");
	}
}

void config_issuers_check(struct config_load *load)
{
	for (size_t i = 0; i < load->config.n_issuers; i++) {
		check_issuer(load, i);
		complete(load, i);
	}
}

void config_issuer_help(FILE *out)
{
	(void)fputs("\n  [issuer \"NAME\"]      whose tokens (JWTs) are taken as credentials; up to 8 of them\n", out);
	for (size_t i = 0; i < CONFIG_ISSUER_KEYS; i++) {
		(void)fprintf(out, "  %-20s %s\n", keys[i].name, keys[i].help);
	}
}
