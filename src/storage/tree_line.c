/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A line is split at its spaces, of which names have none. Each field has one form, so that no two
 * texts mean the same line.
 */
#include "storage/tree_line.h"

#include "base/err.h"
#include "base/num.h"

#include <limits.h>
#include <string.h>

#define MAX_LINE   (32 * 1024) /* two names of TAR_MAX_PATH, each byte of them as three */
#define NS_DIGITS  9
#define CRC_DIGITS 16

void tree_line_reader_done(struct tree_line_reader *r)
{
	str_done(&r->path);
	str_done(&r->target);
	str_done(&r->word);
}

/* The next field of the line *P..END into r->word. */
static bool next_word(struct tree_line_reader *r, const char **p, const char *end)
{
	const char *space = *p < end ? memchr(*p, ' ', (size_t)(end - *p)) : NULL;
	const char *stop = space ? space : end;

	str_truncate(&r->word, 0);
	if (*p >= end || stop == *p)
		return false;
	str_add_bytes(&r->word, *p, (size_t)(stop - *p));
	*p = space ? space + 1 : end;
	return true;
}

static bool read_number(struct tree_line_reader *r, const char **p, const char *end, unsigned base,
			uint64_t max, uint64_t *ret)
{
	return next_word(r, p, end) && num_parse_base(str_get(&r->word), base, ret) == 0 &&
	       *ret <= max;
}

static bool read_u32(struct tree_line_reader *r, const char **p, const char *end, unsigned base,
		     uint64_t max, uint32_t *ret)
{
	uint64_t n = 0;

	if (!read_number(r, p, end, base, max, &n))
		return false;
	*ret = (uint32_t)n;
	return true;
}

static bool read_time(struct tree_line_reader *r, const char **p, const char *end,
		      struct timespec *ret)
{
	uint64_t ns = 0;
	int64_t s = 0;
	char *dot = NULL;

	if (!next_word(r, p, end))
		return false;
	dot = strchr(r->word.buf, '.');
	if (!dot || strlen(dot + 1) != NS_DIGITS || num_parse_base(dot + 1, 10, &ns) < 0)
		return false;
	*dot = '\0';
	if (num_parse_i64(str_get(&r->word), &s) < 0)
		return false;
	*ret = (struct timespec){.tv_sec = s, .tv_nsec = (long)ns};
	return true;
}

static bool read_crc(struct tree_line_reader *r, const char **p, const char *end, uint64_t *ret)
{
	return read_number(r, p, end, 16, UINT64_MAX, ret) && r->word.len == CRC_DIGITS;
}

static bool read_xattrs(struct tree_line_reader *r, const char **p, const char *end,
			struct tree_line *l)
{
	if (end - *p >= 2 && memcmp(*p, "- ", 2) == 0) {
		*p += 2;
		return true;
	}
	l->has_xattrs = read_crc(r, p, end, &l->xattrs);
	return l->has_xattrs;
}

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* A name with its %XX resolved; never one with a NUL in it. */
static bool read_name(struct tree_line_reader *r, const char **p, const char *end, struct str *ret)
{
	str_truncate(ret, 0);
	str_add(ret, "");
	if (!next_word(r, p, end))
		return false;
	for (const char *c = str_get(&r->word); *c; c++) {
		int high = *c == '%' ? digit(c[1]) : 0;
		int low = *c == '%' && high >= 0 ? digit(c[2]) : 0;

		if (high < 0 || low < 0 || (*c == '%' && high + low == 0))
			return false;
		str_add_char(ret, *c == '%' ? (char)(high << 4 | low) : *c);
		c += *c == '%' ? 2 : 0;
	}
	return true;
}

static bool read_device(struct tree_line_reader *r, const char **p, const char *end,
			struct tree_line *l)
{
	uint64_t major = 0, minor = 0;
	char *colon = NULL;

	if (!next_word(r, p, end))
		return false;
	colon = strchr(r->word.buf, ':');
	if (!colon)
		return false;
	*colon = '\0';
	if (num_parse_base(r->word.buf, 10, &major) < 0 ||
	    num_parse_base(colon + 1, 10, &minor) < 0 || major > UINT_MAX || minor > UINT_MAX)
		return false;
	l->dev_major = (unsigned)major;
	l->dev_minor = (unsigned)minor;
	return true;
}

static bool read_names(struct tree_line_reader *r, const char **p, const char *end,
		       struct tree_line *l)
{
	str_truncate(&r->target, 0);
	if (!read_name(r, p, end, &r->path))
		return false;
	if (strcmp(str_get(&r->path), ".") == 0)
		str_truncate(&r->path, 0);
	if (strchr("hl", l->type) && !read_name(r, p, end, &r->target))
		return false;
	if (strchr("cb", l->type) && !read_device(r, p, end, l))
		return false;
	r->path.buf[r->path.len] = '\0';
	l->path = str_get(&r->path);
	l->target = r->target.len ? str_get(&r->target) : "";
	return *p == end;
}

static bool read_line(struct tree_line_reader *r, const char *p, const char *end,
		      struct tree_line *l)
{
	*l = (struct tree_line){.type = *p};
	if (end - p < 2 || !strchr("fhlcbdpwo", *p) || p[1] != ' ')
		return false;
	p += 2;
	return read_u32(r, &p, end, 8, 07777, &l->mode) &&
	       read_u32(r, &p, end, 10, UINT32_MAX, &l->uid) &&
	       read_u32(r, &p, end, 10, UINT32_MAX, &l->gid) && read_time(r, &p, end, &l->mtime) &&
	       read_number(r, &p, end, 10, INT64_MAX, &l->size) && read_crc(r, &p, end, &l->crc) &&
	       read_xattrs(r, &p, end, l) && read_names(r, &p, end, l);
}

int tree_line_next(struct tree_line_reader *r, struct tree_line *ret, struct err *err)
{
	const char *newline = NULL;

	if (r->len == 0)
		return 0;
	r->number++;
	newline = memchr(r->text, '\n', r->len);
	if (!newline || newline - r->text > MAX_LINE || newline == r->text ||
	    memchr(r->text, '\0', (size_t)(newline - r->text)) ||
	    !read_line(r, r->text, newline, ret))
		return err_set(err, ERR_INVALID, "line %zu is none of a listing", r->number);
	r->len -= (size_t)(newline - r->text) + 1;
	r->text = newline + 1;
	return 1;
}
