#include "tests/lib/sp_raw.h"

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

static int connect_ipc(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	if (fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0) {
		return fd;
	}
	if (fd >= 0) {
		(void)close(fd);
	}
	return -1;
}

static int connect_tcp(const char *url)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	address.sin_port = htons((uint16_t)atoi(strrchr(url, ':') + 1));
	if (fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0) {
		return fd;
	}
	if (fd >= 0) {
		(void)close(fd);
	}
	return -1;
}

struct sp_raw sp_raw_connect(const char *url)
{
	const struct timeval timeout = {.tv_sec = SP_RAW_PATIENCE_MS / 1000};
	struct sp_raw raw = {.fd = -1, .ipc = strncmp(url, "ipc://", 6) == 0};

	raw.fd = raw.ipc ? connect_ipc(url + 6) : connect_tcp(url);
	if (raw.fd >= 0) {
		(void)setsockopt(raw.fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
		(void)setsockopt(raw.fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
	}
	return raw;
}

static bool read_all(struct sp_raw raw, void *out, size_t len)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = recv(raw.fd, (char *)out + done, len - done, 0);

		if (n <= 0) {
			return false;
		}
		done += (size_t)n;
	}
	return true;
}

bool sp_raw_write(struct sp_raw raw, const void *data, size_t len)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = send(raw.fd, (const char *)data + done, len - done, MSG_NOSIGNAL);

		if (n < 0 && errno != EINTR) {
			return false;
		}
		done += n < 0 ? 0 : (size_t)n;
	}
	return true;
}

bool sp_raw_greet(struct sp_raw raw)
{
	static const uint8_t req[8] = {0, 'S', 'P', 0, 0, 0x30, 0, 0};
	static const uint8_t rep[8] = {0, 'S', 'P', 0, 0, 0x31, 0, 0};
	uint8_t greeting[8] = {0};

	return sp_raw_write(raw, req, sizeof(req)) && read_all(raw, greeting, sizeof(greeting)) &&
	       memcmp(greeting, rep, sizeof(rep)) == 0;
}

struct sp_raw sp_raw_open(const char *url)
{
	struct sp_raw raw = sp_raw_connect(url);

	if (raw.fd >= 0 && !sp_raw_greet(raw)) {
		sp_raw_close(raw);
		raw.fd = -1;
	}
	return raw;
}

void sp_raw_close(struct sp_raw raw)
{
	if (raw.fd >= 0) {
		(void)close(raw.fd);
	}
}

/* Writes the header of a message of `len` bytes; returns where it ends. */
static uint8_t *put_header(struct sp_raw raw, uint64_t len, uint8_t *out)
{
	uint64_t big = htobe64(len);

	if (raw.ipc) {
		*out++ = 1;
	}
	memcpy(out, &big, sizeof(big));
	return out + sizeof(big);
}

bool sp_raw_send_header(struct sp_raw raw, uint64_t len)
{
	uint8_t header[9];

	return sp_raw_write(raw, header, (size_t)(put_header(raw, len, header) - header));
}

bool sp_raw_send(struct sp_raw raw, uint32_t id, const void *data, size_t len)
{
	uint32_t big = htobe32(id | 0x80000000u);
	uint8_t first[512];
	uint8_t *at = put_header(raw, len + 4, first);
	size_t room = 0;

	memcpy(at, &big, 4);
	at += 4;
	/* A small message in one piece, as clients send it. */
	room = sizeof(first) - (size_t)(at - first);
	if (len <= room) {
		memcpy(at, data, len);
		return sp_raw_write(raw, first, (size_t)(at - first) + len);
	}
	return sp_raw_write(raw, first, (size_t)(at - first)) && sp_raw_write(raw, data, len);
}

ssize_t sp_raw_receive(struct sp_raw raw, uint32_t *ret_id, void *out, size_t size)
{
	uint8_t header[9] = {0};
	uint64_t len = 0;
	uint32_t id = 0;

	if (!read_all(raw, raw.ipc ? header : header + 1, raw.ipc ? 9 : 8)) {
		return -1;
	}
	memcpy(&len, header + 1, sizeof(len));
	len = be64toh(len);
	if (len < 4 || len - 4 > size || !read_all(raw, &id, 4) || !read_all(raw, out, len - 4)) {
		return -1;
	}
	*ret_id = be32toh(id) & 0x7fffffffu;
	return (ssize_t)(len - 4);
}

bool sp_raw_is_cut(struct sp_raw raw)
{
	struct pollfd readable = {.fd = raw.fd, .events = POLLIN};
	char away[65536];

	while (poll(&readable, 1, SP_RAW_PATIENCE_MS) == 1) {
		if (recv(raw.fd, away, sizeof(away), 0) <= 0) {
			return true;
		}
	}
	return false;
}
