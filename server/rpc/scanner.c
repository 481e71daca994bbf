#include "server/rpc/scanner.h"

#include <pthread.h>
#include <stdlib.h>

#include "server/rpc/job.h"

struct lk_scanner {
	void (*run)(struct lk_job *job);
	pthread_t thread;
	pthread_mutex_t lock;
	/* Something was queued, or the scanner is stopping. */
	pthread_cond_t wake;
	/* Under the lock. */
	struct lk_job *first;
	struct lk_job **end;
	size_t queued;
	size_t queue_max;
	bool stopping;
};

/* Waits for the next job; NULL when all is done. */
static struct lk_job *take(struct lk_scanner *scanner)
{
	pthread_mutex_lock(&scanner->lock);
	while (scanner->first == NULL && !scanner->stopping) {
		pthread_cond_wait(&scanner->wake, &scanner->lock);
	}
	struct lk_job *job = scanner->first;
	if (job != NULL) {
		scanner->first = job->next;
		scanner->queued--;
		if (scanner->first == NULL) {
			scanner->end = &scanner->first;
		}
	}
	pthread_mutex_unlock(&scanner->lock);
	return job;
}

static void *run_scanner(void *argument)
{
	struct lk_scanner *scanner = argument;

	for (struct lk_job *job = take(scanner); job != NULL; job = take(scanner)) {
		scanner->run(job);
	}
	return NULL;
}

enum lk_err lk_scanner_start(size_t queue_max, void (*run)(struct lk_job *job), struct lk_scanner **ret_scanner)
{
	struct lk_scanner *scanner = calloc(1, sizeof *scanner);

	if (scanner == NULL) {
		return LK_NO_MEMORY;
	}
	scanner->run = run;
	scanner->queue_max = queue_max;
	scanner->end = &scanner->first;
	pthread_mutex_init(&scanner->lock, NULL);
	pthread_cond_init(&scanner->wake, NULL);
	if (pthread_create(&scanner->thread, NULL, run_scanner, scanner) != 0) {
		pthread_cond_destroy(&scanner->wake);
		pthread_mutex_destroy(&scanner->lock);
		free(scanner);
		return LK_NO_MEMORY;
	}
	*ret_scanner = scanner;
	return LK_OK;
}

enum lk_err lk_scanner_submit(struct lk_scanner *scanner, struct lk_job *job)
{
	enum lk_err err = LK_OK;

	job->next = NULL;
	pthread_mutex_lock(&scanner->lock);
	if (scanner->stopping) {
		err = LK_UNAVAILABLE;
	} else if (scanner->queued >= scanner->queue_max) {
		err = LK_RESOURCE_EXHAUSTED;
	} else {
		*scanner->end = job;
		scanner->end = &job->next;
		scanner->queued++;
		pthread_cond_signal(&scanner->wake);
	}
	pthread_mutex_unlock(&scanner->lock);
	return err;
}

void lk_scanner_stop(struct lk_scanner *scanner)
{
	if (scanner == NULL) {
		return;
	}
	pthread_mutex_lock(&scanner->lock);
	scanner->stopping = true;
	pthread_cond_signal(&scanner->wake);
	pthread_mutex_unlock(&scanner->lock);
	pthread_join(scanner->thread, NULL);
	pthread_cond_destroy(&scanner->wake);
	pthread_mutex_destroy(&scanner->lock);
	free(scanner);
}
