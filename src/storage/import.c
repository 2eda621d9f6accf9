/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Both ways in end in the same publication: layers staged and synced, made visible, the
 * configuration as a blob, and one durable transaction that names it all, the tag last.
 */
#include "storage/import.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "oci/image_config.h"
#include "oci/layout.h"
#include "oci/reference.h"
#include "storage/change.h"
#include "storage/db.h"
#include "storage/image_private.h"
#include "storage/layer.h"
#include "storage/store_private.h"

#define OFFICIAL "library/"

struct incoming {
	struct store *store;
	struct staging staging;
	struct image_config config;
	char *config_text;
	char id[DIGEST_HEX_LEN + 1];
	char *name; /* canonical; NULL for none */
	struct layer *layers;
	size_t n_layers;
};

static void incoming_done(struct incoming *in)
{
	free(in->layers);
	staging_done(&in->staging);
	image_config_done(&in->config);
	free(in->config_text);
	free(in->name);
}
#define cleanup_incoming __attribute__((cleanup(incoming_done)))

void storage_collect(struct store *store)
{
	struct err err = ERR_INIT;

	staging_collect(store);
	if (layer_collect(store, &err) < 0)
		log_debug("collect: %s", err.msg);
}

void storage_sweep(struct store *store)
{
	if (staging_has_dead(store))
		storage_collect(store);
}

static int insert_layers(const struct incoming *in, struct err *err)
{
	for (size_t i = 0; i < in->n_layers; i++) {
		const struct layer *l = &in->layers[i];

		if (db_run(in->store, err,
			   "INSERT OR IGNORE INTO layer(chain_id,diff_id,size,entries,tree_hash)"
			   " VALUES(?,?,?,?,?)",
			   "ttiit", l->chain_hex, l->result.diff_hex, l->result.size,
			   l->result.entries, (const char *)NULL) < 0 ||
		    db_run(in->store, err,
			   "INSERT OR REPLACE INTO image_layer(image_id,idx,chain_id) "
			   "VALUES(?,?,?)",
			   "tit", in->id, (int64_t)i, l->chain_hex) < 0)
			return -err->code;
	}
	return 0;
}

static int insert_image(const struct incoming *in, struct err *err)
{
	int64_t created_ns = 0;
	int64_t size = 0;

	if (in->config.created && clock_parse_rfc3339(in->config.created, &created_ns) < 0)
		created_ns = 0;
	for (size_t i = 0; i < in->n_layers; i++)
		size += in->layers[i].result.size;
	return db_run(in->store, err,
		      "INSERT INTO image(id,created_ns,size,hidden,config) VALUES(?,?,?,0,?)"
		      " ON CONFLICT(id) DO UPDATE SET hidden=0",
		      "tiit", in->id, created_ns, size, in->config_text);
}

static int name_everything(const struct incoming *in, struct err *err)
{
	cleanup_transaction struct store *tx = NULL;

	if (db_begin(in->store, true, err) < 0)
		return -err->code;
	tx = in->store;
	if (insert_layers(in, err) < 0 || insert_image(in, err) < 0 ||
	    (in->name && image_set_tag(in->store, in->name, in->id, err) < 0))
		return -err->code;
	return db_commit(in->store, err);
}

static int publish(const struct incoming *in, struct err *err)
{
	cleanup_close int layers_fd = store_open_dir(in->store, STORE_LAYERS, err);

	if (layers_fd < 0 || store_lock(layers_fd, LOCK_SH, "the layers directory", err) < 0 ||
	    layer_publish(&in->staging, layers_fd, in->layers, in->n_layers, err) < 0 ||
	    layer_write_blob(in->store, in->id, in->config_text, strlen(in->config_text), err) < 0)
		return -err->code;
	return name_everything(in, err);
}

static int begin(struct incoming *in, size_t n_layers, struct err *err)
{
	storage_collect(in->store);
	in->layers = mem_zalloc(n_layers * sizeof(*in->layers));
	return staging_create(in->store, &in->staging, err);
}

static int stage(struct incoming *in, int archive_fd, unpack_progress_fn progress, void *data,
		 struct err *err)
{
	const char *parent = in->n_layers ? in->layers[in->n_layers - 1].chain_hex : NULL;
	size_t i = in->n_layers++;

	return layer_stage(in->store, &in->staging, i, parent, archive_fd, progress, data,
			   &in->layers[i], err);
}

/* "linux/arm64/v8", "arm64", "linux" */
static int set_platform(struct incoming *in, const char *platform, struct err *err)
{
	cleanup_strv struct strv parts = STRV_INIT;
	const char *arch = layout_host_arch();

	str_replace(&in->config.os, "linux");
	if (platform && *platform)
		strv_split(&parts, platform, '/');
	if (parts.n > 3 || strv_has(&parts, ""))
		return err_set(err, ERR_INVALID, "\"%s\": unknown operating system or architecture",
			       platform);
	if (parts.n == 1 && strcmp(parts.items[0], "linux") != 0)
		arch = parts.items[0];
	if (parts.n >= 2) {
		arch = parts.items[1];
		if (strcmp(parts.items[0], "linux") != 0)
			return err_set(err, ERR_UNSUPPORTED,
				       "operating system \"%s\" is not supported", parts.items[0]);
	}
	str_replace(&in->config.architecture, arch);
	str_replace(&in->config.variant, parts.n == 3 ? parts.items[2] : NULL);
	return 0;
}

