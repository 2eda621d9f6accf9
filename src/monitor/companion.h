/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MONITOR_COMPANION_H
#define MONITOR_COMPANION_H
/*
 * What a monitor holds, and may serve, for as long as its container runs: sockets of published
 * ports, of the name server. A companion is a few descriptors with a kind and a small payload; it
 * comes from the start of the container (monitor_keep) or from a command (monitor_client_adopt),
 * and is closed when the container ends, before anybody is told of that end. The monitor's death
 * closes it too: nothing stays taken.
 *
 * Each kind is a row in a table: what its payload must be, and what is done with it in the event
 * loop. The first bytes of the payload are its key: a second companion of the same key takes the
 * first one's place.
 */
#include <stddef.h>
#include <stdint.h>

struct forward;
struct loop;
struct monitor_config;

enum companion_kind {
	COMPANION_PORT = 1, /* a published port: monitor/forward.h */
	COMPANION_DNS,	    /* the name server's sockets in the container's network namespace */
	N_COMPANION_KINDS,
};

#define COMPANION_FDS_MAX     4
#define COMPANION_PAYLOAD_MAX 72

struct companion {
	struct companion *next;
	struct companions *all;
	const struct companion_ops *ops;
	void *state; /* the kind's own */
	int fds[COMPANION_FDS_MAX];
	uint8_t n_fds;
	uint8_t len;
	uint8_t payload[];
};

/* What a kind does; the functions may be NULL. */
struct companion_ops {
	uint8_t key_len;	  /* how much of the payload says which one it is */
	uint8_t min_len, max_len; /* of the payload */
	uint8_t min_fds, max_fds;
	/* Begins to serve it; 0 or -errno: then it is closed and refused. */
	int (*begin)(struct companion *companion);
	/* Its payload beyond the key is another one now; 0 or -errno. */
	int (*change)(struct companion *companion);
	/* The container has ended, or it is released; the descriptors are closed afterwards. */
	void (*end)(struct companion *companion);
};

/* All of one monitor. */
struct companions {
	struct loop *loop;
	const struct monitor_config *config;
	struct companion *first;
	size_t n;
	struct forward *forward; /* what relayed ports share; NULL while there are none */
};

/* Takes over the N descriptors FDS, in every case, with LEN bytes of PAYLOAD whose key no other
 * has. 0; -EINVAL, -ENOTSUP for a kind that is not known, or -errno. */
int companions_add(struct companions *all, unsigned kind, const void *payload, size_t len,
		   const int *fds, size_t n);
/* The same where another may have the key: it is ended first. With N = 0 it keeps its descriptors
 * and gets the new payload, -ENOENT when it is not there. */
int companions_adopt(struct companions *all, unsigned kind, const void *payload, size_t len,
		     const int *fds, size_t n);
/* Ends the one whose key is KEY (LEN bytes, all of its key); 0, -EINVAL or -ENOENT. */
int companions_release(struct companions *all, unsigned kind, const void *key, size_t len);
/* Ends all. */
void companions_end(struct companions *all);
/* Number of descriptors of all; stored in RET (room for them), unless that is NULL. */
size_t companions_get_fds(const struct companions *all, int *ret);

#endif
