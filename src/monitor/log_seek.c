/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Looking for places in a log through a window on one part, which is filled by pread(2): nothing is
 * mapped, so a writer that takes back half an entry does not hurt.
 */
#include "monitor/log_seek.h"

#include "base/fd.h"
#include "base/mem.h"
#include "monitor/log_entry.h"
#include "monitor/log_writer.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The longest entry without attributes, and room for those. */
#define WINDOW_MAX (LOG_LINE_MAX * LOG_ESCAPE_MAX + 256 + LOG_ATTRS_MAX)
/* What is read at once where an entry is looked for. */
#define WINDOW_LEN 8192
/* Going back reads more: it will need what comes before. */
#define WINDOW_BACK 65536
/* Bisection stops here: what is left is read. */
#define NEAR_LEN 16384

/* ---- the head of a compressed part ---- */

static void put_u64(uint8_t *to, uint64_t v)
{
	for (int i = 0; i < 8; i++)
		to[i] = (uint8_t)(v >> 8 * i);
}

static uint64_t get_u64(const uint8_t *from)
{
	uint64_t v = 0;

	for (int i = 7; i >= 0; i--)
		v = v << 8 | from[i];
	return v;
}

/* Magic, deflate, FEXTRA, no time, no hint, Unix; the extra field's length; the subfield's. */
static const uint8_t gz_head[16] = {0x1f,
				    0x8b,
				    8,
				    4,
				    0,
				    0,
				    0,
				    0,
				    0,
				    3,
				    LOG_GZ_EXTRA_LEN + 4,
				    0,
				    LOG_GZ_ID_1,
				    LOG_GZ_ID_2,
				    LOG_GZ_EXTRA_LEN,
				    0};

void log_gz_format_head(const struct log_gz_info *info, uint8_t ret[static LOG_GZ_HEAD_LEN])
{
	memcpy(ret, gz_head, sizeof(gz_head));
	put_u64(ret + 16, (uint64_t)info->first_ns);
	put_u64(ret + 24, (uint64_t)info->last_ns);
	put_u64(ret + 32, info->n_lines);
}

int log_gz_read_head(int fd, struct log_gz_info *ret)
{
	uint8_t head[LOG_GZ_HEAD_LEN];

	if (pread(fd, head, sizeof(head), 0) != (ssize_t)sizeof(head) ||
	    memcmp(head, gz_head, sizeof(gz_head)) != 0)
		return -EINVAL;
	*ret = (struct log_gz_info){.first_ns = (int64_t)get_u64(head + 16),
				    .last_ns = (int64_t)get_u64(head + 24),
				    .n_lines = get_u64(head + 32)};
	return 0;
}

/* ---- entries ---- */

/* Whether the entry P ends a line of output. The text of an entry is followed by a quote that the
 * text itself cannot contain unescaped. */
static bool ends_line(const uint8_t *p, size_t len)
{
	static const char mark[] = "\\n\",\"stream\":\"";
	const uint8_t *at = memmem(p, len, mark, sizeof(mark) - 1);
	size_t n = 0;

	/* "\\\\n" at the end is a backslash and an n. */
	while (at && at - n > p && at[-1 - (long)n] == '\\')
		n++;
	return at && n % 2 == 0;
}

/* Time of the entry of LEN bytes with its newline; -EINVAL for garbage. */
static int entry_time(const uint8_t *p, size_t len, int64_t *ret)
{
	cleanup_free uint8_t *line = mem_alloc(len);
	struct log_entry e;

	assert(p);
	memcpy(line, p, len);
	if (log_entry_parse(line, len - 1, &e) < 0)
		return -EINVAL;
	return log_entry_time(&e, ret);
}

void log_gz_count(struct log_gz_info *info, const uint8_t *p, size_t len)
{
	const uint8_t *end = p + len;
	const uint8_t *last = NULL;

	while (p < end) {
		const uint8_t *nl = memchr(p, '\n', (size_t)(end - p));
		size_t n = (size_t)((nl ? nl + 1 : end) - p);

		info->n_lines += ends_line(p, n);
		if (info->first_ns == 0 && entry_time(p, n, &info->first_ns) < 0)
			info->first_ns = 0;
		last = p;
		p += n;
	}
	if (last && entry_time(last, (size_t)(end - last), &info->last_ns) < 0)
		info->last_ns = INT64_MAX; /* unknown: never passed over */
}

