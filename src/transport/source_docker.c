/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Docker's archives. Their files have no digests beside them: a configuration's digest is computed
 * from its text, and a layer is right when it decompresses to the diff ID that the configuration
 * says. Where a manifest is wanted, the layers are read once for the digests of their bytes.
 */
#include "transport/source.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "storage/unpack.h"
#include "transport/parts.h"
#include "transport/report.h"

/* ---- what became of the old generation ---- */

#define LEGACY_MAX_TEXT ((size_t)16 << 20) /* of all layers' JSON of one image */

struct chain {
	struct strv ids;   /* topmost first */
	struct str *texts; /* as many */
	size_t n_bytes;
};

static void chain_done(struct chain *chain)
{
	for (size_t i = 0; i < chain->ids.n; i++)
		str_done(&chain->texts[i]);
	free(chain->texts);
	strv_done(&chain->ids);
}

/* Reads layer ID's JSON; the next one up is its parent. */
static int add_to_chain(const struct folder *folder, const char *id, struct chain *chain,
			char **ret_parent, struct err *err)
{
	cleanup_free char *name = str_printf("%s/json", id);
	struct str *text = NULL;

	if (chain->ids.n >= IMAGE_MAX_LAYERS || strv_has(&chain->ids, id))
		return err_set(err, ERR_INVALID, "its layers are more than %d or their own parents",
			       IMAGE_MAX_LAYERS);
	chain->texts = mem_realloc_array(chain->texts, chain->ids.n + 1, sizeof(*chain->texts));
	text = &chain->texts[chain->ids.n];
	*text = (struct str)STR_INIT;
	strv_add(&chain->ids, id);
	if (folder_read(folder, name, text, err) < 0)
		return -err->code;
	chain->n_bytes += text->len;
	if (chain->n_bytes > LEGACY_MAX_TEXT)
		return err_set(err, ERR_INVALID, "its layers say more than %zu bytes",
			       LEGACY_MAX_TEXT);
	return docker_legacy_parent(str_get(text), text->len, ret_parent, err);
}

static int read_chain(const struct folder *folder, const char *top, struct chain *chain,
		      struct err *err)
{
	cleanup_free char *id = str_dup(top);

	while (id) {
		char *parent = NULL;

		if (add_to_chain(folder, id, chain, &parent, err) < 0)
			return err_wrap(err, "layer %s", id);
		free(id);
		id = parent;
	}
	return 0;
}

/* Base first, as everything else has them. */
static void reverse(struct chain *chain)
{
	assert(chain->texts);
	for (size_t i = 0, j = chain->ids.n - 1; i < j; i++, j--) {
		struct str text = chain->texts[i];
		char *id = chain->ids.items[i];

		chain->texts[i] = chain->texts[j];
		chain->texts[j] = text;
		chain->ids.items[i] = chain->ids.items[j];
		chain->ids.items[j] = id;
	}
}

static int compute_diff_ids(struct source *source, const struct strv *layers, struct strv *ret,
			    struct err *err)
{
	cleanup_free struct unpack_job *jobs = mem_zalloc(layers->n * sizeof(*jobs));
	cleanup_free struct unpack_result *results = mem_zalloc(layers->n * sizeof(*results));
	cleanup_free struct blob_at *ats = mem_zalloc(layers->n * sizeof(*ats));
	size_t n = 0;
	int rc = 0;

	for (; n < layers->n && rc == 0; n++) {
		ats[n] = (struct blob_at)BLOB_AT_INIT;
		rc = folder_find(&source->folder, layers->items[n], &ats[n], err);
		jobs[n] = (struct unpack_job)UNPACK_JOB_INIT;
		jobs[n].in_fd = ats[n].fd;
		jobs[n].offset = ats[n].offset;
		jobs[n].length = ats[n].size;
	}
	if (rc == 0)
		rc = unpack_run(source->store, jobs, n, -1, NULL, NULL, results, NULL, err);
	for (size_t i = 0; i < n; i++)
		blob_at_done(&ats[i]);
	for (size_t i = 0; i < n && rc == 0; i++)
		strv_addf(ret, DIGEST_PREFIX "%s", results[i].diff_hex);
	return rc;
}

