/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Docker's schema 2 differs from the OCI's manifests in the media types alone. A changed document
 * has another digest, which whatever names it must be told of; those come later in a closure.
 */
#include "transport/closure.h"

#include <string.h>

#include "base/mem.h"
#include "oci/document.h"

#define DOCKER_LAYER "application/vnd.docker.image.rootfs.diff.tar"

static const struct {
	const char *docker;
	const char *oci;
} types[] = {
	{MEDIA_DOCKER_LIST, MEDIA_INDEX},
	{MEDIA_DOCKER, MEDIA_MANIFEST},
	{MEDIA_DOCKER_CONFIG, MEDIA_CONFIG},
	{DOCKER_LAYER, MEDIA_LAYER},
	{DOCKER_LAYER ".gzip", MEDIA_LAYER "+gzip"},
	{DOCKER_LAYER ".zstd", MEDIA_LAYER "+zstd"},
};

/* What the OCI calls it; NULL for what is no type of docker's. */
static const char *lookup_type(const char *docker)
{
	for (size_t i = 0; docker && i < ARRAY_LEN(types); i++)
		if (strcmp(types[i].docker, docker) == 0)
			return types[i].oci;
	return NULL;
}

static bool convert_type(json_t *object)
{
	const char *oci = lookup_type(json_string_value(json_object_get(object, "mediaType")));

	if (oci)
		json_object_set_new(object, "mediaType", json_string(oci));
	return oci;
}

/* A document that was changed, by the digest that it had. */
struct change {
	char was[DIGEST_HEX_LEN + 1];
	const struct descriptor *is;
};

struct changes {
	struct change *items;
	size_t n;
};

static bool follow_change(const struct changes *changes, json_t *entry)
{
	const char *digest = json_string_value(json_object_get(entry, "digest"));

	for (size_t i = 0; digest && i < changes->n; i++) {
		const struct change *c = &changes->items[i];

		if (strcmp(digest + strlen(DIGEST_PREFIX), c->was) != 0)
			continue;
		json_object_set_new(entry, "digest", json_sprintf(DIGEST_PREFIX "%s", c->is->hex));
		json_object_set_new(entry, "size", json_integer(c->is->size));
		return true;
	}
	return false;
}

static bool convert_document(const struct changes *changes, json_t *doc)
{
	bool is_changed = convert_type(doc);
	json_t *entry = NULL;
	size_t i = 0;

	is_changed |= convert_type(json_object_get(doc, "config"));
	json_array_foreach (json_object_get(doc, "layers"), i, entry)
		is_changed |= convert_type(entry);
	json_array_foreach (json_object_get(doc, "manifests"), i, entry) {
		is_changed |= convert_type(entry);
		is_changed |= follow_change(changes, entry);
	}
	return is_changed;
}

static void replace_text(struct closure_blob *b, const json_t *doc)
{
	cleanup_free char *text = json_dumps(doc, JSON_COMPACT);
	const char *oci = lookup_type(b->d.media_type);

	str_truncate(&b->text, 0);
	str_add(&b->text, text);
	sha256_hex(text, strlen(text), b->d.hex);
	b->d.size = (int64_t)b->text.len;
	if (oci)
		str_replace(&b->d.media_type, oci);
}

int closure_convert_to_oci(struct closure *closure, struct err *err)
{
	cleanup_free struct change *items = mem_zalloc(closure->n * sizeof(*items));
	struct changes changes = {.items = items};

	for (size_t i = 0; i < closure->n; i++) {
		struct closure_blob *b = &closure->blobs[i];
		struct change *c = &items[changes.n];
		cleanup_json json_t *doc = NULL;

		if (!b->is_document)
			continue;
		if (document_parse(str_get(&b->text), b->text.len, "manifest", &doc, err) < 0)
			return -err->code;
		if (!convert_document(&changes, doc))
			continue;
		memcpy(c->was, b->d.hex, sizeof(c->was));
		c->is = &b->d;
		changes.n++;
		replace_text(b, doc);
	}
	return 0;
}
