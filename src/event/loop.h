/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EVENT_LOOP_H
#define EVENT_LOOP_H
/*
 * A small epoll(7) loop: descriptors, timers and signals of one thread. Sources are embedded in
 * the caller's own objects; the loop allocates nothing and wakes up only when something happened.
 *
 * Regular files and /dev/null, which epoll refuses, are taken too: they count as always ready, so
 * `command < file` needs no path of its own.
 *
 * A source may remove itself or any other source from within a callback: what the same
 * epoll_wait(2) reported for a removed one is forgotten.
 */
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>

#define LOOP_BATCH 16

struct loop_source;

/* Called with the EPOLL* bits that are set. A negative value ends loop_run with it. */
typedef int loop_fn(void *data, uint32_t events);

struct loop_source {
	int fd; /* borrowed; -1 when not in a loop */
	uint32_t events;
	bool is_file; /* epoll refused it: always ready */
	loop_fn *fn;
	void *data;
	struct loop_source *next_file;
};

#define LOOP_SOURCE_INIT \
	{                \
		.fd = -1 \
	}

struct loop {
	int epoll_fd;
	bool is_stopped;
	int result;
	int n_pending; /* of the batch now being dispatched */
	struct epoll_event pending[LOOP_BATCH];
	struct loop_source *files;
};

/* 0 or -errno. */
int loop_init(struct loop *loop);
/* Closes the loop's own descriptor; the sources' stay with their owners. Fine after {.epoll_fd=-1}.
 */
void loop_done(struct loop *loop);

/* Watches FD (borrowed, must stay open until removal) for EVENTS. EVENTS may be 0, but epoll
 * reports EPOLLHUP and EPOLLERR all the same: remove a source that is to be left alone. 0 or
 * -errno; on failure the source is not in the loop. */
int loop_add(struct loop *loop, struct loop_source *source, int fd, uint32_t events, loop_fn *fn,
	     void *data);
/* Changes what is watched; no system call when nothing changes. 0 or -errno. */
int loop_modify(struct loop *loop, struct loop_source *source, uint32_t events);
/* Forgets the source; one that is not in the loop is fine. Call it before closing the descriptor.
 */
void loop_remove(struct loop *loop, struct loop_source *source);
static inline bool loop_has(const struct loop_source *source)
{
	return source->fd >= 0;
}

/* Waits at most TIMEOUT_MS (-1: for ever) and dispatches one batch. 0, or a callback's negative
 * value, or -errno. */
int loop_run_once(struct loop *loop, int timeout_ms);
/* Runs until loop_stop (returns its RESULT) or a callback fails. */
int loop_run(struct loop *loop);
void loop_stop(struct loop *loop, int result);

/* A timer on CLOCK_BOOTTIME: runs through a suspend, and a jump of the date does not move it. */
struct loop_timer {
	struct loop_source source;
	loop_fn *fn;
	void *data;
};

/* Creates it disarmed. 0 or -errno. FN's events are 0. */
int loop_timer_add(struct loop *loop, struct loop_timer *timer, loop_fn *fn, void *data);
/* Fires once, AFTER_NS from now; 0 disarms. Replaces an earlier setting. 0 or -errno. */
int loop_timer_set(struct loop_timer *timer, uint64_t after_ns);
void loop_timer_remove(struct loop *loop, struct loop_timer *timer);

/* Signals by signalfd(2). */
struct loop_signals {
	struct loop_source source;
	sigset_t saved; /* the thread's mask before */
};

/* Blocks SET in this thread and reports its signals; FN takes them with loop_signals_next. */
int loop_signals_add(struct loop *loop, struct loop_signals *signals, const sigset_t *set,
		     loop_fn *fn, void *data);
/* The number of the next pending signal, 0 when there is none, or -errno. */
int loop_signals_next(struct loop_signals *signals);
/* Restores the mask. Signals still pending are delivered then. */
void loop_signals_remove(struct loop *loop, struct loop_signals *signals);

#endif
