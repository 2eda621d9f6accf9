/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A damaged layer is unpacked again from its blob, beside the others, and takes its place by one
 * exchange of names: nobody ever sees half of it.
 *
 * A container that has the old one mounted keeps it: overlayfs holds its directory and would miss
 * every file that is removed from it. So the old one stays, as layers/<chain id>.replaced, until no
 * container runs on it any more; it stays as well while somebody reads layers (an export, a save).
 * Commands that remove things, a later repair, and the first command after a boot, remove it.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "storage/db.h"
#include "storage/layer.h"
#include "storage/repair_private.h"
#include "storage/staging.h"
#include "storage/store_private.h"
#include "storage/unpack.h"

#define STAGED "layer"

/* ---- unpacking ---- */

struct restore {
	struct repair *repair;
	struct layer_info info; /* what the index will know */
	struct staging staging;
	int layers_fd; /* locked, shared: nobody removes a layer meanwhile */
};

static void restore_done(struct restore *w)
{
	staging_done(&w->staging);
	fd_cleanup_close(&w->layers_fd);
}
#define cleanup_restore __attribute__((cleanup(restore_done)))

static int run_job(struct restore *w, int diff_fd, int list_fd, struct err *err)
{
	struct unpack_job job = UNPACK_JOB_INIT;
	struct unpack_result result = {};
	int64_t size = 0;
	cleanup_close int blob_fd = blob_open(w->repair->store, w->info.blob_hex, &size, err);

	if (blob_fd < 0)
		return blob_fd;
	job.in_fd = blob_fd;
	job.length = (uint64_t)size;
	job.dir_fd = diff_fd;
	job.list_fd = list_fd;
	if (unpack_run(w->repair->store, &job, 1, w->staging.fd, NULL, NULL, &result, NULL, err) <
	    0)
		return -err->code;
	if (strcmp(result.raw_hex, w->info.blob_hex) != 0 ||
	    strcmp(result.diff_hex, w->info.diff_hex) != 0)
		return err_set(err, ERR_INVALID, "the blob is not the one of this layer");
	memcpy(w->info.list_hex, result.list_hex, sizeof(w->info.list_hex));
	w->info.size = result.size;
	w->info.entries = result.entries;
	w->info.plain_size = result.plain_size;
	w->info.blob_size = size;
	return 0;
}

static int stage(struct restore *w, struct err *err)
{
	cleanup_close int diff_fd = -1;
	cleanup_close int list_fd = -1;

	if (staging_create(w->repair->store, &w->staging, err) < 0 ||
	    layer_create(&w->staging, STAGED, &diff_fd, &list_fd, err) < 0 ||
	    run_job(w, diff_fd, list_fd, err) < 0 ||
	    layer_write_record(w->staging.fd, STAGED "/" LAYER_RECORD, &w->info, err) < 0)
		return -err->code;
	return syncfs(w->staging.fd) < 0 ? err_sys(err, errno, "sync the unpacked layer") : 0;
}

/* ---- taking its place ---- */

static int exchange(struct restore *w, struct err *err)
{
	const char *chain = w->info.chain_hex;
	int rc = renameat2(w->staging.fd, STAGED, w->layers_fd, chain, RENAME_EXCHANGE);

	if (rc < 0 && errno == ENOENT)
		rc = renameat2(w->staging.fd, STAGED, w->layers_fd, chain, RENAME_NOREPLACE);
	if (rc < 0 || fsync(w->layers_fd) < 0)
		return err_sys(err, errno, "rename to " STORE_LAYERS "/%s", chain);
	return 0;
}

/* Names of the containers that have the layer mounted, or are about to. */
static int find_users(struct repair *r, const char *chain, struct strv *ret, struct err *err)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	int rc = db_prepare(r->store, &stmt, err,
			    "SELECT c.id,c.name FROM container c JOIN image_layer l ON"
			    " l.image_id=c.image_id WHERE l.chain_id=?",
			    "t", chain);

	while (rc >= 0 && (rc = db_step(r->store, stmt, err)) > 0)
		if (r->options->is_running &&
		    r->options->is_running(db_text(stmt, 0), r->options->data))
			strv_add(ret, db_text(stmt, 1));
	return rc;
}

/* Whether somebody else holds the layers directory: who does may be reading the old one. */
static int has_readers(struct restore *w, struct err *err)
{
	if (flock(w->layers_fd, LOCK_EX | LOCK_NB) == 0)
		return 0;
	/* flock(2): a lock that could not be converted may be lost. */
	return store_lock(w->layers_fd, LOCK_SH, "the layers directory", err) < 0 ? -err->code : 1;
}

