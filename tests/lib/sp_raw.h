/*
 * A client that speaks nng's wire protocol by hand, byte for byte, so that a test can also speak it wrongly.
 *
 * SP over ipc frames a message as 01, its length in 8 bytes, its bytes; over tcp without the 01. A request begins with 4 bytes
 * that the reply repeats; their highest bit is set. Nothing here asserts, so that it can be used on any thread.
 */
#ifndef LK_TESTS_SP_RAW_H
#define LK_TESTS_SP_RAW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* How long anything is waited for before it counts as lost: no measure of how fast it should be. */
#define SP_RAW_PATIENCE_MS 30000

struct sp_raw {
	int fd;
	bool ipc;
};

/* Connects to ipc:///path or tcp://127.0.0.1:port; blocking, each read and write for SP_RAW_PATIENCE_MS at most. fd -1 on failure. */
struct sp_raw sp_raw_connect(const char *url);
/* Sends the greeting of a REQ and awaits that of a REP. */
bool sp_raw_greet(struct sp_raw raw);
/* Connects and greets. */
struct sp_raw sp_raw_open(const char *url);
void sp_raw_close(struct sp_raw raw);

bool sp_raw_write(struct sp_raw raw, const void *data, size_t len);
/* Sends the header of a message of `len` bytes, the 4 bytes of the request id included. */
bool sp_raw_send_header(struct sp_raw raw, uint64_t len);
bool sp_raw_send(struct sp_raw raw, uint32_t id, const void *data, size_t len);
/* The bytes of the next reply behind its id, -1 where none came or it did not fit. */
ssize_t sp_raw_receive(struct sp_raw raw, uint32_t *ret_id, void *out, size_t size);
/* Waits until the other side closes; reads away what it still sends. False where it keeps silent and open. */
bool sp_raw_is_cut(struct sp_raw raw);

#endif
