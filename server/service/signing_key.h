/*
 * The keys that sign the JWTs of a keyspace: made, sealed, and put to use.
 *
 * A keyspace keeps the newest LK_SIGNING_KEYS_MAX, the newest first: it signs, and the others tell outsiders how to check what
 * they have signed. A secret lies in the keyspace's record alone, sealed under a subkey of seal.key for its kid.
 */
#ifndef LK_SERVER_SERVICE_SIGNING_KEY_H
#define LK_SERVER_SERVICE_SIGNING_KEY_H

#include "server/jose/mint.h"
#include "server/service/request.h"

#define LK_SIGNING_KEYS_MAX 8

/*
 * Checks the secret that a request gives for a keyspace of this policy, as faults of "jwt_secret": one for other than JWTs by
 * HS256, or of other than LK_JWT_SECRET_MIN to LK_JWT_SECRET_MAX bytes. An empty one is none. No fault tells a byte of it.
 */
void lk_signing_key_check_secret(
	struct lk_faults *faults, const Latchkey__Store__PolicyRecord *policy, ProtobufCBinaryData secret);

/*
 * Makes a key for the algorithm of the record's policy, of `secret`, or of one that is drawn where that is empty, and puts it
 * before the others; those past LK_SIGNING_KEYS_MAX are forgotten. All lives in the request's arena. LK_NO_MEMORY: the record is
 * as it was.
 */
LK_MUST_CHECK enum lk_err lk_signing_key_add(
	struct lk_request *request, Latchkey__Store__KeyspaceRecord *record, ProtobufCBinaryData secret);

/*
 * Mints the JWT of `key`, whose id is assigned, with the newest key of its keyspace, as of the request's time; the token, in
 * the request's arena, to `ret_token`. LK_CORRUPT: there is no such key, or it does not open. LK_RESOURCE_EXHAUSTED,
 * LK_NO_MEMORY.
 */
LK_MUST_CHECK enum lk_err lk_signing_key_mint(struct lk_request *request,
	const Latchkey__Store__KeyspaceRecord *keyspace, const Latchkey__Store__KeyRecord *key, char **ret_token);

#endif
