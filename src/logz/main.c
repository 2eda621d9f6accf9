/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tare-logz: compresses complete parts of a log, and gives compressed ones back.
 *
 *	tare-logz compress	standard input is the directory of a log
 *	tare-logz cat		standard input is a compressed part, standard output gets its text
 *
 * A program of its own because it carries the library that compresses, which no monitor should pay
 * for, and because it must not be in anybody's way: it works at the lowest priority, for the
 * processor and for the disk, and who writes the log never waits for it.
 *
 * A part is compressed into a file without a name, which is synced and then linked beside the plain
 * one; only then the plain one goes. Killed at any point it leaves one or both of them, which say
 * the same. A part that the writer has removed meanwhile does not come back.
 */
#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"
#include "monitor/log_parts.h"
#include "monitor/log_seek.h"

#include <errno.h>
#include <fcntl.h>
#include <isa-l/igzip_lib.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define OUT_LEN 65536
#define IN_LEN	65536
/* <linux/ioprio.h>: the idle class, of this process. */
#define IOPRIO_WHO_PROCESS 1
#define IOPRIO_IDLE	   (3 << 13)
/* isa-l's best trade for text: level 2 is a tenth slower than 1. */
#define LEVEL	  2
#define LEVEL_BUF ISAL_DEF_LVL2_DEFAULT

static void become_idle(void)
{
	const struct sched_param none = {};

	/* The monitor is never chosen when memory runs out; its helper may be. */
	fd_write_file_at(AT_FDCWD, "/proc/self/oom_score_adj", "500", 3, 0);
	setpriority(PRIO_PROCESS, 0, 19);
	sched_setscheduler(0, SCHED_IDLE, &none);
	syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, IOPRIO_IDLE);
}

/* ---- compress ---- */

struct deflater {
	struct isal_zstream z;
	uint8_t out[OUT_LEN];
	uint8_t level[LEVEL_BUF];
};

/* Deflates all of P behind the head that says what is in it. */
static int deflate_all(struct deflater *d, int out_fd, uint8_t *p, size_t len)
{
	struct log_gz_info info = {};
	uint8_t head[LOG_GZ_HEAD_LEN];
	int rc = 0;

	log_gz_count(&info, p, len);
	log_gz_format_head(&info, head);
	rc = fd_write_full(out_fd, head, sizeof(head));
	isal_deflate_init(&d->z);
	d->z.level = LEVEL;
	d->z.level_buf = d->level;
	d->z.level_buf_size = sizeof(d->level);
	d->z.gzip_flag = IGZIP_GZIP_NO_HDR;
	d->z.end_of_stream = 1;
	d->z.next_in = p;
	d->z.avail_in = (uint32_t)len;
	while (rc == 0 && d->z.internal_state.state != ZSTATE_END) {
		d->z.next_out = d->out;
		d->z.avail_out = sizeof(d->out);
		if (isal_deflate(&d->z) != COMP_OK)
			return -EIO;
		rc = fd_write_full(out_fd, d->out, sizeof(d->out) - d->z.avail_out);
	}
	return rc;
}

static int compress_into(int out_fd, int in_fd)
{
	cleanup_free struct deflater *d = mem_zalloc(sizeof(*d));
	struct stat st;
	uint8_t *p = NULL;
	int rc = 0;

	/* A complete part is never written to again; one larger than isa-l counts stays as it is.
	 */
	if (fstat(in_fd, &st) < 0)
		return -errno;
	if (st.st_size == 0 || st.st_size > UINT32_MAX)
		return -EFBIG;
	p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, in_fd, 0);
	if (p == MAP_FAILED)
		return -errno;
	rc = deflate_all(d, out_fd, p, (size_t)st.st_size);
	munmap(p, (size_t)st.st_size);
	return rc == 0 && fdatasync(out_fd) < 0 ? -errno : rc;
}

