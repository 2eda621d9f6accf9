/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sender of log messages. Messages stand one after the other in a mapping of their own, each
 * behind its length; the first one may have been sent in part, into a stream. What is mapped and
 * not used costs nothing, and is given back when everything is sent.
 */
#include "monitor/log_remote.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/str.h"
#include "monitor/log_address.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define CONNECT_MS 5000
/* One message and its length always fit. */
#define BUFFER_MIN (128 * 1024)

struct log_remote {
	const struct log_driver_config *config;
	struct loop *loop;
	struct loop_source source; /* in the loop while something waits */
	struct log_address address;
	int fd;		  /* owned; -1: broken */
	int64_t tried_ns; /* when it was last connected, CLOCK_MONOTONIC */
	char host[HOST_NAME_MAX + 1];
	struct log_journal_partial partial[N_LOG_STREAMS];
	struct str message; /* the one at hand */
	uint8_t *buf;	    /* mapped: records not yet sent: [start, end) */
	size_t cap, start, end;
	size_t sent;	  /* of the first record, in a stream */
	uint64_t dropped; /* messages, since the last successful one */
	bool is_stuck;	  /* it was waited for in vain */
};

static int on_writable(void *data, uint32_t events);

static uint32_t record_len(const struct log_remote *r)
{
	uint32_t len = 0;

	memcpy(&len, r->buf + r->start, sizeof(len));
	return len;
}

static bool is_empty(const struct log_remote *r)
{
	return r->start == r->end;
}

static void disconnect(struct log_remote *r)
{
	loop_remove(r->loop, &r->source);
	fd_cleanup_close(&r->fd);
	/* Of a message that was sent in part the receiver has seen a piece: all of it is sent
	 * again. */
	r->sent = 0;
}

/* Connects again unless that was tried just now. */
static bool reconnect(struct log_remote *r)
{
	int64_t now = (int64_t)clock_mono_ns();
	int fd = -1;

	if (now - r->tried_ns < CLOCK_NS_PER_S)
		return false;
	r->tried_ns = now;
	fd = log_address_connect(&r->address, 0);
	if (fd < 0)
		return false;
	r->fd = fd;
	return true;
}

/* Sends P: 0 when it is sent (or can never be), 1 when it must wait. In a stream *SENT counts what
 * of it is. */
static int send_one(struct log_remote *r, const uint8_t *p, size_t len, size_t *sent)
{
	bool is_stream = r->address.type == SOCK_STREAM;

	for (int attempt = 0; attempt < 4; attempt++) {
		ssize_t n = 0;

		if (r->fd < 0 && !reconnect(r))
			return 1;
		n = send(r->fd, p + *sent, len - *sent, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n >= 0) {
			*sent += (size_t)n;
			if (!is_stream || *sent == len)
				return 0;
			continue;
		}
		if (errno == EAGAIN || errno == EINPROGRESS)
			return 1;
		if (errno == EMSGSIZE) {
			r->dropped++;
			return 0;
		}
		/* UDP tells of a message before this one, and the next one may arrive. */
		if (errno == EINTR ||
		    (errno == ECONNREFUSED && !is_stream && r->address.addr.ss_family != AF_UNIX))
			continue;
		disconnect(r);
		*sent = 0;
	}
	return 1;
}

/* Sends what waits, as far as it goes; true when nothing is left. */
static bool flush(struct log_remote *r)
{
	while (!is_empty(r)) {
		uint32_t len = record_len(r);

		if (send_one(r, r->buf + r->start + sizeof(len), len, &r->sent) != 0)
			break;
		r->start += sizeof(len) + len;
		r->sent = 0;
		r->is_stuck = false;
	}
	if (!is_empty(r)) {
		if (r->fd >= 0 && !loop_has(&r->source))
			loop_add(r->loop, &r->source, r->fd, EPOLLOUT, on_writable, r);
		return false;
	}
	loop_remove(r->loop, &r->source);
	if (r->end > 0)
		madvise(r->buf, r->cap, MADV_DONTNEED);
	r->start = 0;
	r->end = 0;
	return true;
}

static int on_writable(void *data, uint32_t events)
{
	flush(data);
	return 0;
}

static bool has_room(struct log_remote *r, size_t len)
{
	size_t need = sizeof(uint32_t) + len;

	if (r->end + need > r->cap && r->start > 0) {
		memmove(r->buf, r->buf + r->start, r->end - r->start);
		r->end -= r->start;
		r->start = 0;
	}
	return r->end + need <= r->cap;
}

/* Waits until what waits has become less, UNTIL_NS (monotonic) at the latest. */
static bool wait_room(struct log_remote *r, size_t len, int64_t until_ns)
{
	while (!has_room(r, len)) {
		int64_t left = until_ns - (int64_t)clock_mono_ns();
		struct pollfd p = {.fd = r->fd, .events = POLLOUT};

		if (left <= 0)
			return false;
		poll(&p, 1, r->fd < 0 ? 50 : (int)(left / 1000000) + 1);
		flush(r);
	}
	return true;
}

static bool enqueue(struct log_remote *r, const char *p, size_t len)
{
	uint32_t n = (uint32_t)len;

	if (!has_room(r, len) && !r->config->non_blocking && !r->is_stuck)
		r->is_stuck = !wait_room(r, len,
					 (int64_t)clock_mono_ns() + LOG_REMOTE_WAIT_MS * 1000000LL);
	if (!has_room(r, len))
		return false;
	memcpy(r->buf + r->end, &n, sizeof(n));
	memcpy(r->buf + r->end + sizeof(n), p, len);
	r->end += sizeof(n) + len;
	return true;
}

