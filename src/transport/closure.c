/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Depth first from the target. A digest can name nothing that names it, so there are no circles;
 * that a blob is followed only once keeps a small archive from standing for a huge tree.
 */
#include "transport/closure.h"

#include <string.h>

#include "base/mem.h"
#include "oci/image_config.h"
#include "transport/blob_at.h"
#include "transport/parts.h"
#include "transport/source.h"

struct walk {
	struct source *source;
	struct closure closure;
	size_t n_bytes;
};

void closure_done(struct closure *closure)
{
	for (size_t i = 0; i < closure->n; i++) {
		descriptor_done(&closure->blobs[i].d);
		str_done(&closure->blobs[i].text);
	}
	free(closure->blobs);
	*closure = (struct closure)CLOSURE_INIT;
}

const struct descriptor *closure_get_target(const struct closure *closure)
{
	return &closure->blobs[closure->n - 1].d;
}

/* 1 when the blob is there already, as the same thing. */
static int is_known(const struct closure *closure, const struct descriptor *d, bool is_document,
		    struct err *err)
{
	for (size_t i = 0; i < closure->n; i++) {
		const struct closure_blob *b = &closure->blobs[i];

		if (strcmp(b->d.hex, d->hex) != 0)
			continue;
		if (b->d.size != d->size || b->is_document != is_document)
			return err_set(err, ERR_INVALID,
				       "blob " DIGEST_PREFIX "%s is named as two things", d->hex);
		return 1;
	}
	return 0;
}

static int add(struct walk *w, const struct descriptor *d, struct str *text, struct err *err)
{
	struct closure *c = &w->closure;
	struct closure_blob *b = NULL;

	if (c->n >= CLOSURE_MAX_BLOBS)
		return err_set(err, ERR_INVALID, "more than %d blobs", CLOSURE_MAX_BLOBS);
	c->blobs = mem_realloc_array(c->blobs, c->n + 1, sizeof(*c->blobs));
	b = &c->blobs[c->n++];
	*b = (struct closure_blob){.is_document = text};
	descriptor_copy(&b->d, d);
	if (text) {
		b->text = *text;
		*text = (struct str)STR_INIT;
	}
	return 0;
}

/* Configurations and layers: they only have to be there. */
static int follow_blob(struct walk *w, const struct descriptor *d, struct err *err)
{
	cleanup_blob_at struct blob_at at = BLOB_AT_INIT;
	int rc = is_known(&w->closure, d, false, err);

	if (rc != 0)
		return rc < 0 ? rc : 0;
	if (source_open_blob(w->source, d, &at, err) < 0)
		return -err->code;
	return add(w, d, NULL, err);
}

static int follow(struct walk *w, const struct descriptor *d, int depth, struct err *err)
{
	cleanup_manifest struct manifest m = MANIFEST_INIT;
	cleanup_str struct str text = STR_INIT;
	int rc = is_known(&w->closure, d, true, err);

	if (rc != 0)
		return rc < 0 ? rc : 0;
	if (depth > MANIFEST_MAX_DEPTH)
		return err_set(err, ERR_INVALID, "indexes nested deeper than %d",
			       MANIFEST_MAX_DEPTH);
	if (source_read_manifest(w->source, d, &m, &text, err) < 0)
		return -err->code;
	w->n_bytes += text.len;
	if (w->n_bytes > CLOSURE_MAX_TEXT)
		return err_set(err, ERR_INVALID, "manifests of more than %zu bytes",
			       CLOSURE_MAX_TEXT);
	if (!m.is_index && follow_blob(w, &m.config, err) < 0)
		return err_wrap(err, "config");
	for (size_t i = 0; i < m.n_entries; i++)
		if ((m.is_index ? follow(w, &m.entries[i], depth + 1, err)
				: follow_blob(w, &m.entries[i], err)) < 0)
			return -err->code;
	return add(w, d, &text, err);
}

/* A single image says only in its configuration what it is for. */
static int check_platform(struct source *source, const struct descriptor *d,
			  const struct platform *want, struct err *err)
{
	cleanup_manifest struct manifest m = MANIFEST_INIT;
	cleanup_str struct str text = STR_INIT;
	cleanup_image_config struct image_config config = IMAGE_CONFIG_INIT;
	struct platform have = {};
	char shown[PLATFORM_LEN];

	if (source_read_manifest(source, d, &m, NULL, err) < 0 ||
	    source_read_blob(source, &m.config, &text, err) < 0 ||
	    image_config_parse(str_get(&text), text.len, &config, err) < 0)
		return -err->code;
	platform_set(&have, config.os, config.architecture, config.variant);
	if (!platform_matches(want, &have))
		return err_set(err, ERR_NOT_FOUND, "no image for %s in it",
			       platform_format(want, shown));
	return 0;
}

int closure_read(struct source *source, const struct descriptor *target,
		 const struct platform *want, struct closure *ret, struct err *err)
{
	cleanup_descriptor struct descriptor d = DESCRIPTOR_INIT;
	struct walk w = {.source = source};

	descriptor_copy(&d, target);
	if (want && (source_find_manifest(source, target, want, &d, err) < 0 ||
		     check_platform(source, &d, want, err) < 0))
		return -err->code;
	if (follow(&w, &d, 0, err) < 0) {
		closure_done(&w.closure);
		return -err->code;
	}
	*ret = w.closure;
	return 0;
}
