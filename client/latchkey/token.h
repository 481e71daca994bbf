/*
 * Tokens, offline: what can be said of one without asking anybody.
 *
 * An opaque token is a prefix, 32 random characters and 6 of checksum, all of them base62 (0-9A-Za-z). The checksum is
 * CRC-32/ISO-HDLC (the "CRC-32" of zlib) over all that stands before it, big-endian and padded with zeros. It tells a typing
 * error or a cut-off paste from a token that may be good; it is no proof of anything.
 *
 * A JWT is a header, claims and a signature in base64url (RFC 4648) with a '.' between them (RFC 7515), without a prefix; "eyJ"
 * is how a header begins, and nothing else that has a '.'. A cut-off paste shows by the length of the signature. Which
 * characters were mistyped does not show: for that the signature is to be checked, with the keyspace's keys.
 */
#ifndef LATCHKEY_TOKEN_H
#define LATCHKEY_TOKEN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define LK_TOKEN_MAX          4096
#define LK_TOKEN_PREFIX_MAX   32
#define LK_TOKEN_RANDOM_LEN   32
#define LK_TOKEN_CHECKSUM_LEN 6

enum lk_token_fault {
	LK_TOKEN_FINE = 0,
	/* Too short or too long to be one: with the prefix asked for, or with any. Of a JWT: a part is missing or cut off. */
	LK_TOKEN_LENGTH,
	/* It does not start with the prefix that was asked for, or has none. */
	LK_TOKEN_PREFIX,
	/* A character that no token has. */
	LK_TOKEN_CHARACTER,
	/* The checksum of an opaque token is wrong: mistyped or cut off. */
	LK_TOKEN_CHECKSUM,
};

/*
 * Looks at a token of `token_len` bytes. `prefix` is what it has to start with, separator included; "", as a keyspace of JWTs has
 * it: it has to be a JWT; NULL: it may be either, with any prefix.
 * Pure, does not block; its time does not depend on the token's random part, nor on a JWT's characters but where its dots are.
 */
enum lk_token_fault lk_token_check(const char *token, size_t token_len, const char *prefix);

/* What `fault` means, in a few words. Static. */
const char *lk_token_fault_text(enum lk_token_fault fault);

/* Writes the checksum of `len` bytes as LK_TOKEN_CHECKSUM_LEN characters, without a NUL. */
void lk_token_checksum(const char *text, size_t len, char *ret_checksum);

#ifdef __cplusplus
}
#endif

#endif
