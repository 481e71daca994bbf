/*
 * What a VALID verdict costs beside the verdict: no memory, no lock, no formatted text, and no system call but those by which nng
 * moves bytes and hands work to its threads.
 *
 * A daemon runs with call_counts.c preloaded; and, where strace(1) is there and may, under that.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <lmdb.h>

#include "client/envelope.h"
#include "tests/lib/call_counts.h"
#include "tests/lib/check.h"
#include "tests/lib/daemon.h"
#include "tests/lib/sp_raw.h"
#include "tests/lib/verbs.h"

/* Requests that a connection has under way at a time, and rounds of so many. */
#define BURST  32u
#define ROUNDS 100u

/* More than nng has threads on most machines: as many exchanges are made before anything is counted. */
#define EXCHANGES 48u

/* At once, and in all. */
#define CONNECTIONS     4
#define CONNECTIONS_MAX 64

extern char **environ;

/* A request's bytes: the envelope and its payload. */
struct request {
	uint8_t bytes[4096];
	size_t len;
};

/* One way in which verdicts are asked for. */
struct way {
	const char *name;
	const char *url;
	const struct request *request;
};

struct world {
	struct daemon daemon;
	char counts_path[96];
	struct call_counts *counts;
	/* A key with no rule, and one that has them all; and a root key that may ask for verdicts. */
	char plain[128];
	char ruled[128];
	char root[128];
	/* All that was opened: the end of a connection is work for the daemon, too, so that none ends before the last test does. */
	struct sp_raw raws[CONNECTIONS_MAX];
	size_t n_raws;
};

static void make_request(
	struct request *request, const struct lk_method *method, const void *message, const char *credential)
{
	struct lk_request_envelope envelope = {
		.method = {(const uint8_t *)method->name, strlen(method->name)},
		.timeout_ms = 60000,
		.credential = {(const uint8_t *)credential, strlen(credential)},
		.payload = {.len = protobuf_c_message_get_packed_size(message)},
	};
	size_t head_len = lk_envelope_request_size(&envelope);

	request->len = head_len + envelope.payload.len;
	CHECK(request->len <= sizeof request->bytes);
	(void)lk_envelope_request_pack(&envelope, request->bytes);
	(void)protobuf_c_message_pack(message, request->bytes + head_len);
}

static void make_verify(struct request *request, const char *token, const char *expression, const char *credential)
{
	Latchkey__V1__VerifyKeyRequest question = LATCHKEY__V1__VERIFY_KEY_REQUEST__INIT;

	question.token = TEXT(token);
	question.tenant = TEXT("acme");
	question.permission_expression = TEXT(expression);
	question.client_ip = TEXT("2001:db8::4711");
	make_request(request, &latchkey_v1_key_verify_method, &question, credential);
}

static void make_create(struct request *request)
{
	Latchkey__V1__CreateKeyRequest create = LATCHKEY__V1__CREATE_KEY_REQUEST__INIT;

	create.tenant = TEXT("acme");
	create.keyspace = TEXT("prod");
	make_request(request, &latchkey_v1_key_create_method, &create, "");
}

static void send_request(struct sp_raw raw, uint32_t id, const struct request *request)
{
	CHECK(sp_raw_send(raw, id, request->bytes, request->len));
}

/* The code of the next answer, and its payload's bytes. */
static uint32_t receive(struct sp_raw raw, uint8_t out[static 8192], struct lk_response_envelope *ret_response)
{
	uint32_t id = 0;
	ssize_t len = sp_raw_receive(raw, &id, out, 8192);

	CHECK(len >= 0 && lk_envelope_scan_response(out, (size_t)len, ret_response) == LK_OK);
	return ret_response->code;
}

static void receive_valid(struct sp_raw raw)
{
	struct lk_response_envelope response = {0};
	uint8_t bytes[8192];

	CHECK(receive(raw, bytes, &response) == 0);
	Latchkey__V1__VerifyKeyResponse *verdict = latchkey__v1__verify_key_response__unpack(
		NULL, response.payload.len, response.payload.data);
	CHECK(verdict != NULL && verdict->valid && verdict->code == VERDICT(VALID));
	latchkey__v1__verify_key_response__free_unpacked(verdict, NULL);
}

