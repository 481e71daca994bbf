#include "tools/latchkey/stop.h"

#include <signal.h>
#include <stddef.h>
#include <time.h>

/* timeout(1) and some terminals send a signal twice; who sends it again after so long means it. */
#define AGAIN_SECONDS 1

static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};

#define N_NUMBERS (sizeof(numbers) / sizeof(numbers[0]))

static struct sigaction before[N_NUMBERS];
static volatile sig_atomic_t came;
/* When it came, on CLOCK_MONOTONIC. */
static volatile time_t came_s;

static void note(int number)
{
	struct timespec now = {0};

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	if (came == 0) {
		came = number;
		came_s = now.tv_sec;
	} else if (now.tv_sec - came_s > AGAIN_SECONDS) {
		(void)signal(number, SIG_DFL);
		(void)raise(number);
	}
}

void lk_stop_catch(void)
{
	struct sigaction action = {.sa_handler = note};

	(void)sigemptyset(&action.sa_mask);
	came = 0;
	for (size_t i = 0; i < N_NUMBERS; i++) {
		(void)sigaction(numbers[i], NULL, &before[i]);
		/* What whoever started us has switched off (nohup) stays so. */
		if (before[i].sa_handler != SIG_IGN) {
			(void)sigaction(numbers[i], &action, NULL);
		}
	}
}

bool lk_stop_is_wanted(void)
{
	return came != 0;
}

void lk_stop_end(void)
{
	for (size_t i = 0; i < N_NUMBERS; i++) {
		(void)sigaction(numbers[i], &before[i], NULL);
	}
	if (came != 0) {
		(void)raise(came);
	}
}
