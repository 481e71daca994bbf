/*
 * Faults: everything that is wrong with a request, gathered and reported together.
 */
#ifndef LK_SERVER_CORE_FAULTS_H
#define LK_SERVER_CORE_FAULTS_H

#include <stdbool.h>
#include <stddef.h>

#include "server/core/arena.h"

/* The most faults that are reported of one request; the last then says that there are more. */
#define LK_FAULTS_MAX 64

struct lk_fault {
	/* A path from the request message: "name", "metadata[2].key". */
	const char *field;
	const char *description;
};

struct lk_faults {
	struct lk_arena *arena;
	struct lk_fault *items;
	size_t count;
};

/* No faults yet, kept in `arena`. */
void lk_faults_init(struct lk_faults *faults, struct lk_arena *arena);

/*
 * Adds a fault: what is wrong with `field`, with which value, and what would be right. `field` is copied. Where the arena has
 * no room left, the fault is counted with a static text in its place, so that a faulty request is never taken for a good one.
 */
void lk_fault_add(struct lk_faults *faults, const char *field, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif
