/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OCI_LAYOUT_H
#define OCI_LAYOUT_H
/*
 * Reading an OCI image layout directory (image-spec image-layout.md): index.json names a manifest,
 * the manifest a configuration and layers, each by digest and size. Everything small is verified
 * here; layers are handed out as descriptors and verified by whoever reads them.
 */
#include "base/err.h"
#include "base/str.h"
#include "oci/digest.h"

#include <stdbool.h>
#include <stdint.h>

struct layout_layer {
	char hex[DIGEST_HEX_LEN + 1]; /* digest of the blob, compressed or not */
	int64_t size;
};

struct layout_image {
	char config_hex[DIGEST_HEX_LEN + 1];
	struct str config; /* verified bytes of the configuration */
	struct layout_layer *layers;
	size_t n_layers;
};

#define LAYOUT_IMAGE_INIT \
	{                 \
	}

/* Reads the image for linux/ARCH (Go's name) from the layout in DIR_FD; a single manifest without a
 * platform is taken as it is. ERR_INVALID: not a layout, ambiguous manifest (members of an index in
 * a manifest or the other way round, media types that contradict each other), wrong size or digest,
 * layers that live elsewhere; ERR_NOT_FOUND: nothing for ARCH. */
int layout_read_image(int dir_fd, const char *arch, struct layout_image *ret, struct err *err);
/* A descriptor of the blob, which has the size that the manifest says; its bytes are not yet
 * verified. */
int layout_open_layer(int dir_fd, const struct layout_layer *layer, struct err *err);
void layout_image_done(struct layout_image *image);
#define cleanup_layout_image __attribute__((cleanup(layout_image_done)))

/* Go's name of the machine this program is built for: "amd64", "arm64", ... */
const char *layout_host_arch(void);

#endif
