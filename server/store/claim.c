#include "server/store/claim.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

struct lk_claim {
	struct lk_claim *next;
	dev_t device;
	ino_t inode;
	pid_t pid;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct lk_claim *claims;

static void take_lock(void)
{
	(void)pthread_mutex_lock(&lock);
}

static void let_go(void)
{
	(void)pthread_mutex_unlock(&lock);
}

/* So that a child never finds it locked by a thread that it has not. */
static void watch_forks(void)
{
	(void)pthread_atfork(take_lock, let_go, let_go);
}

static bool is_taken(dev_t device, ino_t inode)
{
	for (const struct lk_claim *claim = claims; claim != NULL; claim = claim->next) {
		if (claim->device == device && claim->inode == inode && claim->pid == getpid()) {
			return true;
		}
	}
	return false;
}

enum lk_err lk_claim_take(dev_t device, ino_t inode, struct lk_claim **ret_claim)
{
	struct lk_claim *claim = malloc(sizeof *claim);
	enum lk_err err = LK_OK;

	if (claim == NULL) {
		return LK_NO_MEMORY;
	}
	(void)pthread_once(&once, watch_forks);
	take_lock();
	if (is_taken(device, inode)) {
		err = LK_HELD;
	} else {
		*claim = (struct lk_claim){.next = claims, .device = device, .inode = inode, .pid = getpid()};
		claims = claim;
	}
	let_go();
	if (err != LK_OK) {
		free(claim);
		return err;
	}
	*ret_claim = claim;
	return LK_OK;
}

void lk_claim_drop(struct lk_claim *claim)
{
	if (claim == NULL) {
		return;
	}
	take_lock();
	for (struct lk_claim **at = &claims; *at != NULL; at = &(*at)->next) {
		if (*at == claim) {
			*at = claim->next;
			break;
		}
	}
	let_go();
	free(claim);
}
