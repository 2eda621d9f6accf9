/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Progress on a terminal: a headline and one line for each step, drawn again where they stand;
 *under a step that runs, the last lines of its output. When a step fails or the build ends,
 *everything is drawn once more and stays.
 *
 *	[+] Building 1.2s (5/7)
 *	 => CACHED [1/3] FROM docker.io/library/busybox:latest            0.0s
 *	 => [2/3] RUN make                                                0.9s
 *	 => => # cc -o x x.c
 */
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/build_show.h"
#include "json/rune.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define LOG_LINES     6
#define DRAW_EVERY_NS (100 * 1000 * 1000ULL)
#define TICK_MS	      100
#define TIME_COLUMNS  8
#define MIN_COLUMNS   40
#define NS_PER_S      1000000000.0
#define ESCAPE	      0x1b

enum vertex_state { VERTEX_RUNS, VERTEX_CACHED, VERTEX_DONE, VERTEX_FAILED, VERTEX_CANCELED };

struct vertex {
	char *name;
	enum vertex_state state;
	uint64_t began_ns, ended_ns;
	char *status;	 /* the last one; NULL */
	struct strv log; /* the last complete lines */
	struct str line; /* what has come of the next one */
};

struct tty {
	struct vertex *vertices; /* by number; [0] is not used */
	size_t n, total;
	uint64_t began_ns, drawn_ns;
	unsigned columns, rows;
	size_t n_lines; /* on the screen; the cursor stands below them */
	bool has_colors;
};

/* ---- what is known ---- */

static struct vertex *get_vertex(struct tty *t, const struct build_event *e)
{
	struct vertex *v = NULL;

	while (t->n <= e->vertex) {
		t->vertices = mem_realloc_array(t->vertices, t->n + 1, sizeof(*t->vertices));
		t->vertices[t->n++] = (struct vertex){};
	}
	v = &t->vertices[e->vertex];
	if (!v->name) {
		v->name = str_dup(e->name);
		v->began_ns = e->ns;
	}
	return v;
}

static void end_line(struct vertex *v)
{
	if (v->log.n == LOG_LINES)
		strv_remove(&v->log, 0);
	strv_add(&v->log, str_get(&v->line));
	str_truncate(&v->line, 0);
}

/* Bytes of the control sequence at TEXT: "ESC [ ... letter", or two. */
static size_t escape_length(const char *text, size_t len)
{
	size_t n = 2;

	if (len < 2)
		return len;
	if (text[1] == '[')
		while (n < len && (unsigned char)text[n++] < '@')
			continue;
	return n;
}

/* Of a line that a program draws over and over only the last state counts. What could move the
 * cursor or change its color is left out. */
static void add_log(struct vertex *v, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c == ESCAPE)
			i += escape_length(text + i, len - i) - 1;
		else if (c == '\n')
			end_line(v);
		else if (c == '\r' && i + 1 < len && text[i + 1] != '\n')
			str_truncate(&v->line, 0);
		else if (c == '\t')
			str_add(&v->line, "    ");
		else if (c >= ' ' && c != 0x7f)
			str_add_char(&v->line, (char)c);
	}
}

static void end_vertex(struct vertex *v, enum vertex_state state, uint64_t ns)
{
	if (v->state == VERTEX_RUNS) {
		v->state = state;
		v->ended_ns = ns;
	}
}

/* ---- drawing ---- */

static const char *color_of(const struct tty *t, enum vertex_state state)
{
	static const char *const colors[] = {
		[VERTEX_RUNS] = "",
		[VERTEX_CACHED] = "\033[34m",
		[VERTEX_DONE] = "\033[34m",
		[VERTEX_FAILED] = "\033[31m",
		[VERTEX_CANCELED] = "\033[33m",
	};

	return t->has_colors ? colors[state] : "";
}

static const char *word_of(enum vertex_state state)
{
	static const char *const words[] = {
		[VERTEX_RUNS] = "",	    [VERTEX_CACHED] = "CACHED ",     [VERTEX_DONE] = "",
		[VERTEX_FAILED] = "ERROR ", [VERTEX_CANCELED] = "CANCELED ",
	};

	return words[state];
}

/* One line: TEXT cut to the width, TIME (may be NULL) at its right end. */
static void add_line(const struct tty *t, struct str *out, const char *color, const char *text,
		     const char *time)
{
	size_t room = t->columns - 1 - (time ? TIME_COLUMNS : 0);
	cleanup_str struct str cut = STR_INIT;

	str_add_ellipsis(&cut, text, room);
	str_add(out, color);
	str_add_bytes(out, str_get(&cut), cut.len);
	if (time) {
		for (size_t i = rune_text_width(str_get(&cut), cut.len); i < room; i++)
			str_add_char(out, ' ');
		str_addf(out, "%*s", TIME_COLUMNS, time);
	}
	str_addf(out, "%s\033[K\n", *color ? "\033[0m" : "");
}

