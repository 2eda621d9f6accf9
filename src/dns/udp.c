/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Questions by UDP, in batches: under load one system call brings sixteen of them and another takes
 * their answers away.
 */
#include "base/mem.h"
#include "dns/server.h"

#include <string.h>
#include <sys/socket.h>

#define BATCH	  16
#define QUERY_MAX 2048
/* Batches of one container before another has its turn. */
#define ROUNDS 8

/* One thread, one batch at a time. */
static struct {
	struct mmsghdr msgs[BATCH];
	struct iovec iov[BATCH];
	struct sockaddr_in from[BATCH];
	uint8_t packets[BATCH][QUERY_MAX];
} in;

static struct {
	struct mmsghdr msgs[BATCH];
	struct iovec iov[BATCH];
	uint8_t packets[BATCH][DNS_UDP_MAX];
	unsigned n;
} out;

static int receive(int fd)
{
	for (int i = 0; i < BATCH; i++) {
		in.iov[i] = (struct iovec){in.packets[i], QUERY_MAX};
		in.msgs[i].msg_hdr = (struct msghdr){.msg_name = &in.from[i],
						     .msg_namelen = sizeof(in.from[i]),
						     .msg_iov = &in.iov[i],
						     .msg_iovlen = 1};
	}
	return recvmmsg(fd, in.msgs, BATCH, MSG_DONTWAIT, NULL);
}

static void handle(struct container *c, int i)
{
	uint8_t *answer = out.packets[out.n];
	size_t len = 0;

	/* Longer than any question. */
	if (in.msgs[i].msg_hdr.msg_flags & MSG_TRUNC)
		return;
	switch (resolve(c, in.packets[i], in.msgs[i].msg_len, false, answer, DNS_UDP_MAX, &len)) {
	case RESOLVED_FORWARD:
		forward_begin(c, &in.from[i], in.packets[i], in.msgs[i].msg_len);
		return;
	case RESOLVED_DROP:
		return;
	case RESOLVED_ANSWER:
		break;
	}
	out.iov[out.n] = (struct iovec){answer, len};
	out.msgs[out.n].msg_hdr = (struct msghdr){.msg_name = &in.from[i],
						  .msg_namelen = sizeof(in.from[i]),
						  .msg_iov = &out.iov[out.n],
						  .msg_iovlen = 1};
	out.n++;
}

/* Who cannot be reached any more is passed over. */
static void send_all(int fd)
{
	unsigned done = 0;

	while (done < out.n) {
		int n = sendmmsg(fd, out.msgs + done, out.n - done, MSG_DONTWAIT);

		done += n > 0 ? (unsigned)n : 1;
	}
}

int udp_on_queries(void *data, uint32_t events)
{
	struct container *c = data;
	int fd = c->sockets[NAME_UDP];

	for (int round = 0; round < ROUNDS; round++) {
		int n = receive(fd);

		out.n = 0;
		for (int i = 0; i < n; i++)
			handle(c, i);
		send_all(fd);
		if (n < BATCH)
			break;
	}
	return 0;
}
