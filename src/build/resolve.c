/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A base image is found as `run` finds one. When what has the name is for another platform, the
 * index that the name came with is looked into, and the image for the right one brought in beside
 * it, without a name.
 */
#include "build/resolve.h"

#include "base/mem.h"
#include "build/build_private.h"
#include "build/layout.h"
#include "engine/create.h"
#include "oci/manifest.h"
#include "oci/platform.h"
#include "oci/reference.h"
#include "transport/source.h"
#include "transport/transport.h"

#define LAYOUT_PREFIX "oci-layout://"

static void ignore_notice(const char *text)
{
	(void)text;
}

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

static int no_match(const char *ref, const char *platform, struct err *err)
{
	return err_set(err, ERR_NOT_FOUND,
		       "no match for platform in manifest: image %s is not there for %s", ref,
		       platform);
}

/* Brings the image for WANT in from SOURCE, unnamed. */
static int bring_in(struct build *b, struct source *source, const struct platform *want,
		    struct image *ret, struct err *err)
{
	cleanup_strv struct strv none = STRV_INIT;
	cleanup_free char *id = NULL;
	char hex[DIGEST_HEX_LEN + 1];

	if (image_bring_in(b->engine->store, source, &source->images[0], &none, want, NULL, hex,
			   err) < 0)
		return -err->code;
	id = str_printf(DIGEST_PREFIX "%s", hex);
	image_done(ret);
	return image_find(b->engine->store, id, ret, err);
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

/* What came alone is taken as it is, as BuildKit does; a check says that it is for another
 * platform. */
static int find_other_platform(struct build *b, const char *ref, const char *platform,
			       const struct platform *want, struct image *ret, struct err *err)
{
	cleanup_source struct source source = SOURCE_INIT;
	int rc = 0;

	source.store = b->engine->store;
	rc = source_open_store(ref, &source, err);
	if (rc == 0)
		rc = has_choice(&source, err);
	if (rc > 0)
		rc = bring_in(b, &source, want, ret, err);
	return rc < 0 && err->code == ERR_NOT_FOUND ? no_match(ref, platform, err) : rc;
}

static int find(struct build *b, const char *ref, const char *platform, struct image *ret,
		struct err *err)
{
	struct platform want = {};

	if (platform && platform_parse(platform, &want, err) < 0)
		return -err->code;
	if (str_has_prefix(ref, LAYOUT_PREFIX))
		return layout_find_image(b->engine->store, ref + strlen(LAYOUT_PREFIX), &want, ret,
					 err);
	if (engine_find_image(b->engine, ref, b->request->pull ? PULL_ALWAYS : PULL_MISSING,
			      ignore_notice, ret, err) < 0)
		return -err->code;
	if (!platform || is_for(ret, &want))
		return 0;
	return find_other_platform(b, ref, platform, &want, ret, err);
}

static char *familiar_to_full(const char *ref)
{
	cleanup_reference struct reference r = REFERENCE_INIT;
	struct err ignored = ERR_INIT;

	if (reference_parse(ref, &r, &ignored) < 0)
		return str_dup(ref);
	if (!r.digest)
		reference_ensure_tag(&r);
	return reference_format(&r);
}

int resolve_image(void *ctx, const char *ref, const char *platform, struct image *ret,
		  struct err *err)
{
	struct build *b = ctx;
	cleanup_free char *full = familiar_to_full(ref);
	cleanup_free char *name = str_printf("[internal] load metadata for %s", full);
	bool is_new = !strv_has(&b->loaded, name);
	size_t vertex = is_new ? vertex_begin(b, name) : 0;
	int rc = find(b, ref, platform, ret, err);

	if (is_new)
		vertex_end(b, vertex, name,
			   rc < 0 ? BUILD_EVENT_STEP_FAILED : BUILD_EVENT_STEP_DONE,
			   rc < 0 ? err->msg : NULL);
	strv_add(&b->loaded, name);
	return rc;
}
