/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MONITOR_LOG_FILES_H
#define MONITOR_LOG_FILES_H
/*
 * The parts of a rotated log, found while a writer may be renaming them. A part is held by its
 * descriptor: once open, a rename does not lose it, and its writer adds nothing after the rename.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Parts looked for: the current file and json.log.1 … */
#define LOG_PARTS_MAX 64

struct log_files {
	int dir_fd;
	size_t n;
	int fds[LOG_PARTS_MAX]; /* oldest first; owned; -1: taken out */
};

#define LOG_FILES_INIT       \
	{                    \
		.dir_fd = -1 \
	}

/* Opens every part of the log in CONTAINER_DIR_FD. No log at all is an empty list (dir_fd -1 when
 * there is no directory yet). 0 or -errno. */
int log_files_open(struct log_files *files, int container_dir_fd);
void log_files_close(struct log_files *files);
#define cleanup_log_files __attribute__((cleanup(log_files_close)))

/* Whether the part FD has been renamed: then it is complete. */
bool log_files_is_rotated(const struct log_files *files, int fd);
/* Opens the part that follows the rotated part FD; -ENOENT when it does not exist yet. When FD was
 * removed in the meantime (a reader five files behind) it is the oldest that is left. */
int log_files_open_next(const struct log_files *files, int fd);

/* Where reading begins: part INDEX (may be n: at the end of all), byte OFFSET. */
struct log_position {
	size_t index;
	uint64_t offset;
};

/* The position from which N_LINES complete lines follow (a last one without newline counts). */
int log_files_seek_tail(const struct log_files *files, uint64_t n_lines, struct log_position *ret);
/* A position before the first entry of SINCE_NS or later: by the last entry of each part and by
 * bisection within one, so it costs the same in a large log. */
int log_files_seek_since(const struct log_files *files, int64_t since_ns, struct log_position *ret);

#endif
