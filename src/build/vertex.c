/* SPDX-License-Identifier: Apache-2.0 */
/* What a build tells: numbers are given in the order in which steps are first heard of. */
#include "base/clock.h"
#include "build/build_private.h"

#include <string.h>

static void tell(struct build *b, struct build_event *event)
{
	event->ns = clock_mono_ns();
	if (b->progress && b->progress->event)
		b->progress->event(b->progress->ctx, event);
}

size_t vertex_begin(struct build *b, const char *name)
{
	struct build_event event = {
		.type = BUILD_EVENT_STEP_BEGAN, .vertex = ++b->n_vertices, .name = name};

	tell(b, &event);
	return event.vertex;
}

void vertex_end(struct build *b, size_t vertex, const char *name, enum build_event_type how,
		const char *text)
{
	struct build_event event = {.type = how,
				    .vertex = vertex,
				    .name = name,
				    .text = text,
				    .len = text ? strlen(text) : 0};

	tell(b, &event);
}

void vertex_status(struct build *b, size_t vertex, const char *name, const char *text,
		   uint64_t current, uint64_t total)
{
	struct build_event event = {.type = BUILD_EVENT_STEP_STATUS,
				    .vertex = vertex,
				    .name = name,
				    .text = text,
				    .len = strlen(text),
				    .current = current,
				    .total = total};

	tell(b, &event);
}

void vertex_log(struct build *b, size_t vertex, const char *name, const char *bytes, size_t len)
{
	struct build_event event = {.type = BUILD_EVENT_STEP_LOG,
				    .vertex = vertex,
				    .name = name,
				    .text = bytes,
				    .len = len};

	tell(b, &event);
}

void vertex_tick(struct build *b)
{
	struct build_event event = {.type = BUILD_EVENT_TICK};

	if (b->progress && b->progress->tick_ms)
		tell(b, &event);
}

void node_begin(struct node *n)
{
	if (n->vertex)
		return;
	n->began_ns = clock_mono_ns();
	n->vertex = vertex_begin(n->build, node_step(n)->name);
}

void node_end(struct node *n, enum build_event_type how, const char *text)
{
	node_begin(n);
	vertex_end(n->build, n->vertex, node_step(n)->name, how, text);
}
