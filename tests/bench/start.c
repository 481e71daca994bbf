/*
 * How long a daemon takes from its exec() to its first verdict, which is VALID.
 *
 *	bench_start URL TOKENS COMMAND...
 *
 * COMMAND: what runs the daemon, which listens at URL. Asks for a connection every 0.2 ms until there is one. Ends the daemon
 * by SIGTERM and waits for it.
 *
 * Prints {"start_ms": ..., "stop_ms": ...}.
 */
#include <nng/nng.h>
#include <nng/protocol/reqrep0/req.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/bench/figures.h"
#include "tests/bench/pace.h"
#include "tests/bench/question.h"
#include "tests/lib/check.h"

#define PAUSE_NS  200000
#define ANSWER_MS 60000

/* The child waits for a byte, and becomes the daemon: no process forks once nng has started. */
static pid_t prepare(char **command, int *ret_go)
{
	int ends[2] = {0};
	char byte = 0;

	CHECK(pipe(ends) == 0);
	pid_t daemon = fork();
	CHECK(daemon >= 0);
	if (daemon == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGTERM);
		(void)close(ends[1]);
		if (read(ends[0], &byte, 1) == 1) {
			(void)close(ends[0]);
			(void)execv(command[0], command);
			perror(command[0]);
		}
		_exit(127);
	}
	(void)close(ends[0]);
	*ret_go = ends[1];
	return daemon;
}

static void dial(nng_socket socket, const char *url, pid_t daemon)
{
	const struct timespec pause = {.tv_nsec = PAUSE_NS};

	while (nng_dial(socket, url, NULL, 0) != 0) {
		CHECK_MSG(waitpid(daemon, NULL, WNOHANG) == 0, "the daemon has ended");
		(void)nanosleep(&pause, NULL);
	}
}

static void await_verdict(nng_socket socket, struct lk_asker *asker)
{
	nng_msg *reply = NULL;

	CHECK(nng_socket_set_ms(socket, NNG_OPT_RECVTIMEO, ANSWER_MS) == 0);
	CHECK(nng_sendmsg(socket, lk_asker_request(asker), 0) == 0);
	CHECK(nng_recvmsg(socket, &reply, 0) == 0);
	CHECK(lk_asker_check(asker, reply) == 1);
	nng_msg_free(reply);
}

int main(int argc, char **argv)
{
	struct lk_tokens tokens = {0};
	struct lk_question question = {0};
	struct lk_asker asker = {0};
	nng_socket socket = NNG_SOCKET_INITIALIZER;
	int go = -1;
	int status = 0;

	CHECK_MSG(argc >= 4, "bench_start URL TOKENS COMMAND...");
	pid_t daemon = prepare(argv + 3, &go);
	lk_tokens_read(&tokens, argv[2]);
	lk_question_parse("verify", &question);
	question.tokens = &tokens;
	lk_asker_init(&asker, &question, 0, 1);
	CHECK(nng_req0_open(&socket) == 0);
	int64_t start_ns = lk_pace_clock_ns();
	CHECK(write(go, "", 1) == 1);
	dial(socket, argv[1], daemon);
	await_verdict(socket, &asker);
	int64_t verdict_ns = lk_pace_clock_ns();
	CHECK(nng_close(socket) == 0);
	int64_t stop_ns = lk_pace_clock_ns();
	CHECK(kill(daemon, SIGTERM) == 0 && waitpid(daemon, &status, 0) == daemon && status == 0);
	(void)printf("{\"start_ms\": %.3f, \"stop_ms\": %.3f}\n", (double)(verdict_ns - start_ns) / 1e6,
		(double)(lk_pace_clock_ns() - stop_ns) / 1e6);
	lk_asker_done(&asker);
	lk_tokens_done(&tokens);
	return fflush(stdout) == 0 ? 0 : 1;
}
