/* The audit chain against the model: every key's records lead from its creation to what it is now. */
#include <inttypes.h>
#include <string.h>

#include "latchkey/v1/audit.client.h"
#include "tests/lib/check.h"
#include "tests/model/model.h"

#define RECORDS_MAX 512

/* All records of a key, newest first. They may be of a key that is gone. */
static size_t list_records(struct world *world, const struct key *key, const Latchkey__V1__AuditRecord **ret_records)
{
	Latchkey__V1__ListAuditRecordsRequest request = LATCHKEY__V1__LIST_AUDIT_RECORDS_REQUEST__INIT;
	struct caller *caller = &world->clients[0].caller;
	size_t count = 0;

	request.key = TEXT(key->id);
	request.page_size = (int32_t)(1 + pick(world, 20));
	do {
		const Latchkey__V1__ListAuditRecordsResponse *page = caller_ask(
			caller, &latchkey_v1_audit_list_method, &request);
		if (page == NULL) {
			mismatch(world, "no audit records of %s: %s", key->id, caller->call.message);
		}
		for (size_t i = 0; i < page->n_records && count < RECORDS_MAX; i++) {
			ret_records[count++] = page->records[i];
		}
		request.page_token = page->next_page_token;
	} while (request.page_token[0] != '\0');
	return count;
}

void check_audit(struct world *world, size_t at)
{
	const struct key *key = &world->keys[at];
	const Latchkey__V1__AuditRecord *records[RECORDS_MAX];

	size_t count = list_records(world, key, records);
	if (count == 0 || records[count - 1]->key_before != NULL) {
		mismatch(world, "%s: its audit records do not begin with its creation", key->id);
	}
	if (strcmp(records[count - 1]->actor, key->created_by) != 0) {
		mismatch(world, "%s: made by \"%s\" says its audit record, not by \"%s\"", key->id,
			records[count - 1]->actor, key->created_by);
	}
	/* Each begins with what the one before it has left. */
	for (size_t i = 0; i + 1 < count; i++) {
		const Latchkey__V1__Key *before = records[i]->key_before;
		const Latchkey__V1__Key *left = records[i + 1]->key_after;
		if (before == NULL || left == NULL || strcmp(before->etag, left->etag) != 0 ||
			records[i]->number <= records[i + 1]->number) {
			mismatch(world, "%s: audit record %" PRIu64 " does not follow on %" PRIu64, key->id,
				records[i]->number, records[i + 1]->number);
		}
	}
	const Latchkey__V1__Key *last = records[0]->key_after;
	if (key->stored == STORED_GONE ? last != NULL : last == NULL && !is_gone(world, key)) {
		mismatch(world, "%s: audit record %" PRIu64 " is not its last", key->id, records[0]->number);
	}
	if (last != NULL && key->etag[0] != '\0' && strcmp(last->etag, key->etag) != 0) {
		mismatch(world, "%s: stands at etag %s, and its last audit record at %s", key->id, key->etag,
			last->etag);
	}
}

void check_chain(struct world *world)
{
	Latchkey__V1__VerifyAuditChainRequest request = LATCHKEY__V1__VERIFY_AUDIT_CHAIN_REQUEST__INIT;
	struct caller *caller = &world->clients[0].caller;
	const Latchkey__V1__VerifyAuditChainResponse *part = NULL;

	do {
		part = caller_ask(caller, &latchkey_v1_audit_verify_chain_method, &request);
		if (part == NULL || part->broken_number != 0) {
			mismatch(world, "the audit chain is broken: %s",
				part == NULL ? caller->call.message : part->broken_description);
		}
		request.page_token = part->next_page_token;
	} while (part->next_page_token[0] != '\0');
	if (part->verified_number != part->head_number) {
		mismatch(world, "%" PRIu64 " of %" PRIu64 " audit records are proved", part->verified_number,
			part->head_number);
	}
}
