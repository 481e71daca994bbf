/*
 * A real daemon for a test: latchkeyd in a process of its own, on a fresh data directory, reached over its sockets.
 *
 * Started by posix_spawn(), which nng survives where it would not survive a fork(). Everything here fails the test by abort()
 * where it does not work. One thread at a time.
 */
#ifndef LK_TESTS_LIB_DAEMON_H
#define LK_TESTS_LIB_DAEMON_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct daemon {
	/* The program, from the environment's LATCHKEYD. */
	const char *program;
	/* Holds the data directory "data" and the log "log". */
	char root[64];
	char data[80];
	char log[80];
	/* "ipc://.../latchkey.sock" */
	char url[112];
	/* Where it listens over tcp, as it said when it started; "" where it does not. */
	char tcp[64];
	/* 0: not running. */
	pid_t pid;
};

/* Makes the directories, and starts the daemon on them. */
void daemon_start(struct daemon *daemon);
/* Starts it again on the same data; `arguments`, ended by NULL, come behind those that name the data. NULL: none. */
void daemon_restart(struct daemon *daemon, const char *const *arguments);
/* kill -9, and waits for the end. */
void daemon_kill(struct daemon *daemon);
/* SIGTERM, and waits for the end; the exit status must be 0. */
void daemon_stop(struct daemon *daemon);
/* Stops it where it runs, and removes the directories. */
void daemon_remove(struct daemon *daemon);

#endif
