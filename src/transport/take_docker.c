/* SPDX-License-Identifier: Apache-2.0 */
/* Writing one image as a docker archive. */
#include "base/mem.h"
#include "oci/reference.h"
#include "transport/docker_out.h"
#include "transport/new_file.h"
#include "transport/parts.h"
#include "transport/source.h"
#include "transport/transport.h"

#include <string.h>

/* The canonical name that the user gave it; none is fine. */
static int get_names(const struct place *place, struct strv *ret, struct err *err)
{
	cleanup_reference struct reference ref = REFERENCE_INIT;

	if (!place->image)
		return 0;
	if (reference_parse(place->image, &ref, err) < 0)
		return -err->code;
	if (ref.digest)
		return err_set(err, ERR_INVALID, "an archive cannot name an image by digest: %s",
			       place->image);
	reference_ensure_tag(&ref);
	strv_add_take(ret, reference_format(&ref));
	return 0;
}

static int write_image(struct source *source, const struct image_parts *parts,
		       const struct strv *names, const char *path,
		       const struct transport_report *report, struct err *err)
{
	cleanup_docker_out struct docker_out out = {};
	cleanup_new_file struct new_file file = NEW_FILE_INIT;

	docker_out_init(&out);
	docker_out_add(&out, source, parts, names);
	if (new_file_open_any(path, 0644, &file, err) < 0 ||
	    docker_out_write(&out, source->store, file.fd, report, err) < 0)
		return -err->code;
	report_say(report, "Writing manifest to image destination");
	return new_file_commit(&file, true, err);
}

int take_docker_archive(const struct place *place, struct source *source,
			struct source_image *image, const struct platform *want,
			const struct transport_report *report, struct err *err)
{
	cleanup_image_parts struct image_parts parts = IMAGE_PARTS_INIT;
	cleanup_strv struct strv names = STRV_INIT;

	/* A docker archive's layers are found by the digests that describing it computes. */
	if (get_names(place, &names, err) < 0 || source_describe(source, image, report, err) < 0 ||
	    image_parts_read(source, image, want, &parts, err) < 0 ||
	    image_parts_ensure_sizes(source->store, &parts, report, err) < 0)
		return -err->code;
	return write_image(source, &parts, &names, place->path, report, err);
}
