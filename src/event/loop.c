/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The epoll loop. Each epoll_event carries a pointer to its source; a source removed while a batch
 * is being dispatched has its later entries struck out, which is what makes removal from within a
 * callback safe without reference counts.
 */
#include "event/loop.h"

#include "base/fd.h"

#include <errno.h>
#include <stddef.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_S 1000000000ULL

int loop_init(struct loop *loop)
{
	*loop = (struct loop){.epoll_fd = epoll_create1(EPOLL_CLOEXEC)};
	return loop->epoll_fd < 0 ? -errno : 0;
}

void loop_done(struct loop *loop)
{
	fd_cleanup_close(&loop->epoll_fd);
	loop->files = NULL;
}

int loop_add(struct loop *loop, struct loop_source *source, int fd, uint32_t events, loop_fn *fn,
	     void *data)
{
	struct epoll_event ev = {.events = events, .data.ptr = source};

	*source = (struct loop_source){.fd = fd, .events = events, .fn = fn, .data = data};
	if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &ev) == 0)
		return 0;
	if (errno != EPERM) {
		source->fd = -1;
		return -errno;
	}
	source->is_file = true;
	source->next_file = loop->files;
	loop->files = source;
	return 0;
}

int loop_modify(struct loop *loop, struct loop_source *source, uint32_t events)
{
	struct epoll_event ev = {.events = events, .data.ptr = source};

	if (source->fd < 0)
		return -ENOENT;
	if (events == source->events)
		return 0;
	source->events = events;
	if (source->is_file)
		return 0;
	return epoll_ctl(loop->epoll_fd, EPOLL_CTL_MOD, source->fd, &ev) < 0 ? -errno : 0;
}

static void file_remove(struct loop *loop, struct loop_source *source)
{
	for (struct loop_source **p = &loop->files; *p; p = &(*p)->next_file) {
		if (*p != source)
			continue;
		*p = source->next_file;
		return;
	}
}

void loop_remove(struct loop *loop, struct loop_source *source)
{
	int saved = errno;

	if (source->fd < 0)
		return;
	if (source->is_file)
		file_remove(loop, source);
	else
		epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, source->fd, NULL);
	for (int i = 0; i < loop->n_pending; i++) {
		if (loop->pending[i].data.ptr == source)
			loop->pending[i].data.ptr = NULL;
	}
	source->fd = -1;
	errno = saved;
}

static bool is_file_ready(const struct loop *loop)
{
	for (const struct loop_source *s = loop->files; s; s = s->next_file) {
		if (s->events & (EPOLLIN | EPOLLOUT))
			return true;
	}
	return false;
}

/* One ready file a round: its callback may take any source out of the list. */
static int dispatch_file(struct loop *loop)
{
	for (struct loop_source *s = loop->files; s; s = s->next_file) {
		if (s->events & (EPOLLIN | EPOLLOUT))
			return s->fn(s->data, s->events & (EPOLLIN | EPOLLOUT));
	}
	return 0;
}

int loop_run_once(struct loop *loop, int timeout_ms)
{
	int rc = 0;
	int n = epoll_wait(loop->epoll_fd, loop->pending, LOOP_BATCH,
			   is_file_ready(loop) ? 0 : timeout_ms);

	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	loop->n_pending = n;
	for (int i = 0; i < n && rc >= 0 && !loop->is_stopped; i++) {
		struct loop_source *source = loop->pending[i].data.ptr;

		if (source)
			rc = source->fn(source->data, loop->pending[i].events);
	}
	loop->n_pending = 0;
	if (rc >= 0 && !loop->is_stopped)
		rc = dispatch_file(loop);
	return rc < 0 ? rc : 0;
}

int loop_run(struct loop *loop)
{
	loop->is_stopped = false;
	while (!loop->is_stopped) {
		int rc = loop_run_once(loop, -1);

		if (rc < 0)
			return rc;
	}
	return loop->result;
}

void loop_stop(struct loop *loop, int result)
{
	loop->is_stopped = true;
	loop->result = result;
}

static int on_timer(void *data, uint32_t events)
{
	struct loop_timer *timer = data;
	uint64_t n = 0;

	if (read(timer->source.fd, &n, sizeof(n)) != sizeof(n))
		return 0;
	return timer->fn(timer->data, 0);
}

int loop_timer_add(struct loop *loop, struct loop_timer *timer, loop_fn *fn, void *data)
{
	int fd = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
	int rc = 0;

	if (fd < 0)
		return -errno;
	timer->fn = fn;
	timer->data = data;
	rc = loop_add(loop, &timer->source, fd, EPOLLIN, on_timer, timer);
	if (rc < 0)
		close(fd);
	return rc;
}

int loop_timer_set(struct loop_timer *timer, uint64_t after_ns)
{
	struct itimerspec spec = {.it_value = {.tv_sec = (time_t)(after_ns / NS_PER_S),
					       .tv_nsec = (long)(after_ns % NS_PER_S)}};

	return timerfd_settime(timer->source.fd, 0, &spec, NULL) < 0 ? -errno : 0;
}

void loop_timer_remove(struct loop *loop, struct loop_timer *timer)
{
	int fd = timer->source.fd;

	if (fd < 0)
		return;
	loop_remove(loop, &timer->source);
	close(fd);
}

int loop_signals_add(struct loop *loop, struct loop_signals *signals, const sigset_t *set,
		     loop_fn *fn, void *data)
{
	int fd = signalfd(-1, set, SFD_CLOEXEC | SFD_NONBLOCK);
	int rc = 0;

	if (fd < 0)
		return -errno;
	rc = loop_add(loop, &signals->source, fd, EPOLLIN, fn, data);
	if (rc < 0) {
		close(fd);
		return rc;
	}
	sigprocmask(SIG_BLOCK, set, &signals->saved);
	return 0;
}

int loop_signals_next(struct loop_signals *signals)
{
	struct signalfd_siginfo info;
	ssize_t n = read(signals->source.fd, &info, sizeof(info));

	if (n == sizeof(info))
		return (int)info.ssi_signo;
	return n < 0 && errno != EAGAIN && errno != EINTR ? -errno : 0;
}

void loop_signals_remove(struct loop *loop, struct loop_signals *signals)
{
	int fd = signals->source.fd;

	if (fd < 0)
		return;
	loop_remove(loop, &signals->source);
	close(fd);
	sigprocmask(SIG_SETMASK, &signals->saved, NULL);
}
