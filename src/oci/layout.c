/* SPDX-License-Identifier: Apache-2.0 */
/*
 * OCI image layouts. A path inside the layout is made only from 64 checked digits and is opened
 * beneath the layout's directory, never through a symlink. A document that could be read as two
 * things (CVE-2021-41190) is refused.
 */
#include "oci/layout.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/mem.h"
#include "oci/document.h"
#include "oci/image_config.h"
#include "sys/path.h"

#define MEDIA_INDEX	  "application/vnd.oci.image.index.v1+json"
#define MEDIA_MANIFEST	  "application/vnd.oci.image.manifest.v1+json"
#define MEDIA_CONFIG	  "application/vnd.oci.image.config.v1+json"
#define MEDIA_DOCKER_LIST "application/vnd.docker.distribution.manifest.list.v2+json"
#define MEDIA_DOCKER	  "application/vnd.docker.distribution.manifest.v2+json"
#define MEDIA_DOCKER_CONF "application/vnd.docker.container.image.v1+json"
#define MAX_MANIFESTS	  1000
#define MAX_INDEX_DEPTH	  3 /* an index may name an index */

struct descriptor {
	const char *media_type; /* borrowed from the document; NULL when absent */
	char hex[DIGEST_HEX_LEN + 1];
	json_int_t size;
};

const char *layout_host_arch(void)
{
#if defined(__x86_64__)
	return "amd64";
#elif defined(__aarch64__)
	return "arm64";
#elif defined(__riscv)
	return "riscv64";
#elif defined(__powerpc64__)
	return "ppc64le";
#elif defined(__s390x__)
	return "s390x";
#else
	return "unknown";
#endif
}

static bool is_index_type(const char *type)
{
	return str_is_equal(type, MEDIA_INDEX) || str_is_equal(type, MEDIA_DOCKER_LIST);
}

static bool is_manifest_type(const char *type)
{
	return str_is_equal(type, MEDIA_MANIFEST) || str_is_equal(type, MEDIA_DOCKER);
}

static int parse_descriptor(const json_t *doc, struct descriptor *ret, struct err *err)
{
	const char *digest = NULL;
	json_t *urls = NULL;

	if (!json_is_object(doc))
		return err_set(err, ERR_INVALID, "a descriptor is missing");
	if (document_get_string(doc, "mediaType", &ret->media_type, err) < 0 ||
	    document_get_string(doc, "digest", &digest, err) < 0 ||
	    document_get_int(doc, "size", &ret->size, err) < 0 ||
	    document_get_array(doc, "urls", &urls, err) < 0 ||
	    digest_parse(digest, ret->hex, err) < 0)
		return -err->code;
	if (ret->size < 0)
		return err_set(err, ERR_INVALID, "\"size\" is negative");
	if (json_array_size(urls) > 0)
		return err_set(err, ERR_UNSUPPORTED,
			       "layers that live at other places are not taken");
	return 0;
}

static int open_blob(int dir_fd, const char *hex, int64_t size, struct err *err)
{
	cleanup_close int fd = -1;
	char path[sizeof("blobs/sha256/") + DIGEST_HEX_LEN];
	struct stat st = {};

	snprintf(path, sizeof(path), "blobs/sha256/%s", hex);
	fd = path_open_beneath(dir_fd, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0);
	if (fd < 0)
		return err_sys(err, -fd, "open %s", path);
	if (fstat(fd, &st) < 0)
		return err_sys(err, errno, "stat %s", path);
	if (!S_ISREG(st.st_mode))
		return err_set(err, ERR_INVALID, "%s is not a regular file", path);
	if (st.st_size != size)
		return err_set(err, ERR_INVALID,
			       "%s has %lld bytes, not the %lld of its descriptor", path,
			       (long long)st.st_size, (long long)size);
	return take_fd(fd);
}

/* A whole small blob, verified. */
static int read_blob(int dir_fd, const struct descriptor *d, struct str *ret, struct err *err)
{
	cleanup_close int fd = -1;
	int rc = 0;

	if (d->size > (json_int_t)DOCUMENT_MAX_SIZE)
		return err_set(err, ERR_INVALID, "blob %s is larger than %zu bytes", d->hex,
			       DOCUMENT_MAX_SIZE);
	fd = open_blob(dir_fd, d->hex, d->size, err);
	if (fd < 0)
		return fd;
	rc = fd_read_all(fd, DOCUMENT_MAX_SIZE, ret);
	if (rc < 0)
		return err_sys(err, -rc, "read blob %s", d->hex);
	if (!digest_is_of(d->hex, str_get(ret), ret->len))
		return err_set(err, ERR_INVALID, "blob %s is damaged: its digest is another",
			       d->hex);
	return 0;
}

/* Refuses what says it is one thing and looks like another. EXPECTED is the descriptor's media
 * type, NULL for index.json itself. */
static int check_kind(const json_t *doc, const char *expected, bool *ret_is_index, struct err *err)
{
	bool has_manifests = json_object_get(doc, "manifests");
	bool has_layers = json_object_get(doc, "layers") || json_object_get(doc, "config") ||
			  json_object_get(doc, "fsLayers");
	const char *type = NULL;

	if (document_get_string(doc, "mediaType", &type, err) < 0)
		return -err->code;
	if (has_manifests == has_layers || (type && expected && strcmp(type, expected) != 0) ||
	    (has_manifests && (is_manifest_type(type) || is_manifest_type(expected))) ||
	    (has_layers && (is_index_type(type) || is_index_type(expected))))
		return err_set(err, ERR_INVALID, "ambiguous manifest");
	*ret_is_index = has_manifests;
	return 0;
}

