/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MONITOR_FORWARD_PRIVATE_H
#define MONITOR_FORWARD_PRIVATE_H
/*
 * Relaying of published ports, shared by the companions (forward.c), connections (forward_tcp.c)
 * and datagrams (forward_udp.c). For these files only.
 */
#include "event/loop.h"
#include "monitor/forward.h"

#include <netinet/in.h>
#include <stddef.h>
#include <sys/socket.h>

#define FORWARD_PIPES_KEPT 2
/* TCP connections of one container: further clients wait in the listener's queue. */
#define FORWARD_CONNECTIONS_MAX 4096

struct forward_connection;
struct forward_flow;

/* A socket that is listened on. */
struct forward_listener {
	struct forward *shared;
	struct loop_source source;
	int fd; /* borrowed: the companion's */
	struct forward_port port;
	struct forward_listener *next_paused;
};

/* What all ports of one container share; there while one of them is relayed. */
struct forward {
	struct companions *all;
	size_t n_ports;
	int client_fd_max;	 /* clients have descriptors below this, */
	int pipe_fd_max;	 /* and pipes below this: the rest is the monitor's own */
	struct loop_timer timer; /* only while something is to expire or to be tried again */
	uint64_t wake_ns;	 /* when it fires, on CLOCK_MONOTONIC; 0: it is not set */

	struct forward_connection *connections;
	size_t n_connections;
	struct forward_listener *paused; /* that had no room for another connection */
	int pipes[FORWARD_PIPES_KEPT][2];
	size_t n_pipes;

	struct forward_flow **flows; /* owned: buckets; NULL while there are none */
	size_t n_flows;
	uint8_t *buf; /* mapped; with flows */
};

/* Has the timer fire in NS at the latest: it expires flows and resumes listeners. */
void forward_wake_in(struct forward *f, uint64_t ns);
/* Gives everything back when nothing is relayed any more. */
void forward_settle(struct forward *f);
/* A socket of TYPE connected, or about to be, to where PORT leads: -errno. */
int forward_connect(const struct forward_port *port, int type);

/* Takes connections of L from now on; 0 or -errno. */
int forward_tcp_watch(struct forward_listener *l);
/* Ends all connections of L, after what is on its way has been handed on. */
void forward_tcp_end(struct forward_listener *l);
/* Listens again where there was no room. */
void forward_tcp_resume(struct forward *f);
/* Closes the pipes that are kept. */
void forward_tcp_trim(struct forward *f);

/* Takes datagrams of L from now on; 0 or -errno. */
int forward_udp_watch(struct forward_listener *l);
/* Forgets all clients of L. */
void forward_udp_end(struct forward_listener *l);
/* Forgets clients that have been silent for long, and asks to be called again while there are any.
 */
void forward_udp_expire(struct forward *f);

#endif
