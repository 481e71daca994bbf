/*
 * Whether the token on standard input is good, asked of the data directory that is given: in this process, beside its daemon.
 * Uses liblatchkey for the same, where a URL is given too.
 */
#include <latchkey/latchkey.h>
#include <latchkey/local.h>
#include <stdio.h>
#include <string.h>

static int say(const char *what, enum lk_err err, const Latchkey__V1__VerifyKeyResponse *response)
{
	static unsigned char packed[65536];

	if (err) {
		printf("%s: %s\n", what, lk_err_name(err));
		return 1;
	}
	/* The messages of both libraries are the same: one packs what the other made. */
	if (latchkey__v1__verify_key_response__get_packed_size(response) > sizeof(packed))
		return 1;
	latchkey__v1__verify_key_response__pack(response, packed);
	puts(response->valid ? "VALID" : "not valid");
	return !response->valid;
}

int main(int argc, char **argv)
{
	struct lk_local_options options = {.dir = argv[1]};
	struct lk_channel_options channel_options = {.urls = (const char *const *)argv + 2, .n_urls = 1};
	Latchkey__V1__VerifyKeyRequest request = LATCHKEY__V1__VERIFY_KEY_REQUEST__INIT;
	const Latchkey__V1__VerifyKeyResponse *response = NULL;
	Latchkey__V1__VerifyKeyResponse *theirs = NULL;
	struct lk_local_verifier *verifier = NULL;
	struct lk_channel *channel = NULL;
	struct lk_local *local = NULL;
	struct lk_call call = LK_CALL_INIT;
	char message[LK_LOCAL_MESSAGE_LEN] = "";
	char token[LK_TOKEN_MAX] = "";

	if (!fgets(token, sizeof(token), stdin) || lk_local_open(&options, &local, message) != LK_OK ||
		lk_local_verifier_new(local, &verifier) != LK_OK) {
		fprintf(stderr, "%s\n", message);
		return 2;
	}
	token[strcspn(token, "\n")] = '\0';
	request.token = token;
	enum lk_err err = lk_local_verify(verifier, &request, &response, &call);
	int failed = say("local", err, response);
	if (argc > 2 && lk_channel_open(&channel_options, &channel) == LK_OK) {
		err = latchkey_v1_key_verify(channel, &request, &theirs, &call);
		failed |= say("channel", err, theirs);
		if (theirs)
			latchkey__v1__verify_key_response__free_unpacked(theirs, NULL);
		lk_channel_close(channel);
	}
	lk_call_done(&call);
	lk_local_verifier_free(verifier);
	lk_local_close(local);
	return failed;
}
