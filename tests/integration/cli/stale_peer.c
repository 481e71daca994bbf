/*
 * A peer between clients and a daemon that keeps verdicts, as a cache would: what a token was VALID for once, it goes on to say.
 *
 *	stale_peer OWN_SOCKET DAEMON_SOCKET COUNT
 *
 * After a Revoke has passed, each verdict that was kept until then is given COUNT times more; then the daemon is asked again. A thread
 * a connection, with one request at a time under way. Says "ready" when it listens, and goes on until it is killed.
 */
#include <endian.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "client/envelope.h"
#include "latchkey/v1/key.pb-c.h"
#include "tests/lib/check.h"
#include "tests/lib/sp_raw.h"

/* SP's greeting, and the head of a message over ipc: 01, and its length in 8 bytes. Then 4 bytes that name the request. */
#define GREETING_LEN 8
#define HEAD_LEN     9
#define ID_LEN       4
#define KEPT_MAX     1024
#define FOR_EVER     UINT32_MAX

/* A message, from its head on. */
struct message {
	uint8_t *data;
	size_t len;
};

struct kept {
	/* The request's payload, and the answer from behind its id on. */
	struct message question;
	struct message answer;
	/* How often it is given yet; FOR_EVER: until a Revoke. */
	uint32_t left;
};

static struct kept kept[KEPT_MAX];
static size_t n_kept;
static uint32_t count;
static const char *target;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static bool read_all(int fd, uint8_t *data, size_t len)
{
	while (len > 0) {
		ssize_t n = read(fd, data, len);
		if (n == 0 || (n < 0 && errno != EINTR)) {
			return false;
		}
		data += n < 0 ? 0 : n;
		len -= n < 0 ? 0 : (size_t)n;
	}
	return true;
}

/* Reads a message, to be freed; false where the connection ends. */
static bool read_message(int fd, struct message *ret)
{
	uint8_t head[HEAD_LEN];
	uint64_t big = 0;

	if (!read_all(fd, head, sizeof head)) {
		return false;
	}
	memcpy(&big, head + 1, sizeof big);
	ret->len = HEAD_LEN + (size_t)be64toh(big);
	ret->data = malloc(ret->len);
	CHECK(ret->data != NULL && ret->len >= HEAD_LEN + ID_LEN);
	memcpy(ret->data, head, sizeof head);
	return read_all(fd, ret->data + HEAD_LEN, ret->len - HEAD_LEN);
}

static struct lk_request_envelope envelope_of(const struct message *request)
{
	struct lk_request_envelope envelope = {0};
	const char *fault = NULL;

	CHECK(lk_envelope_scan_request(
		      request->data + HEAD_LEN + ID_LEN, request->len - HEAD_LEN - ID_LEN, &envelope, &fault) == LK_OK);
	return envelope;
}

static bool is_method(const struct lk_request_envelope *envelope, const char *name)
{
	return envelope->method.len == strlen(name) && memcmp(envelope->method.data, name, strlen(name)) == 0;
}

static struct message copy_of(const uint8_t *data, size_t len)
{
	struct message copy = {.data = malloc(len + 1), .len = len};

	CHECK(copy.data != NULL);
	memcpy(copy.data, data, len);
	return copy;
}

static struct kept *find(const struct lk_span *question)
{
	for (size_t i = 0; i < n_kept; i++) {
		if (kept[i].question.len == question->len &&
			memcmp(kept[i].question.data, question->data, question->len) == 0) {
			return &kept[i];
		}
	}
	return NULL;
}

/* The answer that was kept to this question, as a message of its own; false: there is none. */
static bool recall(const struct message *request, const struct lk_span *question, struct message *ret_answer)
{
	(void)pthread_mutex_lock(&lock);
	struct kept *one = find(question);
	bool is_there = one != NULL && one->left > 0;
	if (is_there) {
		uint64_t big = htobe64(ID_LEN + one->answer.len);
		*ret_answer = (struct message){.data = malloc(HEAD_LEN + ID_LEN + one->answer.len),
			.len = HEAD_LEN + ID_LEN + one->answer.len};
		CHECK(ret_answer->data != NULL);
		ret_answer->data[0] = 1;
		memcpy(ret_answer->data + 1, &big, sizeof big);
		memcpy(ret_answer->data + HEAD_LEN, request->data + HEAD_LEN, ID_LEN);
		memcpy(ret_answer->data + HEAD_LEN + ID_LEN, one->answer.data, one->answer.len);
		one->left -= one->left == FOR_EVER ? 0 : 1;
	}
	(void)pthread_mutex_unlock(&lock);
	return is_there;
}

