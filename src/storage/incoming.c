/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Everything is written into one staging directory: layer-N/ for each layer, blob-<hex> for what
 * will be blobs. Then, in this order: one syncfs(2) for all of it; blobs and layers get their names
 * by rename; both directories are synced; one transaction with full synchronisation names the
 * image. Blobs come before layers, so that a layer that can be seen has its blob.
 *
 * From begin to end the lock of the layers directory is held shared: what was found there stays.
 */
#include "storage/incoming.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "oci/image_config.h"
#include "storage/collect.h"
#include "storage/db.h"
#include "storage/image_private.h"
#include "storage/incoming_private.h"
#include "storage/names.h"
#include "storage/store_private.h"

int incoming_begin(struct store *store, struct incoming **ret, struct err *err)
{
	cleanup_incoming struct incoming *in = mem_zalloc(sizeof(*in));

	in->store = store;
	in->staging = (struct staging)STAGING_INIT;
	in->layers_fd = in->blobs_fd = -1;
	storage_collect(store);
	in->layers_fd = store_open_dir(store, STORE_LAYERS, err);
	if (in->layers_fd < 0 ||
	    store_lock(in->layers_fd, LOCK_SH, "the layers directory", err) < 0)
		return -err->code;
	in->blobs_fd = store_open_dir(store, STORE_BLOBS, err);
	if (in->blobs_fd < 0 || staging_create(store, &in->staging, err) < 0)
		return -err->code;
	*ret = take_ptr(in);
	return 0;
}

void incoming_free(struct incoming *in)
{
	if (!in)
		return;
	staging_done(&in->staging);
	incoming_release_snapshots(in);
	fd_cleanup_close(&in->layers_fd);
	fd_cleanup_close(&in->blobs_fd);
	/* What somebody removed while we held the lock. */
	if (storage_has_leftovers(in->store))
		storage_collect(in->store);
	image_config_done(&in->config);
	free(in->config_text);
	free(in->layers);
	free(in->blobs);
	free(in->target_type);
	free(in->snapshots);
	strv_done(&in->names);
	strv_done(&in->durable);
	free(in);
}

void incoming_cleanup(struct incoming **in)
{
	incoming_free(*in);
	*in = NULL;
}

int incoming_set_base_layers(struct incoming *in, const char *image_id, struct err *err)
{
	cleanup_free struct layer_info *infos = NULL;
	cleanup_free char *ref = str_printf(DIGEST_PREFIX "%s", image_id);
	cleanup_image struct image image = IMAGE_INIT;
	size_t n = 0;

	if (image_find(in->store, ref, &image, err) < 0 ||
	    layer_info_list(in->store, image_id, &infos, &n, err) < 0)
		return -err->code;
	in->layers = mem_realloc_array(in->layers, n, sizeof(*in->layers));
	for (size_t i = 0; i < n; i++)
		in->layers[i] = (struct incoming_layer){.info = infos[i], .state = LAYER_THERE};
	in->n_layers = n;
	return 0;
}

int incoming_set_base(struct incoming *in, const char *image_id, struct err *err)
{
	if (incoming_set_base_layers(in, image_id, err) < 0)
		return -err->code;
	memcpy(in->parent, image_id, sizeof(in->parent));
	return 0;
}

int incoming_set_base_held(struct incoming *in, const struct image *image, struct err *err)
{
	cleanup_free char *ref = str_printf(DIGEST_PREFIX "%s", image->id);
	cleanup_image struct image now = IMAGE_INIT;
	int rc = 0;

	in->layers = mem_realloc_array(in->layers, image->chain_ids.n, sizeof(*in->layers));
	strv_foreach (i, &image->chain_ids) {
		struct incoming_layer *l = &in->layers[in->n_layers];

		*l = (struct incoming_layer){.state = LAYER_THERE};
		if (incoming_find_held(in, image->chain_ids.items[i], &l->info, err) < 0)
			return -err->code;
		in->n_layers++;
	}
	rc = image_lookup(in->store, ref, &now, err);
	if (rc > 0)
		memcpy(in->parent, image->id, sizeof(in->parent));
	return rc < 0 ? rc : 0;
}

void incoming_set_passing(struct incoming *in)
{
	in->is_passing = true;
}

void incoming_set_made(struct incoming *in, int64_t made_ns)
{
	in->made_ns = made_ns;
}