/* Names the compressed file and removes the plain one. */
static int publish(int dir_fd, int out_fd, uint64_t number)
{
	char from[64];
	char gz[LOG_PART_NAME_LEN];
	char plain[LOG_PART_NAME_LEN];

	log_part_name(gz, number, true);
	log_part_name(plain, number, false);
	snprintf(from, sizeof(from), "/proc/self/fd/%d", out_fd);
	/* EEXIST: another helper was first, or this one was killed here. */
	if (linkat(AT_FDCWD, from, dir_fd, gz, AT_SYMLINK_FOLLOW) < 0 && errno != EEXIST)
		return -errno;
	if (unlinkat(dir_fd, plain, 0) == 0)
		return 0;
	/* The writer has removed it: its number is over. */
	if (errno == ENOENT)
		unlinkat(dir_fd, gz, 0);
	return 0;
}

static int compress_part(int dir_fd, uint64_t number)
{
	char name[LOG_PART_NAME_LEN];
	cleanup_close int in = openat(dir_fd, log_part_name(name, number, false),
				      O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	cleanup_close int out = -1;
	int rc = 0;

	if (in < 0)
		return errno == ENOENT ? 0 : -errno;
	/* lint: a file without a name in the log's own directory */
	out = openat(dir_fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0640);
	if (out < 0)
		return -errno;
	rc = compress_into(out, in);
	return rc < 0 ? rc : publish(dir_fd, out, number);
}

struct search {
	uint64_t newest, failed_below;
};

static int note_plain(void *ctx, const char *name, uint64_t number, bool is_gz)
{
	struct search *s = ctx;

	if (!is_gz && number > s->newest && number < s->failed_below)
		s->newest = number;
	return 0;
}

/* The newest first: the oldest may be removed before its turn comes. Until none is left. */
static int compress_all(int dir_fd)
{
	struct search s = {.failed_below = UINT64_MAX};
	int result = 0;

	for (;;) {
		int rc = 0;

		s.newest = 0;
		rc = log_parts_visit(dir_fd, note_plain, &s);
		if (rc < 0 || s.newest == 0)
			return rc < 0 ? rc : result;
		rc = compress_part(dir_fd, s.newest);
		if (rc == 0)
			continue;
		/* It stays plain; those before it may be smaller. */
		result = rc;
		s.failed_below = s.newest;
	}
}

/* ---- cat ---- */

struct inflater {
	struct inflate_state z;
	uint8_t in[IN_LEN];
	uint8_t out[OUT_LEN];
};

static int inflate_some(struct inflater *f, int out_fd)
{
	do {
		f->z.next_out = f->out;
		f->z.avail_out = sizeof(f->out);
		if (isal_inflate(&f->z) != ISAL_DECOMP_OK)
			return -EIO;
		if (fd_write_full(out_fd, f->out, sizeof(f->out) - f->z.avail_out) < 0)
			return -EPIPE;
	} while (f->z.avail_out == 0);
	return 0;
}

static int cat(int in_fd, int out_fd)
{
	cleanup_free struct inflater *f = mem_zalloc(sizeof(*f));
	int rc = 0;

	/* Its position is shared with whoever opened it. */
	if (lseek(in_fd, 0, SEEK_SET) < 0)
		return -errno;
	isal_inflate_init(&f->z);
	f->z.crc_flag = ISAL_GZIP;
	while (rc == 0 && f->z.block_state != ISAL_BLOCK_FINISH) {
		ssize_t n = fd_read_full(in_fd, f->in, sizeof(f->in));

		if (n <= 0)
			return n < 0 ? (int)n : -EIO; /* cut off */
		f->z.next_in = f->in;
		f->z.avail_in = (uint32_t)n;
		rc = inflate_some(f, out_fd);
	}
	return rc;
}

int main(int argc, char **argv)
{
	int rc = -EINVAL;

	if (argc == 2 && strcmp(argv[1], "compress") == 0) {
		become_idle();
		rc = compress_all(STDIN_FILENO);
	} else if (argc == 2 && strcmp(argv[1], "cat") == 0) {
		rc = cat(STDIN_FILENO, STDOUT_FILENO);
	} else {
		fprintf(stderr, "usage: tare-logz compress|cat < LOG\n");
		return 2;
	}
	if (rc < 0 && rc != -EPIPE)
		fprintf(stderr, "tare-logz: %s: %s\n", argv[1], strerror(-rc));
	return rc < 0;
}
