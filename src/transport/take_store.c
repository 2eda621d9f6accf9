/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bringing images into the store. The manifest or index that an image came with is kept, with every
 * blob it needs, so that copying it out again gives the same bytes. Two kinds of blobs need no
 * keeping of their own: the layers that the store keeps as they came, and plain layers, which are
 * what the store's compressed ones decompress to.
 */
#include <string.h>

#include "base/mem.h"
#include "oci/reference.h"
#include "storage/incoming.h"
#include "transport/closure.h"
#include "transport/parts.h"
#include "transport/source.h"
#include "transport/transport.h"

/* Each needs several descriptors, of which a process has 1024 by default. */
#define LAYERS_AT_A_TIME 64

static void set_layer_source(const struct part_layer *layer, struct layer_source *ret)
{
	*ret = (struct layer_source){
		.fd = layer->at.fd,
		.offset = layer->at.offset,
		.length = layer->at.size,
		.raw_size = -1,
	};
	if (!*layer->raw.hex || layer->at.is_inflated)
		return;
	memcpy(ret->raw_hex, layer->raw.hex, sizeof(ret->raw_hex));
	ret->raw_size = layer->raw.size;
}

/* Layers on their way, several at a time. */
struct flight {
	const struct transport_report *report;
	uint64_t n_bytes[LAYERS_AT_A_TIME];
	size_t n;
};

/* unpack_progress_fn: the sum is of no interest where each has a bar of its own. */
static void tell_flight(uint64_t sum, void *data)
{
	const struct flight *f = data;

	if (f->report->progress_all)
		f->report->progress_all(f->n_bytes, f->n, f->report->data);
}

static int add_some(struct incoming *in, const struct image_parts *parts, size_t first, size_t n,
		    const struct transport_report *report, struct unpack_result *results,
		    struct err *err)
{
	struct layer_source sources[LAYERS_AT_A_TIME];
	struct flight flight = {.report = report, .n = n};

	for (size_t i = 0; i < n; i++) {
		const struct part_layer *layer = &parts->layers[first + i];

		set_layer_source(layer, &sources[i]);
		sources[i].n_read = &flight.n_bytes[i];
		report_add(report, "Loading layer", layer->diff_hex, sources[i].length);
	}
	return incoming_add_layers(in, sources, n, report ? tell_flight : NULL, &flight, results,
				   err);
}

static int add_layers(struct incoming *in, const struct image_parts *parts,
		      const struct transport_report *report, struct unpack_result *results,
		      struct err *err)
{
	for (size_t i = 0; i < parts->n_layers; i += LAYERS_AT_A_TIME) {
		size_t n = parts->n_layers - i < LAYERS_AT_A_TIME ? parts->n_layers - i
								  : LAYERS_AT_A_TIME;

		if (add_some(in, parts, i, n, report, results + i, err) < 0)
			return -err->code;
	}
	return 0;
}

/* Whether blob D of the target is what the store makes of one of the image's layers. */
static bool is_plain_layer(const struct image_parts *parts, const struct unpack_result *results,
			   const struct descriptor *d)
{
	for (size_t i = 0; i < parts->n_layers; i++)
		if (strcmp(results[i].diff_hex, d->hex) == 0)
			return true;
	return false;
}

static int keep_blob(struct incoming *in, struct source *source, const struct closure_blob *b,
		     struct err *err)
{
	cleanup_blob_at struct blob_at at = BLOB_AT_INIT;

	if (b->is_document)
		return incoming_add_document(in, b->d.hex, str_get(&b->text), b->text.len, err);
	if (source_open_blob(source, &b->d, &at, err) < 0)
		return -err->code;
	if (at.fd < 0)
		return incoming_add_document(in, b->d.hex, str_get(&at.text), at.text.len, err);
	if (at.is_inflated)
		return 0;
	return incoming_add_blob(in, b->d.hex, at.fd, at.offset, at.size, err);
}

/* An index with all that it names; where some of it is missing, as in what docker saves of one
 * platform, the one manifest. */
static int read_closure(struct source *source, const struct source_image *image,
			const struct platform *want, struct closure *ret, struct err *err)
{
	struct platform host = {};
	int rc = closure_read(source, &image->target, want, ret, err);

	if (rc == 0 || want || err->code != ERR_NOT_FOUND)
		return rc;
	err_clear(err);
	platform_get_host(&host);
	return closure_read(source, &image->target, &host, ret, err);
}

static int keep_target(struct incoming *in, struct source *source, const struct source_image *image,
		       const struct platform *want, const struct image_parts *parts,
		       const struct unpack_result *results, struct err *err)
{
	cleanup_closure struct closure c = CLOSURE_INIT;

	if (!*image->target.hex)
		return 0;
	if (read_closure(source, image, want, &c, err) < 0)
		return -err->code;
	for (size_t i = 0; i < c.n; i++)
		if (!is_plain_layer(parts, results, &c.blobs[i].d) &&
		    keep_blob(in, source, &c.blobs[i], err) < 0)
			return -err->code;
	incoming_set_target(in, closure_get_target(&c)->hex, closure_get_target(&c)->media_type);
	return 0;
}

int image_bring_in(struct store *store, struct source *source, const struct source_image *image,
		   const struct strv *names, const struct platform *want,
		   const struct transport_report *report, char ret_id[static DIGEST_HEX_LEN + 1],
		   struct err *err)
{
	cleanup_image_parts struct image_parts parts = IMAGE_PARTS_INIT;
	cleanup_incoming struct incoming *in = NULL;
	cleanup_free struct unpack_result *results = NULL;

	if (image_parts_read(source, image, want, &parts, err) < 0)
		return -err->code;
	/* docker's rule and words; it asks of no other system. */
	if (str_is_equal(parts.config.os, "windows"))
		return err_set(err, ERR_UNSUPPORTED, "cannot load windows image on linux");
	results = mem_zalloc(parts.n_layers * sizeof(*results));
	if (incoming_begin(store, &in, err) < 0 ||
	    incoming_set_config(in, str_get(&parts.text), parts.text.len, err) < 0 ||
	    add_layers(in, &parts, report, results, err) < 0)
		return -err->code;
	/* A target belongs to a name. */
	if (names->n && keep_target(in, source, image, want, &parts, results, err) < 0)
		return -err->code;
	strv_foreach (i, names)
		incoming_add_name(in, names->items[i]);
	if (incoming_commit(in, err) < 0)
		return -err->code;
	memcpy(ret_id, incoming_get_id(in), DIGEST_HEX_LEN + 1);
	return 0;
}

int take_store(const struct place *place, struct source *source, struct source_image *image,
	       const struct platform *want, const struct transport_report *report, struct err *err)
{
	cleanup_reference struct reference ref = REFERENCE_INIT;
	cleanup_strv struct strv names = STRV_INIT;
	char id[DIGEST_HEX_LEN + 1];

	if (place->image) {
		if (reference_parse(place->image, &ref, err) < 0)
			return -err->code;
		if (ref.digest)
			return err_set(err, ERR_INVALID,
				       "refusing to create a tag with a digest reference");
		reference_ensure_tag(&ref);
		strv_add_take(&names, reference_format(&ref));
	}
	return image_bring_in(source->store, source, image, &names, want, report, id, err);
}
