/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MONITOR_LOG_WRITER_H
#define MONITOR_LOG_WRITER_H
/*
 * Writes a container's log: log/json.log in the container's directory, and its complete parts
 * (monitor/log_parts.h).
 *
 * Output is cut at newlines, and at LOG_LINE_MAX bytes where none comes; what follows the last
 * newline waits for the rest of its line. Each call ends with one write(2) of whole entries. A file
 * that would grow past its limit is renamed first; nothing is ever written to a renamed file again,
 * which is what lets a reader follow without loss. Before that the oldest part goes, so that there
 * are never more than the files that are allowed, and nobody is waited for. While somebody follows
 * the log (log_parts.h), the last parts are kept open, also when their names are gone: a reader
 * that is behind gets them by /proc/PID/fd. A full disk costs the container nothing: entries are
 * dropped whole, and a line says how much as soon as there is room again.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "monitor/log_entry.h"
#include "monitor/log_parts.h"

/* docker's line buffer (daemon/logger/copier.go): longer lines become several entries. */
#define LOG_LINE_MAX 16384
/* Bytes of the attributes that each entry carries. */
#define LOG_ATTRS_MAX 16384

/* Parts that are kept open for who follows, and their bytes together. */
#define LOG_HELD_MAX	   256
#define LOG_HELD_BYTES_MAX (1ULL << 30)

/* One entry on its way: a line with its newline, or a piece of one. */
struct log_line {
	enum log_stream stream;
	const uint8_t *text;
	size_t len;
	int64_t time_ns;
};

struct log_writer_config {
	uint64_t max_size;  /* bytes a file may have, 0 for no limit */
	unsigned max_files; /* counts the current one */
	const char *attrs;  /* object of strings for each entry, "{…}"; NULL: none. Borrowed */
	bool has_no_file;   /* nothing is written: entries are only told */
	/* Gets each entry. NULL: nobody does. */
	void (*entry)(void *ctx, const struct log_line *line);
	/* A part has become complete. NULL: nobody cares. */
	void (*rotated)(void *ctx);
	void *ctx;
};

struct log_writer {
	int container_dir_fd; /* borrowed, for as long as the writer is open */
	int dir_fd;	      /* of the log; -1 until there is output */
	int file_fd;
	struct log_writer_config config;
	uint64_t next_number;	/* of the next complete part; 0: not yet looked for */
	int held[LOG_HELD_MAX]; /* owned: complete parts, oldest first */
	unsigned n_held;
	uint64_t size;	  /* of the current file, as far as whole entries go */
	uint64_t dropped; /* bytes of output lost since the last successful write */
	uint8_t *out;	  /* mapped: entries not yet written */
	size_t out_len;
	uint64_t out_raw; /* bytes of output those stand for */
	uint8_t *lines;	  /* mapped: N_LOG_STREAMS unfinished lines */
	size_t line_len[N_LOG_STREAMS];
	struct str tail[N_LOG_STREAMS]; /* the end of each entry of the chunk at hand */
	size_t tail_len[N_LOG_STREAMS]; /* without the time */
	int64_t now_ns;
};

#define LOG_WRITER_INIT                                             \
	{                                                           \
		.container_dir_fd = -1, .dir_fd = -1, .file_fd = -1 \
	}

/* Opens (creating what is missing, appending to what is there) the log of the container whose
 * directory is CONTAINER_DIR_FD. 0 or -errno. */
int log_writer_open(struct log_writer *log, int container_dir_fd,
		    const struct log_writer_config *config);
/* Writes what came from STREAM just now (NOW_NS since 1970). Never fails: see above. Nothing for a
 * writer that was not opened. */
void log_writer_write(struct log_writer *log, enum log_stream stream, const void *data, size_t len,
		      int64_t now_ns);
/* The same in two steps, for who has several pieces at once: what was added is in the file after
 * the flush at the latest. */
void log_writer_add(struct log_writer *log, enum log_stream stream, const void *data, size_t len,
		    int64_t now_ns);
void log_writer_flush(struct log_writer *log);
/* Writes unfinished lines too, as they are, and closes all but what is kept for who follows. */
void log_writer_close(struct log_writer *log, int64_t now_ns);
/* Whether something is kept open that somebody who follows may not have opened yet. */
bool log_writer_is_behind(const struct log_writer *log);
/* Closes what is kept for who follows. */
void log_writer_release(struct log_writer *log);
/* Gives the memory of idle buffers back to the kernel, and parts that nobody follows. */
void log_writer_trim(struct log_writer *log);

#endif