/* ---- a window on a part ---- */

struct window {
	int fd; /* borrowed */
	uint64_t size;
	uint64_t start; /* offset of buf in the part */
	size_t len;
	uint8_t *buf; /* owned, WINDOW_MAX */
};

static void window_done(struct window *w)
{
	free(w->buf);
}

#define cleanup_window __attribute__((cleanup(window_done)))

static int window_open(struct window *w, int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!w->buf)
		w->buf = mem_alloc(WINDOW_MAX);
	w->fd = fd;
	w->size = (uint64_t)st.st_size;
	w->len = 0;
	return 0;
}

/* Fills the window with [START, END), or what is there of it. */
static int window_fill(struct window *w, uint64_t start, uint64_t end)
{
	ssize_t n = 0;

	assert(w->buf);
	n = pread(w->fd, w->buf, (size_t)(end - start), (off_t)start);

	if (n < 0)
		return -errno;
	w->start = start;
	w->len = (size_t)n;
	return 0;
}

struct span {
	uint64_t start, end; /* in the part; END after the newline */
	const uint8_t *p;    /* in the window */
};

/* The first entry that begins at OFFSET or later: 1, 0 when there is none, or -errno. */
static int entry_after(struct window *w, uint64_t offset, struct span *ret)
{
	for (size_t want = WINDOW_LEN;; want *= 4) {
		/* From the byte before: an entry may begin exactly here. */
		uint64_t from = offset > 0 ? offset - 1 : 0;
		uint64_t to = want < WINDOW_MAX ? from + want : from + WINDOW_MAX;
		const uint8_t *begin = NULL;
		const uint8_t *nl = NULL;
		int rc = window_fill(w, from, to < w->size ? to : w->size);

		if (rc < 0)
			return rc;
		begin = offset > 0 ? memchr(w->buf, '\n', w->len) : w->buf;
		if (begin && offset > 0)
			begin++;
		if (begin)
			nl = memchr(begin, '\n', (size_t)(w->buf + w->len - begin));
		if (nl) {
			*ret = (struct span){.start = from + (uint64_t)(begin - w->buf),
					     .end = from + (uint64_t)(nl + 1 - w->buf),
					     .p = begin};
			return 1;
		}
		if (to >= w->size || want >= WINDOW_MAX)
			return 0;
	}
}

/* The entry that ends at END, which follows a newline: 1, 0 at the beginning, or -errno. An entry
 * longer than any of ours is given as a piece. */
static int entry_before(struct window *w, uint64_t end, struct span *ret)
{
	for (size_t want = WINDOW_BACK; end > 0; want *= 2) {
		bool is_in = w->len > 0 && end > w->start && end <= w->start + w->len;
		const uint8_t *nl = NULL;
		uint64_t from = 0;
		int rc = 0;

		if (is_in && end - 1 > w->start)
			nl = memrchr(w->buf, '\n', (size_t)(end - 1 - w->start));
		if (is_in && (nl || w->start == 0 || end - w->start >= WINDOW_MAX)) {
			const uint8_t *p = nl ? nl + 1 : w->buf;

			*ret = (struct span){w->start + (uint64_t)(p - w->buf), end, p};
			return 1;
		}
		if (want > WINDOW_MAX)
			want = WINDOW_MAX;
		from = end > want ? end - want : 0;
		rc = window_fill(w, from, end);
		if (rc < 0 || w->len < end - from)
			return rc < 0 ? rc : 0; /* it has shrunk */
	}
	return 0;
}

/* Where the last whole entry of the part ends: half an entry is being written now. */
static int whole_end(struct window *w, uint64_t *ret)
{
	uint64_t from = w->size > WINDOW_MAX ? w->size - WINDOW_MAX : 0;

	for (uint64_t step = WINDOW_LEN;; step *= 4) {
		uint64_t at = w->size > step + from ? w->size - step : from;
		const uint8_t *nl = NULL;
		int rc = window_fill(w, at, w->size);

		if (rc < 0)
			return rc;
		nl = memrchr(w->buf, '\n', w->len);
		*ret = nl ? at + (uint64_t)(nl + 1 - w->buf) : 0;
		if (nl || at == from)
			return 0;
	}
}

/* ---- the last lines ---- */

struct tail {
	uint64_t left;	/* lines still wanted */
	bool has_begun; /* the last entry was seen */
};

