#include <latchkey/channel.h>
#include <latchkey/token.h>

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "client/flight.h"
#include "client/nng_error.h"
#include "client/start.h"

/* What nng's streams can dial, but for its HTTP, which is better left alone. */
static const char *const schemes[] = {"ipc://", "tcp://", "tls+tcp://"};

static bool url_fine(const char *url)
{
	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
		size_t len = strlen(schemes[i]);
		if (strncmp(url, schemes[i], len) == 0 && url[len] != '\0') {
			return true;
		}
	}
	return false;
}

static enum lk_err options_check(const struct lk_channel_options *options)
{
	if (options->n_urls == 0 || !options->urls) {
		return LK_INVALID_ARGUMENT;
	}
	for (size_t i = 0; i < options->n_urls; i++) {
		if (!options->urls[i] || !url_fine(options->urls[i])) {
			return LK_INVALID_ARGUMENT;
		}
	}
	if (options->credential && strlen(options->credential) > LK_CREDENTIAL_MAX) {
		return LK_INVALID_ARGUMENT;
	}
	return LK_OK;
}

static enum lk_err urls_join(const struct lk_channel_options *options, char **ret_urls)
{
	static const char between[] = ", ";
	size_t size = 1;

	for (size_t i = 0; i < options->n_urls; i++) {
		size += strlen(options->urls[i]) + strlen(between);
	}
	char *urls = calloc(1, size), *at = urls;
	if (!urls) {
		return LK_NO_MEMORY;
	}
	for (size_t i = 0; i < options->n_urls; i++) {
		at = stpcpy(stpcpy(at, i > 0 ? between : ""), options->urls[i]);
	}
	*ret_urls = urls;
	return LK_OK;
}

static enum lk_err credential_copy(const char *credential, char **ret_copy)
{
	size_t size = strlen(credential) + 1;
	char *copy = sodium_malloc(size);

	if (!copy) {
		return LK_NO_MEMORY;
	}
	memcpy(copy, credential, size);
	*ret_copy = copy;
	return LK_OK;
}

static enum lk_err links_make(struct lk_channel *channel, const struct lk_channel_options *options)
{
	size_t connections = options->connections > 0 ? options->connections : 1;
	enum lk_err err = LK_OK;

	channel->links = calloc(options->n_urls * connections, sizeof(*channel->links));
	if (!channel->links) {
		return LK_NO_MEMORY;
	}
	/* URL by URL within each round, so that neighbours in the search for a ready link are different daemons. */
	for (size_t i = 0; i < options->n_urls * connections && !err; i++) {
		channel->n_links++;
		err = lk_link_make(&channel->links[i], channel, options->urls[i % options->n_urls]);
	}
	return err;
}

static enum lk_err channel_fill(struct lk_channel *channel, const struct lk_channel_options *options)
{
	enum lk_err err = urls_join(options, &channel->urls);

	if (!err && options->credential) {
		err = credential_copy(options->credential, &channel->credential);
	}
	if (!err) {
		err = lk_err_from_nng(nng_aio_alloc(&channel->timer, lk_flight_timer_arrived, channel));
	}
	return err ? err : links_make(channel, options);
}

/* Of a channel with no call under way, its links closed or never dialed. */
static void channel_free(struct lk_channel *channel)
{
	for (size_t i = 0; i < channel->n_links; i++) {
		lk_link_free(&channel->links[i]);
	}
	if (channel->timer) {
		nng_aio_free(channel->timer);
	}
	for (size_t i = 0; i < channel->n_flights; i++) {
		lk_flight_free(channel->flights[i]);
	}
	free(channel->links);
	free(channel->flights);
	sodium_free(channel->credential);
	free(channel->urls);
	pthread_cond_destroy(&channel->idle);
	pthread_mutex_destroy(&channel->lock);
	free(channel);
}

enum lk_err lk_channel_open(const struct lk_channel_options *options, struct lk_channel **ret_channel)
{
	enum lk_err err = options_check(options);

	if (err) {
		return err;
	}
	struct lk_channel *channel = calloc(1, sizeof(*channel));
	if (!channel || sodium_init() < 0) {
		free(channel);
		return LK_NO_MEMORY;
	}
	pthread_mutex_init(&channel->lock, NULL);
	pthread_cond_init(&channel->idle, NULL);
	TAILQ_INIT(&channel->free);
	TAILQ_INIT(&channel->waiting);
	TAILQ_INIT(&channel->ended);
	err = channel_fill(channel, options);
	if (err) {
		channel_free(channel);
		return err;
	}
	lk_channel_lock(channel);
	for (size_t i = 0; i < channel->n_links; i++) {
		lk_link_dial(&channel->links[i]);
	}
	lk_channel_unlock(channel);
	*ret_channel = channel;
	return LK_OK;
}

void lk_channel_close(struct lk_channel *channel)
{
	if (!channel) {
		return;
	}
	lk_channel_lock(channel);
	channel->closing = true;
	lk_flight_cancel_all(channel, NULL);
	for (size_t i = 0; i < channel->n_links; i++) {
		lk_link_close(&channel->links[i]);
	}
	nng_aio_abort(channel->timer, NNG_ECANCELED);
	lk_channel_unlock(channel);
	lk_channel_lock(channel);
	while (channel->n_under_way > 0) {
		pthread_cond_wait(&channel->idle, &channel->lock);
	}
	lk_channel_unlock(channel);
	channel_free(channel);
}

void lk_channel_cancel(struct lk_channel *channel, const void *owner)
{
	lk_channel_lock(channel);
	lk_flight_cancel_all(channel, owner);
	lk_channel_unlock(channel);
}

nng_time lk_channel_sent_at(struct lk_channel *channel, const nng_time *sent_at)
{
	pthread_mutex_lock(&channel->lock);
	nng_time at = *sent_at;
	pthread_mutex_unlock(&channel->lock);
	return at;
}

bool lk_channel_is_up(struct lk_channel *channel)
{
	bool is_up = false;

	pthread_mutex_lock(&channel->lock);
	for (size_t i = 0; i < channel->n_links; i++) {
		is_up = is_up || channel->links[i].state == LK_LINK_UP;
	}
	pthread_mutex_unlock(&channel->lock);
	return is_up;
}
