/*
 * The keys on disk: verify.key and seal.key, 32 random bytes each, beside the store or handed over by systemd
 * ($CREDENTIALS_DIRECTORY, systemd.exec(5)). Made with the store, and never beside one that exists.
 */
#ifndef LK_SERVER_STORE_KEYRING_H
#define LK_SERVER_STORE_KEYRING_H

#include <stdbool.h>

#include <latchkey/error.h>

#include "server/core/secret.h"
#include "server/store/store.h"

/*
 * Loads the keyring, from the credentials directory where it has the file, else from `dir`. `make`: makes what is in neither,
 * and writes it to the disk before it returns. The keyring lies in locked memory that core files leave out.
 * On failure `ret_message` names the file. LK_FAILED_PRECONDITION: a file is missing, has not 32 bytes, or its mode lets
 * others read it. LK_IO, LK_PERMISSION_DENIED, LK_FULL, LK_NO_MEMORY.
 */
LK_MUST_CHECK enum lk_err lk_keyring_load(
	int dir, bool make, struct lk_keyring **ret_keyring, char ret_message[static LK_STORE_MESSAGE_LEN]);

/* Loads verify.key alone, for whoever verifies beside the daemon; seal.key is all zero. As above in all else. */
LK_MUST_CHECK enum lk_err lk_keyring_load_verify_key(
	int dir, struct lk_keyring **ret_keyring, char ret_message[static LK_STORE_MESSAGE_LEN]);

/* Wipes and frees. Takes NULL. */
void lk_keyring_free(struct lk_keyring *keyring);

#endif