static size_t add_vertex(const struct tty *t, struct str *out, const struct vertex *v, uint64_t now)
{
	cleanup_free char *text = str_printf(" => %s%s", word_of(v->state), v->name);
	uint64_t until = v->state == VERTEX_RUNS ? now : v->ended_ns;
	char time[32];
	size_t n = 1;

	snprintf(time, sizeof(time), "%.1fs", (double)(until - v->began_ns) / NS_PER_S);
	add_line(t, out, color_of(t, v->state), text, time);
	if (v->status && v->state != VERTEX_CACHED) {
		cleanup_free char *status = str_printf(" => => %s", v->status);

		add_line(t, out, color_of(t, v->state), status, NULL);
		n++;
	}
	strv_foreach (i, &v->log) {
		cleanup_free char *line = str_printf(" => => # %s", v->log.items[i]);

		if (v->state != VERTEX_RUNS)
			break;
		add_line(t, out, "", line, NULL);
		n++;
	}
	return n;
}

static size_t lines_of(const struct vertex *v)
{
	return !v->name ? 0 : 1 + (v->status != NULL) + (v->state == VERTEX_RUNS ? v->log.n : 0);
}

/* The first vertex that is drawn so that all fit: what ended long ago goes first. */
static size_t first_to_draw(const struct tty *t)
{
	size_t n = 1, first = t->n;

	while (first > 1 && n + lines_of(&t->vertices[first - 1]) < t->rows) {
		first--;
		n += lines_of(&t->vertices[first]);
	}
	return first;
}

static void draw(struct tty *t, uint64_t now, bool is_last)
{
	cleanup_str struct str out = STR_INIT;
	size_t over = 0, lines = 1, first = is_last ? 1 : first_to_draw(t);
	cleanup_free char *headline = NULL;

	for (size_t i = 1; i < t->n; i++)
		over += t->vertices[i].name && t->vertices[i].state != VERTEX_RUNS;
	if (t->n_lines)
		str_addf(&out, "\033[%zuA\r", t->n_lines);
	headline = str_printf("[+] Building %.1fs (%zu/%zu)%s",
			      (double)(now - t->began_ns) / NS_PER_S, over,
			      t->total > over ? t->total : over, is_last ? " FINISHED" : "");
	add_line(t, &out, "", headline, NULL);
	for (size_t i = first; i < t->n; i++)
		if (t->vertices[i].name)
			lines += add_vertex(t, &out, &t->vertices[i], now);
	str_add(&out, "\033[J");
	fwrite(out.buf, 1, out.len, stderr);
	fflush(stderr);
	t->n_lines = lines;
	t->drawn_ns = now;
}

static void read_size(struct tty *t)
{
	struct winsize size = {};

	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) < 0)
		size = (struct winsize){};
	/* A terminal that does not know its size is taken for the usual one. */
	if (size.ws_col == 0)
		size.ws_col = 80;
	if (size.ws_row <= LOG_LINES)
		size.ws_row = 24;
	t->columns = size.ws_col < MIN_COLUMNS ? MIN_COLUMNS : size.ws_col;
	t->rows = size.ws_row;
}

/* ---- events ---- */

static void note(struct tty *t, const struct build_event *e)
{
	static const enum vertex_state ends[] = {
		[BUILD_EVENT_STEP_CACHED] = VERTEX_CACHED,
		[BUILD_EVENT_STEP_DONE] = VERTEX_DONE,
		[BUILD_EVENT_STEP_FAILED] = VERTEX_FAILED,
		[BUILD_EVENT_STEP_CANCELED] = VERTEX_CANCELED,
	};
	struct vertex *v = get_vertex(t, e);

	if (e->type == BUILD_EVENT_STEP_LOG) {
		add_log(v, e->text, e->len);
	} else if (e->type == BUILD_EVENT_STEP_STATUS) {
		free(v->status);
		v->status = str_ndup(e->text, e->len);
	} else if ((size_t)e->type < ARRAY_LEN(ends) && ends[e->type]) {
		end_vertex(v, ends[e->type], e->ns);
	}
}

static void show(void *ctx, const struct build_event *e)
{
	struct tty *t = ctx;

	if (!t->began_ns)
		t->began_ns = e->ns;
	if (e->type == BUILD_EVENT_TOTAL)
		t->total = e->total;
	else if (e->type != BUILD_EVENT_WARNING && e->type != BUILD_EVENT_TICK)
		note(t, e);
	if (e->ns - t->drawn_ns < DRAW_EVERY_NS)
		return;
	read_size(t);
	draw(t, e->ns, false);
}

static void close_tty(void *data)
{
	struct tty *t = data;

	if (t->began_ns) {
		read_size(t);
		draw(t, clock_mono_ns(), true);
	}
	for (size_t i = 0; i < t->n; i++) {
		free(t->vertices[i].name);
		free(t->vertices[i].status);
		strv_done(&t->vertices[i].log);
		str_done(&t->vertices[i].line);
	}
	free(t->vertices);
	free(t);
}

void build_show_tty(struct build_show *ret)
{
	struct tty *t = mem_zalloc(sizeof(*t));
	const char *no_color = getenv("NO_COLOR");

	t->has_colors = !no_color || !*no_color;
	*ret = (struct build_show){.progress = {.event = show, .ctx = t, .tick_ms = TICK_MS},
				   .close = close_tty,
				   .data = t};
}
