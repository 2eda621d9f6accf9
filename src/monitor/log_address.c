/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Addresses of log receivers. Names are not looked up: a static program has no resolver, and a
 * container's start should not depend on one.
 */
#include "monitor/log_address.h"

#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/str.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SYSLOG_PORT 514

static const struct scheme {
	const char *prefix;
	int type;
	bool is_path;
} schemes[] = {
	{"udp://", SOCK_DGRAM, false},
	{"tcp://", SOCK_STREAM, false},
	{"unix://", SOCK_STREAM, true},
	{"unixgram://", SOCK_DGRAM, true},
};

int log_address_set_unix(struct log_address *address, int type, const char *path)
{
	struct sockaddr_un *un = (void *)&address->addr;

	if (strlen(path) >= sizeof(un->sun_path))
		return -EINVAL;
	*address = (struct log_address){.type = type, .len = sizeof(*un)};
	un->sun_family = AF_UNIX;
	memcpy(un->sun_path, path, strlen(path));
	snprintf(address->text, sizeof(address->text), "%s", path);
	return 0;
}

/* "HOST", "HOST:PORT", "[V6]:PORT": cuts TEXT in two. */
static int split_port(char *text, char **ret_host, uint64_t *ret_port)
{
	char *end = *text == '[' ? strchr(text, ']') : NULL;
	char *colon = strrchr(end ? end : text, ':');

	*ret_port = SYSLOG_PORT;
	*ret_host = text;
	if (*text == '[' && !end)
		return -EINVAL;
	if (colon && (num_parse_u64(colon + 1, ret_port) < 0 || *ret_port > UINT16_MAX))
		return -EINVAL;
	if (colon)
		*colon = '\0';
	if (end) {
		*end = '\0';
		*ret_host = text + 1;
	}
	return 0;
}

static int parse_host(const char *rest, struct log_address *address, struct err *err)
{
	cleanup_free char *copy = str_dup(rest);
	struct sockaddr_in *in = (void *)&address->addr;
	struct sockaddr_in6 *in6 = (void *)&address->addr;
	char *typed = NULL;
	const char *host = NULL;
	uint64_t port = 0;

	copy[strcspn(copy, "/")] = '\0';
	if (split_port(copy, &typed, &port) < 0)
		return err_set(err, ERR_INVALID, "address %s: invalid port", rest);
	host = !*typed || strcmp(typed, "localhost") == 0 ? "127.0.0.1" : typed;
	snprintf(address->text, sizeof(address->text), strchr(host, ':') ? "[%s]:%u" : "%s:%u",
		 host, (unsigned)port);
	if (inet_pton(AF_INET, host, &in->sin_addr) == 1) {
		in->sin_family = AF_INET;
		in->sin_port = htons((uint16_t)port);
		address->len = sizeof(*in);
	} else if (inet_pton(AF_INET6, host, &in6->sin6_addr) == 1) {
		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons((uint16_t)port);
		address->len = sizeof(*in6);
	} else {
		err_set(err, ERR_INVALID, "dial %s: lookup %s: no such host",
			address->type == SOCK_STREAM ? "tcp" : "udp", host);
		return err_hint(err, "a log is sent to an address, names are not looked up");
	}
	return 0;
}

int log_address_parse(const char *text, struct log_address *ret, struct err *err)
{
	if (str_has_prefix(text, "tcp+tls://"))
		return err_set(err, ERR_UNSUPPORTED,
			       "syslog over TLS is not supported, use tcp:// to a relay");
	for (size_t i = 0; i < ARRAY_LEN(schemes); i++) {
		const struct scheme *s = &schemes[i];
		const char *rest = text + strlen(s->prefix);
		struct stat st;

		if (!str_has_prefix(text, s->prefix))
			continue;
		*ret = (struct log_address){.type = s->type};
		if (!s->is_path)
			return parse_host(rest, ret, err);
		/* lint: the host's path, as the person who starts the container named it */
		if (stat(rest, &st) < 0)
			return err_set(err, ERR_INVALID, "stat %s: %s", rest,
				       errno == ENOENT ? "no such file or directory"
						       : strerror(errno));
		if (log_address_set_unix(ret, s->type, rest) < 0)
			return err_set(err, ERR_INVALID, "syslog-address is too long: %s", rest);
		return 0;
	}
	return err_set(err, ERR_INVALID, "syslog-address should be in form proto://address, got %s",
		       text);
}

/* The end of a connection under way: 0 or -errno. */
static int wait_connected(int fd, int wait_ms)
{
	struct pollfd p = {.fd = fd, .events = POLLOUT};
	int why = 0;
	socklen_t len = sizeof(why);

	if (poll(&p, 1, wait_ms) <= 0)
		return -ETIMEDOUT;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &why, &len) < 0)
		return -errno;
	return -why;
}

int log_address_connect(const struct log_address *address, int wait_ms)
{
	cleanup_close int fd = socket(address->addr.ss_family,
				      address->type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int rc = 0;

	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)&address->addr, address->len) < 0)
		rc = -errno;
	if (rc == -EINPROGRESS)
		rc = wait_ms > 0 ? wait_connected(fd, wait_ms) : 0;
	return rc < 0 ? rc : take_fd(fd);
}
