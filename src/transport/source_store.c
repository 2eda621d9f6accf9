/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Images of the store. What came with a manifest or index is handed out as that. For the others a
 * manifest is made: a layer that came compressed with gzip as it is, every other as the plain
 * archive, whose digest is the diff ID and which every tool can read.
 */
#include "transport/source.h"

#include <string.h>

#include "base/fd.h"
#include "base/mem.h"
#include "oci/reference.h"
#include "storage/collect.h"
#include "storage/image.h"
#include "storage/image_names.h"
#include "transport/parts.h"
#include "transport/report.h"

/* The layer's archive decompressed, from the blob that is kept of it. */
static int open_inflated(struct store *store, const struct layer_info *layer, struct blob_at *ret,
			 struct err *err)
{
	int64_t size = 0;
	int fd = blob_open(store, layer->blob_hex, &size, err);

	if (fd < 0)
		return fd;
	ret->fd = fd;
	ret->size = (uint64_t)size;
	ret->is_inflated = strcmp(layer->blob_hex, layer->diff_hex) != 0;
	ret->plain_size = layer->plain_size;
	return 0;
}

static const struct layer_info *lookup_layer(const struct source *source, const char *diff_hex)
{
	for (size_t i = 0; i < source->n_layers; i++)
		if (strcmp(source->layers[i].diff_hex, diff_hex) == 0 &&
		    *source->layers[i].blob_hex)
			return &source->layers[i];
	return NULL;
}

static int open_blob(struct source *source, const struct descriptor *d, struct blob_at *ret,
		     struct err *err)
{
	const struct layer_info *layer = NULL;
	int64_t size = 0;
	int fd = source_open_made(source, d, ret, err);

	if (fd != 0)
		return fd < 0 ? fd : 0;
	fd = blob_open(source->store, d->hex, &size, err);
	if (fd >= 0) {
		ret->fd = fd;
		ret->size = (uint64_t)size;
		return 0;
	}
	layer = err->code == ERR_NOT_FOUND ? lookup_layer(source, d->hex) : NULL;
	if (!layer)
		return -err->code;
	err_clear(err);
	return open_inflated(source->store, layer, ret, err);
}

static int not_kept(size_t i, struct err *err)
{
	err_set(err, ERR_NOT_FOUND, "the archive of layer %zu is not in the store", i);
	return err_hint(
		err,
		"images of tare 0.1.0 have none, and a repair takes a damaged one away: import or "
		"load it again");
}

static int get_layer(struct source *source, size_t i, struct part_layer *layer, struct err *err)
{
	const struct layer_info *info = &source->layers[i];

	if (!*info->blob_hex)
		return not_kept(i, err);
	memcpy(layer->raw.hex, info->blob_hex, sizeof(layer->raw.hex));
	layer->raw.size = info->blob_size;
	layer->plain_size = info->plain_size;
	if (source_open_blob(source, &layer->raw, &layer->at, err) < 0)
		return err_wrap(err, "layer %zu", i);
	return 0;
}

static int get_parts(struct source *source, const struct source_image *image,
		     const struct platform *want, struct image_parts *ret, struct err *err)
{
	cleanup_str struct str text = STR_INIT;
	struct err other = ERR_INIT;

	str_add(&text, source->stored_config);
	if (image_parts_set_config(ret, &text, source->n_layers, want, &other) < 0) {
		*err = other;
		/* Another platform may be in the index that came with it. */
		if (other.code != ERR_NOT_FOUND || !*image->target.hex)
			return -err->code;
		image_parts_done(ret);
		return 1;
	}
	if (strcmp(ret->id, source->stored_id) != 0)
		return err_set(err, ERR_INVALID, "the configuration is damaged");
	for (size_t i = 0; i < source->n_layers; i++)
		if (get_layer(source, i, &ret->layers[i], err) < 0)
			return -err->code;
	return 0;
}

/* ---- the manifest that is made ---- */

static int describe_layer(const struct layer_info *info, size_t i, struct descriptor *ret,
			  struct err *err)
{
	bool is_gzip = strcmp(info->blob_format, "gzip") == 0;

	if (!*info->blob_hex)
		return not_kept(i, err);
	memcpy(ret->hex, is_gzip ? info->blob_hex : info->diff_hex, sizeof(ret->hex));
	ret->size = is_gzip ? info->blob_size : info->plain_size;
	ret->media_type = str_dup(is_gzip ? MEDIA_LAYER "+gzip" : MEDIA_LAYER);
	return 0;
}

