/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Clients of a monitor. Every socket call is non-blocking (MSG_DONTWAIT), so no client can stop the
 * monitor; a client is dropped on the first error, hang-up or broken frame.
 */
#include "monitor/fanout.h"

#include "base/fd.h"
#include "sys/path.h"
#include "sys/pty.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* One frame, and room for the short ones that may join it. */
#define QUEUE_CAP (FRAME_HEADER_LEN + FRAME_PAYLOAD_MAX + 4096)
#define BACKLOG	  64

static int on_client(void *data, uint32_t events);

int fanout_init(struct fanout *fanout, struct loop *loop, const struct fanout_ops *ops, void *ctx)
{
	void *buf = mmap(NULL, QUEUE_CAP, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			 0);

	if (buf == MAP_FAILED)
		return -errno;
	*fanout = (struct fanout){.loop = loop,
				  .ops = ops,
				  .ctx = ctx,
				  .listen = LOOP_SOURCE_INIT,
				  .listen_fd = -1,
				  .stdin_fd = -1,
				  .buf = buf,
				  .cap = QUEUE_CAP};
	for (size_t i = 0; i < FANOUT_CLIENTS_MAX; i++)
		fanout->clients[i].source.fd = -1;
	_Static_assert(COMPANION_FDS_MAX == PTY_FDS_MAX, "what a message carries");
	return 0;
}

int fanout_listen(struct fanout *fanout, int dir_fd)
{
	cleanup_close int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	char dir[PATH_FD_LEN];
	int n = 0;

	if (fd < 0)
		return -errno;
	/* The state directory's own path may be longer than sun_path. */
	n = snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/" ATTACH_SOCKET_NAME,
		     path_of_fd(dir_fd, dir));
	if (n < 0 || (size_t)n >= sizeof(addr.sun_path))
		return -ENAMETOOLONG;
	unlinkat(dir_fd, ATTACH_SOCKET_NAME, 0);
	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		return -errno;
	if (fchmodat(dir_fd, ATTACH_SOCKET_NAME, 0600, 0) < 0 || listen(fd, BACKLOG) < 0)
		return -errno;
	fanout->listen_fd = take_fd(fd);
	return 0;
}

static bool is_used(const struct fanout_client *c)
{
	return loop_has(&c->source);
}

static bool is_wanted(const struct fanout_client *c, uint8_t type)
{
	switch (type) {
	case FRAME_EXIT:
		return true;
	case FRAME_STDOUT:
		return c->flags & CLIENT_STDOUT;
	case FRAME_STDERR:
		return c->flags & CLIENT_STDERR;
	case FRAME_STDIN_EOF:
		return c->flags & CLIENT_STDIN;
	default:
		return false;
	}
}

static void close_fds(struct fanout_client *c)
{
	for (size_t i = 0; i < COMPANION_FDS_MAX; i++)
		fd_cleanup_close(&c->fds[i]);
}

size_t fanout_client_take_fds(struct fanout_client *client, int ret[static COMPANION_FDS_MAX])
{
	size_t n = 0;

	for (size_t i = 0; i < COMPANION_FDS_MAX; i++)
		if (client->fds[i] >= 0)
			ret[n++] = take_fd(client->fds[i]);
	return n;
}

static void client_drop(struct fanout_client *c)
{
	struct fanout *f = c->fanout;
	int fd = c->source.fd;
	bool was_greeted = c->is_greeted;

	loop_remove(f->loop, &c->source);
	close(fd);
	close_fds(c);
	c->is_greeted = false;
	if (was_greeted)
		f->ops->gone(f->ctx, c->flags);
}

/* Sends C its share of the queue as far as its socket takes it. -errno when it is gone. */
static int client_send(struct fanout_client *c)
{
	struct fanout *f = c->fanout;

	while (c->offset < f->len) {
		const uint8_t *at = f->buf + c->offset;
		ssize_t n = 0;

		if (c->offset == c->frame_end) {
			c->frame_end += FRAME_HEADER_LEN + frame_get_u32(at + 1);
			if (!is_wanted(c, at[0])) {
				c->offset = c->frame_end;
				continue;
			}
			c->has_exit = at[0] == FRAME_EXIT;
		}
		n = send(c->source.fd, at, c->frame_end - c->offset, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0 && errno == EAGAIN)
			return loop_modify(f->loop, &c->source, EPOLLIN | EPOLLOUT);
		if (n < 0 && errno != EINTR)
			return -errno;
		c->offset += n > 0 ? (size_t)n : 0;
	}
	return loop_modify(f->loop, &c->source, EPOLLIN);
}

