#include "tools/latchkey/hammer.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <latchkey/v1/key.client.h>

#include "tools/latchkey/stop.h"

/* How often the one who waits looks whether he is to stop. */
#define LOOK_NS 50000000

/* Texts of requests are not const in protobuf-c's types; nothing writes to them. */
#define TEXT(text) ((char *)(uintptr_t)(text))

/* All threads that ask in one way. */
struct verifier {
	const struct lk_asker_kind *kind;
	struct lk_asker *asker;
	_Atomic uint64_t verdicts;
	_Atomic uint64_t unanswered;
	_Atomic uint64_t stale;
	_Atomic int64_t window_ns;
};

struct hand {
	struct lk_hammer *hammer;
	pthread_t thread;
	/* Which verifier it is one of. */
	size_t verifier;
	/* The next of the canaries before the current one. */
	size_t swept;
	/* The last VALID about a canary whose Revoke was under way, until it is known when that was acknowledged; NULL: none. */
	struct lk_canary *open;
	int64_t open_began_ns;
};

struct lk_hammer {
	struct lk_canaries *canaries;
	struct verifier verifiers[LK_VERIFIERS_MAX];
	size_t n_verifiers;
	struct hand *hands;
	size_t n_hands;
	_Atomic size_t current;
	_Atomic bool over;
	/* Guards what is below. */
	pthread_mutex_t lock;
	pthread_cond_t moved;
	/* The first thing that went wrong, and what went wrong last without being the end. */
	enum lk_err err;
	struct lk_call call;
	enum lk_err last_err;
	/* The verdict on a canary that nobody had revoked, where it was not VALID; and whose it was. */
	Latchkey__V1__VerifyCode wrong;
	size_t wrong_verifier;
};

static void announce(struct lk_hammer *hammer)
{
	(void)pthread_mutex_lock(&hammer->lock);
	(void)pthread_cond_broadcast(&hammer->moved);
	(void)pthread_mutex_unlock(&hammer->lock);
}

/* Sets a flag of a canary, and tells of it where that is new. */
static void set(struct lk_hammer *hammer, _Atomic bool *flag)
{
	if (!atomic_load(flag) && !atomic_exchange(flag, true)) {
		announce(hammer);
	}
}

static void note_stale(struct verifier *verifier, int64_t window_ns)
{
	int64_t known = atomic_load(&verifier->window_ns);

	atomic_fetch_add(&verifier->stale, 1);
	while (window_ns > known && !atomic_compare_exchange_weak(&verifier->window_ns, &known, window_ns)) {
	}
}

/* Whether the call counts as one behind the acknowledgement, as far as is known yet. */
static bool is_behind(const struct lk_canary *canary, int64_t began_ns)
{
	int64_t acked_ns = atomic_load(&canary->acked_ns);

	return acked_ns != 0 && began_ns > acked_ns;
}

/* Judges the VALID that was left open, once it can be. */
static void settle(struct hand *hand)
{
	struct lk_canary *canary = hand->open;

	if (!canary || atomic_load(&canary->acked_ns) == 0) {
		return;
	}
	hand->open = NULL;
	if (is_behind(canary, hand->open_began_ns)) {
		note_stale(
			&hand->hammer->verifiers[hand->verifier], hand->open_began_ns - atomic_load(&canary->acked_ns));
	}
}

static void note_wrong(struct hand *hand, Latchkey__V1__VerifyCode code)
{
	struct lk_hammer *hammer = hand->hammer;

	(void)pthread_mutex_lock(&hammer->lock);
	if (hammer->wrong == LATCHKEY__V1__VERIFY_CODE__VERIFY_CODE_UNSPECIFIED) {
		hammer->wrong = code;
		hammer->wrong_verifier = hand->verifier;
	}
	(void)pthread_cond_broadcast(&hammer->moved);
	(void)pthread_mutex_unlock(&hammer->lock);
}

