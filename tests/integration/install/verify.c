/* Whether the token on standard input is good, asked at the URL that is given. */
#include <latchkey/latchkey.h>
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
	const char *const *urls = (const char *const *)argv + 1;
	struct lk_channel_options options = {.urls = urls, .n_urls = (size_t)argc - 1};
	struct lk_channel *channel = NULL;
	Latchkey__V1__VerifyKeyRequest request = LATCHKEY__V1__VERIFY_KEY_REQUEST__INIT;
	Latchkey__V1__VerifyKeyResponse *response = NULL;
	char token[LK_TOKEN_MAX] = "";

	if (!fgets(token, sizeof(token), stdin) || lk_channel_open(&options, &channel) != LK_OK)
		return 2;
	token[strcspn(token, "\n")] = '\0';
	request.token = token;
	enum lk_err err = latchkey_v1_key_verify(channel, &request, &response, NULL);
	puts(err ? lk_err_name(err) : response->valid ? "VALID" : "not valid");
	lk_channel_close(channel);
	return err || !response->valid;
}