static int keep_old(struct restore *w, struct err *err)
{
	cleanup_free char *kept = NULL;

	for (int i = 0; i < 100; i++) {
		free(kept);
		kept = i ? str_printf("%s.%d" CHECK_REPLACED, w->info.chain_hex, i)
			 : str_printf("%s" CHECK_REPLACED, w->info.chain_hex);
		if (renameat2(w->staging.fd, STAGED, w->layers_fd, kept, RENAME_NOREPLACE) == 0)
			break;
		/* There was nothing to exchange. */
		if (errno == ENOENT)
			return 0;
		if (errno != EEXIST)
			return err_sys(err, errno, "keep " STORE_LAYERS "/%s", kept);
	}
	return 1;
}

/* What was exchanged lies in staging now and goes with it, unless somebody needs it. */
static int keep_for_users(struct restore *w, struct err *err)
{
	struct repair *r = w->repair;
	cleanup_strv struct strv users = STRV_INIT;
	cleanup_free char *names = NULL;
	int rc = 0;

	if (find_users(r, w->info.chain_hex, &users, err) < 0)
		return -err->code;
	rc = users.n ? 1 : has_readers(w, err);
	if (rc > 0)
		rc = keep_old(w, err);
	if (rc <= 0 || !users.n)
		return rc < 0 ? rc : 0;
	names = strv_join(&users, ", ");
	repair_done(r, "layer", w->info.chain_hex,
		    "%s %s with the damaged files until started again", names,
		    users.n > 1 ? "run on" : "runs on");
	return 0;
}

static int update_row(struct repair *r, const struct layer_info *l, struct err *err)
{
	return db_run(r->store, err,
		      "UPDATE layer SET size=?,entries=?,tree_hash=?,blob_size=?,plain_size=?"
		      " WHERE chain_id=?",
		      "iitiit", l->size, l->entries, l->list_hex, l->blob_size, l->plain_size,
		      l->chain_hex);
}

/* Of an image's size the layers' are a part. */
static int update_sizes(struct repair *r, struct err *err)
{
	return db_run(r->store, err,
		      "UPDATE image SET size=(SELECT ifnull(sum(l.size),0) FROM image_layer a JOIN"
		      " layer l ON l.chain_id=a.chain_id WHERE a.image_id=image.id)",
		      "");
}

static int update_index(struct repair *r, const struct layer_info *l, struct err *err)
{
	cleanup_transaction struct store *tx = NULL;

	if (db_begin(r->store, true, err) < 0)
		return -err->code;
	tx = r->store;
	if (update_row(r, l, err) < 0 || update_sizes(r, err) < 0)
		return -err->code;
	return db_commit(r->store, err);
}

static int name_it(struct restore *w, const struct layer_info *before, struct err *err)
{
	if (exchange(w, err) < 0 || keep_for_users(w, err) < 0)
		return -err->code;
	return check_is_same_info(before, &w->info) ? 0 : update_index(w->repair, &w->info, err);
}

/* 1 when it was done, 0 when the layer was removed meanwhile. */
static int restore(struct repair *r, const struct layer_info *info, struct err *err)
{
	cleanup_restore struct restore w = {.repair = r, .info = *info, .staging = STAGING_INIT};
	int rc = 0;

	w.layers_fd = store_open_dir(r->store, STORE_LAYERS, err);
	if (w.layers_fd < 0 || store_lock(w.layers_fd, LOCK_SH, "the layers directory", err) < 0)
		return -err->code;
	rc = check_is_named(r->store, CHECK_SQL_LAYER, info->chain_hex, err);
	if (rc <= 0)
		return rc;
	return stage(&w, err) < 0 || name_it(&w, info, err) < 0 ? -err->code : 1;
}

/* ---- one layer ---- */

int repair_write_record(struct repair *r, const struct layer_info *info, struct err *err)
{
	cleanup_free char *path = str_printf("%s/" LAYER_RECORD, info->chain_hex);
	cleanup_str struct str text = STR_INIT;
	int rc = 0;

	if (r->check.layers_fd < 0)
		return 0;
	layer_format_record(info, &text);
	rc = fd_replace_file_at(r->check.layers_fd, path, text.buf, text.len, 0600, true);
	return rc < 0 ? err_sys(err, -rc, "write " STORE_LAYERS "/%s", path) : 0;
}

/* Whether the record says something else, and not merely nothing: then only the blob can tell. */
static bool is_record_another(const struct repair *r, const struct check_layer *l)
{
	struct layer_info record = {};
	struct err ignored = ERR_INIT;

	return layer_read_record(r->check.layers_fd, l->info.chain_hex, &record, &ignored) >= 0;
}

