#include <string.h>

#include "server/service/key_import.h"

bool lk_import_seen_init(struct lk_import_seen *seen, struct lk_arena *arena, size_t count)
{
	seen->n_slots = 4;
	while (seen->n_slots < 2 * count) {
		seen->n_slots *= 2;
	}
	seen->slots = lk_arena_array(arena, seen->n_slots, sizeof *seen->slots);
	seen->things = lk_arena_array(arena, count, sizeof *seen->things);
	seen->lens = lk_arena_array(arena, count, sizeof *seen->lens);
	seen->groups = lk_arena_array(arena, count, sizeof *seen->groups);
	return seen->slots != NULL && seen->things != NULL && seen->lens != NULL && seen->groups != NULL;
}

/* FNV-1a (RFC 9923). Whoever makes all their keys collide waits for their own thousand comparisons. */
static size_t hash(uint32_t group, const void *thing, size_t len)
{
	uint64_t sum = UINT64_C(0xcbf29ce484222325) ^ group;
	const uint8_t *bytes = thing;

	for (size_t i = 0; i < len; i++) {
		sum = (sum ^ bytes[i]) * UINT64_C(0x100000001b3);
	}
	return (size_t)(sum ^ sum >> 32);
}

/* The slot of the thing, or the free one where it would be: there are more slots than keys. */
static uint16_t *slot_of(const struct lk_import_seen *seen, uint32_t group, const void *thing, size_t len)
{
	for (size_t at = hash(group, thing, len);; at++) {
		uint16_t *slot = &seen->slots[at & (seen->n_slots - 1)];
		size_t index = (size_t)(*slot - 1);

		if (*slot == 0 || (seen->groups[index] == group && seen->lens[index] == len &&
					  memcmp(seen->things[index], thing, len) == 0)) {
			return slot;
		}
	}
}

bool lk_import_seen_find(
	const struct lk_import_seen *seen, uint32_t group, const void *thing, size_t len, size_t *ret_index)
{
	const uint16_t *slot = slot_of(seen, group, thing, len);

	if (*slot == 0) {
		return false;
	}
	*ret_index = (size_t)(*slot - 1);
	return true;
}

void lk_import_seen_add(struct lk_import_seen *seen, uint32_t group, const void *thing, size_t len, size_t index)
{
	uint16_t *slot = slot_of(seen, group, thing, len);

	*slot = (uint16_t)(index + 1);
	seen->groups[index] = group;
	seen->lens[index] = len;
	seen->things[index] = thing;
}
