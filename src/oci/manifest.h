/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OCI_MANIFEST_H
#define OCI_MANIFEST_H
/*
 * Manifests and indexes (image-spec manifest.md, image-index.md, and docker's schema 2): what names
 * the blobs of an image by digest and size. They come from outside: counts and sizes are limited, a
 * document that could be read as two things (CVE-2021-41190) is refused, as are blobs that live
 * elsewhere, and a digest that was parsed is the only thing that ever becomes a path.
 */
#include "base/err.h"
#include "base/str.h"
#include "oci/digest.h"
#include "oci/platform.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MEDIA_INDEX	     "application/vnd.oci.image.index.v1+json"
#define MEDIA_MANIFEST	     "application/vnd.oci.image.manifest.v1+json"
#define MEDIA_CONFIG	     "application/vnd.oci.image.config.v1+json"
#define MEDIA_LAYER	     "application/vnd.oci.image.layer.v1.tar"
#define MEDIA_DOCKER_LIST    "application/vnd.docker.distribution.manifest.list.v2+json"
#define MEDIA_DOCKER	     "application/vnd.docker.distribution.manifest.v2+json"
#define MEDIA_DOCKER_CONFIG  "application/vnd.docker.container.image.v1+json"
#define ANNOTATION_REF_NAME  "org.opencontainers.image.ref.name"
#define ANNOTATION_IMAGE     "io.containerd.image.name"
#define MANIFEST_MAX_ENTRIES 1000 /* of an index */
#define MANIFEST_MAX_DEPTH   3	  /* an index may name an index */

struct descriptor {
	char hex[DIGEST_HEX_LEN + 1];
	int64_t size;
	char *media_type; /* owned, as the next two; NULL when absent */
	char *image_name; /* annotation io.containerd.image.name */
	char *ref_name;	  /* annotation org.opencontainers.image.ref.name */
	bool has_platform;
	struct platform platform;
};

#define DESCRIPTOR_INIT \
	{               \
	}
/* Reads DOC, which must be an object. */
int descriptor_parse(const json_t *doc, struct descriptor *ret, struct err *err);
/* Replaces RET by an owned copy. */
void descriptor_copy(struct descriptor *ret, const struct descriptor *from);
void descriptor_done(struct descriptor *d);
#define cleanup_descriptor __attribute__((cleanup(descriptor_done)))
/* {"mediaType", "digest", "size", "annotations", "platform"} with what is there: a new reference.
 */
json_t *descriptor_to_json(const struct descriptor *d);

struct manifest {
	bool is_index;
	char *media_type;	    /* owned; never NULL */
	struct descriptor config;   /* of an image */
	struct descriptor *entries; /* the manifests of an index, the layers of an image */
	size_t n_entries;
};

#define MANIFEST_INIT \
	{             \
	}
/* Parses LEN bytes, which the media type EXPECTED (NULL: whatever it is) promised. WHAT names it in
 * errors. */
int manifest_parse(const char *text, size_t len, const char *expected, const char *what,
		   struct manifest *ret, struct err *err);
void manifest_done(struct manifest *m);
#define cleanup_manifest __attribute__((cleanup(manifest_done)))

/* Whether it is the manifest of a container image, and not of an artifact or an attestation. */
bool manifest_is_image(const struct manifest *m);
/* The entry of an index for that platform; one that names none counts when it is alone. NULL. */
const struct descriptor *manifest_choose(const struct manifest *index, const struct platform *want);
/* The text of an OCI manifest; the same for the same descriptors. Owned. */
char *manifest_format(const struct descriptor *config, const struct descriptor *layers, size_t n);
/* The text of an OCI index. Owned. */
char *manifest_format_index(const struct descriptor *entries, size_t n);

#endif
