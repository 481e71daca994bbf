#include "server/jose/algorithm.h"

#include <string.h>

static const struct {
	const char *name;
	enum lk_jwk_kind kind;
} algorithms[LK_JOSE_ALGORITHMS] = {
	[LK_JOSE_RS256] = {"RS256", LK_JWK_RSA},
	[LK_JOSE_PS256] = {"PS256", LK_JWK_RSA},
	[LK_JOSE_ES256] = {"ES256", LK_JWK_EC_P256},
	[LK_JOSE_EDDSA] = {"EdDSA", LK_JWK_ED25519},
	[LK_JOSE_HS256] = {"HS256", LK_JWK_OCT},
};

bool lk_jose_algorithm_parse(const char *name, enum lk_jose_algorithm *ret_algorithm)
{
	for (unsigned i = 0; i < LK_JOSE_ALGORITHMS; i++) {
		if (strcmp(name, algorithms[i].name) == 0) {
			*ret_algorithm = (enum lk_jose_algorithm)i;
			return true;
		}
	}
	return false;
}

enum lk_jwk_kind lk_jose_algorithm_kind(enum lk_jose_algorithm algorithm)
{
	return algorithms[algorithm].kind;
}
