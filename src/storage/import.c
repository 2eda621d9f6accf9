/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two ways in for an image: an archive of a root filesystem, for which a configuration is made, and
 * a layout that comes with the program. storage/incoming.h does the rest.
 */
#include "storage/import.h"

#include <fcntl.h>
#include <string.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "oci/image_config.h"
#include "oci/layout.h"
#include "oci/reference.h"
#include "storage/image_private.h"
#include "storage/incoming.h"

#define OFFICIAL "library/"

/* "linux/arm64/v8", "arm64", "linux" */
static int set_platform(struct image_config *config, const char *platform, struct err *err)
{
	cleanup_strv struct strv parts = STRV_INIT;
	const char *arch = layout_host_arch();

	str_replace(&config->os, "linux");
	if (platform && *platform)
		strv_split(&parts, platform, '/');
	if (parts.n > 3 || strv_has(&parts, ""))
		return err_set(err, ERR_INVALID, "\"%s\": unknown operating system or architecture",
			       platform);
	if (parts.n == 1 && strcmp(parts.items[0], "linux") != 0)
		arch = parts.items[0];
	if (parts.n >= 2) {
		arch = parts.items[1];
		if (strcmp(parts.items[0], "linux") != 0)
			return err_set(err, ERR_UNSUPPORTED,
				       "operating system \"%s\" is not supported", parts.items[0]);
	}
	str_replace(&config->architecture, arch);
	str_replace(&config->variant, parts.n == 3 ? parts.items[2] : NULL);
	return 0;
}

static int parse_name(const char *reference, char **ret, struct err *err)
{
	cleanup_reference struct reference ref = REFERENCE_INIT;

	if (!reference || !*reference)
		return 0;
	if (reference_parse(reference, &ref, err) < 0)
		return -err->code;
	if (ref.digest)
		return err_set(err, ERR_INVALID, "cannot import digest reference");
	*ret = image_canonical(&ref);
	return 0;
}

static int make_config(const struct import_request *request, struct image_config *config,
		       struct err *err)
{
	const char *message = request->message && *request->message ? request->message
								    : "Imported from -";
	char now[CLOCK_RFC3339_LEN];
	struct image_history *history = NULL;

	if (set_platform(config, request->platform, err) < 0)
		return -err->code;
	if (request->run) {
		config->run = *request->run;
		*request->run = (struct image_run){};
	}
	clock_format_rfc3339(clock_real_ns(), now);
	str_replace(&config->created, now);
	str_replace(&config->comment, message);
	history = image_config_add_history(config);
	history->created = str_dup(now);
	history->comment = str_dup(message);
	return 0;
}

static int import_archive(struct incoming *in, const struct import_request *request,
			  struct image_config *config, struct err *err)
{
	const struct layer_source source = {
		.fd = request->archive_fd, .length = UNPACK_STREAM, .raw_size = -1};
	cleanup_free char *text = NULL;

	if (incoming_add_layers(in, &source, 1, request->progress, request->progress_data, NULL,
				err) < 0)
		return -err->code;
	strv_addf(&config->diff_ids, DIGEST_PREFIX "%s", incoming_get_diff_id(in, 0));
	text = image_config_format(config);
	return incoming_set_config(in, text, strlen(text), err);
}

int image_import(struct store *store, const struct import_request *request,
		 char ret_id[static DIGEST_HEX_LEN + 1], struct err *err)
{
	cleanup_incoming struct incoming *in = NULL;
	cleanup_image_config struct image_config config = IMAGE_CONFIG_INIT;
	cleanup_free char *name = NULL;

	if (parse_name(request->reference, &name, err) < 0 ||
	    make_config(request, &config, err) < 0 || incoming_begin(store, &in, err) < 0 ||
	    import_archive(in, request, &config, err) < 0)
		return -err->code;
	if (name)
		incoming_add_name(in, name);
	if (incoming_commit(in, err) < 0)
		return -err->code;
	memcpy(ret_id, incoming_get_id(in), DIGEST_HEX_LEN + 1);
	return 0;
}

/* The layout directory of a bundled image: 1 and a descriptor, or 0. */
static int open_bundle(const struct reference *ref, const char *images_dir, int *ret_fd)
{
	cleanup_free char *path = NULL;

	if (strcmp(ref->domain, "docker.io") != 0 || !str_has_prefix(ref->path, OFFICIAL) ||
	    strchr(ref->path + strlen(OFFICIAL), '/') || ref->digest ||
	    (ref->tag && strcmp(ref->tag, REFERENCE_DEFAULT_TAG) != 0))
		return 0;
	path = str_printf("%s/%s", images_dir, ref->path + strlen(OFFICIAL));
	/* lint: path chosen by the engine */
	*ret_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return *ret_fd >= 0;
}

static void close_sources(struct layer_source *sources, size_t n)
{
	for (size_t i = 0; i < n; i++)
		fd_cleanup_close(&sources[i].fd);
}

static int add_bundled_layers(struct incoming *in, int dir_fd, const struct layout_image *image,
			      struct err *err)
{
	cleanup_free struct layer_source *sources = mem_zalloc((image->n_layers + 1) *
							       sizeof(*sources));
	int rc = 0;
	size_t n = 0;

	for (; rc >= 0 && n < image->n_layers; n++) {
		struct layer_source *s = &sources[n];

		s->length = (uint64_t)image->layers[n].size;
		s->raw_size = image->layers[n].size;
		memcpy(s->raw_hex, image->layers[n].hex, sizeof(s->raw_hex));
		rc = s->fd = layout_open_layer(dir_fd, &image->layers[n], err);
	}
	if (rc >= 0)
		rc = incoming_add_layers(in, sources, n, NULL, NULL, NULL, err);
	close_sources(sources, n);
	return rc;
}

static int load_bundle(struct store *store, int dir_fd, const char *name, struct err *err)
{
	cleanup_incoming struct incoming *in = NULL;
	cleanup_layout_image struct layout_image image = LAYOUT_IMAGE_INIT;

	if (layout_read_image(dir_fd, layout_host_arch(), &image, err) < 0 ||
	    incoming_begin(store, &in, err) < 0 ||
	    incoming_set_config(in, str_get(&image.config), image.config.len, err) < 0 ||
	    add_bundled_layers(in, dir_fd, &image, err) < 0)
		return -err->code;
	incoming_add_name(in, name);
	return incoming_commit(in, err);
}

int image_ensure_bundled(struct store *store, const char *ref, const char *images_dir,
			 struct err *err)
{
	cleanup_reference struct reference parsed = REFERENCE_INIT;
	cleanup_close int dir_fd = -1;
	cleanup_free char *name = NULL;

	if (reference_parse(ref, &parsed, err) < 0)
		return -err->code;
	if (!open_bundle(&parsed, images_dir, &dir_fd))
		return 0;
	name = image_canonical(&parsed);
	if (load_bundle(store, dir_fd, name, err) < 0)
		return err_wrap(err, "bundled image %s", ref);
	return 1;
}