static int make_manifest(struct source *source, const struct descriptor *config,
			 struct source_image *image, struct err *err)
{
	cleanup_manifest struct manifest m = MANIFEST_INIT;
	cleanup_free char *text = NULL;

	m.entries = mem_zalloc(source->n_layers * sizeof(*m.entries));
	for (; m.n_entries < source->n_layers; m.n_entries++)
		if (describe_layer(&source->layers[m.n_entries], m.n_entries,
				   &m.entries[m.n_entries], err) < 0)
			return -err->code;
	text = manifest_format(config, m.entries, m.n_entries);
	source_add_text(source, text, strlen(text), image->target.hex);
	image->target.size = (int64_t)strlen(text);
	image->target.media_type = str_dup(MEDIA_MANIFEST);
	return 0;
}

/* Plain sizes that nobody has noted are those of reading the layers. */
static int ensure_sizes(struct source *source, struct image_parts *parts,
			const struct transport_report *report, struct err *err)
{
	if (image_parts_ensure_sizes(source->store, parts, report, err) < 0)
		return -err->code;
	for (size_t i = 0; i < source->n_layers; i++)
		source->layers[i].plain_size = parts->layers[i].plain_size;
	return 0;
}

static int describe(struct source *source, struct source_image *image,
		    const struct transport_report *report, struct err *err)
{
	cleanup_image_parts struct image_parts parts = IMAGE_PARTS_INIT;
	cleanup_descriptor struct descriptor config = DESCRIPTOR_INIT;

	if (get_parts(source, image, NULL, &parts, err) < 0 ||
	    ensure_sizes(source, &parts, report, err) < 0)
		return -err->code;
	source_add_text(source, str_get(&parts.text), parts.text.len, config.hex);
	config.size = (int64_t)parts.text.len;
	config.media_type = str_dup(MEDIA_CONFIG);
	if (make_manifest(source, &config, image, err) < 0)
		return -err->code;
	image->target.has_platform = true;
	image_parts_get_platform(&parts, &image->target.platform);
	return 0;
}

static const struct source_ops store_ops = {
	.open_blob = open_blob,
	.describe = describe,
	.get_parts = get_parts,
};

/* Size and kind of the document that is kept. */
static int set_target(struct source *source, const char *hex, struct descriptor *target,
		      struct err *err)
{
	cleanup_str struct str text = STR_INIT;
	cleanup_manifest struct manifest m = MANIFEST_INIT;

	if (blob_read(source->store, hex, &text, err) < 0 ||
	    manifest_parse(str_get(&text), text.len, NULL, "manifest", &m, err) < 0)
		return err_wrap(err, "manifest " DIGEST_PREFIX "%s", hex);
	memcpy(target->hex, hex, sizeof(target->hex));
	target->size = (int64_t)text.len;
	target->media_type = str_dup(m.media_type);
	return 0;
}

static int find_image(const struct source *source, const char *name, struct image *ret,
		      struct err *err)
{
	if (source->finds_passing && digest_is_valid(name))
		return image_find_passing(source->store, name + strlen(DIGEST_PREFIX), ret, err);
	return image_find(source->store, name, ret, err);
}

/* Rows of an image go together: if it is there still, all of them were. */
static int is_there_still(const struct source *source, const char *name, struct err *err)
{
	cleanup_image struct image found = IMAGE_INIT;

	return find_image(source, name, &found, err);
}

int source_open_store(const char *name, struct source *ret, struct err *err)
{
	cleanup_image struct image found = IMAGE_INIT;
	struct source_image *image = NULL;
	char target[DIGEST_HEX_LEN + 1] = "";

	ret->ops = &store_ops;
	ret->hold_fd = storage_hold(ret->store, err);
	if (ret->hold_fd < 0 || find_image(ret, name, &found, err) < 0 ||
	    image_get_target(ret->store, &found, target, err) < 0 ||
	    layer_info_list(ret->store, found.id, &ret->layers, &ret->n_layers, err) < 0 ||
	    is_there_still(ret, name, err) < 0)
		return -err->code;
	image = source_add_image(ret);
	if (found.reference)
		strv_add(&image->names, found.reference);
	else
		strv_addf(&image->names, DIGEST_PREFIX "%s", found.id);
	ret->stored_config = take_ptr(found.config);
	memcpy(ret->stored_id, found.id, sizeof(ret->stored_id));
	return *target ? set_target(ret, target, &image->target, err) : 0;
}
