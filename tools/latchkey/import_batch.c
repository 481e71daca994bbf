#include "tools/latchkey/import_batch.h"

#include <stdlib.h>
#include <string.h>

#include "client/varint.h"
#include "latchkey/v1/key.pb-c.h"

/* ImportKeysRequest.keys */
#define KEYS_FIELD 3

bool lk_batch_has_room(const struct lk_batch *batch, size_t others_len, size_t len)
{
	size_t wire_len = lk_varint_tag_size(KEYS_FIELD) + lk_varint_size(len) + len;

	return batch->n_keys < LK_BATCH_KEYS_MAX && others_len + batch->request.len + wire_len <= LK_BATCH_BYTES_MAX;
}

void lk_batch_add(struct lk_batch *batch, const struct lk_import_line *key, size_t line)
{
	uint8_t tag[2 * LK_VARINT_MAX];
	size_t before = batch->request.len;
	uint8_t *end = lk_varint_put(lk_varint_put_tag(tag, KEYS_FIELD, LK_WIRE_BYTES), key->len);

	lk_bytes_append(&batch->request, tag, (size_t)(end - tag));
	lk_bytes_append(&batch->request, key->data, key->len);
	batch->lines[batch->n_keys] = line;
	batch->lens[batch->n_keys] = batch->request.len - before;
	batch->n_keys++;
}

enum lk_err lk_batch_send(struct lk_batch *batch, const uint8_t *others, size_t others_len)
{
	lk_bytes_append(&batch->request, others, others_len);
	if (batch->request.failed) {
		return LK_NO_MEMORY;
	}
	lk_lane_send(batch->lane, batch->request.data, batch->request.len);
	return LK_OK;
}

void lk_batch_done(struct lk_batch *batch)
{
	lk_bytes_done(&batch->request);
	batch->n_keys = 0;
}

/* "keys[17].name" -> 17, and "name". False: it is about something else. */
static bool read_index(const struct lk_batch *batch, const char *field, size_t *ret_index, const char **ret_field)
{
	static const char prefix[] = "keys[";
	char *end;

	if (strncmp(field, prefix, strlen(prefix)) != 0) {
		return false;
	}
	*ret_index = strtoul(field + strlen(prefix), &end, 10);
	if (*end != ']' || *ret_index >= batch->n_keys) {
		return false;
	}
	*ret_field = end[1] == '.' ? end + 2 : end + 1;
	return true;
}

static void say_fault(const struct lk_batch *batch, size_t index, const char *field, const char *description)
{
	lk_say_line("line %zu: %s%s%s", batch->lines[index], field, *field == '\0' ? "" : ": ", description);
}

/* Takes the keys that are marked out of the request. */
static void drop(struct lk_batch *batch, const bool is_dropped[static LK_BATCH_KEYS_MAX])
{
	uint8_t *from = batch->request.data, *to = from;
	uint8_t *end = from + batch->request.len;
	size_t kept = 0;

	for (size_t i = 0; i < batch->n_keys; i++) {
		size_t len = batch->lens[i];

		if (!is_dropped[i]) {
			memmove(to, from, len);
			to += len;
			batch->lines[kept] = batch->lines[i];
			batch->lens[kept++] = len;
		}
		from += len;
	}
	memmove(to, from, (size_t)(end - from));
	batch->request.len -= (size_t)(from - to);
	batch->n_keys = kept;
}

/*
 * Tells what the daemon found of single keys when it refused the batch as a whole, and takes those out of it. 0: it was not for
 * the sake of single keys.
 */
static size_t tell_violations(struct lk_batch *batch, const struct lk_call *call)
{
	bool is_dropped[LK_BATCH_KEYS_MAX] = {false};
	size_t index = 0, n_dropped = 0;
	const char *field = "";

	if (call->n_violations == 0 || !read_index(batch, call->violations[0].field, &index, &field)) {
		return 0;
	}
	for (size_t i = 0; i < call->n_violations; i++) {
		const struct lk_violation *violation = &call->violations[i];

		if (!read_index(batch, violation->field, &index, &field)) {
			lk_say_line("%s%s%s", violation->field, *violation->field == '\0' ? "" : ": ",
				violation->description);
			continue;
		}
		say_fault(batch, index, field, violation->description);
		n_dropped += !is_dropped[index];
		is_dropped[index] = true;
	}
	drop(batch, is_dropped);
	return n_dropped;
}

/* Whether the fault says that a key of the same secret is there. */
static bool is_existing(const Latchkey__V1__ImportFault *fault)
{
	static const char *const secrets[] = {"token", "sha256", "blake2b", "blake2b_of_sha256"};

	for (size_t i = 0; fault->duplicate && i < sizeof(secrets) / sizeof(secrets[0]); i++) {
		if (strcmp(fault->field, secrets[i]) == 0) {
			return true;
		}
	}
	return false;
}

/* Tells the faults of the keys that were left out, and counts those keys. The faults of one key follow one another. */
static void tell_faults(const struct lk_batch *batch, const Latchkey__V1__ImportKeysResponse *response,
	const struct lk_batch_rules *rules, struct lk_progress *progress, struct lk_import_tally *tally)
{
	for (size_t i = 0, end = 0; i < response->n_faults; i = end) {
		uint32_t index = response->faults[i]->index;
		bool exists = false;

		for (; end < response->n_faults && response->faults[end]->index == index; end++) {
			exists = exists || is_existing(response->faults[end]);
		}
		if (index >= batch->n_keys) {
			continue;
		}
		if (exists && rules->skip_existing) {
			tally->existing++;
			continue;
		}
		tally->faulty++;
		lk_progress_hide(progress);
		for (size_t j = i; j < end; j++) {
			say_fault(batch, index, response->faults[j]->field, response->faults[j]->description);
		}
	}
}

static enum lk_exit take_answer(const struct lk_batch *batch, const uint8_t *answer, size_t len,
	const struct lk_batch_rules *rules, struct lk_progress *progress, struct lk_import_tally *tally)
{
	Latchkey__V1__ImportKeysResponse *response = latchkey__v1__import_keys_response__unpack(NULL, len, answer);

	if (!response) {
		lk_progress_hide(progress);
		lk_say("keys.import: an answer that cannot be read");
		return LK_EXIT_UNREACHABLE;
	}
	tally->imported += response->imported_count;
	tell_faults(batch, response, rules, progress, tally);
	latchkey__v1__import_keys_response__free_unpacked(response, NULL);
	return LK_EXIT_OK;
}

enum lk_exit lk_batch_finish(struct lk_batch *batch, const struct lk_schema_method *method,
	const struct lk_batch_rules *rules, struct lk_progress *progress, struct lk_import_tally *tally)
{
	enum lk_exit code = LK_EXIT_OK;

	while (batch->n_keys > 0) {
		const struct lk_call *call = NULL;
		const uint8_t *answer = NULL;
		size_t len = 0, n_faulty = 0;
		enum lk_err err = lk_lane_wait(batch->lane, &answer, &len, &call);

		if (err == LK_OK) {
			code = take_answer(batch, answer, len, rules, progress, tally);
			break;
		}
		lk_progress_hide(progress);
		n_faulty = err == LK_INVALID_ARGUMENT ? tell_violations(batch, call) : 0;
		tally->faulty += n_faulty;
		if (n_faulty == 0) {
			code = lk_session_refused(method, err, call);
			break;
		}
		if (!rules->skip_faulty) {
			code = LK_EXIT_REFUSED;
			break;
		}
		if (batch->n_keys > 0) {
			lk_lane_send(batch->lane, batch->request.data, batch->request.len);
		}
	}
	lk_batch_done(batch);
	return code;
}
