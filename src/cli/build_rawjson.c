/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Progress as BuildKit's JSON (buildx --progress=rawjson): one object in a line, with what changed
 * of vertexes, statuses, logs and warnings. A vertex is known by a digest.
 */
#include "base/base64.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/sha256.h"
#include "base/str.h"
#include "cli/build_show.h"
#include "oci/digest.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

struct raw {
	uint64_t *began_ns; /* by vertex; 0: not yet */
	size_t n;
};

/* The wall clock at a moment of the monotonic one. */
static void format_time(uint64_t mono_ns, char text[static CLOCK_RFC3339_LEN])
{
	clock_format_rfc3339(clock_real_ns() - (int64_t)(clock_mono_ns() - mono_ns), text);
}

static void set_time(json_t *object, const char *key, uint64_t mono_ns)
{
	char text[CLOCK_RFC3339_LEN];

	format_time(mono_ns, text);
	json_object_set_new(object, key, json_string(text));
}

static void set_digest(json_t *object, const char *key, const struct build_event *e)
{
	cleanup_free char *text = str_printf("%zu %s", e->vertex, e->name);
	char hex[DIGEST_HEX_LEN + 1];
	cleanup_free char *digest = NULL;

	sha256_hex(text, strlen(text), hex);
	digest = str_printf(DIGEST_PREFIX "%s", hex);
	json_object_set_new(object, key, json_string(digest));
}

/* One line {"KEY":[ITEM]}; takes ITEM. */
static void print_item(const char *key, json_t *item)
{
	json_t *root = json_pack("{s:[o]}", key, item);
	cleanup_free char *text = root ? json_dumps(root, JSON_COMPACT) : NULL;

	json_decref(root);
	if (text)
		fprintf(stderr, "%s\n", text);
}

static uint64_t *began(struct raw *r, size_t vertex)
{
	while (r->n <= vertex) {
		r->began_ns = mem_realloc_array(r->began_ns, r->n + 1, sizeof(*r->began_ns));
		r->began_ns[r->n++] = 0;
	}
	return &r->began_ns[vertex];
}

static void print_vertex(struct raw *r, const struct build_event *e)
{
	json_t *v = json_object();
	uint64_t *began_ns = began(r, e->vertex);

	if (!*began_ns)
		*began_ns = e->ns;
	set_digest(v, "digest", e);
	json_object_set_new(v, "name", json_string_nocheck(e->name));
	set_time(v, "started", *began_ns);
	if (e->type != BUILD_EVENT_STEP_BEGAN)
		set_time(v, "completed", e->ns);
	if (e->type == BUILD_EVENT_STEP_CACHED)
		json_object_set_new(v, "cached", json_true());
	if (e->type == BUILD_EVENT_STEP_FAILED)
		json_object_set_new(v, "error", json_stringn_nocheck(e->text, e->len));
	if (e->type == BUILD_EVENT_STEP_CANCELED)
		json_object_set_new(v, "error", json_string("context canceled"));
	print_item("vertexes", v);
}

static void print_log(const struct build_event *e)
{
	json_t *l = json_object();
	cleanup_free char *data = base64_encode(e->text, e->len);

	set_digest(l, "vertex", e);
	json_object_set_new(l, "stream", json_integer(e->is_stderr ? 2 : 1));
	json_object_set_new(l, "data", json_string(data));
	set_time(l, "timestamp", e->ns);
	print_item("logs", l);
}

static void print_status(const struct build_event *e)
{
	json_t *s = json_object();

	json_object_set_new(s, "id", json_stringn_nocheck(e->text, e->len));
	set_digest(s, "vertex", e);
	json_object_set_new(s, "current", json_integer((json_int_t)e->current));
	json_object_set_new(s, "total", json_integer((json_int_t)e->total));
	set_time(s, "timestamp", e->ns);
	print_item("statuses", s);
}

static void print_warning(const struct build_event *e)
{
	const struct check_finding *f = e->finding;
	json_t *w = f ? json_pack("{s:i, s:s, s:s, s:[{s:{s:i}, s:{s:i}}]}", "level", 1, "short",
				  f->message, "url", f->url ? f->url : "", "range", "start", "line",
				  (int)f->lines.first, "end", "line", (int)f->lines.last)
		      : NULL;

	if (w)
		print_item("warnings", w);
}

static void show(void *ctx, const struct build_event *e)
{
	struct raw *r = ctx;

	switch (e->type) {
	case BUILD_EVENT_STEP_LOG:
		print_log(e);
		break;
	case BUILD_EVENT_STEP_STATUS:
		print_status(e);
		break;
	case BUILD_EVENT_WARNING:
		print_warning(e);
		break;
	case BUILD_EVENT_TOTAL:
	case BUILD_EVENT_TICK:
		break;
	default:
		print_vertex(r, e);
	}
}

static void close_raw(void *data)
{
	struct raw *r = data;

	free(r->began_ns);
	free(r);
}

void build_show_rawjson(struct build_show *ret)
{
	struct raw *r = mem_zalloc(sizeof(*r));

	*ret = (struct build_show){
		.progress = {.event = show, .ctx = r}, .close = close_raw, .data = r};
}
