/* SPDX-License-Identifier: Apache-2.0 */
/* manifest.json and repositories of docker's archives. */
#include "transport/docker_archive.h"

#include <string.h>

#include "base/mem.h"
#include "oci/document.h"
#include "oci/image_config.h"
#include "oci/reference.h"

static void image_done(struct docker_image *image)
{
	free(image->config);
	free(image->id);
	strv_done(&image->names);
	strv_done(&image->layers);
}

void docker_archive_done(struct docker_archive *archive)
{
	for (size_t i = 0; i < archive->n; i++)
		image_done(&archive->images[i]);
	free(archive->images);
	*archive = (struct docker_archive)DOCKER_ARCHIVE_INIT;
}

struct docker_image *docker_archive_ensure(struct docker_archive *archive, const char *config,
					   const char *id, struct err *err)
{
	struct docker_image *image = NULL;

	for (size_t i = 0; i < archive->n; i++)
		if (str_is_equal(archive->images[i].config, config) &&
		    str_is_equal(archive->images[i].id, id))
			return &archive->images[i];
	if (archive->n >= DOCKER_MAX_IMAGES) {
		err_set(err, ERR_INVALID, "more than %d images", DOCKER_MAX_IMAGES);
		return NULL;
	}
	archive->images = mem_realloc_array(archive->images, archive->n + 1,
					    sizeof(*archive->images));
	image = &archive->images[archive->n++];
	*image = (struct docker_image){.config = str_dup(config), .id = str_dup(id)};
	return image;
}

/* Docker takes only names with a tag here. */
static int add_name(struct docker_image *image, const char *name, struct err *err)
{
	cleanup_reference struct reference ref = REFERENCE_INIT;
	cleanup_free char *familiar = NULL;

	if (reference_parse(name, &ref, err) < 0)
		return -err->code;
	if (!ref.tag || ref.digest)
		return err_set(err, ERR_INVALID, "invalid tag \"%s\"", name);
	familiar = reference_format_familiar(&ref);
	if (image->names.n >= DOCKER_MAX_NAMES)
		return err_set(err, ERR_INVALID, "more than %d names", DOCKER_MAX_NAMES);
	if (!strv_has(&image->names, familiar))
		strv_add(&image->names, familiar);
	return 0;
}

/* ---- manifest.json ---- */

/* The layers of one entry; a second entry of the same image must name the same. */
static int set_layers(struct docker_image *image, struct strv *layers, bool is_new, struct err *err)
{
	if (layers->n > IMAGE_MAX_LAYERS)
		return err_set(err, ERR_INVALID, "more than %d layers", IMAGE_MAX_LAYERS);
	if (is_new) {
		image->layers = *layers;
		*layers = (struct strv)STRV_INIT;
		return 0;
	}
	bool is_same = layers->n == image->layers.n;

	for (size_t i = 0; is_same && i < layers->n; i++)
		is_same = strcmp(layers->items[i], image->layers.items[i]) == 0;
	return is_same ? 0
		       : err_set(err, ERR_INVALID, "%s is named twice with different layers",
				 image->config);
}

static int parse_item(const json_t *item, struct docker_archive *archive, struct err *err)
{
	cleanup_strv struct strv names = STRV_INIT;
	cleanup_strv struct strv layers = STRV_INIT;
	const char *config = NULL;
	size_t before = archive->n;
	struct docker_image *image = NULL;

	if (!json_is_object(item))
		return err_set(err, ERR_INVALID, "not an object");
	if (document_get_string(item, "Config", &config, err) < 0 ||
	    document_get_strings(item, "RepoTags", &names, err) < 0 ||
	    document_get_strings(item, "Layers", &layers, err) < 0)
		return -err->code;
	if (!config || !*config)
		return err_set(err, ERR_INVALID, "\"Config\" is missing");
	image = docker_archive_ensure(archive, config, NULL, err);
	if (!image || set_layers(image, &layers, archive->n > before, err) < 0)
		return -err->code;
	strv_foreach (i, &names)
		if (add_name(image, names.items[i], err) < 0)
			return -err->code;
	return 0;
}

int docker_manifest_parse(const char *text, size_t len, struct docker_archive *ret, struct err *err)
{
	cleanup_docker_archive struct docker_archive archive = DOCKER_ARCHIVE_INIT;
	cleanup_json json_t *doc = NULL;
	json_t *item = NULL;
	size_t i = 0;

	if (document_parse_list(text, len, DOCKER_MANIFEST, &doc, err) < 0)
		return -err->code;
	if (json_array_size(doc) > DOCKER_MAX_IMAGES)
		return err_set(err, ERR_INVALID, "more than %d images", DOCKER_MAX_IMAGES);
	json_array_foreach (doc, i, item) {
		if (parse_item(item, &archive, err) < 0)
			return err_wrap(err, DOCKER_MANIFEST ": image %zu", i);
	}
	*ret = archive;
	archive = (struct docker_archive)DOCKER_ARCHIVE_INIT;
	return 0;
}

/* ---- repositories ---- */

static int parse_tags(const char *repository, json_t *tags, struct docker_archive *archive,
		      struct err *err)
{
	const char *tag = NULL;
	json_t *id = NULL;

	if (!json_is_object(tags))
		return err_set(err, ERR_INVALID, "\"%s\" is not an object", repository);
	json_object_foreach (tags, tag, id) {
		cleanup_free char *name = str_printf("%s:%s", repository, tag);
		struct docker_image *image = NULL;

		if (!json_is_string(id) || !docker_legacy_id_is_valid(json_string_value(id)))
			return err_set(err, ERR_INVALID, "%s: not the id of a layer", name);
		image = docker_archive_ensure(archive, NULL, json_string_value(id), err);
		if (!image || add_name(image, name, err) < 0)
			return -err->code;
	}
	return 0;
}

int docker_repositories_parse(const char *text, size_t len, struct docker_archive *ret,
			      struct err *err)
{
	cleanup_docker_archive struct docker_archive archive = DOCKER_ARCHIVE_INIT;
	cleanup_json json_t *doc = NULL;
	const char *repository = NULL;
	json_t *tags = NULL;

	if (document_parse(text, len, DOCKER_REPOSITORIES, &doc, err) < 0)
		return -err->code;
	json_object_foreach (doc, repository, tags) {
		if (parse_tags(repository, tags, &archive, err) < 0)
			return err_wrap(err, DOCKER_REPOSITORIES);
	}
	*ret = archive;
	archive = (struct docker_archive)DOCKER_ARCHIVE_INIT;
	return 0;
}
