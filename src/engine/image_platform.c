/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Several images may have come under one name, as the manifests of an OCI index. The name leads to
 * the one for this machine; the others are still there as blobs, and become images of the store
 * when somebody wants them.
 */
#include "engine/image_platform.h"

#include "base/mem.h"
#include "engine/engine.h"
#include "oci/image_config.h"
#include "oci/manifest.h"
#include "transport/source.h"
#include "transport/transport.h"

#include <string.h>

static bool is_for(const struct image *image, const struct platform *want)
{
	cleanup_image_config struct image_config config = IMAGE_CONFIG_INIT;
	struct platform have = {};
	struct err ignored = ERR_INIT;

	if (image_config_parse(image->config, strlen(image->config), &config, &ignored) < 0)
		return true;
	platform_set(&have, config.os, config.architecture, config.variant);
	return platform_matches(want, &have);
}

/* 1 when the image came with an index, that is, with a choice. */
static int has_choice(struct source *source, struct err *err)
{
	cleanup_manifest struct manifest manifest = MANIFEST_INIT;
	const struct descriptor *target = &source->images[0].target;

	if (!*target->hex)
		return 0;
	if (source_read_manifest(source, target, &manifest, NULL, err) < 0)
		return -err->code;
	return manifest.is_index;
}

static int bring_in(struct store *store, struct source *source, const struct platform *want,
		    struct image *image, struct err *err)
{
	cleanup_strv struct strv none = STRV_INIT;
	cleanup_free char *reference = image->reference ? str_dup(image->reference) : NULL;
	cleanup_free char *id = NULL;
	char hex[DIGEST_HEX_LEN + 1];

	if (image_bring_in(store, source, &source->images[0], &none, want, NULL, hex, err) < 0)
		return -err->code;
	id = str_printf(DIGEST_PREFIX "%s", hex);
	image_done(image);
	if (image_find(store, id, image, err) < 0)
		return -err->code;
	if (reference)
		str_replace(&image->reference, reference);
	return 0;
}

int engine_choose_platform(struct engine *engine, const char *ref, const struct platform *want,
			   struct image *image, struct err *err)
{
	cleanup_source struct source source = SOURCE_INIT;
	int rc = 0;

	if (is_for(image, want))
		return 0;
	source.store = engine->store;
	rc = source_open_store(ref, &source, err);
	if (rc == 0)
		rc = has_choice(&source, err);
	return rc > 0 ? bring_in(engine->store, &source, want, image, err) : rc;
}
