/*
 * What `latchkey key` and `latchkey root-key`, two views of one service, have in common.
 */
#ifndef LK_CLI_KEY_H
#define LK_CLI_KEY_H

#include "tools/latchkey/command.h"

/* Shows a Key. */
LK_MUST_CHECK enum lk_err lk_key_show(const struct lk_run *run, const json_t *key);

/* Shows a CreateKeyResponse: the key, and below it the token, alone on the last line. */
LK_MUST_CHECK enum lk_err lk_key_show_created(const struct lk_run *run, const json_t *response);

/* Shows a RotateKeyResponse in the same way, and says until when the old token is good. */
LK_MUST_CHECK enum lk_err lk_key_show_rotated(const struct lk_run *run, const json_t *response);

/* Says how many keys a list's filter matches, where the daemon knows. */
LK_MUST_CHECK enum lk_err lk_key_say_total(const struct lk_run *run, const json_t *response);

/* Runs `key bulk-revoke`, and shows what came of it. */
enum lk_exit lk_key_run_bulk_revoke(struct lk_run *run);
LK_MUST_CHECK enum lk_err lk_key_show_bulk_revoke(const struct lk_run *run, const json_t *response);

/* Reads the token of `key verify` and `key explain` from standard input into the request. LK_EXIT_USAGE: there is none. */
enum lk_exit lk_key_read_token(struct lk_run *run);
/*
 * Shows a VerifyKeyResponse: the verdict, who the token stands for, and where limits and credits stand; and the exit code for
 * it.
 */
LK_MUST_CHECK enum lk_err lk_key_show_verdict(const struct lk_run *run, const json_t *response);
enum lk_exit lk_key_judge_verdict(const json_t *response);
/* Runs `key explain`, and shows it: the verdict, each gate, and, where Get may be called, the key's last denial. */
enum lk_exit lk_key_run_explain(struct lk_run *run);
LK_MUST_CHECK enum lk_err lk_key_show_explained(const struct lk_run *run, const json_t *response);
/* Runs `key verify-batch`: a row a token, or a line of JSON. */
enum lk_exit lk_key_run_verify_batch(struct lk_run *run);

/*
 * For LK_OWN_TOKEN_FILE: makes the file before the key is made, so that no secret is lost for want of a place, and afterwards
 * moves the token from the response into it, or removes the file.
 */
enum lk_exit lk_key_open_token_file(struct lk_run *run);
enum lk_exit lk_key_fill_token_file(struct lk_run *run, json_t *response);

#endif
