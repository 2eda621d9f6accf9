/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Between two calls the cursor always stands at the start of the line below the last one. To draw,
 * it goes up to the line, clears and writes it and comes back down, all in one write(2): whoever is
 * interrupted leaves the prompt where it belongs, and there is no state of the terminal to restore.
 *
 * A line that wrapped would spoil the counting, so lines are cut at the right margin; one that was
 * scrolled off the top cannot be reached and stays as it is.
 */
#include "cli/progress.h"

#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/str.h"

#define BAR_COLUMNS	50 /* docker's */
#define BAR_LEAST	8  /* a shorter one says nothing */
#define BAR_FRAME	4  /* "[", ">", "]" and a blank */
#define SIZE_DIGITS	4
#define REDRAW_NS	100000000ULL
#define DEFAULT_COLUMNS 80
#define DEFAULT_ROWS	24

/* ECMA-48: CUU, CUD, EL 2, ED 0. */
#define UP	   "\033[%zuA"
#define DOWN	   "\033[%zuB"
#define CLEAR_LINE "\033[2K\r"
#define CLEAR_DOWN "\033[J"

void progress_init(struct progress *p, int fd)
{
	struct winsize size = {};

	*p = (struct progress){.fd = fd};
	if (!isatty(fd))
		return;
	if (ioctl(fd, TIOCGWINSZ, &size) < 0)
		size = (struct winsize){};
	p->columns = size.ws_col ? size.ws_col : DEFAULT_COLUMNS;
	p->rows = size.ws_row ? size.ws_row : DEFAULT_ROWS;
}

static bool is_shown(const struct progress *p)
{
	return p->columns > 0;
}

static void add_bar(struct str *out, double part, size_t columns)
{
	size_t filled = (size_t)(part * (double)columns);

	str_add_char(out, '[');
	for (size_t i = 0; i < filled; i++)
		str_add_char(out, '=');
	str_add_char(out, '>');
	for (size_t i = filled; i < columns; i++)
		str_add_char(out, ' ');
	str_add(out, "] ");
}

void progress_format(struct str *out, uint64_t n_bytes, uint64_t total, size_t columns)
{
	cleanup_str struct str numbers = STR_INIT;
	char done[32];
	char all[32];

	num_format_size((double)n_bytes, SIZE_DIGITS, done, sizeof(done));
	num_format_size((double)total, SIZE_DIGITS, all, sizeof(all));
	str_addf(&numbers, "%8s", done);
	if (total && n_bytes <= total) {
		/* As wide as it will ever be, so that the bar does not jump. */
		size_t widest = sizeof("1.234MB") + strlen(all) + BAR_FRAME + 1;
		size_t bar = columns > widest ? columns - widest : 0;

		str_addf(&numbers, "/%s", all);
		bar = bar < BAR_COLUMNS ? bar : BAR_COLUMNS;
		if (bar >= BAR_LEAST)
			add_bar(out, (double)n_bytes / (double)total, bar);
	}
	str_add(out, str_get(&numbers));
}

/* What stands in the line of ITEM, cut to the width of the terminal. */
static void format_line(struct str *out, const struct progress_item *item)
{
	size_t start = out->len;
	size_t used = 0;

	if (*item->id)
		str_addf(out, "%s: ", item->id);
	str_add(out, item->text);
	used = out->len - start;
	if (item->n_bytes > 0 && used + 2 < item->progress->columns) {
		str_add_char(out, ' ');
		progress_format(out, item->n_bytes, item->total,
				item->progress->columns - used - 2);
	}
	/* The last column stays empty: some terminals wrap when it is written. */
	if (out->len - start >= item->progress->columns)
		str_truncate(out, start + item->progress->columns - 1);
}

static void draw(struct progress_item *item)
{
	struct progress *p = item->progress;
	cleanup_str struct str out = STR_INIT;

	item->drawn_ns = clock_mono_ns();
	if (!item->has_line) {
		item->line = p->n_lines++;
		item->has_line = true;
		str_add_char(&out, '\n');
	}
	if (p->n_lines - item->line >= p->rows)
		return;
	str_addf(&out, UP CLEAR_LINE, p->n_lines - item->line);
	format_line(&out, item);
	str_addf(&out, "\r" DOWN, p->n_lines - item->line);
	/* A terminal that went away is no reason to stop the work. */
	(void)fd_write_full(p->fd, str_get(&out), out.len);
}

struct progress_item *progress_add(struct progress *p, const char *id, const char *text,
				   uint64_t total)
{
	struct progress_item *item = mem_zalloc(sizeof(*item));

	*item = (struct progress_item){
		.progress = p, .id = str_dup(id), .text = str_dup(text), .total = total};
	p->items = mem_realloc_array(p->items, p->n + 1, sizeof(struct progress_item *));
	p->items[p->n++] = item;
	return item;
}

void progress_count(uint64_t n_bytes, void *data)
{
	struct progress_item *item = data;

	item->n_bytes = n_bytes;
	if (!is_shown(item->progress) || n_bytes == 0)
		return;
	if (!item->has_line || clock_mono_ns() - item->drawn_ns >= REDRAW_NS)
		draw(item);
}

void progress_finish(struct progress_item *item)
{
	if (item->total)
		item->n_bytes = item->total;
	if (is_shown(item->progress))
		draw(item);
}

void progress_say(struct progress_item *item, const char *text)
{
	cleanup_str struct str line = STR_INIT;

	str_replace(&item->text, text);
	item->n_bytes = 0;
	if (is_shown(item->progress)) {
		draw(item);
		return;
	}
	str_addf(&line, "%s%s%s\n", item->id, *item->id ? ": " : "", text);
	(void)fd_write_full(item->progress->fd, str_get(&line), line.len);
}

void progress_clear(struct progress *p)
{
	cleanup_str struct str out = STR_INIT;
	size_t reach = p->n_lines < p->rows ? p->n_lines : p->rows ? p->rows - 1 : 0;

	if (reach == 0)
		return;
	str_addf(&out, UP CLEAR_DOWN, reach);
	(void)fd_write_full(p->fd, str_get(&out), out.len);
	p->n_lines = 0;
	for (size_t i = 0; i < p->n; i++)
		p->items[i]->has_line = false;
}

void progress_done(struct progress *p)
{
	for (size_t i = 0; i < p->n; i++) {
		free(p->items[i]->id);
		free(p->items[i]->text);
		free(p->items[i]);
	}
	free(p->items);
	p->items = NULL;
	p->n = 0;
}
