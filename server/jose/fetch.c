#include "server/jose/fetch.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* How a document comes in. */
struct download {
	char *body;
	size_t len;
	size_t room;
	const atomic_bool *stop;
	bool no_memory;
};

enum lk_err lk_fetch_set_up(void)
{
	return curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK ? LK_OK : LK_INTERNAL;
}

/* A part of a URL, to be curl_free()d; NULL where it has none. */
static char *part_of(CURLU *url, CURLUPart part)
{
	char *text = NULL;

	return curl_url_get(url, part, &text, 0) == CURLUE_OK ? text : NULL;
}

static bool is_loopback(const char *host)
{
	struct in_addr address = {0};

	/* What only looks like an address is a name, and that is looked up elsewhere. */
	return strcmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0 ||
	       (inet_pton(AF_INET, host, &address) == 1 && ntohl(address.s_addr) >> 24 == IN_LOOPBACKNET);
}

static bool has_part(CURLU *url, CURLUPart part)
{
	char *text = part_of(url, part);
	bool has = text != NULL;

	curl_free(text);
	return has;
}

const char *lk_fetch_check_url(const char *text)
{
	CURLU *url = curl_url();
	const char *fault = "give an https URL; http only from 127.0.0.1, [::1] or localhost";
	char *scheme = NULL;
	char *host = NULL;

	if (url == NULL) {
		return "out of memory";
	}
	if (curl_url_set(url, CURLUPART_URL, text, 0) == CURLUE_OK) {
		scheme = part_of(url, CURLUPART_SCHEME);
		host = part_of(url, CURLUPART_HOST);
	}
	if (scheme != NULL && host != NULL &&
		(strcmp(scheme, "https") == 0 || (strcmp(scheme, "http") == 0 && is_loopback(host)))) {
		fault = has_part(url, CURLUPART_USER) || has_part(url, CURLUPART_PASSWORD) ||
					has_part(url, CURLUPART_FRAGMENT)
				? "give a URL without a user, a password or a fragment"
				: NULL;
	}
	curl_free(host);
	curl_free(scheme);
	curl_url_cleanup(url);
	return fault;
}

/* curl's write function: returns how much it took; less than all ends the transfer. */
static size_t take(char *data, size_t size, size_t count, void *context)
{
	struct download *download = context;
	size_t len = size * count;

	if (len > LK_FETCH_BODY_MAX - download->len) {
		return 0;
	}
	if (download->len + len > download->room) {
		size_t room = download->len + len > 2 * download->room ? download->len + len : 2 * download->room;
		char *body = realloc(download->body, room);
		if (body == NULL) {
			download->no_memory = true;
			return 0;
		}
		download->body = body;
		download->room = room;
	}
	if (len > 0) {
		memcpy(download->body + download->len, data, len);
		download->len += len;
	}
	return len;
}

/* curl's progress function, called about once a second and more often: anything but 0 ends the transfer. */
static int look_up(void *context, curl_off_t in_all, curl_off_t in_now, curl_off_t out_all, curl_off_t out_now)
{
	const struct download *download = context;

	(void)in_all;
	(void)in_now;
	(void)out_all;
	(void)out_now;
	return atomic_load(download->stop) ? 1 : 0;
}

static void set_options(CURL *curl, const char *url, struct download *download, char *error)
{
	bool plain = strncasecmp(url, "http:", 5) == 0;

	(void)curl_easy_setopt(curl, CURLOPT_URL, url);
	(void)curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, plain ? "http" : "https");
	(void)curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
	if (plain) {
		/* It is on this machine: no proxy stands between. */
		(void)curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
	}
	(void)curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 1L);
	(void)curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 2L);
	(void)curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)LK_FETCH_CONNECT_MS);
	(void)curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)LK_FETCH_TOTAL_MS);
	(void)curl_easy_setopt(curl, CURLOPT_MAXFILESIZE, (long)LK_FETCH_BODY_MAX);
	(void)curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	(void)curl_easy_setopt(curl, CURLOPT_USERAGENT, "latchkeyd/" LK_VERSION);
	(void)curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, error);
	(void)curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
	(void)curl_easy_setopt(curl, CURLOPT_WRITEDATA, download);
	(void)curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
	(void)curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, look_up);
	(void)curl_easy_setopt(curl, CURLOPT_XFERINFODATA, download);
}

/* LK_OK where all of a good answer came in. */
static enum lk_err judge(CURL *curl, CURLcode code, const struct download *download, const char *error,
	char ret_why[static LK_FETCH_WHY_LEN])
{
	long status = 0;

	if (download->no_memory) {
		return LK_NO_MEMORY;
	}
	if (code == CURLE_WRITE_ERROR || code == CURLE_FILESIZE_EXCEEDED) {
		(void)snprintf(ret_why, LK_FETCH_WHY_LEN, "the answer has more than %zu bytes", LK_FETCH_BODY_MAX);
		return LK_UNAVAILABLE;
	}
	if (code != CURLE_OK) {
		(void)snprintf(ret_why, LK_FETCH_WHY_LEN, "%s", error[0] != '\0' ? error : curl_easy_strerror(code));
		return LK_UNAVAILABLE;
	}
	(void)curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
	if (status != 200) {
		(void)snprintf(ret_why, LK_FETCH_WHY_LEN, "the answer is %ld, not 200", status);
		return LK_UNAVAILABLE;
	}
	return LK_OK;
}

enum lk_err lk_fetch(const char *url, const atomic_bool *stop, char **ret_body, size_t *ret_len,
	char ret_why[static LK_FETCH_WHY_LEN])
{
	struct download download = {.stop = stop};
	char error[CURL_ERROR_SIZE] = "";
	CURL *curl = curl_easy_init();

	if (curl == NULL) {
		return LK_NO_MEMORY;
	}
	set_options(curl, url, &download, error);
	enum lk_err err = judge(curl, curl_easy_perform(curl), &download, error, ret_why);
	if (atomic_load(stop)) {
		/* Else it waits for a name that is being looked up. */
		(void)curl_easy_setopt(curl, CURLOPT_QUICK_EXIT, 1L);
	}
	curl_easy_cleanup(curl);
	if (err != LK_OK) {
		free(download.body);
		return err;
	}
	*ret_body = download.body;
	*ret_len = download.len;
	return LK_OK;
}
