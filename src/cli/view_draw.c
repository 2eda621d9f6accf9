/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Columns are a table: what there is room for is drawn, the name gets what is left. Numbers come
 * from the model as stats would print them.
 */
#include "cli/view_draw.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/num.h"

#include <stdio.h>
#include <string.h>

#define BAR_WIDTH      10
#define CELL_LEN       96
#define NAME_MIN       12
#define LOG_ROWS_FROM  12 /* rows of a screen that has room for a log */
#define LOG_SHARE      3  /* one part of these */
#define HIGH_PERCENT   80
#define MEDIUM_PERCENT 50
#define SIZE_DIGITS    3

static const char *const help_lines[] = {
	"Up Down j k      select a container         PgUp PgDn Home End g G  by pages",
	"Enter l          its log, all over the screen, as it grows",
	"i                what inspect says of it",
	"e                a shell (sh) in it",
	"s                stop it, or start it when it does not run",
	"r                restart it",
	"p                pause it, or go on",
	"d                remove it (asks)",
	"a                all containers, or only those that run",
	"/                show those whose name, image or id has the text; Esc ends that",
	"1 2 3 4 5        sort by name, cpu, memory, network, I/O",
	"o                the next order",
	"Ctrl-L           draw everything anew",
	"Ctrl-Z           suspend",
	"q Ctrl-C         leave; Esc or q leaves a log, inspect and this page",
	NULL,
};

/* ---- cells ---- */

void view_bar(double percent, size_t width, char *buf)
{
	size_t full = percent <= 0 ? 0 : (size_t)(percent / 100 * (double)width + 0.5);

	if (full > width)
		full = width;
	if (percent > 0 && !full && width)
		full = 1;
	memset(buf, '|', full);
	memset(buf + full, ' ', width - full);
	buf[width] = '\0';
}

static void format_pair(uint64_t a, uint64_t b, char *buf)
{
	char first[32], second[32];

	num_format_size((double)a, SIZE_DIGITS, first, sizeof(first));
	num_format_size((double)b, SIZE_DIGITS, second, sizeof(second));
	snprintf(buf, CELL_LEN, "%s/%s", first, second);
}

static void cell_state(const struct view_item *item, char *buf)
{
	if (item->state.status == STATUS_EXITED)
		snprintf(buf, CELL_LEN, "exit %d", item->state.exit_code);
	else
		snprintf(buf, CELL_LEN, "%s", container_status_name(item->state.status));
}

static void cell_health(const struct view_item *item, char *buf)
{
	enum health_status health = item->state.health;

	snprintf(buf, CELL_LEN, "%s", health == HEALTH_NONE ? "-" : health_status_name(health));
}

static void cell_age(const struct view_item *item, char *buf)
{
	bool runs = container_is_running(&item->state);
	int64_t since = runs ? item->state.started_ns : item->state.finished_ns;
	int64_t s = (clock_real_ns() - since) / CLOCK_NS_PER_S;

	if (!since)
		snprintf(buf, CELL_LEN, "-");
	else if (s < 60)
		snprintf(buf, CELL_LEN, "%llds", (long long)(s > 0 ? s : 0));
	else if (s < 3600)
		snprintf(buf, CELL_LEN, "%lldm", (long long)s / 60);
	else if (s < 86400)
		snprintf(buf, CELL_LEN, "%lldh", (long long)s / 3600);
	else
		snprintf(buf, CELL_LEN, "%lldd", (long long)s / 86400);
}

static void cell_cpu(const struct view_item *item, char *buf)
{
	snprintf(buf, CELL_LEN, "%.1f", item->cpu_percent);
}

static void cell_memory(const struct view_item *item, char *buf)
{
	num_format_size_binary((double)item->now.memory, SIZE_DIGITS, buf, CELL_LEN);
}

static void cell_bar(const struct view_item *item, char *buf)
{
	buf[0] = '[';
	view_bar(item->memory_percent, BAR_WIDTH - 2, buf + 1);
	buf[BAR_WIDTH - 1] = ']';
	buf[BAR_WIDTH] = '\0';
}

static void cell_network(const struct view_item *item, char *buf)
{
	format_pair(item->now.received, item->now.sent, buf);
}

static void cell_io(const struct view_item *item, char *buf)
{
	format_pair(item->now.read_bytes, item->now.written, buf);
}

static void cell_pids(const struct view_item *item, char *buf)
{
	snprintf(buf, CELL_LEN, "%llu", (unsigned long long)item->now.pids);
}

static void cell_image(const struct view_item *item, char *buf)
{
	snprintf(buf, CELL_LEN, "%s", item->image);
}

