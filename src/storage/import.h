/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORAGE_IMPORT_H
#define STORAGE_IMPORT_H
/*
 * Bringing images in: a root filesystem as an archive, and the images bundled with the program.
 * What returned without an error survives a power cut; what failed leaves nothing.
 */
#include "base/err.h"
#include "storage/image.h"
#include "storage/unpack.h"

struct store;

struct import_request {
	int archive_fd;		     /* tar, plain or gzip or zstd; read to its end */
	const char *reference;	     /* name to give, NULL for none */
	struct image_run *run;	     /* its configuration, moved out; NULL: an empty one */
	const char *message;	     /* NULL: "Imported from -" */
	const char *platform;	     /* "linux/arm64/v8"; NULL: this machine */
	unpack_progress_fn progress; /* NULL: nobody looks */
	void *progress_data;
};

/* Everything that can be wrong with the request is found before the archive is read. RET_ID is the
 * image's id. Takes away the garbage of earlier failures first. */
int image_import(struct store *store, const struct import_request *request,
		 char ret_id[static DIGEST_HEX_LEN + 1], struct err *err);

/* Ensures that a bundled image is in the store. REF is any form of "hello-world:latest"; the image
 * is the layout directory IMAGES_DIR/hello-world. Returns 1 when it was brought in now, 0 when it
 * is not a bundled one or that directory does not exist. An image of that name that is there
 * already is replaced: ask image_lookup first. */
int image_ensure_bundled(struct store *store, const char *ref, const char *images_dir,
			 struct err *err);

#endif
