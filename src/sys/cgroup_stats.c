/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Figures of a group. A file that is not there leaves a zero: a host may lack a controller, and a
 * group may go away between two reads.
 */
#include "sys/cgroup_stats.h"

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define FILE_LIMIT 65536 /* io.stat has a line of about 100 bytes for each device */
#define PATH_LEN   512

/* One file of the group after the other goes through this. */
struct reader {
	const struct cgroup_layout *layout;
	const char *name;
	char text[FILE_LIMIT];
};

/* FILE of the hierarchy of C into r->text; 0 or -errno, and then the text is empty. What fits a
 * page comes with the first read(2): only LONG files are asked for more. */
static int read_into(struct reader *r, enum cgroup_controller c, const char *file, bool is_long)
{
	const struct cgroup_layout *layout = r->layout;
	/* v2 counts some things also where no controller is enabled: cpu.stat is in every group */
	const struct cgroup_hierarchy *h = layout->mode == CGROUP_V2 ? &layout->hierarchies[0]
								     : cgroup_find(layout, c);
	cleanup_close int fd = -1;
	char path[PATH_LEN];
	ssize_t n = -ENOENT;

	r->text[0] = '\0';
	if (!h)
		return -ENOENT;
	if (snprintf(path, sizeof(path), "%s/%s/%s", h->root, r->name, file) >= PATH_LEN)
		return -ENAMETOOLONG;
	/* lint: files of the kernel, below a group of ours */
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = is_long ? fd_read_full(fd, r->text, sizeof(r->text) - 1)
		    : read(fd, r->text, sizeof(r->text) - 1);
	r->text[n > 0 ? n : 0] = '\0';
	return n < 0 ? -EIO : 0;
}

static int read_file(struct reader *r, enum cgroup_controller c, const char *file)
{
	return read_into(r, c, file, true);
}

static uint64_t scan(const char *p)
{
	uint64_t value = 0;

	for (; *p >= '0' && *p <= '9'; p++)
		if (__builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, (uint64_t)(*p - '0'), &value))
			return UINT64_MAX;
	return value;
}

/* A file with one number; "max" is UINT64_MAX. */
static uint64_t read_number(struct reader *r, enum cgroup_controller c, const char *file)
{
	if (read_into(r, c, file, false) < 0)
		return 0;
	return strcmp(r->text, "max\n") == 0 ? UINT64_MAX : scan(r->text);
}

int cgroup_stats_find(const char *text, const char *key, uint64_t *ret)
{
	size_t len = strlen(key);

	for (const char *p = text; p; p = strchr(p, '\n')) {
		p += *p == '\n';
		if (strncmp(p, key, len) == 0 && p[len] == ' ' && p[len + 1] >= '0' &&
		    p[len + 1] <= '9') {
			*ret = scan(p + len + 1);
			return 0;
		}
	}
	return -ENOENT;
}

static bool is_v2(const struct reader *r)
{
	return r->layout->mode == CGROUP_V2;
}

static void read_memory(struct reader *r, struct cgroup_stats *s)
{
	bool v2 = is_v2(r);

	s->memory = read_number(r, CGROUP_MEMORY, v2 ? "memory.current" : "memory.usage_in_bytes");
	s->memory_limit = read_number(r, CGROUP_MEMORY,
				      v2 ? "memory.max" : "memory.limit_in_bytes");
	/* v1 has no word for unlimited: the largest multiple of the page size */
	if (s->memory_limit == 0 || (!v2 && s->memory_limit >= (uint64_t)INT64_MAX - 65536))
		s->memory_limit = UINT64_MAX;
	if (read_file(r, CGROUP_MEMORY, "memory.stat") == 0)
		cgroup_stats_find(r->text, v2 ? "inactive_file" : "total_inactive_file",
				  &s->memory_inactive_file);
}

static void read_cpu(struct reader *r, struct cgroup_stats *s)
{
	uint64_t us = 0;

	if (!is_v2(r)) {
		s->cpu_ns = read_number(r, CGROUP_CPUACCT, "cpuacct.usage");
		return;
	}
	if (read_file(r, CGROUP_CPU, "cpu.stat") == 0 &&
	    cgroup_stats_find(r->text, "usage_usec", &us) == 0)
		s->cpu_ns = us * 1000;
}

/* "8:0 rbytes=1 wbytes=2 rios=..." of each device. */
static void sum_io_v2(const char *text, struct cgroup_stats *s)
{
	for (const char *p = text; p; p = strpbrk(p + 1, " \n")) {
		if (strncmp(p, " rbytes=", 8) == 0)
			s->read_bytes += scan(p + 8);
		else if (strncmp(p, " wbytes=", 8) == 0)
			s->write_bytes += scan(p + 8);
	}
}

/* "8:0 Read 1" and "8:0 Write 2" of each device; the sum of all is left aside. */
static void sum_io_v1(const char *text, struct cgroup_stats *s)
{
	for (const char *p = text; p; p = strpbrk(p + 1, " \n")) {
		if (strncmp(p, " Read ", 6) == 0)
			s->read_bytes += scan(p + 6);
		else if (strncmp(p, " Write ", 7) == 0)
			s->write_bytes += scan(p + 7);
	}
}

static void read_io(struct reader *r, struct cgroup_stats *s)
{
	if (is_v2(r)) {
		if (read_file(r, CGROUP_BLKIO, "io.stat") == 0)
			sum_io_v2(r->text, s);
		return;
	}
	/* the recursive file is newer: Linux 5.2 */
	if (read_file(r, CGROUP_BLKIO, "blkio.throttle.io_service_bytes_recursive") == 0 ||
	    read_file(r, CGROUP_BLKIO, "blkio.throttle.io_service_bytes") == 0)
		sum_io_v1(r->text, s);
}

/* Whether the group is in any hierarchy: the first one that all groups of ours are in. */
static bool exists(const struct cgroup_layout *layout, const char *name)
{
	char path[PATH_LEN];

	if (layout->n == 0)
		return false;
	snprintf(path, sizeof(path), "%s/%s", layout->hierarchies[0].root, name);
	return access(path, F_OK) == 0;
}

int cgroup_read_stats(const struct cgroup_layout *layout, const char *name,
		      struct cgroup_stats *ret)
{
	struct reader r = {.layout = layout, .name = name};
	struct cgroup_stats s = {};

	read_memory(&r, &s);
	read_cpu(&r, &s);
	read_io(&r, &s);
	s.pids = read_number(&r, CGROUP_PIDS, "pids.current");
	/* Only what reads as nothing at all needs another look. */
	if (!s.memory && !s.cpu_ns && !s.pids && !exists(layout, name))
		return -ENOENT;
	*ret = s;
	return 0;
}