static void note_verdict(struct hand *hand, struct lk_canary *canary, int64_t began_ns, Latchkey__V1__VerifyCode code)
{
	struct verifier *verifier = &hand->hammer->verifiers[hand->verifier];
	/* Read before the acknowledgement: who finds this unset knows that the canary was good all the while. */
	bool is_sent = atomic_load(&canary->is_sent), is_acked = atomic_load(&canary->acked_ns) != 0;

	atomic_fetch_add(&verifier->verdicts, 1);
	if (code != LATCHKEY__V1__VERIFY_CODE__VERIFY_CODE_VALID) {
		if (!is_sent) {
			note_wrong(hand, code);
		}
	} else if (is_acked) {
		if (is_behind(canary, began_ns)) {
			note_stale(verifier, began_ns - atomic_load(&canary->acked_ns));
		}
	} else {
		hand->open = is_sent ? canary : hand->open;
		hand->open_began_ns = is_sent ? began_ns : hand->open_began_ns;
		set(hand->hammer, &canary->is_known[hand->verifier]);
	}
	if (is_behind(canary, began_ns)) {
		set(hand->hammer, &canary->is_asked[hand->verifier]);
	}
}

/* False: there is no use in going on. */
static bool note_error(struct hand *hand, enum lk_err err, struct lk_call *call)
{
	static const enum lk_err passing[] = {LK_UNAVAILABLE, LK_DEADLINE_EXCEEDED, LK_RESOURCE_EXHAUSTED};
	struct lk_hammer *hammer = hand->hammer;

	atomic_fetch_add(&hammer->verifiers[hand->verifier].unanswered, 1);
	(void)pthread_mutex_lock(&hammer->lock);
	for (size_t i = 0; i < sizeof(passing) / sizeof(passing[0]); i++) {
		if (err == passing[i]) {
			hammer->last_err = err;
			(void)pthread_mutex_unlock(&hammer->lock);
			return true;
		}
	}
	if (hammer->err == LK_OK) {
		hammer->err = err;
		hammer->call = *call;
		*call = (struct lk_call)LK_CALL_INIT;
	}
	(void)pthread_cond_broadcast(&hammer->moved);
	(void)pthread_mutex_unlock(&hammer->lock);
	return false;
}

static bool ask(struct hand *hand, struct lk_canary *canary)
{
	struct lk_hammer *hammer = hand->hammer;
	const struct verifier *verifier = &hammer->verifiers[hand->verifier];
	Latchkey__V1__VerifyKeyRequest request = LATCHKEY__V1__VERIFY_KEY_REQUEST__INIT;
	Latchkey__V1__VerifyCode code = LATCHKEY__V1__VERIFY_CODE__VERIFY_CODE_UNSPECIFIED;
	struct lk_call call = {.timeout_ms = hammer->canaries->timeout_ms};
	bool goes_on = true;

	request.token = canary->token;
	request.tenant = TEXT(hammer->canaries->tenant);
	request.keyspace = TEXT(hammer->canaries->keyspace);
	int64_t began_ns = lk_canary_now_ns();
	enum lk_err err = verifier->kind->ask(verifier->asker, &request, &code, &call);
	if (err == LK_OK) {
		note_verdict(hand, canary, began_ns, code);
	} else {
		goes_on = note_error(hand, err, &call);
	}
	lk_call_done(&call);
	return goes_on;
}

static void *work(void *context)
{
	struct hand *hand = context;
	struct lk_hammer *hammer = hand->hammer;

	for (uint64_t turn = 0; !atomic_load(&hammer->over); turn++) {
		size_t current = atomic_load(&hammer->current);
		size_t index = turn % 2 == 0 ? current : hand->swept++ % (current + 1);

		settle(hand);
		if (!ask(hand, &hammer->canaries->keys[index])) {
			break;
		}
	}
	settle(hand);
	return NULL;
}

static enum lk_exit add_verifier(
	struct lk_hammer *hammer, const struct lk_asker_kind *kind, const struct lk_asker_options *options)
{
	struct verifier *verifier = &hammer->verifiers[hammer->n_verifiers];
	enum lk_exit code = kind->open(options, &verifier->asker);

	if (code != LK_EXIT_OK) {
		return code;
	}
	verifier->kind = kind;
	hammer->n_verifiers++;
	for (unsigned i = 0; i < kind->threads; i++) {
		struct hand *hand = &hammer->hands[hammer->n_hands];

		hand->hammer = hammer;
		hand->verifier = hammer->n_verifiers - 1;
		hand->swept = i * hammer->canaries->n / kind->threads;
		if (pthread_create(&hand->thread, NULL, work, hand) != 0) {
			return lk_say_no_memory();
		}
		hammer->n_hands++;
	}
	return LK_EXIT_OK;
}

