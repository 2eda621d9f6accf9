/* SPDX-License-Identifier: Apache-2.0 */
/* Manifests and indexes, read with suspicion and written in one form. */
#include "oci/manifest.h"

#include <string.h>

#include "base/mem.h"
#include "oci/document.h"
#include "oci/image_config.h"

static bool is_index_type(const char *type)
{
	return str_is_equal(type, MEDIA_INDEX) || str_is_equal(type, MEDIA_DOCKER_LIST);
}

static bool is_manifest_type(const char *type)
{
	return str_is_equal(type, MEDIA_MANIFEST) || str_is_equal(type, MEDIA_DOCKER);
}

/* ---- descriptors ---- */

static int parse_annotations(const json_t *doc, struct descriptor *d, struct err *err)
{
	const char *image = NULL;
	const char *ref = NULL;
	json_t *annotations = NULL;

	if (document_get_object(doc, "annotations", &annotations, err) < 0 ||
	    document_get_string(annotations, ANNOTATION_IMAGE, &image, err) < 0 ||
	    document_get_string(annotations, ANNOTATION_REF_NAME, &ref, err) < 0)
		return -err->code;
	d->image_name = str_dup(image);
	d->ref_name = str_dup(ref);
	return 0;
}

static int parse_platform(const json_t *doc, struct descriptor *d, struct err *err)
{
	const char *os = NULL;
	const char *arch = NULL;
	const char *variant = NULL;
	json_t *platform = NULL;

	if (document_get_object(doc, "platform", &platform, err) < 0 ||
	    document_get_string(platform, "os", &os, err) < 0 ||
	    document_get_string(platform, "architecture", &arch, err) < 0 ||
	    document_get_string(platform, "variant", &variant, err) < 0)
		return -err->code;
	d->has_platform = platform;
	platform_set(&d->platform, os, arch, variant);
	return 0;
}

int descriptor_parse(const json_t *doc, struct descriptor *ret, struct err *err)
{
	cleanup_descriptor struct descriptor d = DESCRIPTOR_INIT;
	const char *media_type = NULL;
	const char *digest = NULL;
	json_int_t size = 0;
	json_t *urls = NULL;

	if (!json_is_object(doc))
		return err_set(err, ERR_INVALID, "a descriptor is missing");
	if (document_get_string(doc, "mediaType", &media_type, err) < 0 ||
	    document_get_string(doc, "digest", &digest, err) < 0 ||
	    document_get_int(doc, "size", &size, err) < 0 ||
	    document_get_array(doc, "urls", &urls, err) < 0 ||
	    digest_parse(digest, d.hex, err) < 0 || parse_annotations(doc, &d, err) < 0 ||
	    parse_platform(doc, &d, err) < 0)
		return -err->code;
	if (size < 0)
		return err_set(err, ERR_INVALID, "\"size\" is negative");
	if (json_array_size(urls) > 0)
		return err_set(err, ERR_UNSUPPORTED,
			       "layers that live at other places are not taken");
	d.size = size;
	d.media_type = str_dup(media_type);
	*ret = d;
	d = (struct descriptor)DESCRIPTOR_INIT;
	return 0;
}

void descriptor_copy(struct descriptor *ret, const struct descriptor *from)
{
	struct descriptor d = *from;

	d.media_type = str_dup(from->media_type);
	d.image_name = str_dup(from->image_name);
	d.ref_name = str_dup(from->ref_name);
	descriptor_done(ret);
	*ret = d;
}

void descriptor_done(struct descriptor *d)
{
	free(d->media_type);
	free(d->image_name);
	free(d->ref_name);
	*d = (struct descriptor)DESCRIPTOR_INIT;
}

static void set_text(json_t *object, const char *key, const char *value)
{
	if (value && *value)
		json_object_set_new(object, key, json_string(value));
}

static void set_object(json_t *object, const char *key, json_t *value)
{
	if (json_object_size(value))
		json_object_set_new(object, key, value);
	else
		json_decref(value);
}

json_t *descriptor_to_json(const struct descriptor *d)
{
	json_t *object = json_object();
	json_t *annotations = json_object();
	json_t *platform = json_object();

	set_text(object, "mediaType", d->media_type);
	json_object_set_new(object, "digest", json_sprintf(DIGEST_PREFIX "%s", d->hex));
	json_object_set_new(object, "size", json_integer(d->size));
	set_text(annotations, ANNOTATION_IMAGE, d->image_name);
	set_text(annotations, ANNOTATION_REF_NAME, d->ref_name);
	set_object(object, "annotations", annotations);
	if (d->has_platform) {
		set_text(platform, "architecture", d->platform.arch);
		set_text(platform, "os", d->platform.os);
		set_text(platform, "variant", d->platform.variant);
	}
	set_object(object, "platform", platform);
	return object;
}

/* ---- manifests ---- */

/* Whether TYPE, when there is one, is a type of indexes or of manifests: a third kind of document
 * that looks like one of them is not for us to interpret. */