/* Makes of an image of the old generation one of the new: its configuration is a made blob. */
static int convert(struct source *source, struct docker_image *image, struct err *err)
{
	cleanup_with(chain_done) struct chain chain = {};
	cleanup_strv struct strv diff_ids = STRV_INIT;
	cleanup_free char *config = NULL;
	char hex[DIGEST_HEX_LEN + 1];

	if (read_chain(&source->folder, image->id, &chain, err) < 0)
		return -err->code;
	reverse(&chain);
	strv_foreach (i, &chain.ids)
		strv_addf(&image->layers, "%s/layer.tar", chain.ids.items[i]);
	if (compute_diff_ids(source, &image->layers, &diff_ids, err) < 0 ||
	    docker_legacy_config(chain.texts, &diff_ids, &config, err) < 0)
		return -err->code;
	source_add_text(source, config, strlen(config), hex);
	str_replace(&image->id, hex);
	return 0;
}

/* The directory of a layer when member NAME is its JSON, else NULL; owned. */
static char *layer_of(const char *name)
{
	cleanup_free char *id = str_ndup(name, strcspn(name, "/"));

	if (!docker_legacy_id_is_valid(id) || strcmp(name + strlen(id), "/json") != 0)
		return NULL;
	return take_ptr(id);
}

static int compare_strings(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void sort(struct strv *v)
{
	if (v->n > 1)
		qsort(v->items, v->n, sizeof(*v->items), compare_strings);
}

static bool has_sorted(const struct strv *v, const char *item)
{
	return v->n && bsearch(&item, v->items, v->n, sizeof(*v->items), compare_strings);
}

/* Layers that no other names as its parent are images, with a name or without. */
static int add_nameless(struct source *source, struct err *err)
{
	cleanup_strv struct strv ids = STRV_INIT;
	cleanup_strv struct strv parents = STRV_INIT;
	const struct archive_index *index = &source->folder.index;

	for (size_t i = 0; i < index->n; i++) {
		cleanup_free char *id = layer_of(index->members[i].name);
		cleanup_str struct str text = STR_INIT;
		char *parent = NULL;

		if (!id || index->members[i].is_replaced)
			continue;
		if (folder_read_member(&source->folder, i, &text, err) < 0 ||
		    docker_legacy_parent(str_get(&text), text.len, &parent, err) < 0)
			return err_wrap(err, "layer %s", id);
		strv_add_take(&ids, take_ptr(id));
		if (parent)
			strv_add_take(&parents, parent);
	}
	sort(&parents);
	strv_foreach (i, &ids)
		if (!has_sorted(&parents, ids.items[i]) &&
		    !docker_archive_ensure(&source->docker, NULL, ids.items[i], err))
			return -err->code;
	return 0;
}

static int open_legacy(struct source *source, struct err *err)
{
	cleanup_str struct str text = STR_INIT;

	if (folder_has(&source->folder, DOCKER_REPOSITORIES) &&
	    (folder_read(&source->folder, DOCKER_REPOSITORIES, &text, err) < 0 ||
	     docker_repositories_parse(str_get(&text), text.len, &source->docker, err) < 0))
		return -err->code;
	if (add_nameless(source, err) < 0)
		return -err->code;
	if (source->docker.n == 0)
		return err_set(err, ERR_NOT_FOUND,
			       "not an archive of images: neither manifest.json nor index.json in "
			       "it");
	for (size_t i = 0; i < source->docker.n; i++)
		if (convert(source, &source->docker.images[i], err) < 0)
			return -err->code;
	return 0;
}

/* ---- the source ---- */

static int open_blob(struct source *source, const struct descriptor *d, struct blob_at *ret,
		     struct err *err)
{
	int rc = source_open_made(source, d, ret, err);

	if (rc == 0)
		return err_set(err, ERR_NOT_FOUND, "%s", d->hex);
	return rc < 0 ? rc : 0;
}

static int read_config(struct source *source, const struct docker_image *image, struct str *ret,
		       struct err *err)
{
	struct descriptor d = DESCRIPTOR_INIT;
	cleanup_blob_at struct blob_at at = BLOB_AT_INIT;

	if (image->config && folder_read(&source->folder, image->config, ret, err) < 0) {
		/* Not found is only what is there for no platform. */
		err->code = err->code == ERR_NOT_FOUND ? ERR_INVALID : err->code;
		return -err->code;
	}
	if (image->config)
		return 0;
	memcpy(d.hex, image->id, sizeof(d.hex));
	if (source_open_made(source, &d, &at, err) < 0)
		return -err->code;
	return blob_at_read(&at, "configuration", ret, err);
}

static int get_parts(struct source *source, const struct source_image *image,
		     const struct platform *want, struct image_parts *ret, struct err *err)
{
	const struct docker_image *from = &source->docker.images[image->number];
	cleanup_str struct str text = STR_INIT;

	if (read_config(source, from, &text, err) < 0 ||
	    image_parts_set_config(ret, &text, from->layers.n, want, err) < 0)
		return -err->code;
	strv_foreach (i, &from->layers)
		if (folder_find(&source->folder, from->layers.items[i], &ret->layers[i].at, err) <
		    0)
			return image_parts_layer_error(err, i);
	return 0;
}

/* The media type of a layer by its compression; NULL for what the OCI has no name for. */
static const char *media_type_of(const char *format)
{
	static const struct {
		const char *format;
		const char *media_type;
	} rows[] = {
		{"plain", MEDIA_LAYER},
		{"gzip", MEDIA_LAYER "+gzip"},
		{"zstd", MEDIA_LAYER "+zstd"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (strcmp(rows[i].format, format) == 0)
			return rows[i].media_type;
	return NULL;
}

static int add_layers(struct source *source, const struct docker_image *from,
		      struct image_parts *parts, const struct unpack_result *results,
		      struct err *err)
{
	for (size_t i = 0; i < parts->n_layers; i++) {
		const char *media_type = media_type_of(results[i].raw_format);

		if (!media_type) {
			err_set(err, ERR_UNSUPPORTED, "layer %zu is compressed with %s", i,
				results[i].raw_format);
			return err_hint(err, "load it, and copy it from tare:");
		}
		parts->layers[i].raw.media_type = str_dup(media_type);
		source_add_member(source, parts->layers[i].raw.hex, from->layers.items[i]);
	}
	return 0;
}

static void set_target(struct source *source, struct source_image *image,
		       const struct image_parts *parts)
{
	cleanup_descriptor struct descriptor config = {.media_type = str_dup(MEDIA_CONFIG),
						       .size = (int64_t)parts->text.len};
	cleanup_free struct descriptor *layers = mem_alloc(parts->n_layers * sizeof(*layers));
	cleanup_free char *text = NULL;

	source_add_text(source, str_get(&parts->text), parts->text.len, config.hex);
	for (size_t i = 0; i < parts->n_layers; i++)
		layers[i] = parts->layers[i].raw;
	text = manifest_format(&config, layers, parts->n_layers);
	source_add_text(source, text, strlen(text), image->target.hex);
	image->target.size = (int64_t)strlen(text);
	image->target.media_type = str_dup(MEDIA_MANIFEST);
	image->target.has_platform = true;
	image_parts_get_platform(parts, &image->target.platform);
}

static int describe(struct source *source, struct source_image *image,
		    const struct transport_report *report, struct err *err)
{
	const struct docker_image *from = &source->docker.images[image->number];
	cleanup_image_parts struct image_parts parts = IMAGE_PARTS_INIT;
	cleanup_free struct unpack_result *results = NULL;

	if (get_parts(source, image, NULL, &parts, err) < 0)
		return -err->code;
	results = mem_zalloc(parts.n_layers * sizeof(*results));
	if (image_parts_verify(source->store, &parts, report, results, err) < 0 ||
	    add_layers(source, from, &parts, results, err) < 0)
		return -err->code;
	set_target(source, image, &parts);
	return 0;
}

static const struct source_ops docker_ops = {
	.open_blob = open_blob,
	.describe = describe,
	.get_parts = get_parts,
};

int source_open_docker(struct source *ret, struct err *err)
{
	cleanup_str struct str text = STR_INIT;

	ret->ops = &docker_ops;
	if (!folder_has(&ret->folder, DOCKER_MANIFEST)) {
		if (open_legacy(ret, err) < 0)
			return -err->code;
	} else if (folder_read(&ret->folder, DOCKER_MANIFEST, &text, err) < 0 ||
		   docker_manifest_parse(str_get(&text), text.len, &ret->docker, err) < 0) {
		return -err->code;
	}
	for (size_t i = 0; i < ret->docker.n; i++)
		strv_add_all(&source_add_image(ret)->names, &ret->docker.images[i].names);
	return 0;
}
