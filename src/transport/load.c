/* SPDX-License-Identifier: Apache-2.0 */
/* `load`: every image of an archive into the store, with docker's words. */
#include "transport/transport.h"

#include <string.h>

#include "base/mem.h"
#include "oci/reference.h"
#include "storage/image.h"
#include "transport/source.h"

/* Who had the names before. */
struct renamed {
	struct strv names; /* familiar */
	struct strv ids;   /* that had them before; "" for none */
};

static int look_up_names(struct store *store, const struct source_image *image,
			 struct renamed *before, struct err *err)
{
	strv_foreach (i, &image->names) {
		cleanup_image struct image old = IMAGE_INIT;

		if (image_lookup(store, image->names.items[i], &old, err) < 0)
			return -err->code;
		strv_add(&before->names, image->names.items[i]);
		strv_add(&before->ids, old.id);
	}
	return 0;
}

static void renamed_done(struct renamed *before)
{
	strv_done(&before->names);
	strv_done(&before->ids);
}

static void say_loaded(const struct renamed *before, const char *id,
		       const struct transport_report *report)
{
	strv_foreach (i, &before->names) {
		const char *name = before->names.items[i];
		const char *old = before->ids.items[i];
		cleanup_free char *line = str_printf("Loaded image: %s", name);

		if (*old && strcmp(old, id) != 0) {
			cleanup_free char *moved = str_printf(
				"The image %s already exists, renaming the old one with "
				"ID " DIGEST_PREFIX "%s to empty string",
				name, old);

			report_say(report, moved);
		}
		report_say(report, line);
	}
	if (before->names.n == 0) {
		cleanup_free char *line = str_printf("Loaded image ID: " DIGEST_PREFIX "%s", id);

		report_say(report, line);
	}
}

static void get_canonical(const struct strv *familiar, struct strv *ret)
{
	struct err ignored = ERR_INIT;

	strv_foreach (i, familiar) {
		cleanup_reference struct reference ref = REFERENCE_INIT;

		if (reference_parse(familiar->items[i], &ref, &ignored) == 0)
			strv_add_take(ret, reference_format(&ref));
	}
}

static int load_one(struct store *store, struct source *source, const struct source_image *image,
		    const struct platform *want, const struct transport_report *report,
		    struct err *err)
{
	cleanup_with(renamed_done) struct renamed before = {};
	cleanup_strv struct strv canonical = STRV_INIT;
	char id[DIGEST_HEX_LEN + 1];

	get_canonical(&image->names, &canonical);
	if (look_up_names(store, image, &before, err) < 0 ||
	    image_bring_in(store, source, image, &canonical, want, report, id, err) < 0)
		return -err->code;
	say_loaded(&before, id, report);
	return 0;
}

/* All images, or with WANT those that have something for it: at least one. */
static int load_all(struct store *store, struct source *source, const struct platform *want,
		    const struct transport_report *report, struct err *err)
{
	size_t n = 0;

	for (size_t i = 0; i < source->n_images; i++) {
		int rc = load_one(store, source, &source->images[i], want, report, err);

		if (rc < 0 && !(want && err->code == ERR_NOT_FOUND))
			return rc;
		n += rc == 0;
	}
	return n > 0 || source->n_images == 0 ? 0 : -err->code;
}

int image_load(struct store *store, int fd, const char *platform,
	       const struct transport_report *report, struct err *err)
{
	cleanup_source struct source source = SOURCE_INIT;
	struct platform want = {};

	source.store = store;
	platform_get_host(&want);
	if ((platform && platform_parse(platform, &want, err) < 0) ||
	    folder_open_archive(store, fd, NULL, &source.folder, err) < 0 ||
	    source_open_archive(&source, err) < 0 ||
	    source_filter_platform(&source, &want, err) < 0)
		return -err->code;
	return load_all(store, &source, platform ? &want : NULL, report, err);
}
