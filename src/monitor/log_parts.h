/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MONITOR_LOG_PARTS_H
#define MONITOR_LOG_PARTS_H
/*
 * The parts of a rotated log: json.log, which is written to, and json.log.1, json.log.2 and so on,
 * which are complete, the highest number being the newest. A part keeps its number; the current one
 * gets the next number when it is rotated. A compressed part is json.log.N.gz; where both are there
 * they say the same.
 *
 * Readers find them while a writer may be renaming them and a helper compressing them. A part is
 * held by its descriptor: once open, neither a rename nor its removal loses it.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define LOG_DIR_NAME	  "log"
#define LOG_FILE_NAME	  "json.log"
#define LOG_PART_NAME_LEN 48

/* The name of part NUMBER, "json.log" for 0. */
const char *log_part_name(char buf[static LOG_PART_NAME_LEN], uint64_t number, bool is_gz);
/* The number that NAME says, 0 when it is not the name of a complete part. */
uint64_t log_part_parse(const char *name, bool *ret_is_gz);

/* Calls VISIT for each complete part of DIR_FD, in no order, compressed ones and others; a negative
 * value ends it and is returned. 0 or -errno. */
int log_parts_visit(int dir_fd,
		    int (*visit)(void *ctx, const char *name, uint64_t number, bool is_gz),
		    void *ctx);

struct log_part {
	uint64_t number; /* the current one: the number it will have */
	int fd;		 /* owned */
	bool is_gz;
};

struct log_parts {
	int dir_fd;		/* owned; -1 while there is no log at all */
	struct log_part *items; /* owned; oldest first */
	size_t n, cap;
	pid_t writer; /* who writes the log, and may hold parts without a name; 0: not known */
	bool is_new;  /* followed since before its first file: part 1 is the first to be read */
	bool has_gap; /* parts before the newest were removed before they could be opened */
};

#define LOG_PARTS_INIT       \
	{                    \
		.dir_fd = -1 \
	}

/* Opens every part of the log in CONTAINER_DIR_FD. Who FOLLOWS takes a shared lock of the
 * directory, which tells the writer to keep open what it removes, and makes the directory when
 * there is none: a writer may fill and remove several files before anybody can look. No log at all
 * is an empty list (dir_fd -1 when there is no directory). 0 or -errno. */
int log_parts_open(struct log_parts *parts, int container_dir_fd, bool follows);
/* Gives that lock up: no part will be added that is not there now. */
void log_parts_unfollow(struct log_parts *parts);
/* Opens what has been added since, so that it is there to read however long that takes. As long as
 * nothing was rotated this is one system call. 0 or -errno; -EMFILE leaves the list as far as it
 * came, to be gone on with when some of it was read. */
int log_parts_extend(struct log_parts *parts);
/* Closes the oldest part, which must not be the only one. */
void log_parts_drop_first(struct log_parts *parts);
void log_parts_close(struct log_parts *parts);
#define cleanup_log_parts __attribute__((cleanup(log_parts_close)))

#endif
