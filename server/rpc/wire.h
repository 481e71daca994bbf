/*
 * The wire check: walks an encoded message against its descriptor and rules before protobuf-c unpacks it.
 *
 * protobuf-c is lenient: it takes text that is no UTF-8, keeps unknown fields, lets the last of two values win, and cuts
 * numbers down to size. Here all of that is refused, so that a service sees only what a careful client can have meant, and two
 * readers of one request never see two different things.
 *
 * Pure; any thread. It allocates nothing but the faults, its recursion ends at LK_WIRE_DEPTH_MAX, and its work is linear in the
 * message's bytes, but for the keys of one map, which are compared with one another (n log n).
 */
#ifndef LK_SERVER_RPC_WIRE_H
#define LK_SERVER_RPC_WIRE_H

#include <stddef.h>
#include <stdint.h>

#include <latchkey/error.h>

#include "server/core/faults.h"
#include "server/service/method.h"

/* The message itself is the first level. */
#define LK_WIRE_DEPTH_MAX 16

/* The most fields a message may have; one with more is refused as a whole. */
#define LK_WIRE_FIELDS_MAX 64

/*
 * Checks `len` bytes at `data` as one message of `rules`. Every fault names its field ("metadata[2].key", "grant.methods[3]", a
 * number in place of a name that is not known) and shows no value, for it may be a secret.
 *
 * A structural fault (a bad tag or varint, a truncation, a wrong wire type, an unknown field or enum value, a number that is out
 * of range, a singular field or a oneof given twice, text that is not UTF-8 or holds NUL, too deep a nesting) ends the walk.
 * A limit that is passed (length, number of entries, a map key given twice) does not: all of those are gathered. The strings, bytes
 * and messages behind the last entry that a field may have are counted, and not looked into.
 *
 * Of a map, the first LK_WIRE_ITEMS_MAX keys are compared.
 *
 * `data` may be NULL where `len` is 0. LK_INVALID_ARGUMENT where a fault was added.
 */
LK_MUST_CHECK enum lk_err lk_wire_check(
	const struct lk_wire_message *rules, const uint8_t *data, size_t len, struct lk_faults *faults);

#endif
