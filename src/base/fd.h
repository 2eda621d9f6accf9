/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_FD_H
#define BASE_FD_H
/*
 * File descriptors and whole-file reads and writes. Leaf calls: they return >= 0 or -errno and
 * never print. Everything opened here is O_CLOEXEC.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct str;

/* Closes *FD unless it is negative, keeps errno, leaves -1. */
void fd_cleanup_close(int *fd);
#define cleanup_close __attribute__((cleanup(fd_cleanup_close)))

/* Hands an owned descriptor over: yields FD's value and leaves it -1. */
#define take_fd(fd)                \
	({                         \
		int taken_ = (fd); \
		(fd) = -1;         \
		taken_;            \
	})

/* Read until LEN bytes or end of file; returns the count or -errno. Retries EINTR. */
ssize_t fd_read_full(int fd, void *buf, size_t len);
/* Writes all LEN bytes; 0 or -errno. Retries EINTR; the descriptor must be blocking. */
int fd_write_full(int fd, const void *buf, size_t len);
/* The same at OFFSET of the file, which is left where it stands. */
int fd_pwrite_full(int fd, const void *buf, size_t len, uint64_t offset);

/* Appends everything up to end of file to RET; -EFBIG once more than LIMIT bytes came. */
int fd_read_all(int fd, size_t limit, struct str *ret);
/* The same from the file's beginning, wherever it stands: what was written to a memory file. */
int fd_read_back(int fd, size_t limit, struct str *ret);
/* The whole regular file PATH under DIRFD. Never follows a final symlink, never blocks on a FIFO
 * (-EINVAL when it is not a regular file). */
int fd_read_file_at(int dirfd, const char *path, size_t limit, struct str *ret);
/* The same for kernel files (/proc, /sys), whose size is unknown; follows symlinks. For paths the
 * engine itself chose only. */
int fd_read_kernel_file(const char *path, size_t limit, struct str *ret);

/* Creates or truncates PATH under DIRFD with MODE and writes LEN bytes; not atomic, not synced. */
int fd_write_file_at(int dirfd, const char *path, const void *buf, size_t len, mode_t mode);
/* Replaces PATH under DIRFD atomically (write a temporary name, rename). SYNC also makes file and
 * directory durable before it returns. */
int fd_replace_file_at(int dirfd, const char *path, const void *buf, size_t len, mode_t mode,
		       bool sync);

/* mkdir -p of a path that the engine chose; existing directories are fine. */
int fd_mkdir_p(const char *path, mode_t mode);
/* Removes NAME under DIRFD with all below it, by descriptor, never across a mount or through a
 * symlink; a missing one is fine. Needs no allocation and at most 64 descriptors,
 * however deep it is. */
int fd_remove_tree_at(int dirfd, const char *name);

#endif