/* Whether an index entry is for linux/ARCH. Attestations are marked unknown/unknown. */
static bool is_for(const json_t *entry, const char *arch, bool is_only)
{
	const json_t *platform = json_object_get(entry, "platform");
	const char *os = json_string_value(json_object_get(platform, "os"));
	const char *machine = json_string_value(json_object_get(platform, "architecture"));

	if (!json_is_object(platform))
		return is_only;
	return str_is_equal(os, "linux") && str_is_equal(machine, arch);
}

static int choose_manifest(const json_t *index, const char *arch, struct descriptor *ret,
			   struct err *err)
{
	json_t *list = NULL;
	json_t *entry = NULL;
	size_t i = 0;

	if (document_get_array(index, "manifests", &list, err) < 0)
		return -err->code;
	if (json_array_size(list) > MAX_MANIFESTS)
		return err_set(err, ERR_INVALID, "more than %d manifests", MAX_MANIFESTS);
	json_array_foreach (list, i, entry) {
		if (is_for(entry, arch, json_array_size(list) == 1))
			return parse_descriptor(entry, ret, err);
	}
	return err_set(err, ERR_NOT_FOUND, "no image for linux/%s in it", arch);
}

static int parse_layers(const json_t *manifest, struct layout_image *image, struct err *err)
{
	json_t *list = NULL;
	json_t *entry = NULL;
	size_t i = 0;

	if (document_get_array(manifest, "layers", &list, err) < 0)
		return -err->code;
	if (json_array_size(list) > IMAGE_MAX_LAYERS)
		return err_set(err, ERR_INVALID, "more than %d layers", IMAGE_MAX_LAYERS);
	image->layers = mem_zalloc(json_array_size(list) * sizeof(*image->layers));
	json_array_foreach (list, i, entry) {
		struct descriptor d = {};
		struct layout_layer *layer = &image->layers[image->n_layers];

		if (parse_descriptor(entry, &d, err) < 0)
			return err_wrap(err, "layer %zu", i);
		memcpy(layer->hex, d.hex, sizeof(layer->hex));
		layer->size = d.size;
		image->n_layers++;
	}
	return 0;
}

static int read_manifest(int dir_fd, const json_t *manifest, struct layout_image *image,
			 struct err *err)
{
	struct descriptor config = {};

	if (parse_descriptor(json_object_get(manifest, "config"), &config, err) < 0)
		return err_wrap(err, "config");
	if (config.media_type && strcmp(config.media_type, MEDIA_CONFIG) != 0 &&
	    strcmp(config.media_type, MEDIA_DOCKER_CONF) != 0)
		return err_set(err, ERR_UNSUPPORTED, "not a container image but %s",
			       config.media_type);
	memcpy(image->config_hex, config.hex, sizeof(image->config_hex));
	if (parse_layers(manifest, image, err) < 0)
		return -err->code;
	return read_blob(dir_fd, &config, &image->config, err);
}

/* Follows DOC, which is index.json, down to a manifest. */
static int follow(int dir_fd, json_t **doc, const char *arch, struct err *err)
{
	for (int depth = 0; depth < MAX_INDEX_DEPTH; depth++) {
		cleanup_str struct str text = STR_INIT;
		cleanup_json json_t *next = NULL;
		struct descriptor d = {};
		bool is_index = false;

		if (choose_manifest(*doc, arch, &d, err) < 0 ||
		    read_blob(dir_fd, &d, &text, err) < 0 ||
		    document_parse(str_get(&text), text.len, "manifest", &next, err) < 0 ||
		    check_kind(next, d.media_type, &is_index, err) < 0)
			return -err->code;
		document_unref(doc);
		*doc = take_ptr(next);
		if (!is_index)
			return 0;
	}
	return err_set(err, ERR_INVALID, "indexes nested deeper than %d", MAX_INDEX_DEPTH);
}

static int read_index(int dir_fd, json_t **ret, struct err *err)
{
	cleanup_str struct str text = STR_INIT;
	cleanup_close int fd = path_open_beneath(dir_fd, "index.json",
						 O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0);
	bool is_index = false;
	int rc = fd;

	if (fd >= 0)
		rc = fd_read_all(fd, DOCUMENT_MAX_SIZE, &text);
	if (rc < 0)
		return err_sys(err, -rc, "read index.json");
	if (document_parse(str_get(&text), text.len, "index.json", ret, err) < 0 ||
	    check_kind(*ret, NULL, &is_index, err) < 0)
		return -err->code;
	if (!is_index)
		return err_set(err, ERR_INVALID, "ambiguous manifest");
	return 0;
}

int layout_read_image(int dir_fd, const char *arch, struct layout_image *ret, struct err *err)
{
	cleanup_layout_image struct layout_image image = LAYOUT_IMAGE_INIT;
	cleanup_json json_t *doc = NULL;

	if (read_index(dir_fd, &doc, err) < 0 || follow(dir_fd, &doc, arch, err) < 0 ||
	    read_manifest(dir_fd, doc, &image, err) < 0)
		return err_wrap(err, "image layout");
	*ret = image;
	image = (struct layout_image)LAYOUT_IMAGE_INIT;
	return 0;
}

int layout_open_layer(int dir_fd, const struct layout_layer *layer, struct err *err)
{
	return open_blob(dir_fd, layer->hex, layer->size, err);
}

void layout_image_done(struct layout_image *image)
{
	str_done(&image->config);
	free(image->layers);
	*image = (struct layout_image)LAYOUT_IMAGE_INIT;
}
