/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DNS_SERVER_H
#define DNS_SERVER_H
/*
 * The one object of a name server: the containers that it serves, and what it has asked elsewhere
 * for them. Every table has a bound, so that no container can make it grow at will.
 */
#include "base/rand.h"
#include "dns/message.h"
#include "event/loop.h"
#include "network/name_server.h"

#include <netinet/in.h>

/* Questions that wait for an answer from elsewhere; more are answered with SERVFAIL. When all
 * places are taken, who has most of them makes room for who has less. */
#define SERVER_MAX_FORWARDS    1024
#define CONTAINER_MAX_FORWARDS 512
/* TCP connections; more are closed. */
#define SERVER_MAX_STREAMS    256
#define CONTAINER_MAX_STREAMS 32

/* Whom else to ask. */
struct upstream {
	bool is_own; /* from the container's network */
	socklen_t len;
	union ip_sockaddr addr;
};

/* A container whose sockets we have. */
struct container {
	struct server *server;
	struct container *next;
	char id[ID_LEN + 1];
	bool forwards;
	struct upstream upstreams[NAME_SERVER_MAX_SERVERS];
	size_t n_upstreams;
	int conn_fd;		     /* owned: its monitor; the end of it is the container's */
	int sockets[N_NAME_SOCKETS]; /* owned; -1 until they came */
	struct loop_source conn, udp, tcp, ask;
	size_t n_forwards, n_streams;
	size_t n_asked; /* of the forwards, through its ask socket */
};

struct server {
	struct loop loop;
	struct name_table *names;
	int listen_fd, lock_fd, networks_fd; /* owned */
	struct loop_source listen;
	struct container *containers; /* owned */
	struct loop_timer deadline;   /* the earliest of forwards and streams */
	uint64_t deadline_ns;	      /* 0: not set */
	struct loop_timer end;
	struct forward *forwards; /* owned */
	struct stream *streams;	  /* owned */
	size_t n_forwards, n_streams;
};

/* Begins to serve who connects to LISTEN_FD; the descriptors are handed over. 0 or -errno. */
int server_init(struct server *server, int listen_fd, int lock_fd, int networks_fd);
/* Has the deadline's timer fire at DEADLINE_NS (CLOCK_MONOTONIC) at the latest. */
void server_arm(struct server *server, uint64_t deadline_ns);

/* ---- what becomes of a question (resolve.c) ---- */

enum resolved {
	RESOLVED_ANSWER,  /* there is an answer */
	RESOLVED_DROP,	  /* it is not worth one */
	RESOLVED_FORWARD, /* somebody else has to be asked */
};
/* Looks at PACKET from container C. An answer goes into BUF (CAP bytes, at least DNS_UDP_MIN) as
 * RET_LEN bytes; by UDP it is no longer than the question allows. */
enum resolved resolve(struct container *c, const uint8_t *packet, size_t len, bool is_tcp,
		      uint8_t *buf, size_t cap, size_t *ret_len);
/* Fails the question: the length of the answer with RCODE in BUF, 0 for one that gets none. */
size_t resolve_error(const uint8_t *packet, size_t len, enum dns_rcode rcode,
		     uint8_t buf[static DNS_UDP_MIN]);

/* ---- UDP (udp.c) ---- */

/* Something came on a container's UDP socket: a loop_fn; DATA is the container. */
int udp_on_queries(void *data, uint32_t events);

/* ---- questions that are asked elsewhere (forward.c) ---- */

/* Asks C's servers what CLIENT asked, one after the other. What cannot be asked is answered with
 * SERVFAIL. */
void forward_begin(struct container *c, const struct sockaddr_in *client, const uint8_t *query,
		   size_t len);
/* Something came on a container's ask socket: a loop_fn. */
int forward_on_asked(void *data, uint32_t events);
/* Goes on with those whose time is over at NOW_NS; the earliest deadline of the rest, or 0. */
uint64_t forward_expire(struct server *server, uint64_t now_ns);
/* Forgets those of C. */
void forward_forget(struct container *c);

/* ---- TCP (stream.c) ---- */

/* Somebody connects to a container's TCP socket: a loop_fn. */
int stream_on_connect(void *data, uint32_t events);
uint64_t stream_expire(struct server *server, uint64_t now_ns);
void stream_forget(struct container *c);

#endif
