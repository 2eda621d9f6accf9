/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asks a name server many questions by UDP and counts the answers.
 *
 *	tare-dns-load rate ADDRESS NAME RATE SECONDS   as many each second, evenly; then one line of
 *	                                               JSON: asked, answered, wrong, the longest
 *	                                               and the mean time of an answer in us
 *	tare-dns-load malformed ADDRESS COUNT SEED     questions with something wrong in them; then
 *	                                               asked and answered
 */
#include "../unit/dns/packets.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/num.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define NS_PER_S 1000000000ULL
/* For the last answers. */
#define DRAIN_NS 1000000000ULL

struct load {
	int fd;
	uint64_t asked, answered, wrong, longest_ns, sum_ns;
	uint64_t sent_ns[65536]; /* by number of the question; 0: none is out */
};

static int connect_to(const char *address)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(53)};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0 || inet_pton(AF_INET, address, &a.sin_addr) != 1 ||
	    connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &(int){1 << 22}, sizeof(int));
	return fd;
}

static void take_answers(struct load *l)
{
	uint8_t buf[2048];
	ssize_t n = 0;

	while ((n = recv(l->fd, buf, sizeof(buf), MSG_DONTWAIT)) > 0) {
		unsigned id = n >= 12 ? (unsigned)(buf[0] << 8 | buf[1]) : 0;
		uint64_t took = 0;

		/* An answer with something in it, to what is out. */
		if (n < 12 || !l->sent_ns[id] || (buf[3] & 0xf) || (!buf[6] && !buf[7])) {
			l->wrong++;
			continue;
		}
		took = clock_mono_ns() - l->sent_ns[id];
		l->sent_ns[id] = 0;
		l->answered++;
		l->sum_ns += took;
		if (took > l->longest_ns)
			l->longest_ns = took;
	}
}

static void ask(struct load *l, struct packet *p)
{
	unsigned id = (unsigned)(l->asked % 65536);

	p->bytes[0] = (uint8_t)(id >> 8);
	p->bytes[1] = (uint8_t)id;
	l->sent_ns[id] = clock_mono_ns();
	while (send(l->fd, p->bytes, p->len, 0) < 0 && errno == EAGAIN)
		poll(&(struct pollfd){l->fd, POLLOUT, 0}, 1, 1);
	l->asked++;
}

static int run_rate(const char *address, const char *name, uint64_t rate, uint64_t seconds)
{
	static struct load l;
	struct packet p = make_query(name, 1, 1232);
	uint64_t begin = clock_mono_ns();
	uint64_t end = begin + seconds * NS_PER_S;
	uint64_t now = begin;

	l.fd = connect_to(address);
	if (l.fd < 0)
		return 1;
	for (; now < end + DRAIN_NS && (now < end || l.answered < l.asked); now = clock_mono_ns()) {
		uint64_t due = (now - begin) * rate / NS_PER_S;

		while (now < end && l.asked < due)
			ask(&l, &p);
		poll(&(struct pollfd){l.fd, POLLIN, 0}, 1, 1);
		take_answers(&l);
	}
	printf("{\"asked\": %lu, \"answered\": %lu, \"wrong\": %lu, \"longest_us\": %lu, "
	       "\"mean_us\": %lu}\n",
	       l.asked, l.answered, l.wrong, l.longest_ns / 1000,
	       l.answered ? l.sum_ns / l.answered / 1000 : 0);
	close(l.fd);
	return 0;
}

static int run_malformed(const char *address, uint64_t count, uint64_t seed)
{
	uint64_t answered = 0;
	uint8_t buf[2048];
	int fd = connect_to(address);

	if (fd < 0)
		return 1;
	for (uint64_t i = 0; i < count; i++) {
		struct packet p = make_malformed(&seed);

		while (send(fd, p.bytes, p.len, 0) < 0 && errno == EAGAIN)
			poll(&(struct pollfd){fd, POLLOUT, 0}, 1, 1);
		/* No faster than they are taken. */
		if (i % 64 == 63)
			poll(&(struct pollfd){fd, POLLIN, 0}, 1, 10);
		while (recv(fd, buf, sizeof(buf), MSG_DONTWAIT) >= 0)
			answered++;
	}
	printf("{\"asked\": %lu, \"answered\": %lu}\n", count, answered);
	close(fd);
	return 0;
}

int main(int argc, char **argv)
{
	uint64_t a = 0;
	uint64_t b = 0;

	if (argc == 6 && strcmp(argv[1], "rate") == 0 && num_parse_u64(argv[4], &a) == 0 &&
	    num_parse_u64(argv[5], &b) == 0)
		return run_rate(argv[2], argv[3], a, b);
	if (argc == 5 && strcmp(argv[1], "malformed") == 0 && num_parse_u64(argv[3], &a) == 0 &&
	    num_parse_u64(argv[4], &b) == 0)
		return run_malformed(argv[2], a, b);
	fprintf(stderr, "usage: %s rate ADDRESS NAME RATE SECONDS | malformed ADDRESS COUNT SEED\n",
		argv[0]);
	return 2;
}