/* The diff IDs of a configuration that came after its layers. */
static int compare_layers(const struct incoming *in, struct err *err)
{
	if (in->config.diff_ids.n != in->n_layers)
		return err_set(err, ERR_INVALID,
			       "manifest and configuration name different layers");
	for (size_t i = 0; i < in->n_layers; i++)
		if (strcmp(in->layers[i].info.diff_hex,
			   in->config.diff_ids.items[i] + strlen(DIGEST_PREFIX)) != 0)
			return err_set(err, ERR_INVALID,
				       "layer %zu is not the one of the configuration", i);
	return 0;
}

int incoming_set_config(struct incoming *in, const char *text, size_t len, struct err *err)
{
	if (memchr(text, '\0', len))
		return err_set(err, ERR_INVALID, "the configuration contains a NUL");
	if (image_config_parse(text, len, &in->config, err) < 0)
		return -err->code;
	if (in->n_layers > 0 && compare_layers(in, err) < 0)
		return -err->code;
	in->config_text = str_ndup(text, len);
	sha256_hex(text, len, in->id);
	return 0;
}

const char *incoming_get_id(const struct incoming *in)
{
	return in->id;
}

size_t incoming_count_layers(const struct incoming *in)
{
	return in->n_layers;
}

const char *incoming_get_diff_id(const struct incoming *in, size_t i)
{
	return in->layers[i].info.diff_hex;
}

void incoming_set_target(struct incoming *in, const char *hex, const char *media_type)
{
	memcpy(in->target, hex, sizeof(in->target));
	str_replace(&in->target_type, media_type);
}

void incoming_add_name(struct incoming *in, const char *canonical)
{
	if (!strv_has(&in->names, canonical))
		strv_add(&in->names, canonical);
}

/* ---- blobs beside the layers ---- */

static bool has_blob(const struct incoming *in, const char *hex, uint64_t size)
{
	struct stat st;

	return fstatat(in->blobs_fd, hex, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) &&
	       (uint64_t)st.st_size == size;
}

/* A small one is compared: what was damaged on the disk is replaced. */
static bool has_document(const struct incoming *in, const char *hex, const void *bytes, size_t len)
{
	cleanup_str struct str text = STR_INIT;

	return fd_read_file_at(in->blobs_fd, hex, len, &text) >= 0 && text.len == len &&
	       memcmp(str_get(&text), bytes, len) == 0;
}

void incoming_remember_blob(struct incoming *in, const char *hex, int64_t size, bool is_staged,
			    bool is_for_target)
{
	struct incoming_blob *b = NULL;

	in->blobs = mem_realloc_array(in->blobs, in->n_blobs + 1, sizeof(*in->blobs));
	b = &in->blobs[in->n_blobs++];
	*b = (struct incoming_blob){
		.size = size, .is_staged = is_staged, .is_for_target = is_for_target};
	snprintf(b->hex, sizeof(b->hex), "%.*s", DIGEST_HEX_LEN, hex);
}

/* Whether this one was added before. A target needs each of its blobs once. */
static bool is_known_blob(const struct incoming *in, const char *hex)
{
	for (size_t i = 0; i < in->n_blobs; i++)
		if (strcmp(in->blobs[i].hex, hex) == 0 && in->blobs[i].is_for_target)
			return true;
	return false;
}

/* Whether it is here already as what is kept of a layer. */
static bool is_staged_blob(const struct incoming *in, const char *hex)
{
	for (size_t i = 0; i < in->n_blobs; i++)
		if (strcmp(in->blobs[i].hex, hex) == 0 && in->blobs[i].is_staged)
			return true;
	return false;
}

int incoming_create_blob(struct incoming *in, const char *name, struct err *err)
{
	int fd = openat(in->staging.fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC,
			0600);

	return fd < 0 ? err_sys(err, errno, "create staging/%s/%s", in->staging.name, name) : fd;
}

static int write_document(struct incoming *in, const char *hex, const void *bytes, size_t len,
			  bool is_for_target, struct err *err)
{
	cleanup_close int fd = -1;
	char name[BLOB_NAME_LEN];
	int rc = 0;

	if (has_document(in, hex, bytes, len)) {
		incoming_remember_blob(in, hex, (int64_t)len, false, is_for_target);
		return 0;
	}
	snprintf(name, sizeof(name), BLOB_NAME "%s", hex);
	fd = incoming_create_blob(in, name, err);
	if (fd < 0)
		return fd;
	rc = fd_write_full(fd, bytes, len);
	if (rc < 0 || close(take_fd(fd)) < 0)
		return err_sys(err, rc < 0 ? -rc : errno, "write blob %s", hex);
	incoming_remember_blob(in, hex, (int64_t)len, true, is_for_target);
	return 0;
}

