/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Progress as lines, in BuildKit's form:
 *
 *	#5 [2/3] RUN make
 *	#5 0.134 cc -o x x.c
 *	#5 DONE 0.2s
 *
 * One step is shown at a time until it ends or another one has something to say: then the first is
 * left with "...", and named again when it goes on.
 */
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/build_show.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct vertex {
	char *name;
	uint64_t began_ns;
	struct str line; /* the last output line, as long as it is not complete */
	bool is_over;
};

struct plain {
	struct vertex *vertices; /* by number; [0] is not used */
	size_t n;
	size_t current; /* whose lines are being printed; 0: nobody's */
};

#define NS_PER_S 1000000000.0

static struct vertex *get_vertex(struct plain *p, size_t number)
{
	if (number >= p->n) {
		p->vertices = mem_realloc_array(p->vertices, number + 1, sizeof(*p->vertices));
		memset(p->vertices + p->n, 0, (number + 1 - p->n) * sizeof(*p->vertices));
		p->n = number + 1;
	}
	return &p->vertices[number];
}

/* Makes NUMBER the step whose lines follow. */
static void turn_to(struct plain *p, size_t number)
{
	if (p->current == number)
		return;
	if (p->current && !p->vertices[p->current].is_over)
		fprintf(stderr, "#%zu ...\n", p->current);
	if (p->current)
		fputc('\n', stderr);
	fprintf(stderr, "#%zu %s\n", number, p->vertices[number].name);
	p->current = number;
}

static void print_line(struct plain *p, const struct build_event *e, const char *text, size_t len)
{
	const struct vertex *v = &p->vertices[e->vertex];

	turn_to(p, e->vertex);
	fprintf(stderr, "#%zu %.3f ", e->vertex, (double)(e->ns - v->began_ns) / NS_PER_S);
	fwrite(text, 1, len, stderr);
	fputc('\n', stderr);
}

/* Whole lines are printed as they come, an incomplete one when the step ends. */
static void add_log(struct plain *p, const struct build_event *e)
{
	struct vertex *v = &p->vertices[e->vertex];
	const char *text = e->text, *end = text + e->len;

	while (text < end) {
		const char *newline = memchr(text, '\n', (size_t)(end - text));
		size_t len = (size_t)((newline ? newline : end) - text);

		str_add_bytes(&v->line, text, len);
		if (!newline)
			return;
		while (v->line.len && v->line.buf[v->line.len - 1] == '\r')
			str_truncate(&v->line, v->line.len - 1);
		print_line(p, e, str_get(&v->line), v->line.len);
		str_truncate(&v->line, 0);
		text = newline + 1;
	}
}

static void end_vertex(struct plain *p, const struct build_event *e, const char *word)
{
	struct vertex *v = &p->vertices[e->vertex];

	if (v->is_over)
		return;
	if (v->line.len)
		print_line(p, e, str_get(&v->line), v->line.len);
	str_truncate(&v->line, 0);
	turn_to(p, e->vertex);
	fprintf(stderr, "#%zu %s", e->vertex, word);
	if (e->type == BUILD_EVENT_STEP_DONE)
		fprintf(stderr, " %.1fs", (double)(e->ns - v->began_ns) / NS_PER_S);
	if (e->type == BUILD_EVENT_STEP_FAILED)
		fprintf(stderr, ": %.*s", (int)e->len, e->text);
	fputc('\n', stderr);
	v->is_over = true;
}

static void show_status(struct plain *p, const struct build_event *e)
{
	turn_to(p, e->vertex);
	fprintf(stderr, "#%zu %.*s\n", e->vertex, (int)e->len, e->text);
}

static void begin(struct plain *p, const struct build_event *e)
{
	struct vertex *v = get_vertex(p, e->vertex);

	if (v->name)
		return;
	v->name = str_dup(e->name);
	v->began_ns = e->ns;
}

static void show(void *ctx, const struct build_event *e)
{
	struct plain *p = ctx;

	if (e->type == BUILD_EVENT_TOTAL || e->type == BUILD_EVENT_WARNING)
		return;
	begin(p, e);
	switch (e->type) {
	case BUILD_EVENT_STEP_BEGAN:
		turn_to(p, e->vertex);
		break;
	case BUILD_EVENT_STEP_CACHED:
		end_vertex(p, e, "CACHED");
		break;
	case BUILD_EVENT_STEP_LOG:
		add_log(p, e);
		break;
	case BUILD_EVENT_STEP_STATUS:
		show_status(p, e);
		break;
	case BUILD_EVENT_STEP_DONE:
		end_vertex(p, e, "DONE");
		break;
	case BUILD_EVENT_STEP_FAILED:
		end_vertex(p, e, "ERROR");
		break;
	case BUILD_EVENT_STEP_CANCELED:
		end_vertex(p, e, "CANCELED");
		break;
	default:
		break;
	}
}

static void close_plain(void *data)
{
	struct plain *p = data;

	for (size_t i = 0; i < p->n; i++) {
		free(p->vertices[i].name);
		str_done(&p->vertices[i].line);
	}
	free(p->vertices);
	free(p);
}

void build_show_plain(struct build_show *ret)
{
	struct plain *p = mem_zalloc(sizeof(*p));

	*ret = (struct build_show){
		.progress = {.event = show, .ctx = p}, .close = close_plain, .data = p};
}
