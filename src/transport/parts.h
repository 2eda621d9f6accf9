/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TRANSPORT_PARTS_H
#define TRANSPORT_PARTS_H
/*
 * One image for one platform, as it is unpacked or written for docker: its configuration and its
 * layers, each open.
 */
#include "oci/image_config.h"
#include "oci/manifest.h"
#include "transport/blob_at.h"

struct source;
struct source_image;
struct transport_report;
struct unpack_result;

struct part_layer {
	struct descriptor raw;		   /* of the bytes as they are there; hex "" when unknown */
	char diff_hex[DIGEST_HEX_LEN + 1]; /* what the configuration says */
	int64_t plain_size;		   /* decompressed; 0 when unknown */
	struct blob_at at;
};

struct image_parts {
	char id[DIGEST_HEX_LEN + 1]; /* digest of the configuration */
	struct str text;	     /* of the configuration, verified */
	struct image_config config;
	struct part_layer *layers; /* as many as the configuration has diff IDs; at least one */
	size_t n_layers;
};

#define IMAGE_PARTS_INIT \
	{                \
	}
/* Frees and closes what it owns; an empty one is fine. */
void image_parts_done(struct image_parts *parts);
#define cleanup_image_parts __attribute__((cleanup(image_parts_done)))

/* Reads the image for WANT. NULL: for the host, and a lone image whatever it is for. ERR_NOT_FOUND
 * when there is none for that platform; ERR_INVALID when a part of it is missing. */
int image_parts_read(struct source *source, const struct source_image *image,
		     const struct platform *want, struct image_parts *ret, struct err *err);

/* For sources: takes the text of a configuration over and makes N layers of its diff IDs. */
int image_parts_set_config(struct image_parts *parts, struct str *text, size_t n_layers,
			   const struct platform *want, struct err *err);
/* For sources: makes ERR an error of layer I, and of one that is missing an invalid image. */
int image_parts_layer_error(struct err *err, size_t i);
/* Reads all layers and compares their digests; learns their plain sizes and, where they were
 * unknown, the digests of their bytes. RET_RESULTS (may be NULL) gets n_layers of them. */
int image_parts_verify(const struct store *store, struct image_parts *parts,
		       const struct transport_report *report, struct unpack_result *ret_results,
		       struct err *err);
/* The same, where a plain size or the digest of a layer's bytes is not known yet. */
int image_parts_ensure_sizes(const struct store *store, struct image_parts *parts,
			     const struct transport_report *report, struct err *err);
/* What the image is for, as its configuration says. */
void image_parts_get_platform(const struct image_parts *parts, struct platform *ret);

#endif
