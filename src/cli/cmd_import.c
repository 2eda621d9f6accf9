/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bringing images in: import of a root filesystem, and pull, which so far means the images that are
 * bundled with the program.
 */
#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/command.h"
#include "cli/progress.h"
#include "cli/session.h"
#include "cli/verbs.h"
#include "engine/change.h"
#include "engine/engine.h"
#include "engine/event.h"
#include "oci/image_config.h"
#include "oci/layout.h"
#include "oci/reference.h"
#include "storage/image.h"
#include "storage/import.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- import ---- */

static int open_archive(const char *name, struct err *err)
{
	if (str_has_prefix(name, "http://") || str_has_prefix(name, "https://")) {
		err_set(err, ERR_UNSUPPORTED, "%s: imports over the network are not there yet",
			name);
		return err_hint(err, "curl -L %s | tare import - NAME", name);
	}
	return cli_open_archive(name, "tare import - NAME <rootfs.tar", err);
}

/* Bytes that will be read from FD; 0 when nobody knows. */
static uint64_t archive_size(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0;
}

int cmd_import(struct cli *cli, union verb_options *o, struct err *err)
{
	cleanup_engine struct engine engine = {};
	cleanup_close int fd = -1;
	cleanup_progress struct progress progress = {};
	cleanup_image_run struct image_run run = {};
	char id[DIGEST_HEX_LEN + 1];
	struct import_request request = {
		.reference = cli->args.n > 1 ? cli->args.items[1] : NULL,
		.run = &run,
		.message = o->import.message,
		.platform = o->import.platform,
		.progress = progress_count,
	};
	int rc = 0;

	if (engine_open(&engine, cli->root, cli->runroot, err) < 0 ||
	    changes_apply(&o->import.changes, &run, err) < 0)
		return -err->code;
	fd = open_archive(cli->args.items[0], err);
	if (fd < 0)
		return -err->code;
	request.archive_fd = fd;
	progress_init(&progress, STDERR_FILENO);
	request.progress_data = progress_add(&progress, "", "Importing", archive_size(fd));
	rc = image_import(engine.store, &request, id, err);
	progress_clear(&progress);
	if (rc < 0)
		return rc;
	if (request.reference && *request.reference)
		event_image_tagged(&engine, request.reference, false);
	event_image(&engine, id, NULL, "import");
	printf("sha256:%s\n", id);
	return 0;
}

/* ---- pull ---- */

static int check_pull(const struct pull_options *o, struct err *err)
{
	const char *arch = o->platform && str_has_prefix(o->platform, "linux/") ? o->platform + 6
										: NULL;

	if (o->all_tags)
		return err_set(err, ERR_UNSUPPORTED, "--all-tags: registries are not there yet");
	if (o->platform && strcmp(o->platform, "linux") != 0 &&
	    (!arch || strncmp(arch, layout_host_arch(), strlen(layout_host_arch())) != 0))
		return err_set(err, ERR_UNSUPPORTED,
			       "--platform %s: the bundled images are for linux/%s", o->platform,
			       layout_host_arch());
	return 0;
}

/* Whether REF names a bundled image, and whether the store already has it. */
static int find_bundled(struct engine *engine, const struct reference *ref, bool *ret_is_there,
			struct err *err)
{
	cleanup_image struct image image = IMAGE_INIT;
	cleanup_free char *familiar = reference_format_familiar(ref);
	cleanup_free char *name = reference_format_familiar_name(ref);
	cleanup_free char *dir = str_printf("%s/%s/index.json", engine->images, name);
	int rc = image_lookup(engine->store, familiar, &image, err);

	if (rc < 0)
		return rc;
	*ret_is_there = rc > 0;
	if (!strchr(name, '/') && !ref->digest && str_is_equal(ref->tag, REFERENCE_DEFAULT_TAG) &&
	    access(dir, F_OK) == 0) /* lint: path chosen by the engine */
		return 0;
	err_set(err, ERR_UNSUPPORTED,
		"pull %s: registries are not there yet; only hello-world and busybox, which come "
		"with tare, can be pulled",
		familiar);
	return err_hint(err, "tare import rootfs.tar %s", familiar);
}

static int bring_in(struct engine *engine, const struct reference *ref, const char *familiar,
		    bool quiet, struct err *err)
{
	bool is_there = false;

	if (find_bundled(engine, ref, &is_there, err) < 0)
		return -err->code;
	if (!quiet)
		printf("%s: Pulling from %s\n", ref->tag, ref->path);
	fflush(stdout);
	if (!is_there && image_ensure_bundled(engine->store, familiar, engine->images, err) < 0)
		return -err->code;
	if (!quiet)
		printf("Status: %s %s\n",
		       is_there ? "Image is up to date for" : "Downloaded newer image for",
		       familiar);
	return 0;
}

int cmd_pull(struct cli *cli, union verb_options *o, struct err *err)
{
	cleanup_engine struct engine engine = {};
	cleanup_reference struct reference ref = REFERENCE_INIT;
	cleanup_free char *familiar = NULL;
	cleanup_free char *canonical = NULL;

	if (reference_parse(cli->args.items[0], &ref, err) < 0 || check_pull(&o->pull, err) < 0 ||
	    engine_open(&engine, cli->root, cli->runroot, err) < 0)
		return -err->code;
	if (!ref.tag && !ref.digest && !o->pull.quiet)
		puts("Using default tag: " REFERENCE_DEFAULT_TAG);
	reference_ensure_tag(&ref);
	familiar = reference_format_familiar(&ref);
	canonical = reference_format(&ref);
	if (bring_in(&engine, &ref, familiar, o->pull.quiet, err) < 0)
		return -err->code;
	event_image_pulled(&engine, &ref);
	puts(canonical);
	return 0;
}
