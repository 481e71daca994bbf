#include "tests/model/model.h"

#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/check.h"

static const char *const tenant_ids[N_TENANTS] = {"t0", "t1", "t2", "t3"};
static const char *const keyspace_ids[N_KEYSPACES] = {"k0", "k1", "k2"};

/* SplitMix64 (https://prng.di.unimi.it/splitmix64.c). */
uint64_t draw(struct world *world)
{
	uint64_t z = world->random += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

size_t pick(struct world *world, size_t n)
{
	return (size_t)(draw(world) % n);
}

bool one_in(struct world *world, size_t n)
{
	return pick(world, n) == 0;
}

void note(struct world *world, const char *format, ...)
{
	char *line = world->notes[world->n_notes++ % N_NOTES];
	va_list args;

	int len = snprintf(line, NOTE_ROOM, "%zu: ", world->step);
	va_start(args, format);
	(void)vsnprintf(line + len, NOTE_ROOM - (size_t)len, format, args);
	va_end(args);
}

void mismatch(struct world *world, const char *format, ...)
{
	size_t first = world->n_notes > N_NOTES ? world->n_notes - N_NOTES : 0;
	va_list args;

	for (size_t i = first; i < world->n_notes; i++) {
		(void)fprintf(stderr, "  %s\n", world->notes[i % N_NOTES]);
	}
	(void)fprintf(stderr, "step %zu: ", world->step);
	va_start(args, format);
	(void)vfprintf(stderr, format, args);
	va_end(args);
	(void)fprintf(stderr, "\nagain: --seed %" PRIu64 " --steps %zu\nthe daemon's data: %s\n", world->seed,
		world->step + 1, world->daemon.root);
	/* Its directory stays, with the log. */
	if (world->daemon.pid > 0) {
		(void)kill(world->daemon.pid, SIGTERM);
	}
	_Exit(1);
}

void touch(struct world *world, size_t key)
{
	world->keys[key].touched_at = ++world->touches;
	if (world->n_touched < N_TOUCHED) {
		world->touched[world->n_touched++] = key;
	}
}

/* Room for one more, all zero. */
static void *grow(void *array, size_t size, size_t *n, size_t *room)
{
	if (*n == *room) {
		*room = *room == 0 ? 64 : 2 * *room;
		array = realloc(array, *room * size);
		CHECK(array != NULL);
	}
	memset((char *)array + *n * size, 0, size);
	(*n)++;
	return array;
}

struct tenant *new_tenant(struct world *world)
{
	world->tenants = grow(world->tenants, sizeof *world->tenants, &world->n_tenants, &world->tenants_room);
	return &world->tenants[world->n_tenants - 1];
}

struct keyspace *new_keyspace(struct world *world)
{
	world->keyspaces = grow(
		world->keyspaces, sizeof *world->keyspaces, &world->n_keyspaces, &world->keyspaces_room);
	return &world->keyspaces[world->n_keyspaces - 1];
}

struct key *new_key(struct world *world)
{
	world->keys = grow(world->keys, sizeof *world->keys, &world->n_keys, &world->keys_room);
	return &world->keys[world->n_keys - 1];
}

struct role *new_role(struct world *world)
{
	world->roles = grow(world->roles, sizeof *world->roles, &world->n_roles, &world->roles_room);
	return &world->roles[world->n_roles - 1];
}

size_t find_tenant(const struct world *world, const char *id)
{
	for (size_t i = 0; i < world->n_tenants; i++) {
		if (world->tenants[i].life == LIVE && strcmp(world->tenants[i].id, id) == 0) {
			return i;
		}
	}
	return NONE;
}

size_t find_keyspace(const struct world *world, size_t tenant, const char *id)
{
	for (size_t i = 0; tenant != NONE && i < world->n_keyspaces; i++) {
		const struct keyspace *keyspace = &world->keyspaces[i];
		if (keyspace->life == LIVE && keyspace->tenant == tenant && strcmp(keyspace->id, id) == 0) {
			return i;
		}
	}
	return NONE;
}

bool is_open(const struct world *world, size_t keyspace)
{
	return world->keyspaces[keyspace].life == LIVE &&
	       world->tenants[world->keyspaces[keyspace].tenant].life == LIVE;
}

const char *pick_tenant_id(struct world *world)
{
	const char *id = tenant_ids[pick(world, N_TENANTS)];

	/* Rather one that is there. */
	for (size_t tries = 0; tries < 3 && find_tenant(world, id) == NONE; tries++) {
		id = tenant_ids[pick(world, N_TENANTS)];
	}
	return id;
}

const char *pick_keyspace_id(struct world *world)
{
	return keyspace_ids[pick(world, N_KEYSPACES)];
}

void pick_place(struct world *world, const char **ret_tenant, const char **ret_keyspace)
{
	size_t at = world->n_keyspaces == 0 || one_in(world, 8) ? NONE : pick(world, world->n_keyspaces);

	for (size_t tries = 0; at != NONE && tries < 4 && !is_open(world, at); tries++) {
		at = pick(world, world->n_keyspaces);
	}
	*ret_tenant = at == NONE ? pick_tenant_id(world) : world->tenants[world->keyspaces[at].tenant].id;
	*ret_keyspace = at == NONE ? pick_keyspace_id(world) : world->keyspaces[at].id;
}

size_t pick_key(struct world *world)
{
	size_t key = NONE;

	/* Old ones less often: what happens to a key happens to it soon. */
	for (size_t tries = 0; world->n_keys > 0 && tries < 6; tries++) {
		size_t n = one_in(world, 3) || world->n_keys < 40 ? world->n_keys : 40;
		key = world->n_keys - 1 - pick(world, n);
		if (!is_gone(world, &world->keys[key])) {
			return key;
		}
	}
	return key;
}

struct client *pick_client(struct world *world)
{
	/* The first two may do most. */
	return &world->clients[one_in(world, 3) ? pick(world, N_CLIENTS) : pick(world, 2)];
}

void set_text(char *to, size_t room, const char *from)
{
	(void)snprintf(to, room, "%s", from);
}
