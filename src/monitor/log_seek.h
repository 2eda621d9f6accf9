/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MONITOR_LOG_SEEK_H
#define MONITOR_LOG_SEEK_H
/*
 * Where in a log reading begins. A plain part is read in small pieces, from its end or by
 * bisection, so that it costs the same in a large log; of a compressed one only the head is read,
 * which says what is in it.
 */
#include <stdint.h>

#include "monitor/log_parts.h"

/*
 * The head of a compressed part (RFC 1952): an extra field of the gzip member with these numbers,
 * least significant byte first. Who does not know it passes over it.
 */
#define LOG_GZ_ID_1	 'T'
#define LOG_GZ_ID_2	 'L'
#define LOG_GZ_EXTRA_LEN 24
#define LOG_GZ_HEAD_LEN	 (10 + 2 + 4 + LOG_GZ_EXTRA_LEN)

struct log_gz_info {
	int64_t first_ns; /* time of its first entry */
	int64_t last_ns;
	uint64_t n_lines; /* entries that end a line */
};

/* Writes the head of a compressed part. */
void log_gz_format_head(const struct log_gz_info *info, uint8_t ret[static LOG_GZ_HEAD_LEN]);
/* Reads it; -EINVAL when FD is not compressed by us. */
int log_gz_read_head(int fd, struct log_gz_info *ret);

/* What the LEN bytes P of whole entries are, added to INFO, which began all zero. */
void log_gz_count(struct log_gz_info *info, const uint8_t *p, size_t len);

struct log_position {
	size_t index;	     /* of the part; the number of parts: nothing is to be read */
	uint64_t offset;     /* in bytes; 0 for a compressed part */
	uint64_t skip_lines; /* that many lines of a compressed part come before */
};

/* The position from which N_LINES lines follow (a last one without newline counts). 0 or -errno. */
int log_seek_tail(const struct log_parts *parts, uint64_t n_lines, struct log_position *ret);
/* A position before the first entry of SINCE_NS or later, and not far before it. 0 or -errno. */
int log_seek_since(const struct log_parts *parts, int64_t since_ns, struct log_position *ret);

#endif
