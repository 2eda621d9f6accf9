/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILD_RESOLVE_H
#define BUILD_RESOLVE_H
/* Base images for the graph: of the store, bundled ones, and those of oci-layout contexts. */
#include "base/err.h"

struct image;

/* build_resolver's find_image; CTX is the struct build. Shows "load metadata for ...". */
int resolve_image(void *ctx, const char *ref, const char *platform, struct image *ret,
		  struct err *err);

#endif
