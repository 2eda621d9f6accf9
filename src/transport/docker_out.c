/* SPDX-License-Identifier: Apache-2.0 */
/* The three lists of a docker archive, and its blobs. */
#include "transport/docker_out.h"

#include <string.h>

#include "base/mem.h"
#include "oci/reference.h"
#include "transport/parts.h"
#include "transport/source.h"
#include "json/dump.h"

#define BLOBS	   "blobs/sha256/"
#define OCI_LAYOUT "{\"imageLayoutVersion\": \"1.0.0\"}"

void docker_out_init(struct docker_out *out)
{
	*out = (struct docker_out){.manifest = json_array(), .repositories = json_object()};
}

void docker_out_done(struct docker_out *out)
{
	archive_out_done(&out->archive);
	json_decref(out->manifest);
	json_decref(out->repositories);
	for (size_t i = 0; i < out->n_index; i++)
		descriptor_done(&out->index[i]);
	free(out->index);
	*out = (struct docker_out){};
}

/* The OCI manifest with plain layers. */
static void make_manifest(struct docker_out *out, const struct image_parts *parts,
			  struct descriptor *ret)
{
	cleanup_manifest struct manifest m = MANIFEST_INIT;
	cleanup_free char *text = NULL;

	m.config.media_type = str_dup(MEDIA_CONFIG);
	m.config.size = (int64_t)parts->text.len;
	memcpy(m.config.hex, parts->id, sizeof(parts->id));
	m.entries = mem_zalloc(parts->n_layers * sizeof(*m.entries));
	for (; m.n_entries < parts->n_layers; m.n_entries++) {
		struct descriptor *d = &m.entries[m.n_entries];

		memcpy(d->hex, parts->layers[m.n_entries].diff_hex, sizeof(d->hex));
		d->size = parts->layers[m.n_entries].plain_size;
		d->media_type = str_dup(MEDIA_LAYER);
	}
	text = manifest_format(&m.config, m.entries, m.n_entries);
	sha256_hex(text, strlen(text), ret->hex);
	ret->size = (int64_t)strlen(text);
	ret->media_type = str_dup(MEDIA_MANIFEST);
	ret->has_platform = true;
	image_parts_get_platform(parts, &ret->platform);
	archive_out_add_document(&out->archive, ret->hex, text, strlen(text));
}

static struct descriptor *add_index_entry(struct docker_out *out, const struct descriptor *manifest)
{
	struct descriptor *d = NULL;

	out->index = mem_realloc_array(out->index, out->n_index + 1, sizeof(*out->index));
	d = &out->index[out->n_index++];
	*d = (struct descriptor)DESCRIPTOR_INIT;
	descriptor_copy(d, manifest);
	return d;
}

static void add_name(struct docker_out *out, const char *name, const struct descriptor *manifest,
		     const struct image_parts *parts, json_t *tags)
{
	cleanup_reference struct reference ref = REFERENCE_INIT;
	cleanup_free char *repository = NULL;
	cleanup_free char *familiar = NULL;
	struct err ignored = ERR_INIT;
	struct descriptor *d = NULL;
	json_t *known = NULL;

	if (reference_parse(name, &ref, &ignored) < 0 || ref.digest)
		return;
	reference_ensure_tag(&ref);
	d = add_index_entry(out, manifest);
	d->image_name = reference_format(&ref);
	d->ref_name = str_dup(ref.tag);
	familiar = reference_format_familiar(&ref);
	json_array_append_new(tags, json_string(familiar));
	repository = reference_format_familiar_name(&ref);
	known = json_object_get(out->repositories, repository);
	if (!known) {
		known = json_object();
		json_object_set_new(out->repositories, repository, known);
	}
	json_object_set_new(known, ref.tag,
			    json_string(parts->layers[parts->n_layers - 1].diff_hex));
}

static json_t *make_layer_source(const struct part_layer *layer)
{
	return json_pack("{ss sI so}", "mediaType", MEDIA_LAYER, "size",
			 (json_int_t)layer->plain_size, "digest",
			 json_sprintf(DIGEST_PREFIX "%s", layer->diff_hex));
}

static void add_layers(struct docker_out *out, struct source *source,
		       const struct image_parts *parts, json_t *names, json_t *sources)
{
	for (size_t i = 0; i < parts->n_layers; i++) {
		const struct part_layer *layer = &parts->layers[i];
		cleanup_free char *diff_id = str_printf(DIGEST_PREFIX "%s", layer->diff_hex);

		archive_out_add_inflated(&out->archive, source, &layer->raw, layer->diff_hex,
					 layer->plain_size);
		json_array_append_new(names, json_sprintf(BLOBS "%s", layer->diff_hex));
		json_object_set_new(sources, diff_id, make_layer_source(layer));
	}
}

void docker_out_add(struct docker_out *out, struct source *source, const struct image_parts *parts,
		    const struct strv *names)
{
	cleanup_descriptor struct descriptor manifest = DESCRIPTOR_INIT;
	json_t *tags = json_array();
	json_t *layers = json_array();
	json_t *sources = json_object();

	archive_out_add_document(&out->archive, parts->id, str_get(&parts->text), parts->text.len);
	add_layers(out, source, parts, layers, sources);
	make_manifest(out, parts, &manifest);
	strv_foreach (i, names)
		add_name(out, names->items[i], &manifest, parts, tags);
	if (json_array_size(tags) == 0) {
		add_index_entry(out, &manifest);
		json_decref(tags);
		tags = json_null();
	}
	json_array_append_new(out->manifest,
			      json_pack("{so so so so}", "Config",
					json_sprintf(BLOBS "%s", parts->id), "RepoTags", tags,
					"Layers", layers, "LayerSources", sources));
}

static void add_json(struct docker_out *out, const char *name, const json_t *doc, unsigned flags)
{
	cleanup_str struct str text = STR_INIT;

	json_dump_docker(&text, doc, NULL, 0, flags);
	str_add_char(&text, '\n');
	archive_out_add_text(&out->archive, name, str_get(&text), text.len);
}

int docker_out_write(struct docker_out *out, const struct store *store, int fd,
		     const struct transport_report *report, struct err *err)
{
	cleanup_free char *index = manifest_format_index(out->index, out->n_index);

	add_json(out, DOCKER_MANIFEST, out->manifest, 0);
	if (json_object_size(out->repositories))
		add_json(out, DOCKER_REPOSITORIES, out->repositories, JSON_DUMP_SORT);
	archive_out_add_text(&out->archive, "index.json", index, strlen(index));
	archive_out_add_text(&out->archive, "oci-layout", OCI_LAYOUT, strlen(OCI_LAYOUT));
	return archive_out_write(&out->archive, store, fd, report, err);
}
