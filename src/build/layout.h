/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILD_LAYOUT_H
#define BUILD_LAYOUT_H
/* Images of OCI layouts as bases: "oci-layout://DIR[:TAG][@sha256:...]". */
#include "storage/image.h"

struct platform;
struct store;

/* Brings the image that WHERE (behind the "oci-layout://") means into STORE, without a name.
 * Without a tag it is the only one, or "latest"; of an index the one for WANT. ERR_NOT_FOUND. */
int layout_find_image(struct store *store, const char *where, const struct platform *want,
		      struct image *ret, struct err *err);

#endif
