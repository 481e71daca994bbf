/*
 * A verdict's record out of PostgreSQL: one prepared SELECT by the keyed BLAKE2b of the token, and nothing else.
 *
 *	bench_select load DIR TOKENS				makes the table by COPY; prints {"keys", "seconds"}
 *	bench_select drive DIR TOKENS CALLERS SECONDS RATE
 *
 * DIR: where the server has its socket. CALLERS: connections, each with one SELECT under way at a time. RATE: verdicts a second,
 * an open loop; 0: a closed one. The table's columns are those that a verdict needs, the identity with as many bytes as Verify's
 * reply has; parameters and results are binary. The client (libpq) digests the token, compares state and times with the clock,
 * and looks at the identity's length.
 *
 * Beside Verify it lacks: any count of uses (an UPDATE and a commit), keyspaces and tenants that can be closed, permissions,
 * addresses, rate limits and credits.
 */
#include <endian.h>
#include <libpq-fe.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/bench/connections.h"
#include "tests/bench/figures.h"
#include "tests/bench/pace.h"
#include "tests/lib/check.h"

#define DIGEST_LEN 32
/* Of a key that bench_load makes: what Verify's reply holds of it. */
#define IDENTITY_LEN 104

static const char table[] =
	"CREATE TABLE verdict (digest bytea NOT NULL, state smallint NOT NULL, expire_us bigint NOT NULL, "
	"not_before_us bigint NOT NULL, identity bytea NOT NULL)";
/* The index is made, and the pages are marked visible to all, once the rows are there; then all is read into the buffers. */
static const char *const finish[] = {"ALTER TABLE verdict ADD PRIMARY KEY (digest)", "VACUUM (ANALYZE, FREEZE) verdict",
	"CHECKPOINT", "CREATE EXTENSION pg_prewarm",
	"DO $$ BEGIN PERFORM pg_prewarm('verdict'); PERFORM pg_prewarm('verdict_pkey'); END $$"};
static const char query[] = "SELECT state, expire_us, not_before_us, identity FROM verdict WHERE digest = $1";

enum column {
	STATE,
	EXPIRE,
	NOT_BEFORE,
	IDENTITY,
	COLUMNS
};

struct caller {
	PGconn *postgres;
	const struct lk_tokens *tokens;
	size_t cursor;
};

static void digest_of(const char *token, uint8_t ret_digest[static DIGEST_LEN])
{
	static const uint8_t key[DIGEST_LEN] = "a key as verify.key, for a bench";

	(void)crypto_generichash_blake2b(
		ret_digest, DIGEST_LEN, (const unsigned char *)token, strlen(token), key, sizeof key);
}

static PGconn *connect_to(const char *dir)
{
	static const char *const names[] = {"host", "user", "dbname", NULL};
	const char *values[] = {dir, "bench", "postgres", NULL};
	PGconn *postgres = PQconnectdbParams(names, values, 0);

	CHECK_MSG(PQstatus(postgres) == CONNECTION_OK, PQerrorMessage(postgres));
	return postgres;
}

static void command(PGconn *postgres, const char *text)
{
	PGresult *result = PQexec(postgres, text);

	CHECK_MSG(PQresultStatus(result) == PGRES_COMMAND_OK, PQerrorMessage(postgres));
	PQclear(result);
}

static void copy_row(PGconn *postgres, const char *token)
{
	uint8_t digest[DIGEST_LEN];
	uint8_t identity[IDENTITY_LEN];
	char digest_hex[2 * DIGEST_LEN + 1] = "";
	char identity_hex[2 * IDENTITY_LEN + 1] = "";
	char row[sizeof digest_hex + sizeof identity_hex + 64] = "";

	digest_of(token, digest);
	memset(identity, 'i', sizeof identity);
	(void)sodium_bin2hex(digest_hex, sizeof digest_hex, digest, sizeof digest);
	(void)sodium_bin2hex(identity_hex, sizeof identity_hex, identity, sizeof identity);
	int len = snprintf(row, sizeof row, "\\\\x%s\t1\t%lld\t0\t\\\\x%s\n", digest_hex,
		((long long)time(NULL) + 365 * 86400) * 1000000, identity_hex);
	CHECK_MSG(PQputCopyData(postgres, row, len) == 1, PQerrorMessage(postgres));
}

static void load(const char *dir, const struct lk_tokens *tokens)
{
	PGconn *postgres = connect_to(dir);
	int64_t started_ns = lk_pace_clock_ns();

	command(postgres, table);
	PGresult *result = PQexec(postgres, "COPY verdict FROM STDIN");
	CHECK_MSG(PQresultStatus(result) == PGRES_COPY_IN, PQerrorMessage(postgres));
	PQclear(result);
	for (size_t i = 0; i < tokens->count; i++) {
		copy_row(postgres, tokens->at[i]);
	}
	CHECK_MSG(PQputCopyEnd(postgres, NULL) == 1, PQerrorMessage(postgres));
	for (result = PQgetResult(postgres); result != NULL; result = PQgetResult(postgres)) {
		CHECK_MSG(PQresultStatus(result) == PGRES_COMMAND_OK, PQerrorMessage(postgres));
		PQclear(result);
	}
	for (size_t i = 0; i < sizeof finish / sizeof finish[0]; i++) {
		command(postgres, finish[i]);
	}
	(void)printf(
		"{\"keys\": %zu, \"seconds\": %.3f}\n", tokens->count, (double)(lk_pace_clock_ns() - started_ns) / 1e9);
	PQfinish(postgres);
}

