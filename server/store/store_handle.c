#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "server/store/attach.h"
#include "server/store/claim.h"
#include "server/store/denials.h"
#include "server/store/keyring.h"
#include "server/store/slots.h"
#include "server/store/store_internal.h"

void lk_store_close(struct lk_store *store)
{
	if (store == NULL) {
		return;
	}
	lk_slots_close(store->slots);
	lk_denials_close(store->denials);
	/* In a forked child the environment is left alone: closing it would take the parent's locks and reader slots. */
	if (store->env != NULL && !lk_store_is_forked(store)) {
		mdb_env_close(store->env);
	}
	lk_keyring_free(store->keyring);
	/* The lock goes last: whoever waits for it finds everything written. */
	if (store->pid_file >= 0) {
		close(store->pid_file);
	}
	if (store->dir >= 0) {
		close(store->dir);
	}
	lk_claim_drop(store->claim);
	lk_attachment_free(store->attachment);
	free(store);
}

const struct lk_keyring *lk_store_keyring(const struct lk_store *store)
{
	return store->keyring;
}

int64_t lk_store_folded(const struct lk_store *store)
{
	return atomic_load(&store->folded_us);
}

void lk_store_set_folded(struct lk_store *store, int64_t folded_us)
{
	atomic_store(&store->folded_us, folded_us);
}

struct lk_slots *lk_store_slots(struct lk_store *store)
{
	return store->slots;
}

struct lk_denials *lk_store_denials(struct lk_store *store)
{
	return store->denials;
}
