/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `save`. First it is found out what is meant: an image by name or id, all names of a repository;
 * an image that is meant twice is written once, with all the names. Then everything is written at
 * once.
 */
#include "transport/transport.h"

#include <string.h>

#include "base/mem.h"
#include "oci/platform.h"
#include "oci/reference.h"
#include "storage/image.h"
#include "storage/image_names.h"
#include "transport/docker_out.h"
#include "transport/parts.h"
#include "transport/source.h"

struct saved {
	char id[DIGEST_HEX_LEN + 1];
	struct strv names; /* canonical */
	struct source source;
};

struct saving {
	struct store *store;
	struct saved **images; /* owned; pointers, because blobs are read from them later */
	size_t n;
};

static void saving_done(struct saving *s)
{
	for (size_t i = 0; i < s->n; i++) {
		strv_done(&s->images[i]->names);
		source_done(&s->images[i]->source);
		free(s->images[i]);
	}
	free(s->images);
}

/* Adds the image and, when NAME is not NULL, the name to be saved with it. */
static void add(struct saving *s, const char *id, const char *name)
{
	struct saved *image = NULL;

	for (size_t i = 0; i < s->n; i++)
		if (strcmp(s->images[i]->id, id) == 0)
			image = s->images[i];
	if (!image) {
		image = mem_zalloc(sizeof(*image));
		image->source = (struct source)SOURCE_INIT;
		image->source.store = s->store;
		memcpy(image->id, id, sizeof(image->id));
		s->images = mem_realloc_array(s->images, s->n + 1, sizeof(struct saved *));
		s->images[s->n++] = image;
	}
	if (name && !strv_has(&image->names, name))
		strv_add(&image->names, name);
}

static int add_found(struct saving *s, const char *text, struct err *err)
{
	cleanup_image struct image image = IMAGE_INIT;

	int rc = image_lookup(s->store, text, &image, err);

	if (rc < 0)
		return rc;
	if (rc == 0)
		return err_set(err, ERR_NOT_FOUND, "%s: reference does not exist", text);
	/* What was found by digest has no tag to be saved with. */
	add(s, image.id, image.reference && !strchr(image.reference, '@') ? image.reference : NULL);
	return 0;
}

/* Docker: a name without a tag means every tag of that repository. */
static int add_argument(struct saving *s, const char *text, struct err *err)
{
	cleanup_reference struct reference ref = REFERENCE_INIT;
	cleanup_strv struct strv names = STRV_INIT;
	cleanup_free char *repository = NULL;
	struct err ignored = ERR_INIT;

	if (digest_is_valid(text) || reference_parse(text, &ref, &ignored) < 0 || ref.tag ||
	    ref.digest)
		return add_found(s, text, err);
	repository = reference_format_name(&ref);
	if (image_list_names(s->store, repository, &names, err) < 0)
		return -err->code;
	strv_foreach (i, &names)
		if (add_found(s, names.items[i], err) < 0)
			return -err->code;
	if (names.n || add_found(s, text, err) == 0)
		return 0;
	return err->code == ERR_NOT_FOUND ? err_set(err, ERR_NOT_FOUND, "No such image: %s", text)
					  : -err->code;
}

/* docker's words for an image that is there, but not for the platform that was asked for. */
static int no_platform(const struct platform *want, const char *id, struct err *err)
{
	char shown[PLATFORM_LEN];

	if (!want || err->code != ERR_NOT_FOUND)
		return -err->code;
	return err_set(err, ERR_NOT_FOUND,
		       "image with reference " DIGEST_PREFIX
		       "%s was found but does not provide the specified platform (%s)",
		       id, platform_format(want, shown));
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int read_image(struct saved *image, const struct platform *want,
		      const struct transport_report *report, struct docker_out *out,
		      struct err *err)
{
	cleanup_image_parts struct image_parts parts = IMAGE_PARTS_INIT;
	cleanup_free char *id = str_printf(DIGEST_PREFIX "%s", image->id);
	/* The other platforms are what the name came with, not the image. */
	const char *opened = want && image->names.n ? image->names.items[0] : id;

	if (source_open_store(opened, &image->source, err) < 0)
		return -err->code;
	if (image_parts_read(&image->source, &image->source.images[0], want, &parts, err) < 0)
		return no_platform(want, image->id, err);
	if (image_parts_ensure_sizes(image->source.store, &parts, report, err) < 0)
		return -err->code;
	if (image->names.n > 1)
		qsort(image->names.items, image->names.n, sizeof(char *), compare_names);
	docker_out_add(out, &image->source, &parts, &image->names);
	return 0;
}

static int compare_images(const void *a, const void *b)
{
	return strcmp((*(struct saved *const *)a)->id, (*(struct saved *const *)b)->id);
}

int image_save(struct store *store, const struct strv *names, const char *platform, int fd,
	       const struct transport_report *report, struct err *err)
{
	cleanup_with(saving_done) struct saving s = {.store = store};
	cleanup_docker_out struct docker_out out = {};
	struct platform want = {};

	docker_out_init(&out);
	if (platform && platform_parse(platform, &want, err) < 0)
		return -err->code;
	strv_foreach (i, names)
		if (add_argument(&s, names->items[i], err) < 0)
			return -err->code;
	/* The archive does not depend on the order of asking. */
	if (s.n > 1)
		qsort(s.images, s.n, sizeof(struct saved *), compare_images);
	for (size_t i = 0; i < s.n; i++)
		if (read_image(s.images[i], platform ? &want : NULL, report, &out, err) < 0)
			return -err->code;
	return docker_out_write(&out, store, fd, report, err);
}
