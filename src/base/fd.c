/* SPDX-License-Identifier: Apache-2.0 */
/*
 * File descriptors, whole files, and the removal of trees. The walks here are for names that the
 * engine chose itself; whatever an image, an archive or a container named goes through sys/path.
 */
#include "base/fd.h"

#include "base/mem.h"
#include "base/str.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

void fd_cleanup_close(int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		close(*fd);
	*fd = -1;
	errno = saved;
}

ssize_t fd_read_full(int fd, void *buf, size_t len)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = read(fd, (char *)buf + done, len - done);

		if (n == 0)
			break;
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

int fd_write_full(int fd, const void *buf, size_t len)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = write(fd, (const char *)buf + done, len - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		done += (size_t)n;
	}
	return 0;
}

int fd_pwrite_full(int fd, const void *buf, size_t len, uint64_t offset)
{
	const char *p = buf;

	while (len) {
		ssize_t n = pwrite(fd, p, len, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		p += n;
		len -= (size_t)n;
		offset += (uint64_t)n;
	}
	return 0;
}

int fd_read_all(int fd, size_t limit, struct str *ret)
{
	size_t total = 0;

	for (;;) {
		char *to = str_reserve(ret, 4096);
		ssize_t n = read(fd, to, 4096);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		ret->len += (size_t)n;
		ret->buf[ret->len] = '\0';
		if (n == 0)
			return 0;
		total += (size_t)n;
		if (total > limit)
			return -EFBIG;
	}
}

int fd_read_back(int fd, size_t limit, struct str *ret)
{
	return lseek(fd, 0, SEEK_SET) < 0 ? -errno : fd_read_all(fd, limit, ret);
}

int fd_read_file_at(int dirfd, const char *path, size_t limit, struct str *ret)
{
	cleanup_close int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct stat st;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	return fd_read_all(fd, limit, ret);
}

int fd_read_kernel_file(const char *path, size_t limit, struct str *ret)
{
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	return fd_read_all(fd, limit, ret);
}

int fd_write_file_at(int dirfd, const char *path, const void *buf, size_t len, mode_t mode)
{
	cleanup_close int fd = openat(dirfd, path,
				      O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode);

	if (fd < 0)
		return -errno;
	return fd_write_full(fd, buf, len);
}

int fd_replace_file_at(int dirfd, const char *path, const void *buf, size_t len, mode_t mode,
		       bool sync)
{
	cleanup_close int fd = -1;
	char temp[512];
	unsigned long r = 0;
	int rc = 0;

	if (getrandom(&r, sizeof(r), 0) != sizeof(r))
		return -EIO;
	if (snprintf(temp, sizeof(temp), "%s.%016lx~", path, r) >= (int)sizeof(temp))
		return -ENAMETOOLONG;
	fd = openat(dirfd, temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
	if (fd < 0)
		return -errno;
	rc = fd_write_full(fd, buf, len);
	if (rc == 0 && sync && fsync(fd) < 0)
		rc = -errno;
	if (rc == 0 && renameat(dirfd, temp, dirfd, path) < 0)
		rc = -errno;
	if (rc < 0) {
		unlinkat(dirfd, temp, 0);
		return rc;
	}
	if (!sync)
		return 0;
	/* The rename itself must reach the disk: sync the directory that holds the name. */
	const char *slash = strrchr(path, '/');
	cleanup_free char *parent = slash ? str_ndup(path, (size_t)(slash - path)) : str_dup(".");
	cleanup_close int dir = openat(dirfd, *parent ? parent : "/",
				       O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (dir < 0 || fsync(dir) < 0)
		return -errno;
	return 0;
}

int fd_mkdir_p(const char *path, mode_t mode)
{
	cleanup_free char *copy = str_dup(path);

	if (mkdir(path, mode) == 0 || errno == EEXIST)
		return 0;
	if (errno != ENOENT)
		return -errno;
	for (char *p = copy + 1; *p; p++) {
		if (*p != '/')
			continue;
		*p = '\0';
		if (mkdir(copy, mode) < 0 && errno != EEXIST)
			return -errno;
		*p = '/';
	}
	if (mkdir(path, mode) < 0 && errno != EEXIST)
		return -errno;
	return 0;
}

/* What getdents64(2) fills, read without opendir(3): most directories removed here hold a few
 * names, and a stream costs three more system calls and 32 KiB each. */
struct dirent_raw {
	uint64_t ino;
	int64_t off;
	unsigned short reclen;
	unsigned char type;
	char name[];
};

#define DIRENTS_SIZE 2048
#define MAX_LISTINGS 8
/* Directories held open at a time. What lies deeper is moved to the top and removed from there: a
 * container may have made a tree deeper than there are descriptors. */
#define MAX_OPEN 64

struct removal {
	dev_t dev;	  /* of the top; nothing elsewhere is touched */
	int top_fd;	  /* -1 until it is open */
	unsigned n_moved; /* directories moved to the top */
};

static int remove_children(struct removal *r, int fd, unsigned depth);

/* 1 when NAME in DIRFD stands at the top now, under another name; 0 when it could not be moved. */
static int move_to_top(struct removal *r, int dirfd, const char *name)
{
	char moved[32];

	do {
		snprintf(moved, sizeof(moved), ".removed.%u", r->n_moved++);
		if (renameat2(dirfd, name, r->top_fd, moved, RENAME_NOREPLACE) == 0)
			return 1;
	} while (errno == EEXIST);
	return 0;
}

/* The content of the open directory FD and then NAME itself. A listing that was cut short by what
 * was removed meanwhile is read again, and one to which something was moved. */
static int remove_listed(struct removal *r, int fd, int dirfd, const char *name, unsigned depth)
{
	for (int tries = 0; tries < MAX_LISTINGS; tries++) {
		unsigned before = r->n_moved;
		int rc = lseek(fd, 0, SEEK_SET) < 0 ? -errno : remove_children(r, fd, depth + 1);

		if (rc < 0 || unlinkat(dirfd, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
			return rc;
		if (errno != ENOTEMPTY && errno != EEXIST)
			return -errno;
		if (fd == r->top_fd && r->n_moved != before)
			tries = -1;
	}
	return -ENOTEMPTY;
}

static int remove_dir_at(struct removal *r, int dirfd, const char *name, unsigned depth)
{
	cleanup_close int fd = -1;
	struct stat st;

	/* An empty one goes at once. */
	if (unlinkat(dirfd, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
		return 0;
	if (errno != ENOTEMPTY && errno != EEXIST)
		return -errno;
	if (depth >= MAX_OPEN && move_to_top(r, dirfd, name))
		return 0;
	fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (r->top_fd < 0) {
		r->top_fd = fd;
		r->dev = st.st_dev;
	}
	return st.st_dev == r->dev ? remove_listed(r, fd, dirfd, name, depth) : -EXDEV;
}

static int remove_entry(struct removal *r, int fd, const struct dirent_raw *e, unsigned depth)
{
	if (strcmp(e->name, ".") == 0 || strcmp(e->name, "..") == 0)
		return 0;
	if (e->type != DT_DIR) {
		if (unlinkat(fd, e->name, 0) == 0 || errno == ENOENT)
			return 0;
		if (errno != EISDIR)
			return -errno;
	}
	return remove_dir_at(r, fd, e->name, depth);
}

static int remove_children(struct removal *r, int fd, unsigned depth)
{
	_Alignas(struct dirent_raw) char buf[DIRENTS_SIZE];

	for (;;) {
		long n = syscall(SYS_getdents64, fd, buf, sizeof(buf));

		/* Somebody else has removed the directory meanwhile: ENOENT. */
		if (n <= 0)
			return n < 0 && errno != ENOENT ? -errno : 0;
		for (long at = 0; at < n;) {
			const struct dirent_raw *e = (const struct dirent_raw *)(void *)(buf + at);
			int rc = remove_entry(r, fd, e, depth);

			if (rc < 0)
				return rc;
			at += e->reclen;
		}
	}
}

int fd_remove_tree_at(int dirfd, const char *name)
{
	struct removal r = {.top_fd = -1};
	int rc = remove_dir_at(&r, dirfd, name, 0);

	if (rc == -ENOTDIR || rc == -ELOOP)
		return unlinkat(dirfd, name, 0) < 0 && errno != ENOENT ? -errno : 0;
	return rc;
}
