/* SPDX-License-Identifier: Apache-2.0 */
/*
 * OCI layouts, as a directory or in an archive, and skopeo's directories: both have files whose
 * names are digests and one document to begin with.
 */
#include "transport/source.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "oci/reference.h"

#define BLOB_PATH_LEN (sizeof("blobs/sha256/") + DIGEST_HEX_LEN + sizeof(".manifest.json"))

/* ---- layouts ---- */

static int open_layout_blob(struct source *source, const struct descriptor *d, struct blob_at *ret,
			    struct err *err)
{
	char path[BLOB_PATH_LEN];

	snprintf(path, sizeof(path), "blobs/sha256/%s", d->hex);
	return folder_find(&source->folder, path, ret, err);
}

static const struct source_ops layout_ops = {.open_blob = open_layout_blob};

/* containerd's annotation, or the layout's own where it is a whole name: "latest" alone is none. */
static void add_name(struct source_image *image)
{
	cleanup_reference struct reference ref = REFERENCE_INIT;
	const struct descriptor *d = &image->target;
	const char *name = d->image_name;
	struct err ignored = ERR_INIT;

	if (!name && d->ref_name && strpbrk(d->ref_name, "/:"))
		name = d->ref_name;
	if (!name || reference_parse(name, &ref, &ignored) < 0 || ref.digest)
		return;
	reference_ensure_tag(&ref);
	strv_add_take(&image->names, reference_format_familiar(&ref));
}

/* Entries of one manifest that differ in their names are one image with several names. */
static struct source_image *ensure_image(struct source *source, const struct descriptor *d)
{
	for (size_t i = 0; i < source->n_images; i++)
		if (strcmp(source->images[i].target.hex, d->hex) == 0 &&
		    str_is_equal(source->images[i].target.ref_name, d->ref_name))
			return &source->images[i];
	return source_add_image(source);
}

int source_open_layout(struct source *ret, struct err *err)
{
	cleanup_manifest struct manifest index = MANIFEST_INIT;
	cleanup_str struct str text = STR_INIT;

	ret->ops = &layout_ops;
	if (folder_read(&ret->folder, "index.json", &text, err) < 0 ||
	    manifest_parse(str_get(&text), text.len, NULL, "index.json", &index, err) < 0)
		return -err->code;
	if (!index.is_index)
		return err_set(err, ERR_INVALID, "index.json: ambiguous manifest");
	for (size_t i = 0; i < index.n_entries; i++) {
		struct source_image *image = ensure_image(ret, &index.entries[i]);

		descriptor_copy(&image->target, &index.entries[i]);
		add_name(image);
	}
	return 0;
}

/* ---- skopeo's directories ---- */

static int open_dir_blob(struct source *source, const struct descriptor *d, struct blob_at *ret,
			 struct err *err)
{
	char path[BLOB_PATH_LEN];
	int rc = source_open_made(source, d, ret, err);

	if (rc != 0)
		return rc < 0 ? rc : 0;
	if (folder_has(&source->folder, d->hex))
		return folder_find(&source->folder, d->hex, ret, err);
	snprintf(path, sizeof(path), "%s.manifest.json", d->hex);
	return folder_find(&source->folder, path, ret, err);
}

static const struct source_ops dir_ops = {.open_blob = open_dir_blob};

int source_open_dir(struct source *ret, struct err *err)
{
	cleanup_manifest struct manifest m = MANIFEST_INIT;
	cleanup_str struct str text = STR_INIT;
	struct source_image *image = NULL;

	ret->ops = &dir_ops;
	if (folder_read(&ret->folder, "manifest.json", &text, err) < 0 ||
	    manifest_parse(str_get(&text), text.len, NULL, "manifest.json", &m, err) < 0)
		return -err->code;
	image = source_add_image(ret);
	source_add_text(ret, str_get(&text), text.len, image->target.hex);
	image->target.size = (int64_t)text.len;
	image->target.media_type = str_dup(m.media_type);
	return 0;
}

int source_open_archive(struct source *ret, struct err *err)
{
	if (folder_has(&ret->folder, DOCKER_MANIFEST) ||
	    folder_has(&ret->folder, DOCKER_REPOSITORIES))
		return source_open_docker(ret, err);
	if (folder_has(&ret->folder, "index.json"))
		return source_open_layout(ret, err);
	/* An old archive of an image without a name has layers and nothing else. */
	return source_open_docker(ret, err);
}