static bool is_all_sent(const struct fanout *f)
{
	for (size_t i = 0; i < FANOUT_CLIENTS_MAX; i++) {
		if (is_used(&f->clients[i]) && f->clients[i].offset < f->len)
			return false;
	}
	return true;
}

static void settle_queue(struct fanout *f)
{
	if (f->len == 0 || !is_all_sent(f))
		return;
	f->len = 0;
	for (size_t i = 0; i < FANOUT_CLIENTS_MAX; i++) {
		f->clients[i].offset = 0;
		f->clients[i].frame_end = 0;
	}
	f->ops->idle(f->ctx);
}

void fanout_flush(struct fanout *fanout)
{
	size_t len = 0;

	/* Dropping a client may add a frame for the others. */
	do {
		len = fanout->len;
		for (size_t i = 0; i < FANOUT_CLIENTS_MAX; i++) {
			struct fanout_client *c = &fanout->clients[i];

			if (is_used(c) && client_send(c) < 0)
				client_drop(c);
		}
	} while (fanout->len != len);
	settle_queue(fanout);
}

/* A free slot; when all are taken, that of the oldest client that never said HELLO. */
static struct fanout_client *find_slot(struct fanout *f)
{
	struct fanout_client *silent = NULL;

	for (size_t i = 0; i < FANOUT_CLIENTS_MAX; i++) {
		struct fanout_client *c = &f->clients[i];

		if (!is_used(c))
			return c;
		if (!c->is_greeted && (!silent || c->age < silent->age))
			silent = c;
	}
	if (silent)
		client_drop(silent);
	return silent;
}

static struct fanout_client *client_new(struct fanout *f, int socket_fd)
{
	cleanup_close int fd = socket_fd;
	struct fanout_client *c = find_slot(f);

	if (!c)
		return NULL;
	*c = (struct fanout_client){.fanout = f,
				    .fds = {-1, -1, -1, -1},
				    .age = f->n_accepted++,
				    .offset = f->len,
				    .frame_end = f->len};
	frame_parser_init(&c->parser, c->request, sizeof(c->request));
	if (loop_add(f->loop, &c->source, fd, EPOLLIN, on_client, c) < 0)
		return NULL;
	(void)take_fd(fd);
	return c;
}

/* Answers HELLO. The client has had no frame yet, so nothing can be cut in two by this one. */
static int client_greet(struct fanout_client *c, uint32_t flags)
{
	struct fanout *f = c->fanout;
	uint8_t pid[4];

	if (c->is_greeted || flags & ~(uint32_t)CLIENT_FLAGS_ALL)
		return -EPROTO;
	frame_put_u32(pid, (uint32_t)f->pid);
	c->flags = flags;
	c->is_greeted = true;
	c->offset = f->len;
	c->frame_end = f->len;
	return frame_send(c->source.fd, FRAME_STARTED, pid, sizeof(pid),
			  flags & CLIENT_STDIN ? f->stdin_fd : -1);
}

int fanout_add(struct fanout *fanout, int socket_fd, uint32_t flags)
{
	struct fanout_client *c = client_new(fanout, socket_fd);
	int rc = c ? client_greet(c, flags) : -ENFILE;

	if (c && rc < 0)
		client_drop(c);
	return rc;
}

static int client_handle(struct fanout_client *c, const struct frame_span *frame)
{
	if (frame->type == FRAME_HELLO)
		return client_greet(c, frame_get_u32(frame->data));
	if (!c->is_greeted)
		return -EPROTO;
	return c->fanout->ops->request(c->fanout->ctx, c, frame);
}

/* Reads one round of requests; -errno when the client is to be dropped. */
static int client_receive(struct fanout_client *c)
{
	uint8_t buf[512];
	const uint8_t *p = buf;
	int fds[PTY_FDS_MAX];
	ssize_t n = pty_recv_fds(c->source.fd, buf, sizeof(buf), fds, MSG_DONTWAIT);
	size_t len = n > 0 ? (size_t)n : 0;
	int rc = 1;

	if (n < 0)
		return n == -EAGAIN ? 0 : (int)n;
	/* The kernel ends what it gives behind a message with descriptors: they belong to the last
	 * frame in it. */
	close_fds(c);
	memcpy(c->fds, fds, sizeof(c->fds));
	if (n == 0)
		return -EPIPE;
	while (rc > 0) {
		struct frame_span frame;

		rc = frame_parser_next(&c->parser, &p, &len, &frame);
		if (rc > 0 && client_handle(c, &frame) < 0)
			rc = -EPROTO;
	}
	return rc;
}

