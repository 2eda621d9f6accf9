/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Diagnostics, one line each, written with one write(2) so that lines of several processes do not
 * mix. Nothing is allocated: these are called when little else works.
 */
/* lint file: a file of a directory that the caller has open */
#include "base/log.h"

#include "base/clock.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define TEXT_MAX       1024
#define LINE_MAX_BYTES 8192
#define NAME_MAX_BYTES 80
/* What one byte can become in JSON, "\u0000". */
#define ESCAPE_MAX 6

static const char *const level_names[N_LOG_LEVELS] = {
	[LOG_LEVEL_FATAL] = "fatal",   [LOG_LEVEL_ERROR] = "error", [LOG_LEVEL_WARN] = "warn",
	[LOG_LEVEL_NOTICE] = "notice", [LOG_LEVEL_INFO] = "info",   [LOG_LEVEL_DEBUG] = "debug",
	[LOG_LEVEL_TRACE] = "trace",
};

static struct {
	enum log_level level;
	bool is_json;
	char op[NAME_MAX_BYTES], id[NAME_MAX_BYTES];
	char file[NAME_MAX_BYTES]; /* "": stderr */
	int dir_fd;
} state = {.level = LOG_LEVEL_WARN, .dir_fd = -1};

int log_set_level(const char *name)
{
	for (size_t i = 0; i < N_LOG_LEVELS; i++) {
		if (strcmp(name, level_names[i]) == 0) {
			state.level = (enum log_level)i;
			return 0;
		}
	}
	return -EINVAL;
}

enum log_level log_get_level(void)
{
	return state.level;
}

int log_set_format(const char *name)
{
	bool is_json = strcmp(name, "json") == 0;

	if (!is_json && strcmp(name, "text") != 0)
		return -EINVAL;
	state.is_json = is_json;
	return 0;
}

int log_is_json(void)
{
	return state.is_json;
}

void log_set_context(const char *op, const char *id)
{
	if (op)
		snprintf(state.op, sizeof(state.op), "%s", op);
	if (id)
		snprintf(state.id, sizeof(state.id), "%s", id);
}

void log_set_file(int dir_fd, const char *name)
{
	state.dir_fd = dir_fd;
	snprintf(state.file, sizeof(state.file), "%s", name);
}

/* ---- lines ---- */

struct line {
	char text[LINE_MAX_BYTES];
	size_t len;
};

static void add_char(struct line *line, char c)
{
	/* The last two bytes are the end of every line. */
	if (line->len < sizeof(line->text) - 4)
		line->text[line->len++] = c;
}

static void add_text(struct line *line, const char *text)
{
	for (; *text; text++)
		add_char(line, (unsigned char)*text < ' ' || *text == 0x7f ? '?' : *text);
}

static void add_member(struct line *line, const char *key, const char *value)
{
	static const char hex[] = "0123456789abcdef";

	line->len += (size_t)snprintf(line->text + line->len, sizeof(line->text) - line->len,
				      "%s\"%s\":\"", line->len ? "," : "{", key);
	for (const unsigned char *p = (const unsigned char *)value; *p; p++) {
		if (line->len > sizeof(line->text) - NAME_MAX_BYTES)
			break;
		if (*p == '"' || *p == '\\')
			add_char(line, '\\');
		if (*p >= ' ' && *p < 0x7f) {
			add_char(line, (char)*p);
			continue;
		}
		/* Bytes beyond ASCII one by one: a text that was cut is JSON nevertheless. */
		line->len += (size_t)snprintf(line->text + line->len, ESCAPE_MAX + 1, "\\u00%c%c",
					      hex[*p >> 4], hex[*p & 15]);
	}
	add_char(line, '"');
}

static void format_text(struct line *line, enum log_level level, const char *msg, const char *why)
{
	add_text(line, "tare: ");
	add_text(line, level_names[level]);
	add_text(line, ": ");
	if (*state.file) {
		char now[CLOCK_RFC3339_LEN];

		clock_format_rfc3339(clock_real_ns(), now);
		add_text(line, now);
		add_text(line, ": ");
	}
	add_text(line, msg);
	if (*why)
		add_text(line, ": ");
	add_text(line, why);
}

static void format_json(struct line *line, enum log_level level, const char *msg, const char *why)
{
	char now[CLOCK_RFC3339_LEN];

	clock_format_rfc3339(clock_real_ns(), now);
	add_member(line, "ts", now);
	add_member(line, "level", level_names[level]);
	add_member(line, "msg", msg);
	add_member(line, "op", state.op);
	add_member(line, "id", state.id);
	add_member(line, "err", why);
	add_char(line, '}');
}

/* ---- where they go ---- */

static int open_file(void)
{
	char old[NAME_MAX_BYTES + 2];
	int fd = openat(state.dir_fd, state.file,
			O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || st.st_size < LOG_FILE_MAX)
		return fd;
	close(fd);
	snprintf(old, sizeof(old), "%s.1", state.file);
	renameat(state.dir_fd, state.file, state.dir_fd, old);
	return openat(state.dir_fd, state.file,
		      O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
}

static void write_line(const struct line *line)
{
	int saved = errno;
	int fd = *state.file ? open_file() : STDERR_FILENO;

	/* Nobody is left to hear that writing a diagnostic failed. */
	ssize_t ignored = fd < 0 ? 0 : write(fd, line->text, line->len);

	(void)ignored;
	if (*state.file && fd >= 0)
		close(fd);
	errno = saved;
}

__attribute__((format(printf, 3, 0))) static void emit(enum log_level level, const char *why,
						       const char *fmt, va_list ap)
{
	struct line line;
	char msg[TEXT_MAX];

	line.len = 0;
	vsnprintf(msg, sizeof(msg), fmt, ap);
	if (state.is_json)
		format_json(&line, level, msg, why);
	else
		format_text(&line, level, msg, why);
	line.text[line.len++] = '\n';
	write_line(&line);
}

void log_message(enum log_level level, const char *fmt, ...)
{
	va_list ap;

	if (level > state.level)
		return;
	va_start(ap, fmt);
	emit(level, "", fmt, ap);
	va_end(ap);
}

void log_failure(enum log_level level, const char *why, const char *fmt, ...)
{
	va_list ap;

	if (level > state.level)
		return;
	va_start(ap, fmt);
	emit(level, why, fmt, ap);
	va_end(ap);
}