static int fd_of(void *connection)
{
	return PQsocket(((struct caller *)connection)->postgres);
}

static void ask(void *connection)
{
	static const int lengths[] = {DIGEST_LEN};
	static const int formats[] = {1};
	struct caller *caller = connection;
	uint8_t digest[DIGEST_LEN];

	digest_of(lk_tokens_next(caller->tokens, &caller->cursor), digest);
	const char *values[] = {(const char *)digest};
	CHECK_MSG(PQsendQueryPrepared(caller->postgres, "verdict", 1, values, lengths, formats, 1) == 1,
		PQerrorMessage(caller->postgres));
}

static int64_t big_endian(const PGresult *result, enum column column)
{
	uint64_t number = 0;

	memcpy(&number, PQgetvalue(result, 0, (int)column), sizeof number);
	return (int64_t)be64toh(number);
}

static bool is_valid(const PGresult *result)
{
	struct timespec now = {0};

	if (PQresultStatus(result) != PGRES_TUPLES_OK || PQntuples(result) != 1 || PQnfields(result) != COLUMNS) {
		return false;
	}
	(void)clock_gettime(CLOCK_REALTIME, &now);
	int64_t now_us = (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
	return memcmp(PQgetvalue(result, 0, STATE), "\0\1", 2) == 0 && big_endian(result, EXPIRE) > now_us &&
	       big_endian(result, NOT_BEFORE) <= now_us && PQgetlength(result, 0, IDENTITY) == IDENTITY_LEN;
}

static bool answer(void *connection, bool block)
{
	struct caller *caller = connection;

	if (!block) {
		CHECK_MSG(PQconsumeInput(caller->postgres) == 1, PQerrorMessage(caller->postgres));
		if (PQisBusy(caller->postgres)) {
			return false;
		}
	}
	PGresult *result = PQgetResult(caller->postgres);
	CHECK_MSG(is_valid(result), PQerrorMessage(caller->postgres));
	PQclear(result);
	/* The end of the answer came with it. */
	CHECK(PQgetResult(caller->postgres) == NULL);
	return true;
}

static void prepare(PGconn *postgres)
{
	/* No planning by the value, which would only cost. */
	command(postgres, "SET plan_cache_mode = force_generic_plan");
	PGresult *result = PQprepare(postgres, "verdict", query, 1, NULL);
	CHECK_MSG(PQresultStatus(result) == PGRES_COMMAND_OK, PQerrorMessage(postgres));
	PQclear(result);
}

static void drive(char **argv, const struct lk_tokens *tokens)
{
	struct lk_histogram *latencies = lk_histogram_new();
	struct lk_figures figures = {0};
	static const struct lk_connection_kind kind = {.fd = fd_of, .ask = ask, .answer = answer, .weight = 1};
	struct lk_connection_run run = {
		.count = lk_option_number("CALLERS", argv[4], 1),
		.length_ns = lk_option_seconds("SECONDS", argv[5]),
		.rate = lk_option_number("RATE", argv[6], 0),
	};
	struct caller *callers = calloc(run.count, sizeof *callers);
	run.connections = calloc(run.count, sizeof *run.connections);
	CHECK(callers != NULL && run.connections != NULL);
	for (size_t i = 0; i < run.count; i++) {
		callers[i].postgres = connect_to(argv[2]);
		callers[i].tokens = tokens;
		callers[i].cursor = lk_tokens_begin(tokens, i, run.count);
		prepare(callers[i].postgres);
		run.connections[i] = &callers[i];
	}
	lk_connections_run(&kind, &run, &figures, latencies);
	lk_figures_print(&figures, latencies, "");
	lk_histogram_free(latencies);
	for (size_t i = 0; i < run.count; i++) {
		PQfinish(callers[i].postgres);
	}
	free(run.connections);
	free(callers);
}

int main(int argc, char **argv)
{
	struct lk_tokens tokens = {0};
	bool loads = argc == 4 && strcmp(argv[1], "load") == 0;

	CHECK_MSG(loads || (argc == 7 && strcmp(argv[1], "drive") == 0),
		"bench_select load DIR TOKENS | drive DIR TOKENS CALLERS SECONDS RATE");
	CHECK(sodium_init() >= 0);
	lk_tokens_read(&tokens, argv[3]);
	if (loads) {
		load(argv[2], &tokens);
	} else {
		drive(argv, &tokens);
	}
	lk_tokens_done(&tokens);
	return fflush(stdout) == 0 ? 0 : 1;
}
