#include "tests/lib/daemon.h"

#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/check.h"

#define ARGUMENTS_MAX 32

extern char **environ;

/* Keeps the tcp URL that a line of the log names, if it names one. */
static void keep_tcp(struct daemon *daemon, const char *line)
{
	const char *url = strstr(line, "tcp://");
	size_t len = url == NULL ? 0 : strspn(url, "tcp:/.0123456789");

	if (len > 0 && len < sizeof daemon->tcp) {
		memcpy(daemon->tcp, url, len);
		daemon->tcp[len] = '\0';
	}
}

/* Reads the daemon's log from a pipe, up to the line that says that it serves; then lets go of the pipe. */
static void await_ready(struct daemon *daemon, int log_pipe)
{
	char line[8192] = "";
	FILE *stream = fdopen(log_pipe, "r");
	bool ready = false;

	CHECK(stream != NULL);
	while (!ready && fgets(line, sizeof line, stream) != NULL) {
		keep_tcp(daemon, line);
		ready = strstr(line, " msg=ready ") != NULL;
	}
	CHECK_MSG(ready, line);
	CHECK(fclose(stream) == 0);
}

/*
 * The log goes through tee(1), so that the test can wait for a line of it and the daemon never for the test: when the test has
 * read enough and closes its end, tee goes on with the file.
 */
static void spawn_tee(struct daemon *daemon, int *ret_log, int *ret_ready)
{
	int to_tee[2] = {-1, -1};
	int from_tee[2] = {-1, -1};
	posix_spawn_file_actions_t actions;
	pid_t pid = 0;
	char *const arguments[] = {"tee", "--output-error=warn", "-a", daemon->log, NULL};

	CHECK(pipe2(to_tee, O_CLOEXEC) == 0 && pipe2(from_tee, O_CLOEXEC) == 0);
	CHECK(posix_spawn_file_actions_init(&actions) == 0);
	CHECK(posix_spawn_file_actions_adddup2(&actions, to_tee[0], STDIN_FILENO) == 0);
	CHECK(posix_spawn_file_actions_adddup2(&actions, from_tee[1], STDOUT_FILENO) == 0);
	CHECK(posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0) == 0);
	CHECK(posix_spawnp(&pid, "tee", &actions, NULL, arguments, environ) == 0);
	posix_spawn_file_actions_destroy(&actions);
	close(to_tee[0]);
	close(from_tee[1]);
	*ret_log = to_tee[1];
	*ret_ready = from_tee[0];
}

void daemon_restart(struct daemon *daemon, const char *const *arguments)
{
	char *all[ARGUMENTS_MAX] = {(char *)(uintptr_t)daemon->program, "--data", daemon->data};
	posix_spawn_file_actions_t actions;
	int log = -1;
	int ready = -1;

	for (size_t i = 0; arguments != NULL && arguments[i] != NULL; i++) {
		CHECK(i + 4 < ARGUMENTS_MAX);
		all[i + 3] = (char *)(uintptr_t)arguments[i];
	}
	spawn_tee(daemon, &log, &ready);
	CHECK(posix_spawn_file_actions_init(&actions) == 0);
	CHECK(posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0) == 0);
	CHECK(posix_spawn_file_actions_adddup2(&actions, log, STDERR_FILENO) == 0);
	CHECK(posix_spawn(&daemon->pid, daemon->program, &actions, NULL, all, environ) == 0);
	posix_spawn_file_actions_destroy(&actions);
	close(log);
	await_ready(daemon, ready);
}

void daemon_start(struct daemon *daemon)
{
	memset(daemon, 0, sizeof *daemon);
	daemon->program = getenv("LATCHKEYD");
	CHECK_MSG(daemon->program != NULL, "set LATCHKEYD to the daemon's path");
	(void)signal(SIGPIPE, SIG_IGN);
	(void)snprintf(daemon->root, sizeof daemon->root, "/tmp/latchkey-test-XXXXXX");
	CHECK(mkdtemp(daemon->root) != NULL);
	(void)snprintf(daemon->data, sizeof daemon->data, "%s/data", daemon->root);
	(void)snprintf(daemon->log, sizeof daemon->log, "%s/log", daemon->root);
	(void)snprintf(daemon->url, sizeof daemon->url, "ipc://%s/latchkey.sock", daemon->data);
	daemon_restart(daemon, NULL);
}

static int end(struct daemon *daemon, int number)
{
	int status = 0;

	CHECK(daemon->pid > 0 && kill(daemon->pid, number) == 0);
	CHECK(waitpid(daemon->pid, &status, 0) == daemon->pid);
	daemon->pid = 0;
	return status;
}

void daemon_kill(struct daemon *daemon)
{
	int status = end(daemon, SIGKILL);

	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

void daemon_stop(struct daemon *daemon)
{
	int status = end(daemon, SIGTERM);

	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *where)
{
	(void)status;
	(void)kind;
	(void)where;
	return remove(path);
}

void daemon_remove(struct daemon *daemon)
{
	if (daemon->pid != 0) {
		daemon_stop(daemon);
	}
	CHECK(nftw(daemon->root, remove_entry, 16, FTW_DEPTH | FTW_PHYS) == 0);
}