static int close_dir(struct repair *r, const struct check_layer *l, struct err *err)
{
	const char *chain = l->info.chain_hex;

	if (!r->options->dry_run &&
	    (fchownat(r->check.layers_fd, chain, geteuid(), getegid(), AT_SYMLINK_NOFOLLOW) < 0 ||
	     fchmodat(r->check.layers_fd, chain, 0700, 0) < 0))
		return err_sys(err, errno, "close " STORE_LAYERS "/%s", chain);
	repair_done(r, "layer", chain, "closed to others");
	return 0;
}

static int restore_from_blob(struct repair *r, const struct check_layer *l, struct err *err)
{
	int rc = r->options->dry_run ? 1 : restore(r, &l->info, err);

	if (rc > 0)
		repair_done(r, "layer", l->info.chain_hex, "restored from its blob");
	else if (rc < 0)
		repair_lost(r, "layer", l->info.chain_hex, "cannot be restored: %s", err->msg);
	return rc < 0 ? rc : 0;
}

/* Neither files nor blob are whole: what exactly, and for whom. */
static void tell_loss(struct repair *r, const struct check_layer *l)
{
	cleanup_free char *users = check_users_of_layer(&r->check, l->info.chain_hex);
	const char *why = *l->info.blob_hex ? "its blob is damaged too" : "no blob of it was kept";

	strv_foreach (i, &l->texts)
		repair_lost(r, "layer", l->info.chain_hex, "%s; %s (used by %s)", l->texts.items[i],
			    why, users);
	if (l->n_more)
		repair_lost(r, "layer", l->info.chain_hex, "%zu more like these", l->n_more);
	repair_lost(r, "layer", l->info.chain_hex, "nothing was deleted; load or pull %s again",
		    users);
}

static int repair_layer(struct repair *r, const struct check_layer *l, struct err *err)
{
	bool is_damaged = l->is_missing || l->is_tree_bad || l->is_list_bad;

	if (l->is_gone || !(is_damaged || l->is_record_bad || l->is_mode_bad))
		return 0;
	if (check_has_good_blob(&r->check, l) &&
	    (is_damaged || (l->is_record_bad && is_record_another(r, l))))
		return restore_from_blob(r, l, err);
	if (is_damaged) {
		tell_loss(r, l);
		return 0;
	}
	if (l->is_mode_bad && close_dir(r, l, err) < 0)
		return -err->code;
	if (!l->is_record_bad)
		return 0;
	if (!r->options->dry_run && repair_write_record(r, &l->info, err) < 0)
		return -err->code;
	repair_done(r, "layer", l->info.chain_hex, "record written again");
	return 0;
}

int repair_layers(struct repair *r, struct err *err)
{
	for (size_t i = 0; i < r->check.n_layers; i++) {
		/* One that fails is counted, and the others have their turn. */
		repair_layer(r, &r->check.layers[i], err);
		err_clear(err);
	}
	return 0;
}

/* Whether a container that runs has an image with the layer that CHAIN begins with. */
static bool is_mounted(struct store *store, const char *name, check_container_fn is_running,
		       void *data)
{
	cleanup_free char *chain = str_ndup(name, DIGEST_HEX_LEN);
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	struct err err = ERR_INIT;
	int rc = db_prepare(store, &stmt, &err,
			    "SELECT c.id FROM container c JOIN image_layer l ON"
			    " l.image_id=c.image_id WHERE l.chain_id=?",
			    "t", chain);

	while (rc >= 0 && (rc = db_step(store, stmt, &err)) > 0)
		if (is_running(db_text(stmt, 0), data))
			return true;
	return rc < 0;
}

void storage_remove_replaced(struct store *store, check_container_fn is_running, void *data)
{
	int fd = openat(store->root_fd, STORE_LAYERS, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *e = NULL;

	while (dir && (e = readdir(dir))) {
		int rc = 0;

		if (!str_has_suffix(e->d_name, CHECK_REPLACED) ||
		    (is_running && is_mounted(store, e->d_name, is_running, data)))
			continue;
		/* Who holds the directory may be reading it. */
		if (flock(fd, LOCK_EX | LOCK_NB) < 0)
			break;
		rc = fd_remove_tree_at(fd, e->d_name);
		if (rc < 0)
			log_debug("remove " STORE_LAYERS "/%s: %s", e->d_name, strerror(-rc));
	}
	if (dir)
		closedir(dir);
}
