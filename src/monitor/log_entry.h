/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MONITOR_LOG_ENTRY_H
#define MONITOR_LOG_ENTRY_H
/*
 * One entry of a container's log, in the format of docker's json-file driver, one to a line:
 *
 *	{"log":"text\n","stream":"stdout","time":"2006-01-02T15:04:05.999999999Z"}
 *	{"log":"text\n","stream":"stdout","attrs":{"tag":"web"},"time":"2006-01-02T15:04:05Z"}
 *
 * Text without "\n" at its end is a piece of a longer line that goes on in the stream's next entry.
 * Bytes that are not UTF-8 are written as U+FFFD, as Go's encoder does, and cannot be had back.
 */
#include <stddef.h>
#include <stdint.h>

struct str;

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
	uint8_t *text; /* decoded in place, inside the line, as all of these */
	size_t len;
	const uint8_t *time; /* RFC 3339; NULL when there is none */
	size_t time_len;
	const uint8_t *attrs; /* the object as it stands in the line; NULL when there is none */
	size_t attrs_len;
};

/* Decodes one line (without its newline) in place. Keys may come in any order and unknown ones are
 * passed over. 0, or -EINVAL for anything else than such an entry. */
int log_entry_parse(uint8_t *line, size_t len, struct log_entry *ret);

/* When the entry was written, in ns since 1970, 0 when it does not say; -EINVAL when its time is
 * none. */
int log_entry_time(const struct log_entry *entry, int64_t *ret_ns);

/* Appends ATTRS, an object of strings, as `logs --details` shows it: "k=v,k=v" with both sides in
 * the escaping of a URL's query. -EINVAL for anything else. */
int log_entry_details(const uint8_t *attrs, size_t len, struct str *out);

#endif
