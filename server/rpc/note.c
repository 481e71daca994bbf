#include <string.h>

#include "client/varint.h"
#include "server/core/grant.h"
#include "server/rpc/job.h"

/* Verdicts are no management calls: what callers who may not ask for them are told is theirs to read. */
static const char verify[] = "keys.verify";

/* Copies a span as a text; leaves "" where it has no room. */
static void copy_text(struct lk_span span, char *ret_text, size_t size)
{
	if (span.len > 0 && span.len < size) {
		memcpy(ret_text, span.data, span.len);
		ret_text[span.len] = '\0';
	}
}

/* A trace context, and nothing else that somebody may have put in its place. */
static void copy_traceparent(struct lk_span span, char ret_text[static LK_REFUSAL_TRACEPARENT_LEN])
{
	copy_text(span, ret_text, LK_REFUSAL_TRACEPARENT_LEN);
	if (ret_text[strspn(ret_text, "0123456789abcdef-")] != '\0') {
		ret_text[0] = '\0';
	}
}

/*
 * The bytes field of this number in a message that nobody has checked; empty where there is none. Most calls are refused before
 * their payload is looked at.
 */
static struct lk_span find_field(struct lk_span message, uint32_t number)
{
	struct lk_span found = {0};
	const uint8_t *at = message.data;
	const uint8_t *end = message.len == 0 ? at : at + message.len;
	uint32_t field = 0;
	enum lk_wire_type type = LK_WIRE_VARINT;

	while (at != end && lk_varint_get_tag(&at, end, &field, &type)) {
		struct lk_span value = {0};
		if (type != LK_WIRE_BYTES) {
			if (!lk_varint_skip(&at, end, type)) {
				break;
			}
		} else if (!lk_varint_get_bytes(&at, end, &value.data, &value.len)) {
			break;
		} else if (field == number) {
			found = value;
		}
	}
	return found;
}

/* The tenant that a call names, or that is meant where it names none; "" where what it names cannot be one. */
static void copy_tenant(const struct lk_job *job, char ret_text[static LK_ID_MAX + 1])
{
	const Latchkey__Store__GrantRecord *grant = job->request.caller.grant;
	const ProtobufCFieldDescriptor *field = protobuf_c_message_descriptor_get_field_by_name(
		job->route->server->method->request, "tenant");

	if (field == NULL || field->type != PROTOBUF_C_TYPE_STRING || field->label == PROTOBUF_C_LABEL_REPEATED) {
		return;
	}
	struct lk_span named = find_field(job->envelope.payload, field->id);
	copy_text(named, ret_text, LK_ID_MAX + 1);
	if (named.len == 0 || strcmp(ret_text, LK_TENANT_ACTIVE) == 0) {
		const char *single = grant == NULL ? NULL : lk_grant_single_tenant(grant);
		single = single == NULL ? "" : single;
		copy_text((struct lk_span){(const uint8_t *)single, strlen(single)}, ret_text, LK_ID_MAX + 1);
		if (single[0] == '\0') {
			ret_text[0] = '\0';
		}
	} else if (!lk_text_is_id(ret_text)) {
		ret_text[0] = '\0';
	}
}

void lk_job_note_refusal(const struct lk_job *job, enum lk_err err)
{
	struct lk_refusal refusal = {.time_us = job->request.now_us, .code = err};
	const char *actor = job->request.caller.name;

	if (job->route == NULL || strcmp(job->route->server->method->access, verify) == 0) {
		return;
	}
	refusal.method = job->route->server->method->name;
	if (actor != NULL) {
		copy_text((struct lk_span){(const uint8_t *)actor, strlen(actor)}, refusal.actor, sizeof refusal.actor);
	}
	job->exchange->ops->peer_text(job->exchange, refusal.peer);
	copy_traceparent(job->envelope.traceparent, refusal.traceparent);
	copy_tenant(job, refusal.tenant);
	lk_refusals_note(job->refusals, &refusal, lk_job_clock_us());
}
