/*
 * liblatchkey-local: verdicts in the caller's own process, by the daemon's own code on the daemon's own store.
 *
 * Opens a data directory that a daemon serves, or served last, and answers Verify from it: the same gates, the same rate limits,
 * credits and counts, in the same memory. What the daemon has acknowledged the next call sees. It changes nothing but that
 * consumption: keys are made and ended by the daemon alone.
 *
 * Rights: read data.mdb and verify.key, write lock.mdb and the .mmap files, as members of the data directory's group may. Trust:
 * who has them can read every key's digest and identity, and falsify what was used; it can mint nothing, but by writing into the
 * shared files, or cutting them short, it can stop the daemon and damage the store. The caller counts as
 * the operator: it may ask about the keys of every tenant but "system". It must run in the daemon's PID namespace, and needs
 * addresses (RLIMIT_AS): 1 TiB of them where it can have them, and no less than 64 GiB.
 *
 * A struct lk_local is for the whole process; open a directory once. A struct lk_local_verifier belongs to one thread at a time;
 * there may be 3,000 in all processes together, less as many as requests were under way in the daemon at once. Neither survives
 * fork(): in the child they answer LK_FAILED_PRECONDITION, and can be freed and opened anew without harm to the parent. A process
 * that is stopped in the middle of a call holds old pages of the store until it goes on or ends.
 *
 * A store that is replaced under it is no longer answered from: at once, where the header of its slots was marked so, or a daemon
 * started on another data.mdb or lock.mdb; within a second, where one of its files was moved, removed or replaced by hand. The
 * daemon may be stopped, killed and started again meanwhile. Before files are overwritten in place (cp, tar), every process that
 * verifies must have closed them: what it has mapped would be cut off under it, which is SIGBUS.
 */
#ifndef LATCHKEY_LOCAL_H
#define LATCHKEY_LOCAL_H

#include <stddef.h>
#include <stdint.h>

#include <latchkey/call.h>
#include <latchkey/error.h>
#include <latchkey/v1/key.pb-c.h>

#ifdef __cplusplus
extern "C" {
#endif

#define LK_LOCAL_MESSAGE_LEN 512

struct lk_local;
struct lk_local_verifier;

struct lk_local_options {
	/* The data directory, as latchkeyd's --data. */
	const char *dir;
};

/*
 * Opens the data directory. Blocks on the disk. On failure `ret_message` says in one line what was wrong and what would be right.
 * LK_INVALID_ARGUMENT: no directory named. LK_NOT_FOUND: no store there. LK_PERMISSION_DENIED: no rights. LK_FAILED_PRECONDITION:
 * a store of another schema or another verify.key, one that is being replaced, or a daemon in another PID namespace. LK_HELD:
 * this process has the directory open. LK_CORRUPT, LK_IO, LK_NO_MEMORY.
 */
LK_MUST_CHECK enum lk_err lk_local_open(
	const struct lk_local_options *options, struct lk_local **ret_local, char ret_message[LK_LOCAL_MESSAGE_LEN]);

/* Closes; every verifier of it was freed before. Takes NULL. */
void lk_local_close(struct lk_local *local);

/*
 * Makes a verifier, for one thread at a time. LK_NO_MEMORY. LK_RESOURCE_EXHAUSTED: too many in all processes.
 * LK_FAILED_PRECONDITION: as of lk_local_verify().
 */
LK_MUST_CHECK enum lk_err lk_local_verifier_new(struct lk_local *local, struct lk_local_verifier **ret_verifier);

/* Wipes and frees. Takes NULL. */
void lk_local_verifier_free(struct lk_local_verifier *verifier);

/*
 * Verifies, as KeyService/Verify does. `*ret_response` is the verifier's, good until its next call. Does not block, makes no system
 * call but, once a second, a look at whether the directory still is the store that was opened, and one at how long its slots are
 * when that has changed. `call` may be NULL; of its inputs only min_revision counts, of its results it gets all.
 * LK_FAILED_PRECONDITION: the store was moved or replaced, or this is a forked child: open it anew. LK_UNAVAILABLE: the key was
 * being changed all the while, or the min_revision is not reached. Else what the daemon would answer.
 */
LK_MUST_CHECK enum lk_err lk_local_verify(struct lk_local_verifier *verifier,
	const Latchkey__V1__VerifyKeyRequest *request, const Latchkey__V1__VerifyKeyResponse **ret_response,
	struct lk_call *call);

/* A reply as it goes over the wire. */
struct lk_local_reply {
	/* latchkey.v1.VerifyKeyResponse, packed; the verifier's, good until its next call. */
	const uint8_t *data;
	size_t len;
	/* The verdict in it. */
	Latchkey__V1__VerifyCode code;
};

/* As lk_local_verify(), with the reply packed: for who passes it on, or looks at the verdict alone. The fastest there is. */
LK_MUST_CHECK enum lk_err lk_local_verify_packed(struct lk_local_verifier *verifier,
	const Latchkey__V1__VerifyKeyRequest *request, struct lk_local_reply *ret_reply, struct lk_call *call);

#ifdef __cplusplus
}
#endif

#endif
