/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A digest may name what the layout's own index does not list, a manifest inside an index for one;
 * its blob is looked for then. Everything is verified on its way in (transport/).
 */
#include "build/layout.h"

#include "base/mem.h"
#include "base/str.h"
#include "oci/manifest.h"
#include "transport/source.h"
#include "transport/transport.h"

#include <string.h>

struct layout_ref {
	char *dir;
	char *tag;		      /* NULL */
	char hex[DIGEST_HEX_LEN + 1]; /* "" */
};

static void layout_ref_done(struct layout_ref *ref)
{
	free(ref->dir);
	free(ref->tag);
}

static int parse(const char *where, struct layout_ref *ret, struct err *err)
{
	const char *at = strrchr(where, '@');
	size_t len = at ? (size_t)(at - where) : strlen(where);
	char *name = NULL;
	char *colon = NULL;

	if (at && digest_parse(at + 1, ret->hex, err) < 0)
		return err_wrap(err, "oci-layout://%s", where);
	ret->dir = str_ndup(where, len);
	name = strrchr(ret->dir, '/');
	colon = strrchr(name ? name : ret->dir, ':');
	if (colon) {
		ret->tag = str_dup(colon + 1);
		*colon = '\0';
	}
	return 0;
}

/* The manifest with this digest becomes the source's only image. */
static int choose_digest(struct source *source, const char *hex, struct err *err)
{
	cleanup_blob_at struct blob_at at = BLOB_AT_INIT;
	struct descriptor d = DESCRIPTOR_INIT;
	struct source_image *image = NULL;

	for (size_t i = 0; i < source->n_images; i++)
		if (strcmp(source->images[i].target.hex, hex) == 0)
			descriptor_copy(&d, &source->images[i].target);
	if (!*d.hex) {
		memcpy(d.hex, hex, sizeof(d.hex));
		if (source->ops->open_blob(source, &d, &at, err) < 0)
			return err_set(err, ERR_NOT_FOUND, DIGEST_PREFIX "%s is not in it", hex);
		d.size = (int64_t)blob_at_get_size(&at);
	}
	for (size_t i = 0; i < source->n_images; i++)
		descriptor_done(&source->images[i].target);
	for (size_t i = 0; i < source->n_images; i++)
		strv_done(&source->images[i].names);
	source->n_images = 0;
	image = source_add_image(source);
	image->target = d;
	return 0;
}

static int choose(struct source *source, const struct layout_ref *ref, const struct platform *want,
		  struct err *err)
{
	const char *tag = ref->tag;

	if (*ref->hex)
		return choose_digest(source, ref->hex, err);
	if (!tag && source->n_images > 1)
		tag = "latest";
	return source_choose(source, tag, want, err);
}

static int find(struct store *store, const struct layout_ref *ref, const struct platform *want,
		char ret_id[static DIGEST_HEX_LEN + 1], struct err *err)
{
	cleanup_source struct source source = SOURCE_INIT;
	cleanup_strv struct strv no_names = STRV_INIT;

	source.store = store;
	if (folder_open_dir(ref->dir, &source.folder, err) < 0 ||
	    source_open_layout(&source, err) < 0 || choose(&source, ref, want, err) < 0)
		return -err->code;
	return image_bring_in(store, &source, &source.images[0], &no_names, want, NULL, ret_id,
			      err);
}

int layout_find_image(struct store *store, const char *where, const struct platform *want,
		      struct image *ret, struct err *err)
{
	cleanup_with(layout_ref_done) struct layout_ref ref = {};
	cleanup_free char *name = NULL;
	char id[DIGEST_HEX_LEN + 1];

	if (parse(where, &ref, err) < 0)
		return -err->code;
	if (find(store, &ref, want, id, err) < 0)
		return err_wrap(err, "oci-layout://%s", where);
	name = str_printf(DIGEST_PREFIX "%s", id);
	return image_find(store, name, ret, err);
}
