/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Contexts that come as archives: telling one from a Dockerfile by its first bytes without taking
 * them from whoever reads it next, and having it unpacked by the helper, which is confined.
 */
#include "build/input_private.h"

#include "base/fd.h"
#include "base/mem.h"
#include "build/interrupt.h"
#include "build/worker.h"
#include "engine/engine.h"
#include "storage/unpack.h"
#include "sys/path.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CHECKSUM_AT  148 /* of a tar header: 8 bytes of octal digits */
#define CHECKSUM_LEN 8
#define WAIT_MS	     5 /* for the rest of the first bytes */

/* ---- what it is ---- */

/* A header's checksum is the sum of its bytes, those of the checksum itself taken as blanks. The
 * end of an empty archive is all zeros. */
static bool is_tar(const unsigned char *head)
{
	unsigned sum = 0;
	unsigned said = 0;
	unsigned any = 0;

	for (size_t i = 0; i < INPUT_HEAD_LEN; i++) {
		bool is_checksum = i >= CHECKSUM_AT && i < CHECKSUM_AT + CHECKSUM_LEN;

		sum += is_checksum ? ' ' : head[i];
		any |= head[i];
		if (is_checksum && head[i] >= '0' && head[i] <= '7')
			said = said * 8 + head[i] - '0';
	}
	return sum == said || any == 0;
}

bool input_is_archive(const unsigned char *head, size_t len)
{
	static const struct {
		size_t len;
		unsigned char bytes[6];
	} magics[] = {
		{3, {'B', 'Z', 'h'}},		    /* bzip2 */
		{3, {0x1f, 0x8b, 8}},		    /* gzip */
		{6, {0xfd, '7', 'z', 'X', 'Z', 0}}, /* xz */
		{4, {0x28, 0xb5, 0x2f, 0xfd}},	    /* zstd */
	};

	for (size_t i = 0; i < ARRAY_LEN(magics); i++)
		if (len >= magics[i].len && memcmp(head, magics[i].bytes, magics[i].len) == 0)
			return true;
	return len == INPUT_HEAD_LEN && is_tar(head);
}

/* ---- looking beforehand ---- */

/* Waits until the pipe has as much as is wanted, or will get no more. */
static int wait_for_head(int fd)
{
	const struct timespec pause = {.tv_nsec = WAIT_MS * 1000000L};
	struct pollfd poll_fd = {.fd = fd};
	int n = 0;

	for (;;) {
		int rc = interrupt_wait(fd);

		if (rc < 0)
			return rc;
		/* Nobody writes any more, whether there is something or not. */
		if (poll(&poll_fd, 1, 0) < 0 || ioctl(fd, FIONREAD, &n) < 0)
			return -errno;
		if (n >= INPUT_HEAD_LEN || (poll_fd.revents & (POLLHUP | POLLERR)))
			return 0;
		/* Some of it is there: poll(2) would not wait for more. */
		nanosleep(&pause, NULL);
	}
}

/* tee(2) copies what is in a pipe and leaves it there. */
static ssize_t peek_pipe(int fd, unsigned char *head)
{
	cleanup_close int out = -1;
	cleanup_close int in = -1;
	int ends[2];
	int rc = wait_for_head(fd);
	ssize_t n = 0;

	if (rc < 0)
		return rc;
	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	out = ends[0];
	in = ends[1];
	n = tee(fd, in, INPUT_HEAD_LEN, 0);
	return n <= 0 ? (n < 0 ? -errno : 0) : fd_read_full(out, head, (size_t)n);
}

ssize_t input_peek(int fd, unsigned char head[static INPUT_HEAD_LEN])
{
	struct stat st;
	ssize_t n = 0;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (S_ISREG(st.st_mode))
		n = pread(fd, head, INPUT_HEAD_LEN, lseek(fd, 0, SEEK_CUR));
	else if (S_ISFIFO(st.st_mode))
		return peek_pipe(fd, head);
	else if (S_ISSOCK(st.st_mode))
		n = recv(fd, head, INPUT_HEAD_LEN, MSG_PEEK | MSG_WAITALL);
	return n < 0 ? -errno : n;
}

/* ---- unpacking ---- */

struct unpacking {
	struct engine *engine;
	int fd, dir_fd; /* borrowed */
};

static int unpack(int fd, void *data, struct err *err)
{
	const struct unpacking *u = data;
	struct unpack_job job = UNPACK_JOB_INIT;
	struct unpack_result result;

	job.in_fd = u->fd;
	job.dir_fd = u->dir_fd;
	job.is_no_layer = true;
	return unpack_run(u->engine->store, &job, 1, -1, NULL, NULL, &result, NULL, err);
}

/* By a worker, which can be ended with all that it has started while it waits for whoever writes
 * the archive. */
int input_unpack(struct engine *engine, int fd, int dir_fd, struct err *err)
{
	struct unpacking u = {engine, fd, dir_fd};
	struct worker worker = WORKER_INIT;
	struct worker_word word = {};
	int rc = worker_start(&worker, unpack, &u, err);

	if (rc < 0)
		return rc;
	rc = interrupt_wait(worker.fd);
	if (rc < 0) {
		worker_kill(&worker);
		return err_sys(err, -rc, "unpack the context");
	}
	worker_read(&worker, &word);
	worker_finish(&worker);
	if (word.kind == WORKER_DONE)
		return 0;
	*err = word.err;
	if (word.kind == WORKER_LOST)
		err_set(err, ERR_SYSTEM, "the process that does it has died");
	return err_wrap(err, "unpack the context");
}

int input_unpack_in_place(struct engine *engine, const char *name, int staging_fd,
			  struct build_tree *tree, struct err *err)
{
	cleanup_close int fd = path_open_beneath(tree->root_fd, name, O_RDONLY | O_NOFOLLOW, 0);
	cleanup_close int dir_fd = -1;
	unsigned char head[INPUT_HEAD_LEN];
	ssize_t n = fd < 0 ? fd : input_peek(fd, head);

	if (n < 0)
		return err_sys(err, (int)-n, "read %s", name);
	if (!input_is_archive(head, (size_t)n))
		return 0;
	dir_fd = input_make_dir(staging_fd, "context", err);
	if (dir_fd < 0 || input_unpack(engine, fd, dir_fd, err) < 0)
		return -err->code;
	build_tree_done(tree);
	*tree = (struct build_tree){.root_fd = take_fd(dir_fd), .is_context = true};
	return 0;
}
