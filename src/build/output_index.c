/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Images of several platforms under one name: an index of their manifests, kept in the store with
 * every blob that they name. `run` starts the one for this machine, `save` and `image copy` hand
 * all of them out.
 */
#include "base/fd.h"
#include "base/mem.h"
#include "build/build_private.h"
#include "engine/engine.h"
#include "engine/event.h"
#include "oci/manifest.h"
#include "oci/platform.h"
#include "storage/blob.h"
#include "storage/incoming.h"
#include "transport/source.h"

#include <assert.h>
#include <unistd.h>

#define MAX_IMAGES 64

/* What a platform's image is called in the index, and how it is written. */
struct member {
	struct descriptor d;
	char *manifest; /* owned: text */
	struct layer_info *layers;
	size_t n_layers;
};

static void members_done(struct member *members, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		descriptor_done(&members[i].d);
		free(members[i].manifest);
		free(members[i].layers);
	}
	free(members);
}

/* ---- manifests ---- */

static const char *layer_suffix(const char *format)
{
	if (strcmp(format, "plain") == 0)
		return "";
	return strcmp(format, "gzip") == 0 ? "+gzip" : "+zstd";
}

/* How layers are to be in an archive; without a format, and in the store itself, as they are kept.
 */
struct packing {
	const char *format; /* "gzip", "zstd", "plain"; NULL */
	struct source *source;
	bool is_single; /* the source inflates layers of the one image itself */
};

static void describe_plain(const struct layer_info *layer, struct descriptor *ret)
{
	memcpy(ret->hex, layer->diff_hex, sizeof(ret->hex));
	ret->size = layer->plain_size;
	ret->media_type = str_dup(MEDIA_LAYER);
}

static int describe_layer(struct store *store, const struct layer_info *layer,
			  const struct packing *packing, struct descriptor *ret, struct err *err)
{
	const char *format = packing->format;

	if (format && strcmp(format, "plain") == 0 && packing->is_single && layer->plain_size > 0) {
		describe_plain(layer, ret);
		return 0;
	}
	if (format && strcmp(format, layer->blob_format) != 0) {
		ret->media_type = str_printf(MEDIA_LAYER "%s", layer_suffix(format));
		return output_pack_layer(store, layer, format, packing->source, ret, err);
	}
	memcpy(ret->hex, layer->blob_hex, sizeof(ret->hex));
	ret->size = layer->blob_size;
	ret->media_type = str_printf(MEDIA_LAYER "%s", layer_suffix(layer->blob_format));
	return 0;
}

static int describe_layers(struct store *store, const struct member *m,
			   const struct packing *packing, struct descriptor *ret, struct err *err)
{
	for (size_t i = 0; i < m->n_layers; i++) {
		if (!*m->layers[i].blob_hex)
			return err_set(err, ERR_NOT_FOUND,
				       "the archive of layer %zu is not in the store", i);
		if (describe_layer(store, &m->layers[i], packing, &ret[i], err) < 0)
			return -err->code;
	}
	return 0;
}

static void set_platform(const struct built_image *image, struct member *m)
{
	const struct image_config *c = &image->result->config;

	m->d.has_platform = true;
	platform_set(&m->d.platform, c->os, c->architecture, c->variant);
}

static int make_member(struct output *o, const struct built_image *image,
		       const struct packing *packing, struct member *m, struct err *err)
{
	struct descriptor config = DESCRIPTOR_INIT;
	struct manifest layers = MANIFEST_INIT;
	int rc = layer_info_list(o->b->engine->store, image->id, &m->layers, &m->n_layers, err);

	if (rc < 0)
		return rc;
	layers.entries = mem_zalloc((m->n_layers + 1) * sizeof(*layers.entries));
	layers.n_entries = m->n_layers;
	memcpy(config.hex, image->id, sizeof(config.hex));
	config.size = (int64_t)strlen(image->config);
	config.media_type = str_dup(MEDIA_CONFIG);
	rc = describe_layers(o->b->engine->store, m, packing, layers.entries, err);
	if (rc == 0)
		m->manifest = manifest_format(&config, layers.entries, m->n_layers);
	descriptor_done(&config);
	manifest_done(&layers);
	if (rc < 0)
		return rc;
	sha256_hex(m->manifest, strlen(m->manifest), m->d.hex);
	m->d.size = (int64_t)strlen(m->manifest);
	m->d.media_type = str_dup(MEDIA_MANIFEST);
	set_platform(image, m);
	return 0;
}

/* ---- the index and its blobs ---- */

static int add_blob(struct output *o, struct incoming *in, const char *hex, struct err *err)
{
	int64_t size = 0;
	cleanup_close int fd = blob_open(o->b->engine->store, hex, &size, err);

	return fd < 0 ? fd : incoming_add_blob(in, hex, fd, 0, (uint64_t)size, err);
}

static int add_member(struct output *o, struct incoming *in, const struct member *m,
		      const char *config, struct err *err)
{
	if (add_blob(o, in, config, err) < 0)
		return -err->code;
	for (size_t i = 0; i < m->n_layers; i++)
		if (add_blob(o, in, m->layers[i].blob_hex, err) < 0)
			return -err->code;
	return incoming_add_document(in, m->d.hex, m->manifest, strlen(m->manifest), err);
}