static void keep_token(char out[static 128], const Latchkey__V1__CreateKeyResponse *made)
{
	CHECK(made != NULL && strlen(made->token) < 128);
	(void)snprintf(out, 128, "%s", made->token);
}

/* Everything that a verdict has to weigh, and enough of it. */
static void make_keys(struct world *world)
{
	static const char *const permissions[] = {"documents:read", "documents:write:*"};
	static const char *const roles[] = {"editor"};
	static const char *const cidrs[] = {"10.0.0.0/8", "2001:db8::/32"};
	char *held[] = {TEXT("reports:*")};
	Latchkey__V1__RateLimit second = LATCHKEY__V1__RATE_LIMIT__INIT;
	Latchkey__V1__RateLimit day = LATCHKEY__V1__RATE_LIMIT__INIT;
	Latchkey__V1__RateLimit *limits[] = {&second, &day};
	Latchkey__V1__Credits credits = LATCHKEY__V1__CREDITS__INIT;
	Google__Protobuf__Duration a_second = duration_of(US_PER_SECOND);
	Google__Protobuf__Duration a_day = duration_of(US_PER_DAY);
	struct new_key plain = {.tenant = "acme", .keyspace = "prod", .name = "plain"};
	struct new_key ruled = {
		.tenant = "acme",
		.keyspace = "prod",
		.name = "ruled",
		.ttl_us = US_PER_DAY,
		.permissions = permissions,
		.n_permissions = 2,
		.roles = roles,
		.n_roles = 1,
		.allowed_cidrs = cidrs,
		.n_allowed_cidrs = 2,
		.rate_limits = limits,
		.n_rate_limits = 2,
		.credits = &credits,
	};
	Latchkey__V1__KeyPolicy policy = LATCHKEY__V1__KEY_POLICY__INIT;
	Latchkey__V1__CreateRoleRequest role = LATCHKEY__V1__CREATE_ROLE_REQUEST__INIT;
	struct caller caller = {0};

	policy.token_prefix = TEXT("sk-");
	second.name = TEXT("second");
	second.limit = 1000000;
	second.period = &a_second;
	day.name = TEXT("day");
	day.limit = 1000000000;
	day.period = &a_day;
	credits.balance = UINT64_C(1000000000000);
	caller_open(&caller, world->daemon.url, NULL);
	CHECK(say_create_tenant(&caller, "acme") != NULL);
	CHECK(say_create_keyspace(&caller, "acme", "prod", &policy) != NULL);
	role.tenant = TEXT("acme");
	role.role = TEXT("editor");
	role.permissions = held;
	role.n_permissions = 1;
	CHECK(caller_ask(&caller, &latchkey_v1_role_create_method, &role) != NULL);
	keep_token(world->plain, say_create(&caller, &plain));
	keep_token(world->ruled, say_create(&caller, &ruled));
	keep_token(world->root, say_create_root_key(&caller, "root", (const char *const[]){"keys.verify", NULL},
					(const char *const[]){"acme", NULL}));
	caller_close(&caller);
}

