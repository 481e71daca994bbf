#include "server/core/faults.h"

#include <string.h>

/* Stands for what could not be said; shared by all, and never written to. */
static struct lk_fault no_room = {.field = "", .description = "there are faults, and no memory left to name them"};

static const struct lk_fault more = {
	.field = "",
	.description = "there are further faults: mend those named here and try again",
};

void lk_faults_init(struct lk_faults *faults, struct lk_arena *arena)
{
	*faults = (struct lk_faults){.arena = arena};
}

/* A place for one more fault, or NULL where it is already said that there are more. */
static struct lk_fault *next_place(struct lk_faults *faults)
{
	if (faults->items == NULL) {
		faults->items = lk_arena_array(faults->arena, LK_FAULTS_MAX, sizeof(*faults->items));
		if (faults->items == NULL) {
			faults->items = &no_room;
			faults->count = 1;
		}
	}
	if (faults->items == &no_room) {
		return NULL;
	}
	if (faults->count == LK_FAULTS_MAX) {
		faults->items[LK_FAULTS_MAX - 1] = more;
		return NULL;
	}
	return &faults->items[faults->count++];
}

void lk_fault_add(struct lk_faults *faults, const char *field, const char *format, ...)
{
	struct lk_fault *place = next_place(faults);
	if (place == NULL) {
		return;
	}
	va_list args;
	va_start(args, format);
	place->field = lk_arena_text(faults->arena, field, strlen(field));
	place->description = lk_arena_vprintf(faults->arena, format, args);
	va_end(args);
	if (place->field == NULL || place->description == NULL) {
		*place = no_room;
	}
}
