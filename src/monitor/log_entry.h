/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MONITOR_LOG_ENTRY_H
#define MONITOR_LOG_ENTRY_H
/*
 * One entry of a container's log, in the format of docker's json-file driver, one to a line:
 *
 *	{"log":"text\n","stream":"stdout","time":"2006-01-02T15:04:05.999999999Z"}
 *
 * Text without "\n" at its end is a piece of a longer line that goes on in the stream's next entry.
 * Bytes that are not UTF-8 are written as U+FFFD, as Go's encoder does, and cannot be had back.
 */
#include <stddef.h>
#include <stdint.h>

enum log_stream { LOG_STDOUT, LOG_STDERR, N_LOG_STREAMS };

/* Bytes that one byte of input can become ("\ufffd"). */
#define LOG_ESCAPE_MAX 6

/* Writes LEN bytes as the inside of a JSON string to OUT (room for LEN * LOG_ESCAPE_MAX) and
 * returns the count. */
size_t log_entry_escape(const uint8_t *in, size_t len, uint8_t *out);

/* Bytes at the end of IN that may be the beginning of a UTF-8 sequence not yet complete (0 to 3).
 */
size_t log_entry_incomplete(const uint8_t *in, size_t len);

struct log_entry {
	enum log_stream stream;
	int64_t time_ns; /* since 1970 */
	uint8_t *text;	 /* decoded in place, inside the line */
	size_t len;
};

/* Decodes one line (without its newline) in place. Keys may come in any order and unknown ones are
 * passed over. 0, or -EINVAL for anything else than such an entry. */
int log_entry_parse(uint8_t *line, size_t len, struct log_entry *ret);

#endif