static void map_counts(struct world *world)
{
	(void)snprintf(world->counts_path, sizeof world->counts_path, "%s/counts", world->daemon.root);
	int file = open(world->counts_path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	CHECK(file >= 0 && ftruncate(file, sizeof *world->counts) == 0);
	void *mapped = mmap(NULL, sizeof *world->counts, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	CHECK(mapped != MAP_FAILED);
	close(file);
	world->counts = mapped;
}

static struct sp_raw connect_to(struct world *world, const char *url)
{
	struct sp_raw raw = sp_raw_open(url);

	CHECK(raw.fd >= 0 && world->n_raws < CONNECTIONS_MAX);
	world->raws[world->n_raws++] = raw;
	return raw;
}

/*
 * An exchange is made when one more is needed at a time, and never again. So many changes are under way at once, since nobody
 * can write: it is they that the exchanges are made for.
 */
static void make_exchanges(struct world *world)
{
	struct lk_response_envelope response = {0};
	struct request create = {.len = 0};
	struct request verify = {.len = 0};
	struct sp_raw raw = connect_to(world, world->daemon.url);
	uint8_t bytes[8192];
	MDB_env *env = NULL;
	MDB_txn *held = NULL;

	make_create(&create);
	make_verify(&verify, world->plain, "", "");
	CHECK(mdb_env_create(&env) == 0 && mdb_env_set_maxreaders(env, 4096) == 0);
	CHECK(mdb_env_open(env, world->daemon.data, MDB_NOTLS, 0640) == 0);
	CHECK(mdb_txn_begin(env, NULL, 0, &held) == 0);
	for (uint32_t i = 0; i < EXCHANGES; i++) {
		send_request(raw, i, &create);
	}
	/* Requests of a connection are taken one after another: when this is answered, those are parked. */
	send_request(raw, EXCHANGES, &verify);
	receive_valid(raw);
	mdb_txn_abort(held);
	for (uint32_t i = 0; i < EXCHANGES; i++) {
		CHECK(receive(raw, bytes, &response) == 0);
	}
	/* What is sent next shows that all those are sent, and their replies freed. */
	send_request(raw, EXCHANGES, &verify);
	receive_valid(raw);
	mdb_env_close(env);
}

static int set_up(void **state)
{
	static const char *const listen[] = {
		"--listen",
		"ipc://",
		"--listen",
		"tcp://127.0.0.1:0",
		NULL,
	};
	const char *arguments[5];
	const char *preload = getenv("CALL_COUNTS");
	struct world *world = calloc(1, sizeof *world);

	*state = world;
	if (world == NULL) {
		return -1;
	}
	CHECK_MSG(preload != NULL, "set CALL_COUNTS to the path of what is preloaded");
	daemon_start(&world->daemon);
	make_keys(world);
	daemon_stop(&world->daemon);
	map_counts(world);
	memcpy(arguments, listen, sizeof listen);
	arguments[1] = world->daemon.url;
	CHECK(setenv(CALL_COUNTS_VARIABLE, world->counts_path, 1) == 0 && setenv("LD_PRELOAD", preload, 1) == 0);
	daemon_restart(&world->daemon, arguments);
	CHECK(unsetenv("LD_PRELOAD") == 0);
	CHECK(atomic_load(&world->counts->ready) > 0);
	make_exchanges(world);
	return 0;
}

static int tear_down(void **state)
{
	struct world *world = *state;

	for (size_t i = 0; i < world->n_raws; i++) {
		sp_raw_close(world->raws[i]);
	}
	daemon_remove(&world->daemon);
	(void)munmap(world->counts, sizeof *world->counts);
	free(world);
	return 0;
}

/* So many requests at a time on each connection, which are written one after another and read when all are written. */
static void ask(const struct sp_raw *raws, size_t n_raws, const struct request *request, unsigned rounds)
{
	for (unsigned round = 0; round < rounds; round++) {
		unsigned burst = round % 2 == 0 ? BURST : 1;
		for (uint32_t i = 0; i < burst; i++) {
			for (size_t j = 0; j < n_raws; j++) {
				send_request(raws[j], i, request);
			}
		}
		for (uint32_t i = 0; i < burst; i++) {
			for (size_t j = 0; j < n_raws; j++) {
				receive_valid(raws[j]);
			}
		}
	}
}

struct counted {
	unsigned long calls[CALL_KINDS];
};

static struct counted counted_in(struct world *world)
{
	struct counted counted = {{0}};

	for (size_t i = 0; i < CALL_KINDS; i++) {
		counted.calls[i] = atomic_load(&world->counts->calls[i]);
	}
	return counted;
}

static void assert_nothing_counted(struct world *world, const struct way *way, size_t n_raws)
{
	static const char *const kinds[CALL_KINDS] = {
		[CALL_MEMORY] = "memory", [CALL_LOCK] = "locks", [CALL_PRINT] = "formatted text"};
	struct sp_raw raws[CONNECTIONS];

	for (size_t i = 0; i < n_raws; i++) {
		raws[i] = connect_to(world, way->url);
	}
	/* The first of a kind compiles its expression, and is the first on its connections. */
	ask(raws, n_raws, way->request, 1);
	struct counted before = counted_in(world);
	ask(raws, n_raws, way->request, ROUNDS);
	struct counted after = counted_in(world);
	for (size_t i = 0; i < CALL_KINDS; i++) {
		if (after.calls[i] != before.calls[i]) {
			fail_msg("%s, %zu connections: %lu calls for %s", way->name, n_raws,
				after.calls[i] - before.calls[i], kinds[i]);
		}
	}
}

#define EXPRESSION "documents:read AND (admin OR documents:write:drafts) AND reports:yearly"

static void test_quiet_verdict_takes_no_memory_no_lock_and_prints_nothing(void **state)
{
	struct world *world = *state;
	struct request plain_by_uid = {.len = 0};
	struct request plain_by_key = {.len = 0};
	struct request ruled_by_uid = {.len = 0};
	struct request ruled_by_key = {.len = 0};
	const struct way ways[] = {
		{"plain, ipc, by uid", world->daemon.url, &plain_by_uid},
		{"plain, ipc, by root key", world->daemon.url, &plain_by_key},
		{"plain, tcp, by root key", world->daemon.tcp, &plain_by_key},
		{"all rules, ipc, by uid", world->daemon.url, &ruled_by_uid},
		{"all rules, ipc, by root key", world->daemon.url, &ruled_by_key},
		{"all rules, tcp, by root key", world->daemon.tcp, &ruled_by_key},
	};

	make_verify(&plain_by_uid, world->plain, "", "");
	make_verify(&plain_by_key, world->plain, "", world->root);
	make_verify(&ruled_by_uid, world->ruled, EXPRESSION, "");
	make_verify(&ruled_by_key, world->ruled, EXPRESSION, world->root);
	for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
		assert_nothing_counted(world, &ways[i], 1);
	}
	/* Several at once; an exchange compiles an expression once for itself, so that these ask for none. */
	for (size_t i = 0; i < 3; i++) {
		assert_nothing_counted(world, &ways[i], CONNECTIONS);
	}
}

static void ask_once(struct world *world, const struct request *request, uint32_t code)
{
	struct lk_response_envelope response = {0};
	struct sp_raw raw = connect_to(world, world->daemon.url);
	uint8_t bytes[8192];

	send_request(raw, 1, request);
	assert_int_equal(receive(raw, bytes, &response), code);
}

/* Without this, the test above might count nothing because nothing is counted. */
static void test_quiet_other_calls_are_counted(void **state)
{
	struct world *world = *state;
	struct request request = {.len = 0};
	struct counted before = counted_in(world);

	make_create(&request);
	ask_once(world, &request, 0);
	struct counted created = counted_in(world);
	assert_true(created.calls[CALL_LOCK] > before.calls[CALL_LOCK]);
	make_verify(&request, world->ruled, "documents:read OR (never:asked:before)", "");
	ask_once(world, &request, 0);
	struct counted compiled = counted_in(world);
	assert_true(compiled.calls[CALL_MEMORY] > created.calls[CALL_MEMORY]);
	make_verify(&request, world->ruled, "documents:read OR", "");
	ask_once(world, &request, lk_err_wire_code(LK_INVALID_ARGUMENT));
	struct counted refused = counted_in(world);
	assert_true(refused.calls[CALL_PRINT] > compiled.calls[CALL_PRINT]);
}

/* strace(1), attached to the daemon. */
struct trace {
	pid_t pid;
	char path[96];
	FILE *words;
};

/* False where it is not there, or may not: with the reason on standard error. */
static bool begin_trace(struct world *world, struct trace *trace)
{
	char daemon[16];
	char line[512] = "there is none";
	char *const arguments[] = {TEXT("strace"), TEXT("-f"), TEXT("-o"), trace->path, TEXT("-p"), daemon, NULL};
	posix_spawn_file_actions_t actions;
	int words[2] = {-1, -1};
	bool attached = false;

	(void)snprintf(trace->path, sizeof trace->path, "%s/trace", world->daemon.root);
	(void)snprintf(daemon, sizeof daemon, "%d", (int)world->daemon.pid);
	CHECK(pipe2(words, O_CLOEXEC) == 0 && posix_spawn_file_actions_init(&actions) == 0);
	CHECK(posix_spawn_file_actions_adddup2(&actions, words[1], STDERR_FILENO) == 0);
	bool there = posix_spawnp(&trace->pid, "strace", &actions, NULL, arguments, environ) == 0;
	posix_spawn_file_actions_destroy(&actions);
	close(words[1]);
	trace->words = fdopen(words[0], "r");
	CHECK(trace->words != NULL);
	while (there && !attached && fgets(line, sizeof line, trace->words) != NULL) {
		attached = strstr(line, " attached") != NULL;
	}
	if (!attached) {
		print_message("no strace: %s\n", line);
		CHECK(fclose(trace->words) == 0);
		if (there) {
			(void)waitpid(trace->pid, NULL, 0);
		}
	}
	return attached;
}

static void end_trace(struct trace *trace)
{
	char line[512];

	CHECK(kill(trace->pid, SIGINT) == 0);
	/* It says of each thread that it lets go of it. */
	while (fgets(line, sizeof line, trace->words) != NULL) {
		continue;
	}
	CHECK(fclose(trace->words) == 0);
	CHECK(waitpid(trace->pid, NULL, 0) == trace->pid);
}

static bool is_nngs(const struct world *world, const char *thread)
{
	char path[64];
	char name[32] = "";

	(void)snprintf(path, sizeof path, "/proc/%d/task/%s/comm", (int)world->daemon.pid, thread);
	FILE *file = fopen(path, "r");
	if (file == NULL) {
		return false;
	}
	bool read = fgets(name, sizeof name, file) != NULL;
	CHECK(fclose(file) == 0);
	return read && strncmp(name, "nng:", 4) == 0;
}

/* Whether one of nng's threads made a system call that is not in `known`, or the one that is `sought`; which, in `ret_call`. */
static bool find_call(const struct world *world, const struct trace *trace, const char *known, const char *sought,
	char ret_call[static 64])
{
	char line[4096];
	char thread[16];
	FILE *file = fopen(trace->path, "r");
	unsigned seen = 0;
	bool found = false;

	CHECK(file != NULL);
	while (!found && fgets(line, sizeof line, file) != NULL) {
		char quoted[66];
		/* "4711  futex(...": what is no call, such as a signal, has no parenthesis behind its first word. */
		if (sscanf(line, "%15[0-9] %63[a-z0-9_](", thread, ret_call) != 2 || !is_nngs(world, thread)) {
			continue;
		}
		seen++;
		(void)snprintf(quoted, sizeof quoted, " %s ", ret_call);
		found = sought != NULL ? strcmp(ret_call, sought) == 0 : strstr(known, quoted) == NULL;
	}
	CHECK(fclose(file) == 0);
	CHECK_MSG(seen > 0, "strace saw none of nng's threads");
	return found;
}

/* What nng 1.5.2 does to move bytes, to wait for more, and to wake its threads; and what strace makes of a call it stopped. */
#define NNGS_CALLS " readv sendmsg epoll_wait epoll_ctl futex restart_syscall "

static void test_quiet_verdict_makes_no_system_call_but_nngs(void **state)
{
	struct world *world = *state;
	struct request plain = {.len = 0};
	struct request ruled = {.len = 0};
	struct sp_raw ipc = connect_to(world, world->daemon.url);
	struct sp_raw tcp = connect_to(world, world->daemon.tcp);
	struct trace trace = {0};
	char call[64] = "";

	make_verify(&plain, world->plain, "", "");
	make_verify(&ruled, world->ruled, EXPRESSION, world->root);
	ask(&ipc, 1, &plain, 1);
	ask(&tcp, 1, &ruled, 1);
	if (!begin_trace(world, &trace)) {
		skip();
	}
	ask(&ipc, 1, &plain, ROUNDS / 10);
	ask(&ipc, 1, &ruled, ROUNDS / 10);
	ask(&tcp, 1, &ruled, ROUNDS / 10);
	end_trace(&trace);
	if (find_call(world, &trace, NNGS_CALLS, NULL, call)) {
		fail_msg("a verdict calls %s()", call);
	}
	/* And it would be seen: a new connection is accepted by a call that is none of those. */
	CHECK(begin_trace(world, &trace));
	ask_once(world, &plain, 0);
	end_trace(&trace);
	assert_true(find_call(world, &trace, NNGS_CALLS, "accept", call));
}

#define TEST(name) cmocka_unit_test(name)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_quiet_verdict_takes_no_memory_no_lock_and_prints_nothing),
		TEST(test_quiet_other_calls_are_counted),
		TEST(test_quiet_verdict_makes_no_system_call_but_nngs),
	};

	return cmocka_run_group_tests_name("quiet", tests, set_up, tear_down);
}
