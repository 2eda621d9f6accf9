/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MONITOR_LOG_ADDRESS_H
#define MONITOR_LOG_ADDRESS_H
/* Where log messages are sent: "syslog-address", and the sockets that are known by their place. */
#include <sys/socket.h>
#include <sys/un.h>

struct err;

#define LOG_JOURNAL_SOCKET "/run/systemd/journal/socket"

struct log_address {
	int type; /* SOCK_STREAM or SOCK_DGRAM */
	socklen_t len;
	struct sockaddr_storage addr;
	char text[sizeof(((struct sockaddr_un *)0)->sun_path) + 16]; /* for messages */
};

/* Reads TEXT: "udp://HOST[:PORT]", "tcp://…", "unix://PATH", "unixgram://PATH". HOST is an address
 * (IPv6 in brackets), "localhost" or empty. ERR_INVALID in docker's words. */
int log_address_parse(const char *text, struct log_address *ret, struct err *err);
/* The Unix socket PATH; -EINVAL when it is too long. */
int log_address_set_unix(struct log_address *address, int type, const char *path);
/* A connected socket that does not block, or -errno. A stream is waited for, WAIT_MS at most; with
 * 0 the connection may still be under way. */
int log_address_connect(const struct log_address *address, int wait_ms);

#endif
