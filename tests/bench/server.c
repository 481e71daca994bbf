#include "tests/bench/server.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tests/lib/check.h"

#define NS INT64_C(1000000000)

static bool read_clock(pid_t pid, int64_t *ret_ns)
{
	struct timespec used = {0};
	clockid_t clock = 0;

	if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &used) != 0) {
		return false;
	}
	*ret_ns = (int64_t)used.tv_sec * NS + used.tv_nsec;
	return true;
}

/* Of those that were waited for. */
static int64_t ended_children_ns(pid_t pid)
{
	char path[64] = "";
	char line[1024] = "";
	long user = 0;
	long system = 0;

	(void)snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
	FILE *file = fopen(path, "r");
	CHECK_MSG(file != NULL && fgets(line, sizeof line, file) != NULL && fclose(file) == 0, path);
	/* What stands before the name's ")" may hold blanks; behind it come the state and 12 numbers, then these. */
	const char *behind = strrchr(line, ')');
	CHECK_MSG(behind != NULL, line);
	int fields = sscanf(behind + 1, " %*c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %ld %ld", &user, &system);
	CHECK_MSG(fields == 2, line);
	return (user + system) * (NS / sysconf(_SC_CLK_TCK));
}

static int64_t children_of_thread_ns(pid_t pid, const char *thread)
{
	char path[320] = "";
	int child = 0;
	int64_t sum = 0;

	(void)snprintf(path, sizeof path, "/proc/%d/task/%s/children", (int)pid, thread);
	FILE *file = fopen(path, "r");
	while (file != NULL && fscanf(file, "%d", &child) == 1) {
		int64_t ns = 0;
		/* One that has gone meanwhile counts with its parent the next time. */
		sum += read_clock(child, &ns) ? ns : 0;
	}
	CHECK(file == NULL || fclose(file) == 0);
	return sum;
}

int64_t lk_server_cpu_ns(pid_t pid)
{
	char path[64] = "";
	int64_t sum = 0;

	(void)snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
	DIR *threads = opendir(path);
	CHECK_MSG(threads != NULL && read_clock(pid, &sum), path);
	for (struct dirent *thread = readdir(threads); thread != NULL; thread = readdir(threads)) {
		if (thread->d_name[0] != '.') {
			sum += children_of_thread_ns(pid, thread->d_name);
		}
	}
	CHECK(closedir(threads) == 0);
	return sum + ended_children_ns(pid);
}
