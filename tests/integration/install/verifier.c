/* Whether the tokens on standard input are good, one a line, asked at the URL that is given: all at once, by a verifier. */
#include <latchkey/latchkey.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static _Atomic int refused;
static sem_t told;

static void on_verdict(enum lk_err err, Latchkey__V1__VerifyKeyResponse *response, struct lk_call *call, void *context)
{
	(void)context;
	if (err || !response->valid)
		refused++;
	latchkey__v1__verify_key_response__free_unpacked(response, NULL);
	lk_call_done(call);
	free(call);
	sem_post(&told);
}

int main(int argc, char **argv)
{
	const char *const *urls = (const char *const *)argv + 1;
	struct lk_channel_options options = {.urls = urls, .n_urls = (size_t)argc - 1};
	struct lk_channel *channel = NULL;
	struct lk_verifier *verifier = NULL;
	char token[LK_TOKEN_MAX] = "";
	int asked = 0;

	sem_init(&told, 0, 0);
	if (lk_channel_open(&options, &channel) != LK_OK ||
		lk_verifier_open(&(struct lk_verifier_options){.channel = channel}, &verifier) != LK_OK)
		return 2;
	while (fgets(token, sizeof(token), stdin)) {
		Latchkey__V1__VerifyKeyRequest request = LATCHKEY__V1__VERIFY_KEY_REQUEST__INIT;
		struct lk_call *call = calloc(1, sizeof(*call));
		token[strcspn(token, "\n")] = '\0';
		request.token = token;
		if (!call || lk_verifier_start(verifier, &request, call, on_verdict, NULL) != LK_OK)
			return 2;
		asked++;
	}
	for (int i = 0; i < asked; i++)
		sem_wait(&told);
	printf("%d of %d\n", asked - refused, asked);
	lk_verifier_close(verifier);
	lk_channel_close(channel);
	return refused > 0;
}