int incoming_add_document(struct incoming *in, const char *hex, const void *bytes, size_t len,
			  struct err *err)
{
	if (!digest_is_of(hex, bytes, len))
		return err_set(err, ERR_INVALID, "blob %s is damaged: its digest is another", hex);
	return is_known_blob(in, hex) ? 0 : write_document(in, hex, bytes, len, true, err);
}

int incoming_add_blob(struct incoming *in, const char *hex, int fd, uint64_t offset, uint64_t size,
		      struct err *err)
{
	cleanup_close int out = -1;
	struct unpack_job job = UNPACK_JOB_INIT;
	struct unpack_result result = {};
	char name[BLOB_NAME_LEN];

	if (is_known_blob(in, hex))
		return 0;
	if (is_staged_blob(in, hex)) {
		incoming_remember_blob(in, hex, (int64_t)size, false, true);
		return 0;
	}
	if (size == 0)
		return incoming_add_document(in, hex, "", 0, err);
	if (has_blob(in, hex, size)) {
		incoming_remember_blob(in, hex, (int64_t)size, false, true);
		return 0;
	}
	snprintf(name, sizeof(name), BLOB_NAME "%s", hex);
	out = incoming_create_blob(in, name, err);
	if (out < 0)
		return out;
	job.in_fd = fd;
	job.offset = offset;
	job.length = size;
	job.raw_fd = out;
	if (unpack_run(in->store, &job, 1, in->staging.fd, NULL, NULL, &result, NULL, err) < 0)
		return err_wrap(err, "blob %s", hex);
	if (strcmp(result.raw_hex, hex) != 0 || result.raw_size != (int64_t)size)
		return err_set(err, ERR_INVALID, "blob %s is damaged: its digest is another", hex);
	incoming_remember_blob(in, hex, (int64_t)size, true, true);
	return 0;
}

/* ---- the end ---- */

static int publish_blobs(struct incoming *in, struct err *err)
{
	char name[BLOB_NAME_LEN];

	for (size_t i = 0; i < in->n_blobs; i++) {
		const struct incoming_blob *b = &in->blobs[i];

		if (!b->is_staged)
			continue;
		snprintf(name, sizeof(name), BLOB_NAME "%s", b->hex);
		/* The same blob twice in one image is one file. */
		if (renameat(in->staging.fd, name, in->blobs_fd, b->hex) < 0 && errno != ENOENT)
			return err_sys(err, errno, "rename to " STORE_BLOBS "/%s", b->hex);
	}
	return 0;
}

/* Both directories after all renames: the journal's commit for the first has the second's too. Also
 * when nothing was renamed here: whoever made what was found may not have come to this. */
static int sync_names(struct incoming *in, struct err *err)
{
	if (fsync(in->blobs_fd) < 0 || fsync(in->layers_fd) < 0)
		return err_sys(err, errno, "sync the directories of layers and blobs");
	return 0;
}

static bool has_staged(const struct incoming *in)
{
	bool is_needed = false;

	for (size_t i = 0; i < in->n_layers; i++)
		is_needed |= in->layers[i].state != LAYER_THERE;
	for (size_t i = 0; i < in->n_blobs; i++)
		is_needed |= in->blobs[i].is_staged;
	return is_needed;
}

/* What is new: on disk, then under its names, and these on disk too. */
static int publish(struct incoming *in, struct err *err)
{
	if (!has_staged(in))
		return 0;
	if (incoming_note_durable(in, err) < 0)
		return -err->code;
	if (syncfs(in->staging.fd) < 0)
		return err_sys(err, errno, "sync the unpacked layers");
	if (publish_blobs(in, err) < 0 || incoming_publish_layers(in, err) < 0)
		return -err->code;
	return sync_names(in, err);
}

int incoming_commit(struct incoming *in, struct err *err)
{
	assert(in->config_text);
	if (in->n_layers != in->config.diff_ids.n)
		return err_set(err, ERR_INVALID,
			       "manifest and configuration name different layers");
	if (write_document(in, in->id, in->config_text, strlen(in->config_text), false, err) < 0 ||
	    incoming_write_records(in, err) < 0)
		return -err->code;
	if (publish(in, err) < 0 || incoming_name_everything(in, err) < 0) {
		/* What has its name already, and will not be named by the index. */
		storage_mark_leftovers(in->store);
		return -err->code;
	}
	incoming_tidy_snapshots(in);
	names_save(in->store);
	/* Whoever fills the disk with images must be able to remove them. */
	store_ensure_reserve(in->store);
	return 0;
}
