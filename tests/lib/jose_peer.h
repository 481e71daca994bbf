/*
 * A stranger's JOSE for a test: jose_peer.py in a process of its own, which signs tokens with PyJWT and serves key sets over
 * HTTP on loopback. It needs /usr/bin/python3 with Debian's python3-jwt and python3-cryptography (tools/install-deps test),
 * and the environment's JOSE_PEER, the program's path.
 *
 * Fails the test by abort() where it does not work. One thread at a time.
 */
#ifndef LK_TESTS_LIB_JOSE_PEER_H
#define LK_TESTS_LIB_JOSE_PEER_H

#include <stdio.h>
#include <sys/types.h>

/* `iss` of its tokens. */
#define JOSE_PEER_ISSUER "https://issuer.example/realms/main"

struct jose_peer {
	pid_t pid;
	FILE *to;
	FILE *from;
	/* Of its key server, on 127.0.0.1. */
	int port;
};

void jose_peer_start(struct jose_peer *peer);
void jose_peer_stop(struct jose_peer *peer);

/* Sends a command, a JSON object as the program's head describes them, and returns its answer, to be freed. */
char *jose_peer_ask(struct jose_peer *peer, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The same, where nothing but "ok" is a good answer. */
void jose_peer_tell(struct jose_peer *peer, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
