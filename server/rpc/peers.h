/*
 * The table of connections: whose each is, and how many requests of it are under way.
 *
 * A connection is added and removed when its transport says so, under a lock. It is looked up for every request, on any thread
 * and without one. Who a connection's peer is stands in one word together with the connection's id, and so does its count:
 * however a reader races with the end of one connection and the begin of another in its place, it sees a word of its own
 * connection or none at all, never another's.
 */
#ifndef LK_SERVER_RPC_PEERS_H
#define LK_SERVER_RPC_PEERS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <latchkey/error.h>

#include "server/rpc/exchange.h"

struct lk_peers_entry {
	/* id << 32 | uid; no process runs as uid -1, so that stands for nobody. */
	_Atomic uint64_t who;
	/* id << 32 | requests under way. */
	_Atomic uint64_t load;
};

struct lk_peers {
	pthread_mutex_t lock;
	struct lk_peers_entry *entries;
	size_t mask;
	/* Under the lock. */
	size_t count;
};

/* Makes a table for up to `max` connections. LK_NO_MEMORY. */
LK_MUST_CHECK enum lk_err lk_peers_init(struct lk_peers *peers, size_t max);
/* Takes one that is all zero. */
void lk_peers_done(struct lk_peers *peers);

/* Adds a connection. `id` is neither 0 nor UINT32_MAX and not in the table. False where the table is full. */
bool lk_peers_add(struct lk_peers *peers, uint32_t id, struct lk_peer peer);
/* Removes it; false where it is not there. */
bool lk_peers_remove(struct lk_peers *peers, uint32_t id);
size_t lk_peers_count(struct lk_peers *peers);

/* Whose connection it is; nobody where it is not in the table. */
struct lk_peer lk_peers_find(const struct lk_peers *peers, uint32_t id);

/* A request of it begins: returns how many are under way now, this one included; 0 where it is not in the table. */
uint32_t lk_peers_begin(struct lk_peers *peers, uint32_t id);
/* A request of it, begun with lk_peers_begin() above 0, has ended. Does nothing where the connection is gone. */
void lk_peers_end(struct lk_peers *peers, uint32_t id);

#endif
