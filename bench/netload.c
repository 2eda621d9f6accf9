/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Load for a TCP connection, static so that it runs in any container.
 *
 *     netload server PORT                            serves one client after the other
 *     netload stream ADDRESS PORT MILLISECONDS       sends for that long; prints bytes per second
 *     netload rr ADDRESS PORT MILLISECONDS           one byte to and fro; prints nanoseconds of one
 *                                                    round trip, the mean
 *
 * The client's first byte says which. A client that finds no server yet tries for five seconds.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CHUNK (256 * 1024)

static char chunk[CHUNK];

static void check(int good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "netload: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ull + (uint64_t)ts.tv_nsec;
}

static long number(const char *text)
{
	long value = 0;
	char rest = 0;

	errno = EINVAL;
	check(sscanf(text, "%ld%c", &value, &rest) == 1 && value > 0, text);
	return value;
}

/* An IPv4 or IPv6 address; its length. */
static socklen_t address(const char *text, long port, struct sockaddr_storage *ret)
{
	struct sockaddr_in *four = (void *)ret;
	struct sockaddr_in6 *six = (void *)ret;

	memset(ret, 0, sizeof(*ret));
	if (inet_pton(AF_INET, text, &four->sin_addr) == 1) {
		four->sin_family = AF_INET;
		four->sin_port = htons((uint16_t)port);
		return sizeof(*four);
	}
	check(inet_pton(AF_INET6, text, &six->sin6_addr) == 1, text);
	six->sin6_family = AF_INET6;
	six->sin6_port = htons((uint16_t)port);
	return sizeof(*six);
}

static void no_delay(int fd)
{
	const int on = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

/* ---- server ---- */

static void serve(int fd)
{
	char mode = 0;

	if (read(fd, &mode, 1) != 1)
		return;
	if (mode == 's')
		while (read(fd, chunk, sizeof(chunk)) > 0)
			;
	else
		while (read(fd, chunk, 1) == 1 && write(fd, chunk, 1) == 1)
			;
}

__attribute__((noreturn)) static void server(long port)
{
	struct sockaddr_storage addr;
	socklen_t len = address("::", port, &addr);
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	const int on = 1;

	if (fd < 0) { /* a kernel without IPv6 */
		len = address("0.0.0.0", port, &addr);
		fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	}
	check(fd >= 0, "socket");
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	check(bind(fd, (struct sockaddr *)&addr, len) == 0, "bind");
	check(listen(fd, 8) == 0, "listen");
	for (;;) {
		int client = accept(fd, NULL, NULL);

		check(client >= 0, "accept");
		no_delay(client);
		serve(client);
		close(client);
	}
}

/* ---- client ---- */

static int reach(const char *text, long port)
{
	struct sockaddr_storage addr;
	socklen_t len = address(text, port, &addr);
	const struct timespec pause = {.tv_nsec = 10000000};

	for (int i = 0; i < 500; i++) {
		int fd = socket(addr.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

		check(fd >= 0, "socket");
		if (connect(fd, (struct sockaddr *)&addr, len) == 0)
			return fd;
		close(fd);
		nanosleep(&pause, NULL);
	}
	check(0, "connect");
	return -1;
}

static uint64_t stream(int fd, uint64_t duration)
{
	uint64_t start = now_ns();
	uint64_t sent = 0;

	check(write(fd, "s", 1) == 1, "write");
	while (now_ns() - start < duration) {
		ssize_t n = write(fd, chunk, sizeof(chunk));

		check(n > 0, "write");
		sent += (uint64_t)n;
	}
	return (uint64_t)((double)sent * 1e9 / (double)(now_ns() - start));
}

static uint64_t round_trips(int fd, uint64_t duration)
{
	uint64_t start = 0;
	uint64_t n = 0;

	no_delay(fd);
	check(write(fd, "r", 1) == 1, "write");
	for (start = now_ns(); now_ns() - start < duration; n++)
		check(write(fd, chunk, 1) == 1 && read(fd, chunk, 1) == 1, "round trip");
	return (now_ns() - start) / n;
}

int main(int argc, char **argv)
{
	uint64_t duration = 0;
	int fd = -1;

	if (argc == 3 && strcmp(argv[1], "server") == 0)
		server(number(argv[2]));
	if (argc != 5 || (strcmp(argv[1], "stream") != 0 && strcmp(argv[1], "rr") != 0)) {
		fputs("usage: netload server PORT | stream ADDRESS PORT MS | rr ADDRESS PORT MS\n",
		      stderr);
		return 2;
	}
	fd = reach(argv[2], number(argv[3]));
	duration = (uint64_t)number(argv[4]) * 1000000;
	printf("%llu\n", (unsigned long long)(argv[1][0] == 's' ? stream(fd, duration)
								: round_trips(fd, duration)));
	return 0;
}