struct column {
	const char *title;
	size_t width;
	size_t from; /* columns of a screen that has room for it */
	bool is_right, only_running;
	void (*cell)(const struct view_item *item, char *buf);
};

static const struct column columns[] = {
	{"STATE", 10, 0, false, false, cell_state},   {"AGE", 4, 90, true, false, cell_age},
	{"CPU %", 6, 40, true, true, cell_cpu},	      {"MEMORY", 8, 50, true, true, cell_memory},
	{"", BAR_WIDTH, 68, false, true, cell_bar},   {"NET I/O", 15, 80, true, true, cell_network},
	{"BLOCK I/O", 15, 106, true, true, cell_io},  {"PIDS", 4, 60, true, true, cell_pids},
	{"HEALTH", 9, 116, false, true, cell_health}, {"IMAGE", 24, 132, false, false, cell_image},
};

static size_t name_width(size_t screen)
{
	size_t used = 0;

	for (size_t i = 0; i < ARRAY_LEN(columns); i++)
		if (screen >= columns[i].from)
			used += columns[i].width + 1;
	return screen > used + NAME_MIN ? screen - used : NAME_MIN;
}

static uint16_t state_colour(const struct view_item *item)
{
	switch (item->state.status) {
	case STATUS_RUNNING:
		return LOOK_GREEN;
	case STATUS_PAUSED:
	case STATUS_RESTARTING:
		return LOOK_YELLOW;
	case STATUS_EXITED:
		return item->state.exit_code ? LOOK_RED : LOOK_DIM;
	default:
		return LOOK_DIM;
	}
}

static uint16_t percent_colour(double percent)
{
	return percent >= HIGH_PERCENT	   ? LOOK_RED
	       : percent >= MEDIUM_PERCENT ? LOOK_YELLOW
					   : LOOK_GREEN;
}

static uint16_t column_look(const struct column *c, const struct view_item *item)
{
	if (c->cell == cell_state)
		return state_colour(item);
	if (c->cell == cell_bar)
		return percent_colour(item->memory_percent);
	if (c->cell == cell_cpu && item->cpu_percent >= HIGH_PERCENT)
		return LOOK_YELLOW;
	return LOOK_PLAIN;
}

/* One line of the list; of its head where ITEM is NULL. */
static void draw_row(struct grid *g, size_t row, const struct view_item *item)
{
	size_t width = name_width(g->columns), at = width;

	grid_puts(g, row, 0, width - 1, LOOK_PLAIN, item ? item->name : "NAME");
	for (size_t i = 0; i < ARRAY_LEN(columns); i++) {
		const struct column *c = &columns[i];
		char text[CELL_LEN] = "";

		if (g->columns < c->from)
			continue;
		if (!item)
			snprintf(text, sizeof(text), "%s", c->title);
		else if (!c->only_running || container_has_process(&item->state))
			c->cell(item, text);
		uint16_t look = item ? column_look(c, item) : LOOK_PLAIN;

		if (c->is_right)
			grid_puts_right(g, row, at, c->width, look, text);
		else
			grid_puts(g, row, at, c->width, look, text);
		at += c->width + 1;
	}
}

/* ---- parts ---- */

static void draw_summary(struct grid *g, const struct view_model *m)
{
	size_t running = 0;
	double cpu = 0, memory = 0;
	char used[32], all[32];

	for (size_t i = 0; i < m->n; i++) {
		running += container_is_running(&m->items[i].state);
		cpu += m->items[i].cpu_percent;
		memory += (double)m->items[i].now.memory;
	}
	num_format_size_binary(memory, SIZE_DIGITS, used, sizeof(used));
	num_format_size_binary((double)m->host.memory, SIZE_DIGITS, all, sizeof(all));
	cleanup_free char *text = str_printf(
		"%zu of %zu running   cpu %.1f%% of %u   memory %s of %s   by %s%s%s%s", running,
		m->n, cpu, m->host.n_cpus * 100, used, all, view_sort_name(m->sort),
		m->only_running ? ", running only" : "", m->filter.len ? ", filter " : "",
		str_get(&m->filter));

	grid_puts(g, 0, 0, g->columns, LOOK_BOLD, text);
}

static void draw_bottom(struct grid *g, const struct view_screen *s, const char *keys)
{
	size_t row = g->rows - 1;

	if (s->prompt)
		grid_puts(g, row, 0, g->columns, LOOK_BOLD, s->prompt);
	else if (*s->message)
		grid_puts(g, row, 0, g->columns, s->is_error ? LOOK_RED : LOOK_PLAIN, s->message);
	else
		grid_puts(g, row, 0, g->columns, LOOK_DIM, keys);
}

