/*
 * Errors: one enum for the whole house.
 *
 * 1 to 16 are what a server answers, under gRPC's canonical numbers (https://grpc.io/docs/guides/status-codes/), which are
 * the wire's. From 32 on they are local: a server that meets one answers the canonical code that lk_err_wire_code() gives.
 * All functions here are pure, take any number, and may be called from any thread.
 */
#ifndef LATCHKEY_ERROR_H
#define LATCHKEY_ERROR_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define LK_MUST_CHECK __attribute__((warn_unused_result))

enum lk_err {
	LK_OK = 0,
	LK_CANCELLED = 1,
	LK_UNKNOWN = 2,
	LK_INVALID_ARGUMENT = 3,
	LK_DEADLINE_EXCEEDED = 4,
	LK_NOT_FOUND = 5,
	LK_ALREADY_EXISTS = 6,
	LK_PERMISSION_DENIED = 7,
	LK_RESOURCE_EXHAUSTED = 8,
	LK_FAILED_PRECONDITION = 9,
	LK_ABORTED = 10,
	LK_OUT_OF_RANGE = 11,
	LK_UNIMPLEMENTED = 12,
	LK_INTERNAL = 13,
	LK_UNAVAILABLE = 14,
	LK_DATA_LOSS = 15,
	LK_UNAUTHENTICATED = 16,
	/* The peer answered something that is not this protocol. */
	LK_PROTOCOL = 32,
	LK_NO_MEMORY = 33,
	/* A system call failed; errno says why where the function says so. */
	LK_IO = 34,
	/* The disk or the store's map is full. */
	LK_FULL = 35,
	/* Stored data do not add up. */
	LK_CORRUPT = 36,
	/* What a Change was built on has moved; it is built again. Never leaves the server. */
	LK_MOVED = 37,
	/* Another process holds it. */
	LK_HELD = 38,
};

/* The name of `err`, for example "NOT_FOUND"; "UNKNOWN" for a number that is none. Static. */
const char *lk_err_name(enum lk_err err);

/* What `err` means, in a few words without a full stop. Static. */
const char *lk_err_text(enum lk_err err);

/* The code that stands for `err` on the wire: itself up to 16, the nearest canonical one for a local error. */
uint32_t lk_err_wire_code(enum lk_err err);

/* The error that a code on the wire names; LK_UNKNOWN for a code that gRPC does not define. */
enum lk_err lk_err_from_wire(uint32_t code);

#ifdef __cplusplus
}
#endif

#endif
