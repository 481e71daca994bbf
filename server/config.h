/*
 * The configuration of latchkeyd: defaults, then the file, then the command line, each winning over the one before.
 *
 * Every option stands once, in the table of config_option.c, with its place in the file, its flag, its bounds, its default and
 * its help. All faults are found and reported together. Not for use by two threads at once: getopt(3) has one state.
 */
#ifndef LK_SERVER_CONFIG_H
#define LK_SERVER_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <latchkey/error.h>

#include "server/jose/issuer_config.h"
#include "server/log.h"

#define LK_CONFIG_LISTEN_MAX 16

/* What the command line asks for. */
enum lk_config_action {
	LK_CONFIG_RUN,
	LK_CONFIG_HELP,
	LK_CONFIG_VERSION,
};

struct lk_config {
	enum lk_config_action action;
	/* Absolute. */
	char *data_dir;
	/* At least one: ipc://DATA/latchkey.sock where none was given. */
	char *listen[LK_CONFIG_LISTEN_MAX];
	size_t n_listen;
	bool allow_plaintext;
	enum lk_log_level log_level;
	/* Requests under way in all; and how many of those places writes and scans never take. */
	uint64_t exchanges_max;
	uint64_t exchanges_reserved;
	uint64_t connections_max;
	/* Of one connection: requests that were received and are not yet answered. */
	uint64_t in_flight_max;
	/* How long a stop waits for what is under way. */
	uint64_t drain_ms;
	/* Changes that wait for the writer. */
	uint64_t writer_queue;
	/* Bytes of LMDB's map: the most that the store can grow to. */
	uint64_t map_size;
	/* Keys that there can ever have been; a slot is never used twice. */
	uint64_t slots_max;
	/* Between two flushes of the slots to disk. */
	uint64_t slots_sync_s;
	/* Whose tokens are taken; see config_issuer.h. */
	struct lk_issuer_config issuers[LK_ISSUERS_MAX];
	size_t n_issuers;
};

/*
 * Reads the command line and the file that it names. Does not print.
 *
 * LK_INVALID_ARGUMENT: `*ret_faults` is a text of one line a fault, each with its file and line or its flag, to be freed by the
 * caller; `*ret` is then all zero. LK_NO_MEMORY: both are zero. With an action other than LK_CONFIG_RUN nothing else is set.
 */
LK_MUST_CHECK enum lk_err lk_config_load(int argc, char *const argv[], struct lk_config *ret, char **ret_faults);

/* Frees what it holds; takes one that is all zero. */
void lk_config_done(struct lk_config *config);

/* The text of --help, to be freed by the caller; NULL without memory. */
char *lk_config_help(void);

#endif
