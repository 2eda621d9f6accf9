/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A log's file, as a damaged disk or another program may leave it: the first byte says how many
 * lines are wanted, the rest is the file. Looking for a place in it ends, inside it, and a line
 * that is taken for an entry can be shown. What an entry says is the same once it was written
 * again.
 */
#include "base/fd.h"
#include "base/mem.h"
#include "base/str.h"
#include "monitor/log_entry.h"
#include "monitor/log_seek.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define FILE_MAX 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_positions(const uint8_t *text, size_t len, uint64_t n_lines)
{
	cleanup_close int fd = memfd_create("log", MFD_CLOEXEC);
	struct log_part part = {.number = 1, .fd = fd};
	const struct log_parts parts = {.dir_fd = -1, .items = &part, .n = 1};
	struct log_position at = {};
	struct log_gz_info info = {};

	if (fd < 0 || fd_write_full(fd, text, len) < 0)
		abort();
	if (log_seek_tail(&parts, n_lines, &at) < 0 || at.index != 0 || at.offset > len)
		abort();
	if (log_seek_since(&parts, (int64_t)n_lines * 100000000000000000, &at) < 0 ||
	    at.index != 0 || at.offset > len)
		abort();
	part.is_gz = true;
	if (log_seek_tail(&parts, n_lines, &at) < 0 ||
	    log_seek_since(&parts, (int64_t)n_lines, &at) < 0)
		abort();
	log_gz_count(&info, text, len);
	if (info.n_lines > len)
		abort();
}

/* Writes TEXT as an entry to LINE and reads it again. */
static struct log_entry write_and_read(const uint8_t *text, size_t len, struct str *line)
{
	cleanup_free uint8_t *escaped = mem_alloc(len * LOG_ESCAPE_MAX + 1);
	struct log_entry e = {};

	str_add(line, "{\"log\":\"");
	str_add_bytes(line, escaped, log_entry_escape(text, len, escaped));
	str_add(line, "\",\"stream\":\"stderr\",\"time\":\"2006-01-02T15:04:05Z\"}");
	if (log_entry_parse((uint8_t *)line->buf, line->len, &e) < 0 || e.stream != LOG_STDERR)
		abort();
	return e;
}

/* Bytes that are no UTF-8 become U+FFFD the first time; from then on nothing changes. */
static void check_again(const struct log_entry *e)
{
	cleanup_str struct str first = STR_INIT, second = STR_INIT;
	struct log_entry once = write_and_read(e->text, e->len, &first);
	struct log_entry twice = write_and_read(once.text, once.len, &second);

	if (twice.len != once.len || memcmp(twice.text, once.text, once.len) != 0)
		abort();
}

static void check_line(const uint8_t *text, size_t len)
{
	cleanup_free uint8_t *line = mem_alloc(len + 1);
	cleanup_str struct str details = STR_INIT;
	struct log_entry e = {};
	int64_t time_ns = 0;

	memcpy(line, text, len);
	if (log_entry_parse(line, len, &e) < 0)
		return;
	if (e.text < line || e.text + e.len > line + len)
		abort();
	log_entry_time(&e, &time_ns);
	if (e.attrs)
		log_entry_details(e.attrs, e.attrs_len, &details);
	check_again(&e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *p = data + 1;
	const uint8_t *end = data + size;

	if (size == 0 || size > FILE_MAX)
		return 0;
	check_positions(p, size - 1, data[0] & 15);
	while (p < end) {
		const uint8_t *nl = memchr(p, '\n', (size_t)(end - p));

		check_line(p, (size_t)((nl ? nl : end) - p));
		p = nl ? nl + 1 : end;
	}
	return 0;
}