static int on_client(void *data, uint32_t events)
{
	struct fanout_client *c = data;
	struct fanout *f = c->fanout;
	int rc = 0;

	if (events & EPOLLOUT)
		rc = client_send(c);
	if (rc >= 0 && events & (EPOLLIN | EPOLLHUP | EPOLLERR))
		rc = client_receive(c);
	if (rc < 0) {
		client_drop(c);
		fanout_flush(f);
	}
	settle_queue(f);
	return 0;
}

static int on_listen(void *data, uint32_t events)
{
	struct fanout *f = data;
	int fd = accept4(f->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd >= 0)
		client_new(f, fd);
	return 0;
}

int fanout_begin(struct fanout *fanout, pid_t pid, int stdin_fd)
{
	fanout->pid = pid;
	fanout->stdin_fd = stdin_fd;
	if (loop_has(&fanout->listen))
		return 0;
	return loop_add(fanout->loop, &fanout->listen, fanout->listen_fd, EPOLLIN, on_listen,
			fanout);
}

bool fanout_has_client(const struct fanout *fanout, uint32_t flag)
{
	for (size_t i = 0; i < FANOUT_CLIENTS_MAX; i++) {
		if (is_used(&fanout->clients[i]) && fanout->clients[i].flags & flag)
			return true;
	}
	return false;
}

bool fanout_is_settled(const struct fanout *fanout)
{
	for (size_t i = 0; i < FANOUT_CLIENTS_MAX; i++) {
		const struct fanout_client *c = &fanout->clients[i];

		if (is_used(c) && c->has_exit && c->flags & CLIENT_SETTLES)
			return true;
	}
	return false;
}

bool fanout_is_idle(const struct fanout *fanout)
{
	return fanout->len == 0;
}

uint8_t *fanout_reserve(struct fanout *fanout, size_t len)
{
	size_t need = fanout->len + FRAME_HEADER_LEN + len;

	if (need > FANOUT_TAIL_MAX)
		return NULL;
	if (need > fanout->cap) {
		size_t cap = need * 2 < FANOUT_TAIL_MAX ? need * 2 : FANOUT_TAIL_MAX;
		void *buf = mremap(fanout->buf, fanout->cap, cap, MREMAP_MAYMOVE);

		if (buf == MAP_FAILED)
			return NULL;
		fanout->buf = buf;
		fanout->cap = cap;
	}
	return fanout->buf + fanout->len + FRAME_HEADER_LEN;
}

void fanout_commit(struct fanout *fanout, enum frame_type type, size_t len)
{
	frame_put_header(fanout->buf + fanout->len, type, len);
	fanout->len += FRAME_HEADER_LEN + len;
}

size_t fanout_get_fds(const struct fanout *fanout, int *fds)
{
	size_t n = 0;

	for (size_t i = 0; i < FANOUT_CLIENTS_MAX; i++)
		if (is_used(&fanout->clients[i]))
			fds[n++] = fanout->clients[i].source.fd;
	return n;
}

void fanout_close_listen(struct fanout *fanout)
{
	int fd = fanout->listen_fd;

	if (fd < 0)
		return;
	for (int i = 0; i < BACKLOG + 1; i++) {
		int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (client < 0)
			break;
		client_new(fanout, client);
	}
	loop_remove(fanout->loop, &fanout->listen);
	fd_cleanup_close(&fanout->listen_fd);
}

void fanout_trim(struct fanout *fanout)
{
	if (fanout->len == 0)
		madvise(fanout->buf, fanout->cap, MADV_DONTNEED);
}

void fanout_done(struct fanout *fanout)
{
	for (size_t i = 0; i < FANOUT_CLIENTS_MAX; i++) {
		if (is_used(&fanout->clients[i])) {
			int fd = fanout->clients[i].source.fd;

			loop_remove(fanout->loop, &fanout->clients[i].source);
			close(fd);
			close_fds(&fanout->clients[i]);
		}
	}
	loop_remove(fanout->loop, &fanout->listen);
	fd_cleanup_close(&fanout->listen_fd);
	munmap(fanout->buf, fanout->cap);
}
