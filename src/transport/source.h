/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TRANSPORT_SOURCE_H
#define TRANSPORT_SOURCE_H
/*
 * Where images are read: a list of images, each named by the descriptor of its manifest or index,
 * and blobs by digest. Docker's archives have no manifests: theirs are made when somebody asks,
 * because the digests of the layers must be computed first.
 */
#include "oci/image_config.h"
#include "oci/manifest.h"
#include "storage/blob.h"
#include "transport/blob_at.h"
#include "transport/docker_archive.h"
#include "transport/folder.h"

struct source;
struct image_parts;
struct transport_report;

struct source_image {
	struct descriptor target; /* hex "" until source_describe made one */
	struct strv names; /* familiar or canonical, each with a tag; as the source has them */
	size_t number;	   /* the source's own */
};

struct source_ops {
	/* The bytes of a blob, whose size was compared with the descriptor's. ERR_NOT_FOUND. */
	int (*open_blob)(struct source *source, const struct descriptor *d, struct blob_at *ret,
			 struct err *err);
	/* Makes the manifest of an image that has none. NULL where all have one. */
	int (*describe)(struct source *source, struct source_image *image,
			const struct transport_report *report, struct err *err);
	/* Configuration and layers of an image without going through its manifest. NULL where the
	 * manifest is the only way. */
	int (*get_parts)(struct source *source, const struct source_image *image,
			 const struct platform *want, struct image_parts *ret, struct err *err);
};

/* A blob that the source made or knows by another name than its digest. */
struct source_blob {
	char hex[DIGEST_HEX_LEN + 1];
	char *member; /* owned name of a file in the folder; NULL */
	int fd;	      /* owned file that has SIZE bytes; -1 */
	int64_t size;
	struct str text; /* else the bytes */
};

struct source {
	const struct source_ops *ops;
	struct store *store; /* borrowed: the helper's place, and images of "tare:" */
	struct source_image *images;
	size_t n_images;
	struct source_blob *made;
	size_t n_made;
	struct folder folder;
	struct docker_archive docker; /* of docker's archives */
	struct layer_info *layers;    /* of an image of the store */
	size_t n_layers;
	int hold_fd; /* of the store: keeps what is read from being removed */
};

#define SOURCE_INIT                                  \
	{                                            \
		.folder = FOLDER_INIT, .hold_fd = -1 \
	}
/* Frees and closes what it owns; an empty one is fine. */
void source_done(struct source *source);
#define cleanup_source __attribute__((cleanup(source_done)))

/* Appends an image, empty but for its number; borrowed until the next one. */
struct source_image *source_add_image(struct source *source);
/* Keeps only the images that REF (what stands behind the path; NULL: no choice) names; one that the
 * platform leaves over when it names none. ERR_NOT_FOUND; ERR_INVALID when several are left. */
int source_choose(struct source *source, const char *ref, const struct platform *want,
		  struct err *err);
/* Of the images that share a name (or have none), drops those for other platforms. */
int source_filter_platform(struct source *source, const struct platform *want, struct err *err);

/* Ensures that the image has a descriptor. */
int source_describe(struct source *source, struct source_image *image,
		    const struct transport_report *report, struct err *err);
/* The same bytes of a blob as often as it is asked for. ERR_NOT_FOUND "blob sha256:... is missing".
 */
int source_open_blob(struct source *source, const struct descriptor *d, struct blob_at *ret,
		     struct err *err);
/* A manifest, index or configuration, verified. */
int source_read_blob(struct source *source, const struct descriptor *d, struct str *ret,
		     struct err *err);
/* A parsed manifest or index, and its text (may be NULL). */
int source_read_manifest(struct source *source, const struct descriptor *d, struct manifest *ret,
			 struct str *ret_text, struct err *err);
/* The manifest for a platform, through indexes; a lone image is taken as it is. */
int source_find_manifest(struct source *source, const struct descriptor *target,
			 const struct platform *want, struct descriptor *ret, struct err *err);

/* For those who make sources: a blob of this text, or in this file of the folder. The first two
 * give its digest. */
void source_add_text(struct source *source, const char *text, size_t len,
		     char ret_hex[static DIGEST_HEX_LEN + 1]);
/* A blob in a file of its own, which becomes the source's. */
void source_add_file(struct source *source, const char *hex, int fd, int64_t size);
void source_add_member(struct source *source, const char *hex, const char *member);
/* The made blob of that digest: 1, 0, or -code. */
int source_open_made(struct source *source, const struct descriptor *d, struct blob_at *ret,
		     struct err *err);

/* Opening one. RET must be SOURCE_INIT. An archive's kind is what is in it: docker's where there is
 * a manifest.json or repositories, else a layout. */
int source_open_layout(struct source *ret, struct err *err); /* of ret->folder */
int source_open_dir(struct source *ret, struct err *err);    /* skopeo's, of ret->folder */
int source_open_docker(struct source *ret, struct err *err); /* of ret->folder */
int source_open_archive(struct source *ret, struct err *err);
/* The image NAME of ret->store, as it came in or as it would be handed out now. */
int source_open_store(const char *name, struct source *ret, struct err *err);

#endif
