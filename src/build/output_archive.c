/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Images as archives: type=oci is a layout, type=docker what `save` writes. The image is made in
 * the store, where its layers' archives are kept anyway, handed out as any other, and taken away
 * again when it was not there before.
 */
#include "base/mem.h"
#include "build/build_private.h"
#include "engine/engine.h"
#include "oci/reference.h"
#include "storage/image.h"
#include "transport/docker_out.h"
#include "transport/new_file.h"
#include "transport/parts.h"
#include "transport/source.h"
#include "transport/transport.h"

#include <unistd.h>

#define STDOUT_PATH "/dev/stdout"

struct archive_job {
	struct output *o;
	struct source source;
	const char *path;
};

static char *familiar(const char *name)
{
	cleanup_reference struct reference ref = REFERENCE_INIT;
	struct err ignored = ERR_INIT;

	return name && reference_parse(name, &ref, &ignored) == 0 ? reference_format_familiar(&ref)
								  : NULL;
}

static int write_oci(struct archive_job *job, bool is_dir, struct err *err)
{
	struct output *o = job->o;
	struct place place = {.path = str_dup(job->path),
			      .image = familiar(o->names.n ? o->names.items[0] : NULL)};
	int rc = (is_dir ? take_layout : take_layout_archive)(
		&place, &job->source, &job->source.images[0], NULL, NULL, err);

	free(place.path);
	free(place.image);
	return rc;
}

static int write_docker_to(struct archive_job *job, int fd, struct err *err)
{
	cleanup_image_parts struct image_parts parts = IMAGE_PARTS_INIT;
	cleanup_docker_out struct docker_out out = {};
	struct store *store = job->source.store;

	docker_out_init(&out);
	if (image_parts_read(&job->source, &job->source.images[0], NULL, &parts, err) < 0 ||
	    image_parts_ensure_sizes(store, &parts, NULL, err) < 0)
		return -err->code;
	docker_out_add(&out, &job->source, &parts, &job->o->names);
	return docker_out_write(&out, store, fd, NULL, err);
}

static int write_docker(struct archive_job *job, struct err *err)
{
	cleanup_new_file struct new_file file = NEW_FILE_INIT;

	if (new_file_open_any(job->path, 0644, &file, err) < 0 ||
	    write_docker_to(job, file.fd, err) < 0)
		return -err->code;
	return new_file_commit(&file, false, err);
}

/* Layers go out plain, which every reader takes, unless something is said. Several platforms are
 * handed out as the store has them then. */
static const char *get_format(const struct output *o, const struct build_attributes *a)
{
	const char *how = build_attributes_get(a, "compression");

	if (!how)
		return o->n > 1 ? NULL : "plain";
	return strcmp(how, "uncompressed") == 0 ? "plain" : how;
}

/* An image of the store; for several platforms, the index of all of them in its place. */
static int open_source(struct output *o, const struct build_attributes *a, struct source *ret,
		       struct err *err)
{
	cleanup_free char *id = str_printf(DIGEST_PREFIX "%s", o->images[0].id);

	ret->store = o->b->engine->store;
	if (source_open_store(id, ret, err) < 0)
		return -err->code;
	return strcmp(a->type, "oci") == 0 ? output_set_index(o, get_format(o, a), ret, err) : 0;
}

static int write_archive(struct output *o, const struct build_attributes *a, struct err *err)
{
	struct archive_job job = {.o = o, .source = SOURCE_INIT};
	bool is_oci = strcmp(a->type, "oci") == 0;
	const char *tar = build_attributes_get(a, "tar");
	int rc = open_source(o, a, &job.source, err);

	job.path = build_attributes_get(a, "dest");
	if (strcmp(job.path, "-") == 0) {
		rc = rc == 0 ? output_to_console(a->type, err) : rc;
		job.path = STDOUT_PATH;
	}
	if (rc == 0)
		rc = is_oci ? write_oci(&job, tar && !build_attributes_is_true(a, "tar"), err)
			    : write_docker(&job, err);
	source_done(&job.source);
	return rc;
}

int output_archive(struct output *o, const struct build_attributes *a, struct err *err)
{
	cleanup_free char *name = str_printf("exporting to %s image format", a->type);
	size_t vertex = 0;
	int rc = 0;

	if (o->b->graph.n_images > 1 && strcmp(a->type, "docker") == 0)
		return err_set(err, ERR_UNSUPPORTED,
			       "docker exporter does not currently support exporting manifest "
			       "lists");
	if (output_make_images(o, err) < 0)
		return -err->code;
	vertex = vertex_begin(o->b, name);
	rc = write_archive(o, a, err);
	vertex_end(o->b, vertex, name, rc < 0 ? BUILD_EVENT_STEP_FAILED : BUILD_EVENT_STEP_DONE,
		   rc < 0 ? err->msg : NULL);
	return rc;
}
