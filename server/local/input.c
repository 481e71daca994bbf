#include "server/local/input.h"

#include <stdbool.h>
#include <string.h>

#include <latchkey/method.h>
#include <latchkey/token.h>

#include "latchkey/v1/key.wire.h"
#include "server/core/expression.h"
#include "server/core/limit.h"
#include "server/core/text.h"
#include "server/rpc/wire.h"
#include "server/service/judge.h"

/*
 * What is plainly right is ASCII within the limits of the daemon's rules, a byte for a character: longer is not wrong, but looked at
 * closely. An address is measured by the .proto alone.
 */
#define ADDRESS_PLAIN 64

/* Whether a text is ASCII, and has at most `max` bytes: whatever else there may be to it is for the service. */
static bool is_plain(const char *text, size_t max)
{
	unsigned char high = 0;

	if (text == NULL) {
		return false;
	}
	size_t len = strnlen(text, max + 1);
	for (size_t i = 0; i < len; i++) {
		high |= (unsigned char)text[i];
	}
	return len <= max && high < 0x80;
}

static bool are_charges_plain(const Latchkey__V1__VerifyKeyRequest *message)
{
	if (message->n_rate_charges > LK_RATE_CHARGES_MAX) {
		return false;
	}
	for (size_t i = 0; i < message->n_rate_charges; i++) {
		const Latchkey__V1__RateCharge *charge = message->rate_charges[i];
		if (charge->base.n_unknown_fields != 0 || !is_plain(charge->name, LK_LIMIT_NAME_MAX)) {
			return false;
		}
	}
	return true;
}

static bool is_plain_message(const Latchkey__V1__VerifyKeyRequest *message)
{
	return message->base.n_unknown_fields == 0 && is_plain(message->token, LK_TOKEN_MAX) &&
	       is_plain(message->tenant, LK_ID_MAX) && is_plain(message->keyspace, LK_ID_MAX) &&
	       is_plain(message->permission_expression, LK_EXPRESSION_MAX) &&
	       is_plain(message->client_ip, ADDRESS_PLAIN) && are_charges_plain(message);
}

/* What protobuf-c's packing would not survive. */
static bool is_packable(struct lk_request *request, const Latchkey__V1__VerifyKeyRequest *message)
{
	if (message == NULL || message->base.descriptor != &latchkey__v1__verify_key_request__descriptor) {
		lk_fault_add(&request->faults, "", "there is no VerifyKeyRequest, or it was not initialised");
		return false;
	}
	for (size_t i = 0; i < message->n_rate_charges; i++) {
		if (message->rate_charges[i] == NULL ||
			message->rate_charges[i]->base.descriptor != &latchkey__v1__rate_charge__descriptor) {
			const char *field = lk_arena_printf(request->arena, "rate_charges[%zu]", i);
			lk_fault_add(&request->faults, field == NULL ? "rate_charges" : field,
				"there is no RateCharge, or it was not initialised");
			return false;
		}
	}
	return true;
}

static enum lk_err check_packed(struct lk_request *request, const Latchkey__V1__VerifyKeyRequest *message,
	const Latchkey__V1__VerifyKeyRequest **ret_message)
{
	size_t len = latchkey__v1__verify_key_request__get_packed_size(message);

	if (len > LK_REQUEST_MAX) {
		return lk_request_fail(request, LK_INVALID_ARGUMENT, "the request has %zu bytes and may have %zu", len,
			LK_REQUEST_MAX);
	}
	uint8_t *packed = lk_arena_alloc(request->arena, len);
	if (packed == NULL) {
		return lk_request_fail(request, LK_RESOURCE_EXHAUSTED, "the request is too large to unpack");
	}
	(void)latchkey__v1__verify_key_request__pack(message, packed);
	if (lk_wire_check(&latchkey__v1__verify_key_request__wire, packed, len, &request->faults) != LK_OK) {
		return lk_request_check(request);
	}
	*ret_message = latchkey__v1__verify_key_request__unpack(&request->arena->allocator, len, packed);
	return *ret_message != NULL
		       ? LK_OK
		       : lk_request_fail(request, LK_RESOURCE_EXHAUSTED, "the request is too large to unpack");
}

enum lk_err lk_input_check(struct lk_request *request, const Latchkey__V1__VerifyKeyRequest *message,
	const Latchkey__V1__VerifyKeyRequest **ret_message)
{
	if (!is_packable(request, message)) {
		return lk_request_check(request);
	}
	if (is_plain_message(message)) {
		*ret_message = message;
		return LK_OK;
	}
	return check_packed(request, message, ret_message);
}