/* Goes back through a plain part: 1 when RET_OFFSET is the place, 0 when it is before, or -errno.
 */
static int tail_in_plain(struct window *w, struct tail *tail, uint64_t *ret_offset)
{
	uint64_t end = 0;
	struct span s = {};
	int rc = whole_end(w, &end);

	while (rc == 0) {
		rc = entry_before(w, end, &s);
		if (rc <= 0)
			return rc;
		if (ends_line(s.p, (size_t)(s.end - s.start)) || !tail->has_begun) {
			if (tail->left == 0) {
				*ret_offset = end;
				return 1;
			}
			tail->left--;
		}
		tail->has_begun = true;
		end = s.start;
		rc = 0;
	}
	return rc;
}

/* The same for a compressed one, by its number of lines. */
static bool tail_in_gz(const struct log_gz_info *info, struct tail *tail, uint64_t *ret_skip)
{
	uint64_t n = info->n_lines;

	/* A container that ended without a newline: its last entry is a line of its own. */
	tail->has_begun = true;
	if (n > tail->left) {
		*ret_skip = n - tail->left;
		return true;
	}
	tail->left -= n;
	return false;
}

int log_seek_tail(const struct log_parts *parts, uint64_t n_lines, struct log_position *ret)
{
	cleanup_window struct window w = {};
	struct tail tail = {.left = n_lines};
	struct log_gz_info info;

	*ret = (struct log_position){};
	for (size_t i = parts->n; i-- > 0;) {
		const struct log_part *part = &parts->items[i];
		struct log_position at = {.index = i};
		int found = part->is_gz ? 0 : window_open(&w, part->fd);

		if (n_lines == 0) {
			*ret = (struct log_position){.index = i,
						     .offset = w.size,
						     .skip_lines = part->is_gz ? UINT64_MAX : 0};
			return found;
		}
		if (part->is_gz && log_gz_read_head(part->fd, &info) == 0)
			found = tail_in_gz(&info, &tail, &at.skip_lines);
		else if (!part->is_gz && found == 0)
			found = tail_in_plain(&w, &tail, &at.offset);
		if (found < 0)
			return found;
		if (found) {
			*ret = at;
			return 0;
		}
	}
	return 0;
}

/* ---- a time ---- */

/* Start of an entry such that everything before it is older than SINCE_NS. */
static int bisect(struct window *w, int64_t since_ns, uint64_t *ret)
{
	uint64_t low = 0;
	uint64_t high = w->size;

	while (high - low > NEAR_LEN) {
		uint64_t mid = low + (high - low) / 2;
		int64_t time = 0;
		struct span s;
		int rc = entry_after(w, mid, &s);

		if (rc < 0)
			return rc;
		if (rc == 1 && entry_time(s.p, (size_t)(s.end - s.start), &time) < 0)
			break;
		if (rc == 0 || s.start >= high || time >= since_ns)
			high = mid;
		else
			low = s.end;
	}
	*ret = low;
	return 0;
}

/* Whether the newest entry of the part is older than SINCE_NS. */
static int is_older(struct window *w, int64_t since_ns)
{
	uint64_t end = 0;
	int64_t time = 0;
	struct span s = {};
	int rc = whole_end(w, &end);

	if (rc == 0)
		rc = entry_before(w, end, &s);
	if (rc <= 0)
		return rc;
	return entry_time(s.p, (size_t)(s.end - s.start), &time) == 0 && time < since_ns;
}

int log_seek_since(const struct log_parts *parts, int64_t since_ns, struct log_position *ret)
{
	cleanup_window struct window w = {};
	struct log_gz_info info;

	*ret = (struct log_position){};
	for (size_t i = 0; i < parts->n; i++) {
		const struct log_part *part = &parts->items[i];
		int rc = 0;

		ret->index = i;
		ret->offset = 0;
		if (part->is_gz) {
			if (log_gz_read_head(part->fd, &info) < 0 || info.last_ns >= since_ns)
				return 0;
			continue;
		}
		rc = window_open(&w, part->fd);
		if (rc == 0)
			rc = is_older(&w, since_ns);
		if (rc < 0)
			return rc;
		/* Of the newest one the end is the place: more may come. */
		if (rc == 0 || i + 1 == parts->n)
			return bisect(&w, since_ns, &ret->offset);
	}
	return 0;
}