static void format(struct log_remote *r, const struct log_line *line)
{
	str_truncate(&r->message, 0);
	if (r->config->kind == LOG_TO_JOURNALD)
		log_journald_format(r->config, line, &r->partial[line->stream], &r->message);
	else
		log_syslog_format(r->config, line, r->host, &r->message);
}

/* The message at hand, now or later; false when it was dropped. */
static bool submit(struct log_remote *r)
{
	size_t sent = 0;

	if (r->message.len == 0)
		return true;
	if (flush(r) && send_one(r, (const uint8_t *)r->message.buf, r->message.len, &sent) == 0)
		return true;
	if (!enqueue(r, r->message.buf, r->message.len))
		return false;
	/* The first one: what of it the receiver has is not sent again. */
	if (sent > 0)
		r->sent = sent;
	flush(r);
	return true;
}

static void submit_marker(struct log_remote *r, const struct log_line *after)
{
	char text[80];
	struct log_line line = {
		.stream = LOG_STDERR, .text = (const uint8_t *)text, .time_ns = after->time_ns};

	line.len = (size_t)snprintf(text, sizeof(text), "tare: %llu messages lost\n",
				    (unsigned long long)r->dropped);
	format(r, &line);
	if (submit(r))
		r->dropped = 0;
}

void log_remote_send(struct log_remote *remote, const struct log_line *line)
{
	struct log_remote *r = remote;

	if (r->dropped > 0 && (flush(r) || r->end - r->start < r->cap / 2))
		submit_marker(r, line);
	format(r, line);
	if (!submit(r))
		r->dropped++;
}

void log_remote_close(struct log_remote *remote)
{
	struct log_remote *r = remote;
	int64_t until = (int64_t)clock_mono_ns() + LOG_REMOTE_WAIT_MS * 1000000LL;

	if (!r)
		return;
	while (r->buf && !flush(r) && (int64_t)clock_mono_ns() < until) {
		struct pollfd p = {.fd = r->fd, .events = POLLOUT};

		poll(&p, 1, 50);
	}
	if (loop_has(&r->source))
		loop_remove(r->loop, &r->source);
	fd_cleanup_close(&r->fd);
	str_done(&r->message);
	if (r->buf)
		munmap(r->buf, r->cap);
	free(r);
}

int log_remote_fd(const struct log_remote *remote)
{
	return remote->fd;
}

int log_remote_check_address(const char *address, struct err *err)
{
	struct log_address ignored;

	return *address ? log_address_parse(address, &ignored, err) : 0;
}

/* The places where a local syslog may listen, as datagrams or as a stream. */
static int connect_local(struct log_remote *r, struct err *err)
{
	static const char *const paths[] = {"/dev/log", "/var/run/syslog", "/var/run/log"};
	static const int types[] = {SOCK_DGRAM, SOCK_STREAM};

	for (size_t i = 0; i < ARRAY_LEN(paths) * ARRAY_LEN(types); i++) {
		if (log_address_set_unix(&r->address, types[i / ARRAY_LEN(paths)],
					 paths[i % ARRAY_LEN(paths)]) < 0)
			continue;
		r->fd = log_address_connect(&r->address, CONNECT_MS);
		if (r->fd >= 0)
			return 0;
	}
	return err_set(err, ERR_SYSTEM, "Unix syslog delivery error");
}

static const char *go_errno(int code)
{
	return code == ECONNREFUSED ? "connect: connection refused"
	       : code == ENOENT	    ? "connect: no such file or directory"
	       : code == ETIMEDOUT  ? "i/o timeout"
				    : strerror(code);
}

static int connect_first(struct log_remote *r, struct err *err)
{
	bool is_stream = false;
	int family = 0;

	if (r->config->kind == LOG_TO_JOURNALD) {
		log_address_set_unix(&r->address, SOCK_DGRAM, LOG_JOURNAL_SOCKET);
		r->fd = log_address_connect(&r->address, CONNECT_MS);
		return r->fd < 0 ? err_set(err, ERR_UNSUPPORTED,
					   "journald is not enabled on this host")
				 : 0;
	}
	if (!*r->config->address)
		return connect_local(r, err);
	if (log_address_parse(r->config->address, &r->address, err) < 0)
		return -err->code;
	r->fd = log_address_connect(&r->address, CONNECT_MS);
	if (r->fd >= 0)
		return 0;
	is_stream = r->address.type == SOCK_STREAM;
	family = r->address.addr.ss_family;
	return err_set(err, ERR_SYSTEM, "dial %s %s: %s",
		       family != AF_UNIX ? (is_stream ? "tcp" : "udp")
					 : (is_stream ? "unix" : "unixgram"),
		       r->address.text, go_errno(-r->fd));
}

struct log_remote *log_remote_open(const struct log_driver_config *config, struct loop *loop,
				   struct err *err)
{
	struct log_remote *r = mem_zalloc(sizeof(*r));

	r->config = config;
	r->loop = loop;
	r->source.fd = -1;
	r->fd = -1;
	gethostname(r->host, sizeof(r->host) - 1);
	if (connect_first(r, err) < 0) {
		free(r);
		return NULL;
	}
	r->tried_ns = (int64_t)clock_mono_ns();
	r->cap = config->max_buffer > BUFFER_MIN ? (size_t)config->max_buffer : BUFFER_MIN;
	r->buf = mmap(NULL, r->cap, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (r->buf != MAP_FAILED)
		return r;
	r->buf = NULL;
	log_remote_close(r);
	err_set(err, ERR_SYSTEM, "no memory for max-buffer-size");
	return NULL;
}