static int set_name(struct incoming *in, const char *reference, struct err *err)
{
	cleanup_reference struct reference ref = REFERENCE_INIT;

	if (!reference || !*reference)
		return 0;
	if (reference_parse(reference, &ref, err) < 0)
		return -err->code;
	if (ref.digest)
		return err_set(err, ERR_INVALID, "cannot import digest reference");
	in->name = image_canonical(&ref);
	return 0;
}

static int apply_request(struct incoming *in, const struct import_request *request, struct err *err)
{
	const char *message = request->message && *request->message ? request->message
								    : "Imported from -";
	char now[CLOCK_RFC3339_LEN];
	struct image_history *history = NULL;

	if (set_name(in, request->reference, err) < 0 ||
	    set_platform(in, request->platform, err) < 0)
		return -err->code;
	for (size_t i = 0; request->changes && i < request->changes->n; i++)
		if (change_apply(request->changes->items[i], &in->config.run, err) < 0)
			return -err->code;
	clock_format_rfc3339(clock_real_ns(), now);
	str_replace(&in->config.created, now);
	str_replace(&in->config.comment, message);
	history = image_config_add_history(&in->config);
	history->created = str_dup(now);
	history->comment = str_dup(message);
	return 0;
}

int image_import(struct store *store, const struct import_request *request,
		 char ret_id[static DIGEST_HEX_LEN + 1], struct err *err)
{
	cleanup_incoming struct incoming in = {.store = store, .staging = STAGING_INIT};

	if (apply_request(&in, request, err) < 0 || begin(&in, 1, err) < 0 ||
	    stage(&in, request->archive_fd, request->progress, request->progress_data, err) < 0)
		return -err->code;
	strv_addf(&in.config.diff_ids, DIGEST_PREFIX "%s", in.layers[0].result.diff_hex);
	in.config_text = image_config_format(&in.config);
	sha256_hex(in.config_text, strlen(in.config_text), in.id);
	if (publish(&in, err) < 0)
		return -err->code;
	memcpy(ret_id, in.id, sizeof(in.id));
	return 0;
}

/* The layout directory of a bundled image: 1 and a descriptor, or 0. */
static int open_bundle(const struct reference *ref, const char *images_dir, int *ret_fd)
{
	cleanup_free char *path = NULL;

	if (strcmp(ref->domain, "docker.io") != 0 || !str_has_prefix(ref->path, OFFICIAL) ||
	    strchr(ref->path + strlen(OFFICIAL), '/') || ref->digest ||
	    (ref->tag && strcmp(ref->tag, REFERENCE_DEFAULT_TAG) != 0))
		return 0;
	path = str_printf("%s/%s", images_dir, ref->path + strlen(OFFICIAL));
	/* lint: path chosen by the engine */
	*ret_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return *ret_fd >= 0;
}

/* Unpacks layer I and compares what came with what manifest and configuration promised. */
static int stage_verified(struct incoming *in, int dir_fd, const struct layout_layer *layer,
			  size_t i, struct err *err)
{
	cleanup_close int fd = layout_open_layer(dir_fd, layer, err);
	const struct unpack_result *result = &in->layers[i].result;

	if (fd < 0 || stage(in, fd, NULL, NULL, err) < 0)
		return -err->code;
	if (strcmp(result->raw_hex, layer->hex) != 0 || result->raw_size != layer->size)
		return err_set(err, ERR_INVALID, "layer %zu is damaged: its digest is another", i);
	if (strcmp(result->diff_hex, in->config.diff_ids.items[i] + strlen(DIGEST_PREFIX)) != 0)
		return err_set(err, ERR_INVALID, "layer %zu is not the one of the configuration",
			       i);
	return 0;
}

static int load_layout(struct incoming *in, int dir_fd, struct err *err)
{
	cleanup_layout_image struct layout_image image = LAYOUT_IMAGE_INIT;

	if (layout_read_image(dir_fd, layout_host_arch(), &image, err) < 0 ||
	    image_config_parse(str_get(&image.config), image.config.len, &in->config, err) < 0)
		return -err->code;
	if (image.n_layers != in->config.diff_ids.n)
		return err_set(err, ERR_INVALID,
			       "manifest and configuration name different layers");
	if (strlen(str_get(&image.config)) != image.config.len)
		return err_set(err, ERR_INVALID, "the configuration contains a NUL");
	memcpy(in->id, image.config_hex, sizeof(in->id));
	in->config_text = str_take(&image.config);
	if (begin(in, image.n_layers, err) < 0)
		return -err->code;
	for (size_t i = 0; i < image.n_layers; i++)
		if (stage_verified(in, dir_fd, &image.layers[i], i, err) < 0)
			return -err->code;
	return publish(in, err);
}

int image_ensure_bundled(struct store *store, const char *ref, const char *images_dir,
			 struct err *err)
{
	cleanup_incoming struct incoming in = {.store = store, .staging = STAGING_INIT};
	cleanup_reference struct reference parsed = REFERENCE_INIT;
	cleanup_close int dir_fd = -1;

	if (reference_parse(ref, &parsed, err) < 0)
		return -err->code;
	if (!open_bundle(&parsed, images_dir, &dir_fd))
		return 0;
	in.name = image_canonical(&parsed);
	if (load_layout(&in, dir_fd, err) < 0)
		return err_wrap(err, "bundled image %s", ref);
	return 1;
}
