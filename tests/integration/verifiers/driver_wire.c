/* The drivers that go over a channel; see drivers.h. */
#include <stdlib.h>

#include <latchkey/verifier.h>

#include "tests/integration/verifiers/drivers.h"
#include "tests/lib/check.h"
#include "tests/lib/place.h"
#include "tests/lib/proxy.h"

/* More than a batch takes: the questions of a crowded verifier leave in batches that are full. */
#define BYSTANDERS 24
#define BATCH_MAX  8

struct wire;

/* Somebody else who asks, over and over. */
struct asker {
	struct wire *wire;
	struct lk_call call;
};

struct wire {
	/* Of a state that has joined another: that one's. */
	struct lk_channel *channel;
	struct lk_verifier *verifier;
	bool is_joined;
	Latchkey__V1__VerifyKeyResponse *response;
	/* Of the crowded one. */
	struct proxy proxy;
	struct asker bystanders[BYSTANDERS];
};

static struct wire *new_wire(void)
{
	struct wire *wire = calloc(1, sizeof *wire);

	CHECK(wire != NULL);
	return wire;
}

static void dial(struct wire *wire, const char *url, const char *credential)
{
	struct lk_channel_options options = {.urls = &url, .n_urls = 1, .credential = credential};

	CHECK(lk_channel_open(&options, &wire->channel) == LK_OK);
}

static void *open_unary(const struct daemon *daemon, const char *credential)
{
	struct wire *wire = new_wire();

	dial(wire, daemon->url, credential);
	return wire;
}

static void *join_wire(void *state)
{
	const struct wire *other = state;
	struct wire *wire = new_wire();

	wire->channel = other->channel;
	wire->verifier = other->verifier;
	wire->is_joined = true;
	return wire;
}

static void forget(struct wire *wire)
{
	if (wire->response != NULL) {
		latchkey__v1__verify_key_response__free_unpacked(wire->response, NULL);
		wire->response = NULL;
	}
}

static void close_wire(void *state)
{
	struct wire *wire = state;

	forget(wire);
	if (!wire->is_joined) {
		lk_verifier_close(wire->verifier);
		lk_channel_close(wire->channel);
	}
	free(wire);
}

static enum lk_err ask_unary(void *state, const Latchkey__V1__VerifyKeyRequest *request,
	const Latchkey__V1__VerifyKeyResponse **ret_response, struct lk_call *call)
{
	struct wire *wire = state;

	forget(wire);
	enum lk_err err = latchkey_v1_key_verify(wire->channel, request, &wire->response, call);
	if (err == LK_OK) {
		*ret_response = wire->response;
	}
	return err;
}

const struct driver driver_unary = {
	.name = "unary", .open = open_unary, .ask = ask_unary, .join = join_wire, .close = close_wire};

static void open_on(struct wire *wire, unsigned batch_max)
{
	struct lk_verifier_options options = {.channel = wire->channel, .batch_max = batch_max};

	CHECK(lk_verifier_open(&options, &wire->verifier) == LK_OK);
}

static void *open_verifier(const struct daemon *daemon, const char *credential)
{
	struct wire *wire = new_wire();

	dial(wire, daemon->url, credential);
	open_on(wire, 0);
	return wire;
}

static enum lk_err ask_verifier(void *state, const Latchkey__V1__VerifyKeyRequest *request,
	const Latchkey__V1__VerifyKeyResponse **ret_response, struct lk_call *call)
{
	struct wire *wire = state;

	forget(wire);
	enum lk_err err = lk_verifier_verify(wire->verifier, request, &wire->response, call);
	if (err == LK_OK) {
		*ret_response = wire->response;
	}
	return err;
}

const struct driver driver_verifier = {
	.name = "verifier", .open = open_verifier, .ask = ask_verifier, .join = join_wire, .close = close_wire};

/* Asks again; nobody has the token, so that it takes nothing from anybody. */
static void ask_again(struct asker *asker);

static void told(enum lk_err err, Latchkey__V1__VerifyKeyResponse *response, struct lk_call *call, void *context)
{
	struct asker *asker = context;

	(void)call;
	if (err == LK_OK) {
		CHECK(response->code == LATCHKEY__V1__VERIFY_CODE__VERIFY_CODE_MALFORMED);
		latchkey__v1__verify_key_response__free_unpacked(response, NULL);
	}
	lk_call_done(&asker->call);
	if (err == LK_OK) {
		ask_again(asker);
	} else {
		CHECK_MSG(err == LK_CANCELLED, lk_err_text(err));
	}
}

static void ask_again(struct asker *asker)
{
	Latchkey__V1__VerifyKeyRequest request = LATCHKEY__V1__VERIFY_KEY_REQUEST__INIT;

	request.token = TEXT("nobody's");
	asker->call = (struct lk_call){.timeout_ms = DRIVER_TIMEOUT_MS};
	enum lk_err err = lk_verifier_start(asker->wire->verifier, &request, &asker->call, told, asker);
	CHECK_MSG(err == LK_OK || err == LK_CANCELLED, lk_err_text(err));
}

static void *open_crowded(const struct daemon *daemon, const char *credential)
{
	struct wire *wire = new_wire();

	proxy_start(&wire->proxy, daemon->url);
	/* A call alone: behind its method's name comes the tag of its time-out. */
	proxy_watch(&wire->proxy, "KeyService/Verify\x10");
	dial(wire, wire->proxy.url, credential);
	open_on(wire, BATCH_MAX);
	for (size_t i = 0; i < BYSTANDERS; i++) {
		wire->bystanders[i].wire = wire;
		ask_again(&wire->bystanders[i]);
	}
	return wire;
}

uint64_t driver_crowded_alone(void *state)
{
	return proxy_watched(&((struct wire *)state)->proxy);
}

static void close_crowded(void *state)
{
	struct wire *wire = state;

	if (!wire->is_joined) {
		lk_verifier_close(wire->verifier);
		wire->verifier = NULL;
		proxy_stop(&wire->proxy);
	}
	close_wire(wire);
}

const struct driver driver_crowded = {.name = "crowded verifier",
	.open = open_crowded,
	.ask = ask_verifier,
	.join = join_wire,
	.close = close_crowded};