static bool is_valid(const struct message *answer)
{
	struct lk_response_envelope envelope = {0};

	if (lk_envelope_scan_response(answer->data + HEAD_LEN + ID_LEN, answer->len - HEAD_LEN - ID_LEN, &envelope) !=
			LK_OK ||
		envelope.code != 0) {
		return false;
	}
	Latchkey__V1__VerifyKeyResponse *response = latchkey__v1__verify_key_response__unpack(
		NULL, envelope.payload.len, envelope.payload.data);
	CHECK(response != NULL);
	bool valid = response->valid;
	latchkey__v1__verify_key_response__free_unpacked(response, NULL);
	return valid;
}

static void keep(const struct lk_span *question, const struct message *answer)
{
	(void)pthread_mutex_lock(&lock);
	if (find(question) == NULL && is_valid(answer)) {
		CHECK(n_kept < KEPT_MAX);
		kept[n_kept++] = (struct kept){
			.question = copy_of(question->data, question->len),
			.answer = copy_of(answer->data + HEAD_LEN + ID_LEN, answer->len - HEAD_LEN - ID_LEN),
			.left = FOR_EVER,
		};
	}
	(void)pthread_mutex_unlock(&lock);
}

static void note_revoke(void)
{
	(void)pthread_mutex_lock(&lock);
	for (size_t i = 0; i < n_kept; i++) {
		kept[i].left = kept[i].left == FOR_EVER ? count : kept[i].left;
	}
	(void)pthread_mutex_unlock(&lock);
}

/* Answers one request; false where a connection ends. */
static bool serve_one(int client, int daemon, const struct message *request)
{
	struct lk_request_envelope envelope = envelope_of(request);
	bool is_verify = is_method(&envelope, "latchkey.v1.KeyService/Verify");
	struct message answer = {0};
	bool is_served = true;

	if (!is_verify || !recall(request, &envelope.payload, &answer)) {
		is_served = sp_raw_write((struct sp_raw){.fd = daemon}, request->data, request->len) &&
			    read_message(daemon, &answer);
		if (is_served && is_verify) {
			keep(&envelope.payload, &answer);
		}
	}
	if (is_served && is_method(&envelope, "latchkey.v1.KeyService/Revoke")) {
		note_revoke();
	}
	is_served = is_served && sp_raw_write((struct sp_raw){.fd = client}, answer.data, answer.len);
	free(answer.data);
	return is_served;
}

static int connect_to_daemon(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)snprintf(address.sun_path, sizeof address.sun_path, "%s", target);
	CHECK(fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof address) == 0);
	return fd;
}

static void *serve(void *context)
{
	int client = *(int *)context;
	int daemon = connect_to_daemon();
	uint8_t greeting[GREETING_LEN];
	struct message request = {0};

	free(context);
	bool goes_on = read_all(client, greeting, sizeof greeting) &&
		       sp_raw_write((struct sp_raw){.fd = daemon}, greeting, sizeof greeting) &&
		       read_all(daemon, greeting, sizeof greeting) &&
		       sp_raw_write((struct sp_raw){.fd = client}, greeting, sizeof greeting);
	while (goes_on && read_message(client, &request)) {
		goes_on = serve_one(client, daemon, &request);
		free(request.data);
		request = (struct message){0};
	}
	free(request.data);
	(void)close(client);
	(void)close(daemon);
	return NULL;
}

int main(int argc, char **argv)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	CHECK(argc == 4 && listener >= 0);
	(void)signal(SIGPIPE, SIG_IGN);
	target = argv[2];
	count = (uint32_t)strtoul(argv[3], NULL, 10);
	(void)snprintf(address.sun_path, sizeof address.sun_path, "%s", argv[1]);
	CHECK(bind(listener, (const struct sockaddr *)&address, sizeof address) == 0 && listen(listener, 16) == 0);
	CHECK(puts("ready") >= 0 && fflush(stdout) == 0);
	for (;;) {
		int *client = malloc(sizeof *client);
		pthread_t thread;

		CHECK(client != NULL);
		*client = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
		CHECK(*client >= 0 && pthread_create(&thread, NULL, serve, client) == 0 && pthread_detach(thread) == 0);
	}
}
