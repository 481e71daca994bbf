#include "tests/lib/jose_peer.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/check.h"

/* Debian's own, for which its packages are; another that comes first on the path has not got them. */
#define PYTHON "/usr/bin/python3"

extern char **environ;

static char *hear(struct jose_peer *peer)
{
	char *line = NULL;
	size_t size = 0;
	ssize_t len = getline(&line, &size, peer->from);

	CHECK_MSG(len > 0 && line[len - 1] == '\n',
		"jose_peer.py ended; what it said stands above. It needs python3-jwt: run tools/install-deps test");
	line[len - 1] = '\0';
	return line;
}

void jose_peer_start(struct jose_peer *peer)
{
	const char *program = getenv("JOSE_PEER");
	char *const arguments[] = {(char *)(uintptr_t)PYTHON, (char *)(uintptr_t)program, NULL};
	posix_spawn_file_actions_t actions;
	int to[2] = {-1, -1};
	int from[2] = {-1, -1};

	CHECK_MSG(program != NULL, "set JOSE_PEER to the path of jose_peer.py");
	(void)signal(SIGPIPE, SIG_IGN);
	CHECK(pipe2(to, O_CLOEXEC) == 0 && pipe2(from, O_CLOEXEC) == 0);
	CHECK(posix_spawn_file_actions_init(&actions) == 0);
	CHECK(posix_spawn_file_actions_adddup2(&actions, to[0], STDIN_FILENO) == 0);
	CHECK(posix_spawn_file_actions_adddup2(&actions, from[1], STDOUT_FILENO) == 0);
	CHECK_MSG(posix_spawn(&peer->pid, PYTHON, &actions, NULL, arguments, environ) == 0,
		"no " PYTHON ": run tools/install-deps test");
	posix_spawn_file_actions_destroy(&actions);
	close(to[0]);
	close(from[1]);
	peer->to = fdopen(to[1], "w");
	peer->from = fdopen(from[0], "r");
	CHECK(peer->to != NULL && peer->from != NULL);
	char *port = hear(peer);
	peer->port = atoi(port);
	free(port);
	CHECK(peer->port > 0);
}

void jose_peer_stop(struct jose_peer *peer)
{
	int status = 0;

	/* It ends with its input. */
	CHECK(fclose(peer->to) == 0);
	CHECK(waitpid(peer->pid, &status, 0) == peer->pid);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	CHECK(fclose(peer->from) == 0);
}

static char *ask(struct jose_peer *peer, const char *format, va_list args) __attribute__((format(printf, 2, 0)));

static char *ask(struct jose_peer *peer, const char *format, va_list args)
{
	CHECK(vfprintf(peer->to, format, args) > 0);
	CHECK(fputc('\n', peer->to) == '\n' && fflush(peer->to) == 0);
	return hear(peer);
}

char *jose_peer_ask(struct jose_peer *peer, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	char *answer = ask(peer, format, args);
	va_end(args);
	return answer;
}

void jose_peer_tell(struct jose_peer *peer, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	char *answer = ask(peer, format, args);
	va_end(args);
	CHECK_MSG(strcmp(answer, "ok") == 0, answer);
	free(answer);
}
