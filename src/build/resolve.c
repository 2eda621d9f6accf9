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
#include "engine/image_platform.h"
#include "oci/platform.h"
#include "oci/reference.h"

#define LAYOUT_PREFIX "oci-layout://"
#define MAX_AGAIN     3

static void ignore_notice(const char *text)
{
	(void)text;
}

static int no_match(const char *ref, const char *platform, struct err *err)
{
	return err_set(err, ERR_NOT_FOUND,
		       "no match for platform in manifest: image %s is not there for %s", ref,
		       platform);
}

/* One that came just now may be gone again before it is found: others prune. */
static int find_or_pull(struct build *b, const char *ref, struct image *ret, struct err *err)
{
	enum pull_policy how = b->request->pull ? PULL_ALWAYS : PULL_MISSING;
	int rc = engine_find_image(b->engine, ref, how, ignore_notice, ret, err);

	for (int i = 0; i < MAX_AGAIN && rc < 0 && err->code == ERR_NOT_FOUND; i++) {
		err_clear(err);
		rc = engine_find_image(b->engine, ref, how, ignore_notice, ret, err);
	}
	return rc;
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
	if (find_or_pull(b, ref, ret, err) < 0)
		return -err->code;
	/* What came alone is taken as it is, as BuildKit does; a check says that it is for another
	 * platform. */
	if (!platform || engine_choose_platform(b->engine, ref, &want, ret, err) == 0)
		return 0;
	return err->code == ERR_NOT_FOUND ? no_match(ref, platform, err) : -err->code;
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