/* A line with TITLE in it. */
static void draw_rule(struct grid *g, size_t row, const char *what, const char *name)
{
	cleanup_free char *title = str_printf("-- %s%s%s ", what, *name ? " of " : "", name);
	size_t at = grid_puts(g, row, 0, g->columns, LOOK_CYAN, title);

	for (; at < g->columns; at++)
		grid_puts(g, row, at, 1, LOOK_CYAN, "-");
}

/* N lines of the text from FIRST on. */
static void draw_lines(struct grid *g, size_t row, size_t n, const struct view_text *text,
		       size_t first)
{
	size_t count = view_text_count(text);

	for (size_t i = 0; i < n && first + i < count; i++)
		grid_puts(g, row + i, 0, g->columns, LOOK_PLAIN, view_text_line(text, first + i));
}

/* The lines that fit into N, SCROLL up from the end. */
static size_t tail_of(const struct view_text *text, size_t n, size_t *scroll)
{
	size_t count = view_text_count(text);
	size_t most = count > n ? count - n : 0;

	if (*scroll > most)
		*scroll = most;
	return most - *scroll;
}

/* ---- screens ---- */

static void keep_in_sight(struct view_screen *s, size_t rows)
{
	size_t index = s->model->index, n = s->model->n_shown;

	if (s->first > index)
		s->first = index;
	if (rows && index >= s->first + rows)
		s->first = index - rows + 1;
	/* no empty lines below while there are some above */
	if (s->first + rows > n)
		s->first = n > rows ? n - rows : 0;
}

static void draw_list(struct grid *g, struct view_screen *s)
{
	const struct view_model *m = s->model;
	size_t log_rows = g->rows >= LOG_ROWS_FROM ? g->rows / LOG_SHARE : 0;
	size_t rows = g->rows > 3 + log_rows ? g->rows - 3 - log_rows : 0;
	size_t tail = 0;

	draw_summary(g, m);
	draw_row(g, 1, NULL);
	grid_look(g, 1, 0, g->columns, LOOK_REVERSE);
	keep_in_sight(s, rows);
	for (size_t i = 0; i < rows && s->first + i < m->n_shown; i++) {
		draw_row(g, 2 + i, m->shown[s->first + i]);
		if (s->first + i == m->index)
			grid_look(g, 2 + i, 0, g->columns, LOOK_REVERSE | LOOK_BOLD);
	}
	if (!m->n_shown && rows)
		grid_puts(g, 2, 0, g->columns, LOOK_DIM,
			  m->n ? "no container passes the filter" : "no containers");
	if (log_rows) {
		draw_rule(g, 2 + rows, "log", s->text_name ? s->text_name : "");
		if (s->text_name)
			draw_lines(g, 3 + rows, log_rows - 1, s->text,
				   tail_of(s->text, log_rows - 1, &tail));
	}
	draw_bottom(
		g, s,
		"q quit  ? help  l log  e shell  i inspect  s stop  r restart  d remove  / filter"
		"  a all  o sort  p pause");
}

size_t view_page(const struct grid *g)
{
	return g->rows > 2 ? g->rows - 2 : 1;
}

static void draw_text(struct grid *g, struct view_screen *s)
{
	bool is_log = s->mode == VIEW_LOGS;
	size_t page = view_page(g), up = s->scroll, first = 0;
	size_t count = view_text_count(s->text);
	size_t most = count > page ? count - page : 0;

	if (s->scroll > most)
		s->scroll = most;
	first = is_log ? tail_of(s->text, page, &up) : s->scroll;
	draw_rule(g, 0, is_log ? "log" : "inspect", s->text_name ? s->text_name : "");
	draw_lines(g, 1, page, s->text, first);
	draw_bottom(g, s,
		    is_log && !s->scroll ? "q back  Up PgUp scroll  (following)"
					 : "q back  Up Down PgUp PgDn Home End scroll");
}

static void draw_help(struct grid *g, struct view_screen *s)
{
	draw_rule(g, 0, "keys", "");
	for (size_t i = 0; help_lines[i] && i + 2 < g->rows; i++)
		grid_puts(g, i + 1, 0, g->columns, LOOK_PLAIN, help_lines[i]);
	draw_bottom(g, s, "any key goes back");
}

void view_draw(struct grid *g, struct view_screen *s)
{
	static void (*const draw[])(struct grid *, struct view_screen *) = {
		[VIEW_LIST] = draw_list,
		[VIEW_LOGS] = draw_text,
		[VIEW_INSPECT] = draw_text,
		[VIEW_HELP] = draw_help,
	};

	grid_clear(g);
	if (g->rows && g->columns)
		draw[s->mode](g, s);
}
