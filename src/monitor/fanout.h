/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MONITOR_FANOUT_H
#define MONITOR_FANOUT_H
/*
 * The monitor's side of its clients: the attach socket, what clients ask for, and output to all of
 * them.
 *
 * Output frames stand once in one shared queue; each client has a place in it. The container is
 * read again only when everybody has everything, so the slowest client sets the pace (as with
 * docker) and memory is one frame however many clients there are. A client that goes away, talks
 * nonsense or never says HELLO costs a slot at most; the number of slots is fixed, and the oldest
 * silent one is given up first.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "event/loop.h"
#include "monitor/protocol.h"

#define ATTACH_SOCKET_NAME "attach.sock"
#define FANOUT_CLIENTS_MAX 64
/* What the queue may hold once the container has ended: two pipes at their largest (1 MiB each by
 * /proc/sys/fs/pipe-max-size), a terminal, and the frame under way. */
#define FANOUT_TAIL_MAX (8 * 1024 * 1024)

struct fanout;

struct fanout_client {
	struct loop_source source;
	struct fanout *fanout;
	bool is_greeted;
	bool has_exit; /* was sent EXIT whole */
	uint32_t flags;
	uint32_t age;		    /* number of the accept */
	size_t offset;		    /* sent so far of the queue */
	size_t frame_end;	    /* of the frame being sent */
	int fds[COMPANION_FDS_MAX]; /* owned: came with the last bytes; -1: none */
	struct frame_parser parser;
	uint8_t request[FRAME_REQUEST_MAX];
};

struct fanout_ops {
	/* A frame from a greeted client. Negative: it is dropped. */
	int (*request)(void *ctx, struct fanout_client *client, const struct frame_span *frame);
	/* A greeted client with FLAGS is gone. */
	void (*gone)(void *ctx, uint32_t flags);
	/* Everybody has everything. */
	void (*idle)(void *ctx);
};

struct fanout {
	struct loop *loop;
	const struct fanout_ops *ops;
	void *ctx;
	struct loop_source listen;
	int listen_fd;
	pid_t pid;
	int stdin_fd; /* borrowed; handed to clients; -1 when there is none (any more) */
	uint32_t n_accepted;
	uint8_t *buf; /* mapped */
	size_t len;
	size_t cap;
	struct fanout_client clients[FANOUT_CLIENTS_MAX];
};

/* Sets up FANOUT (large: not for the stack); 0 or -errno. */
int fanout_init(struct fanout *fanout, struct loop *loop, const struct fanout_ops *ops, void *ctx);
/* Creates the attach socket, mode 0600, in DIR_FD; a stale one is replaced. Connections wait until
 * fanout_begin. 0 or -errno. */
int fanout_listen(struct fanout *fanout, int dir_fd);
/* Takes the descriptors that came with the client's last frame: stored in RET, the caller's; their
 * number. */
size_t fanout_client_take_fds(struct fanout_client *client, int ret[static COMPANION_FDS_MAX]);
/* The container runs as PID (0: not yet) with standard input STDIN_FD (borrowed, -1: none): take
 * clients. Again when that changes. */
int fanout_begin(struct fanout *fanout, pid_t pid, int stdin_fd);
/* Adds the connected SOCKET_FD (taken over in every case) as a client that said HELLO with FLAGS,
 * and tells it STARTED. 0 or -errno. */
int fanout_add(struct fanout *fanout, int socket_fd, uint32_t flags);

/* Whether a greeted client has any bit of FLAG (enum client_flag). */
bool fanout_has_client(const struct fanout *fanout, uint32_t flag);
/* Whether a client that settles the container was told of its exit. */
bool fanout_is_settled(const struct fanout *fanout);
/* Whether everybody has everything. */
bool fanout_is_idle(const struct fanout *fanout);

/* Room for a payload of up to LEN bytes at the end of the queue, or NULL when it is full. */
uint8_t *fanout_reserve(struct fanout *fanout, size_t len);
/* Makes the LEN bytes put there a frame of TYPE. */
void fanout_commit(struct fanout *fanout, enum frame_type type, size_t len);
/* Sends what can be sent now, dropping who has gone. Calls idle when nothing is left. */
void fanout_flush(struct fanout *fanout);

/* Stores the descriptors of all clients in FDS, which has room for FANOUT_CLIENTS_MAX; their
 * number.
 */
size_t fanout_get_fds(const struct fanout *fanout, int *fds);
/* Takes the connections still waiting and closes the attach socket. */
void fanout_close_listen(struct fanout *fanout);
/* Gives the queue's idle memory back to the kernel. */
void fanout_trim(struct fanout *fanout);
/* Drops every client and releases all. */
void fanout_done(struct fanout *fanout);

#endif
