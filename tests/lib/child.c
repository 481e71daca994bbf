#include "tests/lib/child.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

bool lk_child_start(struct lk_child *child, int (*run)(struct lk_child *parent, void *context), void *context)
{
	int down[2] = {-1, -1};
	int up[2] = {-1, -1};

	if (pipe2(down, O_CLOEXEC) != 0 || pipe2(up, O_CLOEXEC) != 0) {
		return false;
	}
	pid_t pid = fork();
	if (pid == 0) {
		struct lk_child parent = {.from = down[0], .to = up[1]};
		/* So that a parent that is gone reads as one. */
		close(down[1]);
		close(up[0]);
		_exit(run(&parent, context));
	}
	close(down[0]);
	close(up[1]);
	*child = (struct lk_child){.pid = pid, .from = up[0], .to = down[1]};
	return pid > 0;
}

bool lk_child_tell(struct lk_child *other, const void *data, size_t len)
{
	return write(other->to, data, len) == (ssize_t)len;
}

bool lk_child_hear(struct lk_child *other, void *data, size_t len)
{
	size_t got = 0;

	while (got < len) {
		ssize_t n = read(other->from, (char *)data + got, len - got);
		if (n <= 0) {
			return false;
		}
		got += (size_t)n;
	}
	return true;
}

int lk_child_wait(struct lk_child *child)
{
	int status = 0;

	close(child->from);
	close(child->to);
	if (waitpid(child->pid, &status, 0) != child->pid) {
		return -1;
	}
	return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

void lk_child_kill(struct lk_child *child)
{
	(void)kill(child->pid, SIGKILL);
	(void)lk_child_wait(child);
}
