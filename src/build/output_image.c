/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Images from snapshots. What the store has already is told by names alone: when each snapshot
 * knows the digest of its archive, the configuration can be written and has a digest, and when
 * there is an image of that digest, there is nothing to do. A build that changed nothing ends here
 * without a write.
 */
#include "base/clock.h"
#include "base/mem.h"
#include "build/build_private.h"
#include "engine/engine.h"
#include "engine/event.h"
#include "storage/image.h"
#include "storage/image_names.h"
#include "storage/incoming.h"

#define EXPORT_NAME "exporting to image"

/* ---- what it is made of ---- */

static void list_snapshots(struct build *b, struct built_image *image)
{
	size_t step = image->result->step;
	size_t n = 0;

	for (size_t i = step; b->graph.steps[i].parent != BUILD_NONE; i = b->graph.steps[i].parent)
		n++;
	image->snapshots = mem_zalloc((n + 1) * sizeof(struct snapshot *));
	image->n_snapshots = n;
	for (; n > 0; step = b->graph.steps[step].parent)
		image->snapshots[--n] = &b->nodes[step].snapshot;
	image->base = step;
	image->has_base = b->graph.steps[step].kind == BUILD_STEP_IMAGE;
	image->base_diffs = image->result->config.diff_ids;
	image->result->config.diff_ids = (struct strv){};
}

static void begin_diffs(struct built_image *image)
{
	strv_done(&image->diffs);
	if (image->has_base)
		strv_add_all(&image->diffs, &image->base_diffs);
}

/* What came from the cache may have had another epoch. */
static int retime(struct build *b, const struct built_image *image, struct err *err)
{
	for (size_t step = image->result->step; step != image->base;
	     step = b->graph.steps[step].parent)
		if (node_retime(&b->nodes[step], err) < 0)
			return -err->code;
	return 0;
}

/* The digests of the archives, when all of them are known. */
static bool add_known_diffs(struct built_image *image)
{
	for (size_t i = 0; i < image->n_snapshots; i++)
		if (!image->snapshots[i]->info.is_empty && !*image->snapshots[i]->info.diff_hex)
			return false;
	for (size_t i = 0; i < image->n_snapshots; i++)
		if (!image->snapshots[i]->info.is_empty)
			strv_addf(&image->diffs, DIGEST_PREFIX "%s",
				  image->snapshots[i]->info.diff_hex);
	return true;
}

static bool is_empty_layer(const struct build *b, size_t step)
{
	return step == BUILD_NONE || b->nodes[step].snapshot.info.is_empty;
}

/* Completes the configuration: what it is made of is known, and the date is that of all things. */
static void write_config(struct build *b, struct built_image *image)
{
	struct build_result_image *result = image->result;
	struct image_config *config = &result->config;
	char created[CLOCK_RFC3339_LEN];

	clock_format_rfc3339(b->graph.epoch_s * CLOCK_NS_PER_S, created);
	str_replace(&config->created, created);
	for (size_t i = result->first_history; i < config->n_history; i++) {
		str_replace(&config->history[i].created, created);
		if (!b->request->squash && !b->request->squash_all)
			config->history[i].empty_layer = is_empty_layer(b,
									result->history_steps[i]);
	}
	strv_done(&config->diff_ids);
	strv_add_all(&config->diff_ids, &image->diffs);
	if (cache_is_inline(b) && !b->request->squash && !b->request->squash_all) {
		free(config->build_cache);
		config->build_cache = snapshot_describe_inline(
			image->snapshots, image->n_snapshots,
			image->has_base ? image->base_diffs.n : 0, b->graph.epoch_s);
	}
	free(image->config);
	image->config = image_config_format(config);
	sha256_hex(image->config, strlen(image->config), image->id);
}

/* ---- into the store ---- */

static int lookup_id(struct build *b, const char *ref, char ret[static DIGEST_HEX_LEN + 1],
		     struct err *err)
{
	cleanup_image struct image found = IMAGE_INIT;
	int rc = image_lookup(b->engine->store, ref, &found, err);

	if (rc > 0)
		memcpy(ret, found.id, sizeof(found.id));
	return rc;
}

static int is_there(struct build *b, const struct built_image *image, struct err *err)
{
	cleanup_free char *ref = str_printf(DIGEST_PREFIX "%s", image->id);
	char id[DIGEST_HEX_LEN + 1];

	return lookup_id(b, ref, id, err);
}

static const char *get_compression(const struct build *b)
{
	const struct build_request *r = b->request;

	for (size_t i = 0; i < r->n_outputs; i++)
		if (build_attributes_get(&r->outputs[i], "compression"))
			return build_attributes_get(&r->outputs[i], "compression");
	return "zstd";
}

static int add_layers(struct build *b, struct built_image *image, struct incoming *in,
		      struct err *err)
{
	const struct build_step *base = &b->graph.steps[image->base];

