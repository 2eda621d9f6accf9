/* SPDX-License-Identifier: Apache-2.0 */
/*
 * OCI image layouts. A path inside the layout is made only from 64 checked digits and is opened
 * beneath the layout's directory, never through a symlink.
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
#include "oci/manifest.h"
#include "sys/path.h"

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

	if (d->size > (int64_t)DOCUMENT_MAX_SIZE)
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

static void take_layers(const struct manifest *manifest, struct layout_image *image)
{
	image->layers = mem_zalloc(manifest->n_entries * sizeof(*image->layers));
	for (size_t i = 0; i < manifest->n_entries; i++) {
		struct layout_layer *layer = &image->layers[image->n_layers++];

		memcpy(layer->hex, manifest->entries[i].hex, sizeof(layer->hex));
		layer->size = manifest->entries[i].size;
	}
}

static int read_manifest(int dir_fd, const struct manifest *manifest, struct layout_image *image,
			 struct err *err)
{
	if (!manifest_is_image(manifest))
		return err_set(err, ERR_UNSUPPORTED, "not a container image but %s",
			       manifest->config.media_type);
	memcpy(image->config_hex, manifest->config.hex, sizeof(image->config_hex));
	take_layers(manifest, image);
	return read_blob(dir_fd, &manifest->config, &image->config, err);
}

/* The manifest or index that entry D names. */
static int read_entry(int dir_fd, const struct descriptor *d, struct manifest *ret, struct err *err)
{
	cleanup_str struct str text = STR_INIT;

	if (read_blob(dir_fd, d, &text, err) < 0)
		return -err->code;
	return manifest_parse(str_get(&text), text.len, d->media_type, "manifest", ret, err);
}

/* Follows M, which is index.json, down to a manifest. */
static int follow(int dir_fd, struct manifest *m, const char *arch, struct err *err)
{
	struct platform want = {};

	platform_set(&want, "linux", arch, NULL);
	for (int depth = 0; depth < MANIFEST_MAX_DEPTH; depth++) {
		const struct descriptor *d = manifest_choose(m, &want);
		struct manifest next = MANIFEST_INIT;

		if (!d)
			return err_set(err, ERR_NOT_FOUND, "no image for linux/%s in it", arch);
		if (read_entry(dir_fd, d, &next, err) < 0)
			return -err->code;
		manifest_done(m);
		*m = next;
		if (!m->is_index)
			return 0;
	}
	return err_set(err, ERR_INVALID, "indexes nested deeper than %d", MANIFEST_MAX_DEPTH);
}

static int read_index(int dir_fd, struct manifest *ret, struct err *err)
{
	cleanup_str struct str text = STR_INIT;
	cleanup_close int fd = path_open_beneath(dir_fd, "index.json",
						 O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0);
	int rc = fd;

	if (fd >= 0)
		rc = fd_read_all(fd, DOCUMENT_MAX_SIZE, &text);
	if (rc < 0)
		return err_sys(err, -rc, "read index.json");
	if (manifest_parse(str_get(&text), text.len, NULL, "index.json", ret, err) < 0)
		return -err->code;
	if (!ret->is_index)
		return err_set(err, ERR_INVALID, "ambiguous manifest");
	return 0;
}

int layout_read_image(int dir_fd, const char *arch, struct layout_image *ret, struct err *err)
{
	cleanup_layout_image struct layout_image image = LAYOUT_IMAGE_INIT;
	cleanup_manifest struct manifest manifest = MANIFEST_INIT;

	if (read_index(dir_fd, &manifest, err) < 0 || follow(dir_fd, &manifest, arch, err) < 0 ||
	    read_manifest(dir_fd, &manifest, &image, err) < 0)
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
