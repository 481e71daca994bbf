/*
 * Update masks: which fields of a message an Update is to change (google.protobuf.FieldMask, AIP-134). Pure.
 *
 * A mask is checked against a table of the paths that may be changed, at most LK_MASK_PATHS_MAX of them, each named as in the
 * proto file: "name", "policy", "policy.max_ttl". What comes of it is a set of positions in that table.
 */
#ifndef LK_SERVER_CORE_MASK_H
#define LK_SERVER_CORE_MASK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "google/protobuf/field_mask.pb-c.h"
#include "server/core/faults.h"

#define LK_MASK_PATHS_MAX 64

/* What a mask names: bit i stands for the path at i of the table. */
struct lk_mask {
	uint64_t named;
};

/*
 * Checks `mask` against the table. A path that is named names all below it too: "policy" names "policy.max_ttl".
 * Faults, all under "update_mask": no mask or one without a path; "*", which would clear what a newer server knows and the
 * caller does not (each field is to be named); a path that is not in the table; a path that is given twice; a path beside one
 * that it is part of. What else is good is named nonetheless, so that its value is checked in the same answer.
 */
struct lk_mask lk_mask_check(
	struct lk_faults *faults, const Google__Protobuf__FieldMask *mask, const char *const *table, size_t table_len);

/* Whether the mask names the path at `at` of its table. */
bool lk_mask_names(struct lk_mask mask, size_t at);

#endif