	if (image->has_base && incoming_set_base(in, base->base.image.id, err) < 0)
		return -err->code;
	if (image->n_snapshots == 0)
		return 0;
	return incoming_add_snapshots(in, image->snapshots, image->n_snapshots, get_compression(b),
				      &image->diffs, err);
}

static int bring_in(struct output *o, struct built_image *image, bool is_named, struct err *err)
{
	cleanup_incoming struct incoming *in = NULL;

	if (incoming_begin(o->b->engine->store, &in, err) < 0 ||
	    add_layers(o->b, image, in, err) < 0)
		return -err->code;
	write_config(o->b, image);
	if (incoming_set_config(in, image->config, strlen(image->config), err) < 0)
		return -err->code;
	/* Lists show when it was made here, whatever date it bears. */
	incoming_set_made(in, clock_real_ns());
	for (size_t i = 0; is_named && i < o->names.n; i++)
		incoming_add_name(in, o->names.items[i]);
	if (incoming_commit(in, err) < 0)
		return -err->code;
	for (size_t i = 0; is_named && i < o->names.n; i++)
		event_image_tagged(o->b->engine, o->names.items[i], true);
	return 0;
}

/* One platform's, with the names when it is the only one: then that is one transaction. */
static int make_image(struct output *o, struct built_image *image, struct err *err)
{
	bool is_named = o->n == 1 && o->is_kept;
	int rc = 0;

	list_snapshots(o->b, image);
	if (retime(o->b, image, err) < 0)
		return -err->code;
	if ((o->b->request->squash || o->b->request->squash_all) &&
	    squash_image(o->b, image, err) < 0)
		return -err->code;
	begin_diffs(image);
	if (add_known_diffs(image)) {
		write_config(o->b, image);
		rc = is_there(o->b, image, err);
		image->was_there = rc > 0;
		if (rc != 0)
			return rc < 0 ? rc : 0;
		begin_diffs(image);
	}
	return bring_in(o, image, is_named, err);
}

static void init_images(struct output *o)
{
	struct build_graph *g = &o->b->graph;

	o->n = g->n_images;
	o->images = mem_zalloc((o->n + 1) * sizeof(*o->images));
	for (size_t i = 0; i < o->n; i++)
		o->images[i].result = &g->images[i];
}

static void tell(struct build *b, size_t vertex, const char *what, const char *of)
{
	cleanup_free char *text = str_printf("%s%s done", what, of);

	vertex_status(b, vertex, EXPORT_NAME, text, 0, 0);
}

int output_make_images(struct output *o, struct err *err)
{
	size_t vertex = 0;
	int rc = 0;

	if (o->is_made)
		return 0;
	vertex = vertex_begin(o->b, EXPORT_NAME);
	init_images(o);
	for (size_t i = 0; rc == 0 && i < o->n; i++)
		rc = make_image(o, &o->images[i], err);
	if (rc < 0) {
		vertex_end(o->b, vertex, EXPORT_NAME, BUILD_EVENT_STEP_FAILED, err->msg);
		return rc;
	}
	o->is_made = true;
	tell(o->b, vertex, "exporting layers", "");
	for (size_t i = 0; i < o->n; i++)
		tell(o->b, vertex, "writing image sha256:", o->images[i].id);
	for (size_t i = 0; o->is_kept && i < o->names.n; i++)
		tell(o->b, vertex, "naming to ", o->names.items[i]);
	vertex_end(o->b, vertex, EXPORT_NAME, BUILD_EVENT_STEP_DONE, NULL);
	return 0;
}

/* ---- names ---- */

int output_has_name(struct build *b, const char *name, const char *id, const char *target,
		    struct err *err)
{
	cleanup_image struct image found = IMAGE_INIT;
	char now[DIGEST_HEX_LEN + 1] = "";
	int rc = image_lookup(b->engine->store, name, &found, err);

	if (rc <= 0)
		return rc;
	if (image_get_target(b->engine->store, &found, now, err) < 0)
		return -err->code;
	return strcmp(found.id, id) == 0 && (!*target || strcmp(now, target) == 0);
}

static int name_one(struct output *o, const char *name, struct err *err)
{
	struct build *b = o->b;
	cleanup_free char *ref = str_printf(DIGEST_PREFIX "%s", o->images[0].id);
	int rc = output_has_name(b, name, o->images[0].id, "", err);

	if (rc != 0)
		return rc < 0 ? rc : 0;
	if (image_tag(b->engine->store, ref, name, err) < 0)
		return -err->code;
	event_image_tagged(b->engine, name, true);
	return 0;
}

int output_name_images(struct output *o, struct err *err)
{
	if (o->n > 1)
		return output_join_images(o, err);
	for (size_t i = 0; o->n == 1 && i < o->names.n; i++)
		if (name_one(o, o->names.items[i], err) < 0)
			return -err->code;
	return 0;
}