/* The image that has the names: that of this machine, else the first. */
static size_t choose_host(const struct output *o)
{
	struct platform host = {};

	platform_get_host(&host);
	for (size_t i = 0; i < o->n; i++) {
		const struct image_config *c = &o->images[i].result->config;
		struct platform have = {};

		platform_set(&have, c->os, c->architecture, c->variant);
		if (platform_matches(&host, &have))
			return i;
	}
	return 0;
}

static int commit_index(struct output *o, const struct member *members, const char *index,
			size_t chosen, struct err *err)
{
	cleanup_incoming struct incoming *in = NULL;
	const struct built_image *image = &o->images[chosen];

	if (incoming_begin(o->b->engine->store, &in, err) < 0 ||
	    incoming_set_base_layers(in, image->id, err) < 0 ||
	    incoming_set_config(in, image->config, strlen(image->config), err) < 0)
		return -err->code;
	for (size_t i = 0; i < o->n; i++)
		if (add_member(o, in, &members[i], o->images[i].id, err) < 0)
			return -err->code;
	if (incoming_add_document(in, o->target, index, strlen(index), err) < 0)
		return -err->code;
	incoming_set_target(in, o->target, MEDIA_INDEX);
	strv_foreach (i, &o->names)
		incoming_add_name(in, o->names.items[i]);
	if (incoming_commit(in, err) < 0)
		return -err->code;
	strv_foreach (i, &o->names)
		event_image_tagged(o->b->engine, o->names.items[i], true);
	return 0;
}

static int is_joined(struct output *o, size_t chosen, struct err *err)
{
	strv_foreach (i, &o->names) {
		int rc = output_has_name(o->b, o->names.items[i], o->images[chosen].id, o->target,
					 err);

		if (rc <= 0)
			return rc;
	}
	return 1;
}

/* The text of the index; owned. */
static int make_index(struct output *o, const struct packing *packing, struct member *members,
		      char **ret, struct err *err)
{
	struct descriptor entries[MAX_IMAGES];

	for (size_t i = 0; i < o->n; i++) {
		if (make_member(o, &o->images[i], packing, &members[i], err) < 0)
			return -err->code;
		entries[i] = members[i].d;
	}
	*ret = manifest_format_index(entries, o->n);
	sha256_hex(*ret, strlen(*ret), o->target);
	o->target_size = (int64_t)strlen(*ret);
	return 0;
}

static int join(struct output *o, struct member *members, struct err *err)
{
	cleanup_free char *index = NULL;
	size_t chosen = choose_host(o);
	const struct packing as_kept = {};
	int rc = make_index(o, &as_kept, members, &index, err);

	if (rc == 0)
		rc = is_joined(o, chosen, err);
	if (rc != 0)
		return rc < 0 ? rc : 0;
	return commit_index(o, members, index, chosen, err);
}

static int check_number(const struct output *o, struct err *err)
{
	return o->n > MAX_IMAGES ? err_set(err, ERR_INVALID, "more than %d platforms", MAX_IMAGES)
				 : 0;
}

int output_join_images(struct output *o, struct err *err)
{
	struct member *members = NULL;
	int rc = check_number(o, err);

	if (rc < 0)
		return rc;
	members = mem_zalloc(o->n * sizeof(*members));
	rc = join(o, members, err);
	members_done(members, o->n);
	return rc;
}

static void set_target(struct source *source, const char *hex, const char *text,
		       const char *media_type)
{
	struct descriptor *target = &source->images[0].target;

	memcpy(target->hex, hex, sizeof(target->hex));
	target->size = (int64_t)strlen(text);
	str_replace(&target->media_type, media_type);
}

static int set_index(struct output *o, const struct packing *packing, struct member *members,
		     struct err *err)
{
	cleanup_free char *index = NULL;
	char hex[DIGEST_HEX_LEN + 1];
	struct source *source = packing->source;

	if (make_index(o, packing, members, &index, err) < 0)
		return -err->code;
	for (size_t i = 0; i < o->n; i++) {
		assert(members[i].manifest);
		source_add_text(source, members[i].manifest, strlen(members[i].manifest), hex);
	}
	if (o->n == 1) {
		set_target(source, hex, members[0].manifest, MEDIA_MANIFEST);
		return 0;
	}
	assert(index);
	source_add_text(source, index, strlen(index), hex);
	set_target(source, hex, index, MEDIA_INDEX);
	return 0;
}

int output_set_index(struct output *o, const char *format, struct source *source, struct err *err)
{
	const struct packing packing = {.format = format, .source = source, .is_single = o->n == 1};
	struct member *members = NULL;
	int rc = check_number(o, err);

	if (rc < 0)
		return rc;
	members = mem_zalloc(o->n * sizeof(*members));
	rc = set_index(o, &packing, members, err);
	members_done(members, o->n);
	return rc;
}

/* ---- a single one ---- */

int output_describe(struct output *o, struct descriptor *ret, struct err *err)
{
	cleanup_source struct source source = SOURCE_INIT;
	cleanup_free char *ref = str_printf(DIGEST_PREFIX "%s", o->images[0].id);

	source.store = o->b->engine->store;
	if (source_open_store(ref, &source, err) < 0 ||
	    (!*source.images[0].target.hex &&
	     source_describe(&source, &source.images[0], NULL, err) < 0))
		return -err->code;
	descriptor_copy(ret, &source.images[0].target);
	memcpy(o->target, ret->hex, sizeof(o->target));
	return 0;
}
