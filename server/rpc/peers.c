#include "server/rpc/peers.h"

#include <stdlib.h>

#define EMPTY     UINT64_C(0)
#define TOMBSTONE (UINT64_C(0xffffffff) << 32)
#define NOBODY    UINT32_C(0xffffffff)

/* Open addressing stays fast, and tombstones few, while most entries are empty. */
#define ENTRIES_PER_PEER 4

static uint64_t word(uint32_t id, uint32_t low)
{
	return (uint64_t)id << 32 | low;
}

static uint32_t id_of(uint64_t word)
{
	return (uint32_t)(word >> 32);
}

/* nng counts its ids up from a random start. */
static size_t home(const struct lk_peers *peers, uint32_t id)
{
	return (size_t)(id * UINT32_C(2654435761)) & peers->mask;
}

enum lk_err lk_peers_init(struct lk_peers *peers, size_t max)
{
	size_t size = 16;

	while (size < max * ENTRIES_PER_PEER)
		size *= 2;
	*peers = (struct lk_peers){.mask = size - 1};
	peers->entries = calloc(size, sizeof(*peers->entries));
	if (peers->entries == NULL)
		return LK_NO_MEMORY;
	(void)pthread_mutex_init(&peers->lock, NULL);
	return LK_OK;
}

void lk_peers_done(struct lk_peers *peers)
{
	if (peers->entries == NULL)
		return;
	free(peers->entries);
	(void)pthread_mutex_destroy(&peers->lock);
	*peers = (struct lk_peers){0};
}

/*
 * The entry of a connection, or NULL. While it is in the table, every entry from its home on is taken or a tombstone: those
 * become empty again only where the next one is empty, and then no connection's way leads across.
 */
static struct lk_peers_entry *find(const struct lk_peers *peers, uint32_t id, uint64_t *ret_who)
{
	for (size_t i = home(peers, id), n = 0; n <= peers->mask; i = (i + 1) & peers->mask, n++) {
		uint64_t who = atomic_load_explicit(&peers->entries[i].who, memory_order_acquire);

		if (who == EMPTY)
			return NULL;
		if (id_of(who) == id) {
			*ret_who = who;
			return &peers->entries[i];
		}
	}
	return NULL;
}

static bool insert(struct lk_peers *peers, uint32_t id, uint32_t uid)
{
	for (size_t i = home(peers, id), n = 0; n <= peers->mask; i = (i + 1) & peers->mask, n++) {
		struct lk_peers_entry *entry = &peers->entries[i];
		uint64_t who = atomic_load_explicit(&entry->who, memory_order_relaxed);

		if (who != EMPTY && who != TOMBSTONE)
			continue;
		atomic_store_explicit(&entry->load, word(id, 0), memory_order_relaxed);
		atomic_store_explicit(&entry->who, word(id, uid), memory_order_release);
		peers->count++;
		return true;
	}
	return false;
}

bool lk_peers_add(struct lk_peers *peers, uint32_t id, struct lk_peer peer)
{
	uint32_t uid = peer.uid_known ? (uint32_t)peer.uid : NOBODY;
	bool added = false;

	(void)pthread_mutex_lock(&peers->lock);
	/* Half full at the most, so that a way always ends at an empty entry. */
	if (peers->count <= peers->mask / 2)
		added = insert(peers, id, uid);
	(void)pthread_mutex_unlock(&peers->lock);
	return added;
}

/* Ends a way at `entry`, and clears the tombstones that led there. */
static void clear(struct lk_peers *peers, struct lk_peers_entry *entry)
{
	size_t i = (size_t)(entry - peers->entries);

	atomic_store_explicit(&entry->who, TOMBSTONE, memory_order_release);
	atomic_store_explicit(&entry->load, 0, memory_order_relaxed);
	if (atomic_load_explicit(&peers->entries[(i + 1) & peers->mask].who, memory_order_relaxed) != EMPTY)
		return;
	while (atomic_load_explicit(&peers->entries[i].who, memory_order_relaxed) == TOMBSTONE) {
		atomic_store_explicit(&peers->entries[i].who, EMPTY, memory_order_release);
		i = (i - 1) & peers->mask;
	}
}

bool lk_peers_remove(struct lk_peers *peers, uint32_t id)
{
	struct lk_peers_entry *entry = NULL;
	uint64_t who = EMPTY;

	(void)pthread_mutex_lock(&peers->lock);
	entry = find(peers, id, &who);
	if (entry != NULL) {
		clear(peers, entry);
		peers->count--;
	}
	(void)pthread_mutex_unlock(&peers->lock);
	return entry != NULL;
}

size_t lk_peers_count(struct lk_peers *peers)
{
	size_t count = 0;

	(void)pthread_mutex_lock(&peers->lock);
	count = peers->count;
	(void)pthread_mutex_unlock(&peers->lock);
	return count;
}

struct lk_peer lk_peers_find(const struct lk_peers *peers, uint32_t id)
{
	uint64_t who = EMPTY;

	if (find(peers, id, &who) == NULL || (uint32_t)who == NOBODY)
		return (struct lk_peer){.uid_known = false, .uid = (uid_t)NOBODY};
	return (struct lk_peer){.uid_known = true, .uid = (uid_t)(uint32_t)who};
}

/* Adds `change` to the count of `id`, if that still is whose count it is. Returns the count then, 0 where it is not. */
static uint32_t change_load(struct lk_peers *peers, uint32_t id, int change)
{
	uint64_t who = EMPTY;
	struct lk_peers_entry *entry = find(peers, id, &who);
	uint64_t load = 0;

	if (entry == NULL)
		return 0;
	load = atomic_load_explicit(&entry->load, memory_order_relaxed);
	while (id_of(load) == id && (change > 0 || (uint32_t)load > 0)) {
		uint64_t next = load + (uint64_t)(int64_t)change;

		if (atomic_compare_exchange_weak_explicit(
			    &entry->load, &load, next, memory_order_relaxed, memory_order_relaxed))
			return (uint32_t)next;
	}
	return 0;
}

uint32_t lk_peers_begin(struct lk_peers *peers, uint32_t id)
{
	return change_load(peers, id, 1);
}

void lk_peers_end(struct lk_peers *peers, uint32_t id)
{
	(void)change_load(peers, id, -1);
}
