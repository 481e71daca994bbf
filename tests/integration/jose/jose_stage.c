#include "jose_stage.h"

#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <latchkey/error.h>

#include "tests/lib/check.h"

static const char method[] = "latchkey.v1.AdminService/WhoAmI";

void jose_stage_start(struct jose_stage *stage)
{
	memset(stage, 0, sizeof *stage);
	stage->connection.fd = -1;
	daemon_start(&stage->daemon);
	daemon_stop(&stage->daemon);
	free(jose_stage_await_log(stage, (const char *const[]){"msg=stopped", NULL}));
	jose_peer_start(&stage->peer);
}

static void hang_up(struct jose_stage *stage)
{
	if (stage->connection.fd >= 0) {
		sp_raw_close(stage->connection);
	}
	stage->connection.fd = -1;
}

void jose_stage_run(struct jose_stage *stage, const char *format, ...)
{
	char path[96] = "";
	const char *const arguments[] = {"--config", path, NULL};
	va_list args;

	hang_up(stage);
	if (stage->daemon.pid != 0) {
		daemon_stop(&stage->daemon);
	}
	(void)snprintf(path, sizeof path, "%s/config", stage->daemon.root);
	FILE *file = fopen(path, "we");
	CHECK(file != NULL);
	va_start(args, format);
	CHECK(vfprintf(file, format, args) > 0);
	va_end(args);
	CHECK(fclose(file) == 0);
	daemon_restart(&stage->daemon, arguments);
	stage->connection = sp_raw_open(stage->daemon.url);
	CHECK(stage->connection.fd >= 0);
}

void jose_stage_stop(struct jose_stage *stage)
{
	hang_up(stage);
	daemon_remove(&stage->daemon);
	jose_peer_stop(&stage->peer);
}

static void read_answer(struct jose_stage *stage, const uint8_t *answer, size_t len)
{
	struct lk_response_envelope response = {0};

	CHECK(lk_envelope_scan_response(answer, len, &response) == LK_OK);
	CHECK(response.message.len < sizeof stage->message && response.payload.len <= sizeof stage->payload);
	stage->code = response.code;
	stage->message[response.message.len] = '\0';
	if (response.message.len > 0) {
		memcpy(stage->message, response.message.data, response.message.len);
	}
	stage->payload_len = response.payload.len;
	if (response.payload.len > 0) {
		memcpy(stage->payload, response.payload.data, response.payload.len);
	}
}

uint32_t jose_stage_call(struct jose_stage *stage, const char *token)
{
	const struct lk_request_envelope request = {
		.method = {(const uint8_t *)method, strlen(method)},
		.timeout_ms = 30000,
		.credential = {(const uint8_t *)token, strlen(token)},
	};
	static uint8_t bytes[LK_ENVELOPE_CREDENTIAL_MAX + 256];
	static uint8_t answer[8192];
	uint32_t id = 0;

	CHECK(lk_envelope_request_size(&request) <= sizeof bytes);
	size_t len = lk_envelope_request_pack(&request, bytes);
	stage->last_id++;
	CHECK(sp_raw_send(stage->connection, stage->last_id, bytes, len));
	ssize_t got = sp_raw_receive(stage->connection, &id, answer, sizeof answer);
	CHECK(got >= 0 && id == stage->last_id);
	read_answer(stage, answer, (size_t)got);
	return stage->code;
}

uint32_t jose_stage_call_patiently(struct jose_stage *stage, const char *token)
{
	while (jose_stage_call(stage, token) == LK_UNAVAILABLE) {
		(void)sched_yield();
	}
	return stage->code;
}

static bool has_all(const char *line, const char *const *words)
{
	for (; *words != NULL; words++) {
		if (strstr(line, *words) == NULL) {
			return false;
		}
	}
	return true;
}

/* The log is written by a process of its own, a little later than the daemon says it. */
char *jose_stage_await_log(struct jose_stage *stage, const char *const *words)
{
	char *line = NULL;
	size_t size = 0;

	for (;;) {
		FILE *log = fopen(stage->daemon.log, "re");
		CHECK(log != NULL && fseek(log, (long)stage->log_at, SEEK_SET) == 0);
		ssize_t len = getline(&line, &size, log);
		CHECK(fclose(log) == 0);
		if (len <= 0 || line[len - 1] != '\n') {
			(void)sched_yield();
			continue;
		}
		stage->log_at += (size_t)len;
		if (has_all(line, words)) {
			return line;
		}
	}
}
