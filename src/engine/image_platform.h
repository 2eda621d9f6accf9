/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ENGINE_IMAGE_PLATFORM_H
#define ENGINE_IMAGE_PLATFORM_H
/* The image for another platform that came under the same name. */
#include "base/err.h"
#include "oci/platform.h"
#include "storage/image.h"

struct engine;

/* IMAGE is what REF names. When it is not for WANT, and the name came with an index, the one for
 * WANT is brought into the store without a name and takes IMAGE's place, under its reference. What
 * came without an index stays as it is. ERR_NOT_FOUND: the index has none for WANT; IMAGE is as it
 * was. */
int engine_choose_platform(struct engine *engine, const char *ref, const struct platform *want,
			   struct image *image, struct err *err);

#endif
