/*
 * KeyspaceService/GetJwks: by what outsiders check the JWTs of a keyspace; keyspace.c puts it beside the others.
 */
#ifndef LK_SERVER_SERVICE_KEYSPACE_JWKS_H
#define LK_SERVER_SERVICE_KEYSPACE_JWKS_H

#include "latchkey/v1/keyspace.pb-c.h"
#include "server/service/request.h"

/*
 * The public keys of the keyspace, the newest first; {"keys":[]} where it has none, which is so of one whose tokens have ever
 * been opaque or signed by HS256 alone. Those from before its format or algorithm changed are told as long as they are kept
 * (signing_key.h): tokens that they signed may still be in use.
 */
enum lk_err lk_keyspace_get_jwks(struct lk_request *request, const Latchkey__V1__GetJwksRequest *message,
	Latchkey__V1__GetJwksResponse *response);

#endif