static bool is_type_of(const char *type, bool is_index)
{
	return !type || (is_index ? is_index_type(type) : is_manifest_type(type));
}

/* Refuses what says it is one thing and looks like another. EXPECTED is the descriptor's media
 * type, NULL where none was given. */
static int parse_kind(const json_t *doc, const char *expected, struct manifest *m, struct err *err)
{
	bool has_manifests = json_object_get(doc, "manifests");
	bool has_layers = json_object_get(doc, "layers") || json_object_get(doc, "config");
	const char *type = NULL;

	if (json_object_get(doc, "fsLayers") && !has_manifests && !has_layers)
		return err_set(err, ERR_UNSUPPORTED,
			       "manifests of docker's schema 1 are not supported");
	has_layers = has_layers || json_object_get(doc, "fsLayers");
	if (document_get_string(doc, "mediaType", &type, err) < 0)
		return -err->code;
	if (has_manifests == has_layers || (type && expected && strcmp(type, expected) != 0) ||
	    !is_type_of(type, has_manifests) || !is_type_of(expected, has_manifests))
		return err_set(err, ERR_INVALID, "ambiguous manifest");
	m->is_index = has_manifests;
	if (!type)
		type = expected ? expected : has_manifests ? MEDIA_INDEX : MEDIA_MANIFEST;
	m->media_type = str_dup(type);
	return 0;
}

static int parse_entries(const json_t *doc, struct manifest *m, struct err *err)
{
	const char *key = m->is_index ? "manifests" : "layers";
	const size_t max = m->is_index ? MANIFEST_MAX_ENTRIES : IMAGE_MAX_LAYERS;
	json_t *list = NULL;
	json_t *entry = NULL;
	size_t i = 0;

	if (document_get_array(doc, key, &list, err) < 0)
		return -err->code;
	if (json_array_size(list) > max)
		return err_set(err, ERR_INVALID, "more than %zu %s", max, key);
	m->entries = mem_zalloc(json_array_size(list) * sizeof(*m->entries));
	json_array_foreach (list, i, entry) {
		if (descriptor_parse(entry, &m->entries[i], err) < 0)
			return err_wrap(err, "%s %zu", m->is_index ? "manifest" : "layer", i);
		m->n_entries++;
	}
	return 0;
}

int manifest_parse(const char *text, size_t len, const char *expected, const char *what,
		   struct manifest *ret, struct err *err)
{
	cleanup_manifest struct manifest m = MANIFEST_INIT;
	cleanup_json json_t *doc = NULL;

	if (document_parse(text, len, what, &doc, err) < 0 ||
	    parse_kind(doc, expected, &m, err) < 0)
		return -err->code;
	if (!m.is_index && descriptor_parse(json_object_get(doc, "config"), &m.config, err) < 0)
		return err_wrap(err, "config");
	if (parse_entries(doc, &m, err) < 0)
		return -err->code;
	*ret = m;
	m = (struct manifest)MANIFEST_INIT;
	return 0;
}

void manifest_done(struct manifest *m)
{
	free(m->media_type);
	descriptor_done(&m->config);
	for (size_t i = 0; i < m->n_entries; i++)
		descriptor_done(&m->entries[i]);
	free(m->entries);
	*m = (struct manifest)MANIFEST_INIT;
}

bool manifest_is_image(const struct manifest *m)
{
	const char *type = m->config.media_type;

	return !m->is_index &&
	       (!type || strcmp(type, MEDIA_CONFIG) == 0 || strcmp(type, MEDIA_DOCKER_CONFIG) == 0);
}

const struct descriptor *manifest_choose(const struct manifest *index, const struct platform *want)
{
	for (size_t i = 0; i < index->n_entries; i++) {
		const struct descriptor *d = &index->entries[i];

		/* Attestations are marked unknown/unknown. */
		if (d->has_platform ? platform_matches(want, &d->platform) : index->n_entries == 1)
			return d;
	}
	return NULL;
}

static char *format(json_t *doc, const char *key, const struct descriptor *entries, size_t n)
{
	json_t *list = json_array();
	char *text = NULL;

	for (size_t i = 0; i < n; i++)
		json_array_append_new(list, descriptor_to_json(&entries[i]));
	json_object_set_new(doc, key, list);
	text = json_dumps(doc, JSON_COMPACT);
	json_decref(doc);
	return text ? text : str_dup("");
}

char *manifest_format(const struct descriptor *config, const struct descriptor *layers, size_t n)
{
	json_t *doc = json_pack("{si ss so}", "schemaVersion", 2, "mediaType", MEDIA_MANIFEST,
				"config", descriptor_to_json(config));

	return format(doc, "layers", layers, n);
}

char *manifest_format_index(const struct descriptor *entries, size_t n)
{
	json_t *doc = json_pack("{si ss}", "schemaVersion", 2, "mediaType", MEDIA_INDEX);

	return format(doc, "manifests", entries, n);
}