enum lk_exit lk_hammer_start(const struct lk_asker_kind *const *kinds, size_t n_kinds,
	const struct lk_asker_options *options, struct lk_canaries *canaries, struct lk_hammer **ret)
{
	struct lk_hammer *hammer = calloc(1, sizeof(*hammer));
	pthread_condattr_t monotonic;
	size_t n_hands = 0;
	enum lk_exit code = LK_EXIT_OK;

	for (size_t i = 0; i < n_kinds; i++) {
		n_hands += kinds[i]->threads;
	}
	struct hand *hands = calloc(n_hands, sizeof(*hands));
	if (!hammer || !hands) {
		free(hammer);
		free(hands);
		return lk_say_no_memory();
	}
	hammer->canaries = canaries;
	hammer->hands = hands;
	(void)pthread_mutex_init(&hammer->lock, NULL);
	(void)pthread_condattr_init(&monotonic);
	(void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&hammer->moved, &monotonic);
	(void)pthread_condattr_destroy(&monotonic);
	for (size_t i = 0; code == LK_EXIT_OK && i < n_kinds; i++) {
		code = add_verifier(hammer, kinds[i], options);
	}
	if (code != LK_EXIT_OK) {
		lk_hammer_free(hammer);
		return code;
	}
	*ret = hammer;
	return LK_EXIT_OK;
}

void lk_hammer_stop(struct lk_hammer *hammer)
{
	atomic_store(&hammer->over, true);
	for (size_t i = 0; i < hammer->n_hands; i++) {
		(void)pthread_join(hammer->hands[i].thread, NULL);
	}
	hammer->n_hands = 0;
}

bool lk_hammer_tally(const struct lk_hammer *hammer, size_t i, struct lk_hammer_tally *ret)
{
	const struct verifier *verifier = &hammer->verifiers[i];

	if (i >= hammer->n_verifiers) {
		return false;
	}
	*ret = (struct lk_hammer_tally){
		.name = verifier->kind->name,
		.verdicts = atomic_load(&verifier->verdicts),
		.unanswered = atomic_load(&verifier->unanswered),
		.stale = atomic_load(&verifier->stale),
		.window_ns = atomic_load(&verifier->window_ns),
	};
	return true;
}

void lk_hammer_free(struct lk_hammer *hammer)
{
	if (!hammer) {
		return;
	}
	lk_hammer_stop(hammer);
	for (size_t i = 0; i < hammer->n_verifiers; i++) {
		hammer->verifiers[i].kind->close(hammer->verifiers[i].asker);
	}
	lk_call_done(&hammer->call);
	(void)pthread_cond_destroy(&hammer->moved);
	(void)pthread_mutex_destroy(&hammer->lock);
	free(hammer->hands);
	free(hammer);
}

/* Says what went wrong, with the lock held. */
static enum lk_exit say_fault(struct lk_hammer *hammer)
{
	if (hammer->err != LK_OK) {
		return lk_session_refused(
			lk_schema_method(hammer->canaries->schema, latchkey_v1_key_verify_method.name), hammer->err,
			&hammer->call);
	}
	const ProtobufCEnumValue *value = protobuf_c_enum_descriptor_get_value(
		&latchkey__v1__verify_code__descriptor, (int)hammer->wrong);
	const struct lk_asker_kind *kind = hammer->verifiers[hammer->wrong_verifier].kind;
	/* The codes of tokens that a store does not have. */
	bool is_elsewhere = kind->open == lk_asker_local[0].open &&
			    (hammer->wrong == LATCHKEY__V1__VERIFY_CODE__VERIFY_CODE_NOT_FOUND ||
				    hammer->wrong == LATCHKEY__V1__VERIFY_CODE__VERIFY_CODE_MALFORMED);
	lk_say("the verifier \"%s\" said %s of a canary that nobody had revoked, so nothing can be shown: %s",
		kind->name, value ? value->name + strlen("VERIFY_CODE_") : "a number that is no verdict",
		is_elsewhere ? "its store is another: give as --data the data directory of the daemon at --url"
			     : "give a keyspace whose keys are VALID wherever and however often they are used");
	return LK_EXIT_REFUSED;
}

