#include <latchkey/error.h>

#include <stddef.h>

struct error {
	enum lk_err err;
	/* gRPC's code, as the server answers it. */
	enum lk_err wire;
	const char *name;
	const char *text;
};

static const struct error errors[] = {
	{LK_OK, LK_OK, "OK", "no error"},
	{LK_CANCELLED, LK_CANCELLED, "CANCELLED", "the call was cancelled"},
	{LK_UNKNOWN, LK_UNKNOWN, "UNKNOWN", "an error of unknown kind"},
	{LK_INVALID_ARGUMENT, LK_INVALID_ARGUMENT, "INVALID_ARGUMENT", "the request is not valid"},
	{LK_DEADLINE_EXCEEDED, LK_DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED", "no answer came in time"},
	{LK_NOT_FOUND, LK_NOT_FOUND, "NOT_FOUND", "no such thing"},
	{LK_ALREADY_EXISTS, LK_ALREADY_EXISTS, "ALREADY_EXISTS", "it exists already"},
	{LK_PERMISSION_DENIED, LK_PERMISSION_DENIED, "PERMISSION_DENIED", "the caller may not do this"},
	{LK_RESOURCE_EXHAUSTED, LK_RESOURCE_EXHAUSTED, "RESOURCE_EXHAUSTED", "a limit is reached"},
	{LK_FAILED_PRECONDITION, LK_FAILED_PRECONDITION, "FAILED_PRECONDITION", "its state does not allow this"},
	{LK_ABORTED, LK_ABORTED, "ABORTED", "it was changed by somebody else meanwhile"},
	{LK_OUT_OF_RANGE, LK_OUT_OF_RANGE, "OUT_OF_RANGE", "past the end of what there is"},
	{LK_UNIMPLEMENTED, LK_UNIMPLEMENTED, "UNIMPLEMENTED", "the server has no such method"},
	{LK_INTERNAL, LK_INTERNAL, "INTERNAL", "a fault of the server"},
	{LK_UNAVAILABLE, LK_UNAVAILABLE, "UNAVAILABLE", "the server cannot be reached or cannot answer now"},
	{LK_DATA_LOSS, LK_DATA_LOSS, "DATA_LOSS", "stored data are lost or damaged"},
	{LK_UNAUTHENTICATED, LK_UNAUTHENTICATED, "UNAUTHENTICATED", "the caller is not known"},
	{LK_PROTOCOL, LK_INTERNAL, "PROTOCOL", "the peer does not speak this protocol"},
	{LK_NO_MEMORY, LK_RESOURCE_EXHAUSTED, "NO_MEMORY", "out of memory"},
	{LK_IO, LK_INTERNAL, "IO", "a system call failed"},
	{LK_FULL, LK_RESOURCE_EXHAUSTED, "FULL", "the disk or the store is full"},
	{LK_CORRUPT, LK_DATA_LOSS, "CORRUPT", "stored data do not add up"},
	{LK_MOVED, LK_ABORTED, "MOVED", "what the change was built on has moved"},
	{LK_HELD, LK_UNAVAILABLE, "HELD", "another process holds it"},
};

static const struct error *find(enum lk_err err)
{
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		if (errors[i].err == err) {
			return &errors[i];
		}
	}
	return &errors[LK_UNKNOWN];
}

const char *lk_err_name(enum lk_err err)
{
	return find(err)->name;
}

const char *lk_err_text(enum lk_err err)
{
	return find(err)->text;
}

uint32_t lk_err_wire_code(enum lk_err err)
{
	return (uint32_t)find(err)->wire;
}

enum lk_err lk_err_from_wire(uint32_t code)
{
	return code <= LK_UNAUTHENTICATED ? (enum lk_err)code : LK_UNKNOWN;
}
