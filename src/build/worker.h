/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILD_WORKER_H
#define BUILD_WORKER_H
/*
 * A process of the build's own that does one step: it has a copy of everything, mounts what it
 * likes where nobody sees it, and says over a socket what it has found out and how it ended. It
 * dies with the build, and so does what it has started.
 */
#include "base/err.h"
#include "oci/digest.h"

#include <stdbool.h>
#include <sys/types.h>

struct worker {
	pid_t pid; /* 0: there is none */
	int fd;	   /* owned: its words come out, ours go in; -1 */
};
#define WORKER_INIT      \
	{                \
		.fd = -1 \
	}

enum worker_word_kind {
	WORKER_DIGEST, /* it knows what there is to do, and waits for worker_go */
	WORKER_DONE,
	WORKER_FAILED,
	WORKER_LOST, /* it died without a word */
};
struct worker_word {
	enum worker_word_kind kind;
	char digest[DIGEST_HEX_LEN + 1];
	struct err err;
};

/* What it does, in the child: 0 or -code. FD is its end of the socket. */
typedef int (*worker_fn)(int fd, void *data, struct err *err);

/* Starts it. Single-threaded callers only. */
int worker_start(struct worker *w, worker_fn fn, void *data, struct err *err);
/* In the child: says DIGEST and waits; 1 to go on, 0 when it is not needed any more. */
int worker_report(int fd, const char *digest);
/* Has it go on. */
void worker_go(struct worker *w);
/* Its next word; blocks unless the descriptor is readable. */
void worker_read(struct worker *w, struct worker_word *ret);
/* Waits for its end after its last word. */
void worker_finish(struct worker *w);
/* Ends it and all it has started; nothing happens when there is none. */
void worker_kill(struct worker *w);

#endif