/* The first verifier whose flag is not set yet; NULL: there is none. */
static const struct verifier *missing(const struct lk_hammer *hammer, const _Atomic bool *flags)
{
	for (size_t i = 0; i < hammer->n_verifiers; i++) {
		if (!atomic_load(&flags[i])) {
			return &hammer->verifiers[i];
		}
	}
	return NULL;
}

static enum lk_exit say_missing(const struct lk_hammer *hammer, const struct verifier *verifier,
	const struct lk_canary *canary, const char *when)
{
	lk_say("the verifier \"%s\" got no verdict on key %s %s within %u ms (%s), so nothing is shown: a longer "
	       "--timeout may help",
		verifier->kind->name, canary->id, when, (unsigned)hammer->canaries->timeout_ms,
		hammer->last_err == LK_OK ? "nothing went wrong" : lk_err_name(hammer->last_err));
	return LK_EXIT_UNREACHABLE;
}

/* Waits until all verifiers have set their flag. */
static enum lk_exit await(
	struct lk_hammer *hammer, const struct lk_canary *canary, const _Atomic bool *flags, const char *when)
{
	int64_t until_ns = lk_canary_now_ns() + (int64_t)hammer->canaries->timeout_ms * 1000000;
	const struct verifier *verifier;
	enum lk_exit code = LK_EXIT_OK;

	(void)pthread_mutex_lock(&hammer->lock);
	while (code == LK_EXIT_OK && !lk_stop_is_wanted()) {
		int64_t now_ns = lk_canary_now_ns(), next_ns = now_ns + LOOK_NS;
		struct timespec next = {.tv_sec = next_ns / 1000000000, .tv_nsec = next_ns % 1000000000};

		/* Also where all flags are set: a canary that is refused for another reason would hide a VALID. */
		if (hammer->err != LK_OK || hammer->wrong != LATCHKEY__V1__VERIFY_CODE__VERIFY_CODE_UNSPECIFIED) {
			code = say_fault(hammer);
		} else if (!(verifier = missing(hammer, flags))) {
			break;
		} else if (now_ns > until_ns) {
			code = say_missing(hammer, verifier, canary, when);
		} else {
			(void)pthread_cond_timedwait(&hammer->moved, &hammer->lock, &next);
		}
	}
	(void)pthread_mutex_unlock(&hammer->lock);
	return code;
}

enum lk_exit lk_hammer_await_known(struct lk_hammer *hammer, size_t index)
{
	const struct lk_canary *canary = &hammer->canaries->keys[index];

	atomic_store(&hammer->current, index);
	return await(hammer, canary, canary->is_known, "before it was revoked");
}

enum lk_exit lk_hammer_await_asked(struct lk_hammer *hammer, size_t index)
{
	const struct lk_canary *canary = &hammer->canaries->keys[index];

	return await(hammer, canary, canary->is_asked, "after it was revoked");
}

static uint64_t count_stale(const struct lk_hammer *hammer)
{
	uint64_t stale = 0;

	for (size_t i = 0; i < hammer->n_verifiers; i++) {
		stale += atomic_load(&hammer->verifiers[i].stale);
	}
	return stale;
}

static enum lk_exit sweep_once(struct lk_hammer *hammer)
{
	struct lk_canaries *canaries = hammer->canaries;
	enum lk_exit code = LK_EXIT_OK;

	for (size_t i = 0; i < canaries->n; i++) {
		for (size_t j = 0; j < hammer->n_verifiers; j++) {
			atomic_store(&canaries->keys[i].is_asked[j], false);
		}
	}
	for (size_t i = 0; code == LK_EXIT_OK && i < canaries->n && !lk_stop_is_wanted(); i++) {
		code = lk_hammer_await_asked(hammer, i);
	}
	return code;
}

enum lk_exit lk_hammer_sweep(struct lk_hammer *hammer)
{
	int64_t until_ns = lk_canary_now_ns() + (int64_t)hammer->canaries->timeout_ms * 1000000;
	uint64_t before;
	enum lk_exit code;

	do {
		before = count_stale(hammer);
		code = sweep_once(hammer);
	} while (code == LK_EXIT_OK && !lk_stop_is_wanted() && count_stale(hammer) > before &&
		 lk_canary_now_ns() < until_ns);
	return code;
}
