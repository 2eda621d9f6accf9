/* SPDX-License-Identifier: Apache-2.0 */
/* One image taken apart: through its manifest, or as its source has it. */
#include "transport/parts.h"

#include <string.h>

#include "base/mem.h"
#include "storage/unpack.h"
#include "transport/report.h"
#include "transport/source.h"

void image_parts_done(struct image_parts *parts)
{
	for (size_t i = 0; i < parts->n_layers; i++) {
		descriptor_done(&parts->layers[i].raw);
		blob_at_done(&parts->layers[i].at);
	}
	free(parts->layers);
	str_done(&parts->text);
	image_config_done(&parts->config);
	*parts = (struct image_parts)IMAGE_PARTS_INIT;
}

void image_parts_get_platform(const struct image_parts *parts, struct platform *ret)
{
	platform_set(ret, parts->config.os, parts->config.architecture, parts->config.variant);
}

int image_parts_set_config(struct image_parts *parts, struct str *text, size_t n_layers,
			   const struct platform *want, struct err *err)
{
	struct platform have = {};
	char shown[PLATFORM_LEN];

	parts->text = *text;
	*text = (struct str)STR_INIT;
	sha256_hex(str_get(&parts->text), parts->text.len, parts->id);
	if (image_config_parse(str_get(&parts->text), parts->text.len, &parts->config, err) < 0)
		return -err->code;
	image_parts_get_platform(parts, &have);
	if (want && !platform_matches(want, &have))
		return err_set(err, ERR_NOT_FOUND, "no image for %s in it",
			       platform_format(want, shown));
	if (n_layers != parts->config.diff_ids.n)
		return err_set(err, ERR_INVALID,
			       "invalid manifest, layers length mismatch: expected %zu, got %zu",
			       n_layers, parts->config.diff_ids.n);
	parts->layers = mem_zalloc((n_layers + 1) * sizeof(*parts->layers));
	for (size_t i = 0; i < n_layers; i++) {
		struct part_layer *layer = &parts->layers[parts->n_layers++];

		layer->at = (struct blob_at)BLOB_AT_INIT;
		if (digest_parse(parts->config.diff_ids.items[i], layer->diff_hex, err) < 0)
			return -err->code;
	}
	return 0;
}

int image_parts_layer_error(struct err *err, size_t i)
{
	if (err->code == ERR_NOT_FOUND)
		err->code = ERR_INVALID;
	return err_wrap(err, "layer %zu", i);
}

static int read_by_manifest(struct source *source, const struct source_image *image,
			    const struct platform *want, struct image_parts *parts, struct err *err)
{
	cleanup_descriptor struct descriptor d = DESCRIPTOR_INIT;
	cleanup_manifest struct manifest m = MANIFEST_INIT;
	cleanup_str struct str text = STR_INIT;
	struct platform host = {};

	platform_get_host(&host);
	if (source_find_manifest(source, &image->target, want ? want : &host, &d, err) < 0 ||
	    source_read_manifest(source, &d, &m, NULL, err) < 0)
		return -err->code;
	if (!manifest_is_image(&m))
		return err_set(err, ERR_UNSUPPORTED, "not a container image but %s",
			       m.config.media_type);
	if (source_read_blob(source, &m.config, &text, err) < 0 ||
	    image_parts_set_config(parts, &text, m.n_entries, want, err) < 0)
		return -err->code;
	for (size_t i = 0; i < m.n_entries; i++) {
		struct part_layer *layer = &parts->layers[i];

		descriptor_copy(&layer->raw, &m.entries[i]);
		if (source_open_blob(source, &layer->raw, &layer->at, err) < 0)
			return image_parts_layer_error(err, i);
	}
	return 0;
}

int image_parts_read(struct source *source, const struct source_image *image,
		     const struct platform *want, struct image_parts *ret, struct err *err)
{
	cleanup_image_parts struct image_parts parts = IMAGE_PARTS_INIT;
	int rc = 1;

	if (source->ops->get_parts)
		rc = source->ops->get_parts(source, image, want, &parts, err);
	if (rc > 0)
		rc = read_by_manifest(source, image, want, &parts, err);
	if (rc < 0)
		return rc;
	*ret = parts;
	parts = (struct image_parts)IMAGE_PARTS_INIT;
	return 0;
}

static int check_layer(struct part_layer *layer, size_t i, const struct unpack_result *r,
		       struct err *err)
{
	if (*layer->raw.hex && !layer->at.is_inflated &&
	    (strcmp(layer->raw.hex, r->raw_hex) != 0 || layer->raw.size != r->raw_size))
		return err_set(err, ERR_INVALID, "layer %zu is damaged: its digest is another", i);
	if (strcmp(layer->diff_hex, r->diff_hex) != 0)
		return err_set(err, ERR_INVALID,
			       "invalid diffID for layer %zu: expected \"" DIGEST_PREFIX
			       "%s\", got \"" DIGEST_PREFIX "%s\"",
			       i, layer->diff_hex, r->diff_hex);
	layer->plain_size = r->plain_size;
	if (!*layer->raw.hex) {
		memcpy(layer->raw.hex, r->raw_hex, sizeof(layer->raw.hex));
		layer->raw.size = r->raw_size;
	}
	return 0;
}

int image_parts_verify(const struct store *store, struct image_parts *parts,
		       const struct transport_report *report, struct unpack_result *ret_results,
		       struct err *err)
{
	cleanup_free struct unpack_job *jobs = mem_zalloc(parts->n_layers * sizeof(*jobs));
	cleanup_free struct unpack_result *results = mem_zalloc(parts->n_layers * sizeof(*results));
	uint64_t total = 0;
	size_t failed = parts->n_layers;

	for (size_t i = 0; i < parts->n_layers; i++) {
		jobs[i] = (struct unpack_job)UNPACK_JOB_INIT;
		jobs[i].in_fd = parts->layers[i].at.fd;
		jobs[i].offset = parts->layers[i].at.offset;
		jobs[i].length = parts->layers[i].at.size;
		total += jobs[i].length;
	}
	report_begin(report, "Reading layers", parts->layers[0].diff_hex, total);
	if (unpack_run(store, jobs, parts->n_layers, -1, report ? report->progress : NULL,
		       report ? report->data : NULL, results, &failed, err) < 0)
		return failed < parts->n_layers ? err_wrap(err, "layer %zu", failed) : -err->code;
	for (size_t i = 0; i < parts->n_layers; i++)
		if (check_layer(&parts->layers[i], i, &results[i], err) < 0)
			return -err->code;
	if (ret_results)
		memcpy(ret_results, results, parts->n_layers * sizeof(*results));
	return 0;
}

int image_parts_ensure_sizes(const struct store *store, struct image_parts *parts,
			     const struct transport_report *report, struct err *err)
{
	for (size_t i = 0; i < parts->n_layers; i++)
		if (parts->layers[i].plain_size <= 0 || !*parts->layers[i].raw.hex)
			return image_parts_verify(store, parts, report, NULL, err);
	return 0;
}
