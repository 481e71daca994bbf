/*
 * liblatchkey: ask Latchkey whether a key may do something.
 *
 * Open a channel, call a stub (latchkey/v1/key.client.h and its neighbours), free the response:
 *
 *	struct lk_channel_options options = {.urls = (const char *[]){url}, .n_urls = 1};
 *	struct lk_channel *channel = NULL;
 *	enum lk_err err = lk_channel_open(&options, &channel);
 *	Latchkey__V1__VerifyKeyRequest request = LATCHKEY__V1__VERIFY_KEY_REQUEST__INIT;
 *	Latchkey__V1__VerifyKeyResponse *response = NULL;
 *	request.token = token;
 *	err = latchkey_v1_key_verify(channel, &request, &response, NULL);
 */
#ifndef LATCHKEY_LATCHKEY_H
#define LATCHKEY_LATCHKEY_H

#include <latchkey/call.h>
#include <latchkey/channel.h>
#include <latchkey/error.h>
#include <latchkey/method.h>
#include <latchkey/token.h>
#include <latchkey/v1/admin.client.h>
#include <latchkey/v1/audit.client.h>
#include <latchkey/v1/health.client.h>
#include <latchkey/v1/key.client.h>
#include <latchkey/v1/keyspace.client.h>
#include <latchkey/v1/owner.client.h>
#include <latchkey/v1/reflection.client.h>
#include <latchkey/v1/role.client.h>
#include <latchkey/v1/tenant.client.h>
#include <latchkey/verifier.h>

#endif
