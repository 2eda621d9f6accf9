/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Snapshots become layers of an image. Each that is none yet is read once: a child writes it as an
 * archive, the helper makes digests, listing and blob of that. Its files are not copied: list and
 * record are put beside them, and after the sync the directory moves to the layers.
 *
 * Who makes a layer of a snapshot holds the lock of its "diff" alone, from the first look to the
 * end: of two builds that need it the second finds a layer.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "storage/collect.h"
#include "storage/incoming_private.h"
#include "storage/layer_write.h"
#include "storage/store_private.h"
#include "sys/feeder.h"

/* One that is read: it stands below snapshots/. */
struct reading {
	struct snapshot *snapshot;
	size_t adopted; /* of in->snapshots */
	struct feeder feeder;
	int list_fd, blob_fd; /* owned */
	char list_name[32], blob_name[32];
	const struct snapshots *all;
};

struct snapshots {
	struct incoming *in;
	struct snapshot *const *items; /* borrowed; those that are not empty */
	size_t n;
	bool wants_gzip;
	struct reading *readings; /* owned */
	struct unpack_job *jobs;
	struct unpack_result *results;
	size_t n_readings;
};

static void snapshots_done(struct snapshots *s)
{
	for (size_t i = 0; i < s->n_readings; i++) {
		fd_cleanup_close(&s->readings[i].list_fd);
		fd_cleanup_close(&s->readings[i].blob_fd);
	}
	/* Nobody reads any more: all of them end, whichever is waited for first. */
	for (size_t i = 0; i < s->n_readings; i++)
		fd_cleanup_close(&s->readings[i].feeder.data_fd);
	for (size_t i = 0; i < s->n_readings; i++)
		feeder_cleanup(&s->readings[i].feeder);
	free(s->readings);
	free(s->jobs);
	free(s->results);
}
#define cleanup_snapshots __attribute__((cleanup(snapshots_done)))

void incoming_release_snapshots(struct incoming *in)
{
	for (size_t i = 0; i < in->n_snapshots; i++)
		fd_cleanup_close(&in->snapshots[i].diff_fd);
}

/* ---- where they are ---- */

/* Finds a snapshot: the chain ID of the layer that it is, or the name of its directory; the other
 * one becomes "". */
static int find_place(struct incoming *in, struct snapshot *s,
		      char chain[static DIGEST_HEX_LEN + 1],
		      char name[static SNAPSHOT_NAME_LEN + 1], struct err *err)
{
	const char *slash = NULL;
	cleanup_free char *folder = NULL;

	*chain = *name = '\0';
	if (snapshot_locate(in->store, s, err) < 0)
		return -err->code;
	folder = str_ndup(s->dir, strlen(s->dir) - strlen("/" SNAPSHOT_DIFF));
	slash = strrchr(folder, '/');
	if (slash && hex_is_valid(slash + 1, DIGEST_HEX_LEN))
		memcpy(chain, slash + 1, DIGEST_HEX_LEN + 1);
	else if (slash && hex_is_valid(slash + 1, SNAPSHOT_NAME_LEN))
		memcpy(name, slash + 1, SNAPSHOT_NAME_LEN + 1);
	else
		return err_set(err, ERR_CONFLICT, "the snapshot of %s was removed",
			       s->info.description);
	return 0;
}

static bool is_adopted(const struct incoming *in, const char *name)
{
	for (size_t i = 0; i < in->n_snapshots; i++)
		if (strcmp(in->snapshots[i].name, name) == 0)
			return true;
	return false;
}

/* Locks the one that comes first by name of those that are no layers and not locked yet, so that
 * everybody locks them in the same order: 1, 0 when there is none. */
static int lock_next(struct snapshots *s, struct err *err)
{
	char chain[DIGEST_HEX_LEN + 1], name[SNAPSHOT_NAME_LEN + 1];
	struct incoming *in = s->in;
	struct incoming_snapshot found = {.diff_fd = -1};

	for (size_t i = 0; i < s->n; i++) {
		if (find_place(in, s->items[i], chain, name, err) < 0)
			return -err->code;
		if (!*name || is_adopted(in, name) ||
		    (found.snapshot && strcmp(found.name, name) <= 0))
			continue;
		found.snapshot = s->items[i];
		memcpy(found.name, name, sizeof(found.name));
	}
	if (!found.snapshot)
		return 0;
	found.diff_fd = openat(found.snapshot->lock_fd, SNAPSHOT_DIFF,
			       O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (found.diff_fd < 0)
		return err_sys(err, errno, "open " STORE_SNAPSHOTS "/%s", found.name);
	in->snapshots = mem_realloc_array(in->snapshots, in->n_snapshots + 1,
					  sizeof(*in->snapshots));
	in->snapshots[in->n_snapshots++] = found;
	if (store_lock(found.diff_fd, LOCK_EX, found.name, err) < 0 ||
	    find_place(in, found.snapshot, chain, name, err) < 0)
		return -err->code;
	/* Whoever had the lock has made a layer of it. */
	if (*chain)
		fd_cleanup_close(&in->snapshots[--in->n_snapshots].diff_fd);
	return 1;
}

/* ---- reading ---- */

/* In the child. */
static int write_archive(int out_fd, void *data, struct err *err)
{
	const struct reading *r = data;
	const struct snapshots *all = r->all;
	const struct layer_write_options options = {.is_upper = true};
	int fd = all->in->snapshots[r->adopted].diff_fd;

	/* Else one whose reader is gone would wait for ever for who has a copy of its pipe. */
	for (size_t i = 0; i < all->n_readings; i++)
		fd_cleanup_close(&all->readings[i].feeder.data_fd);
	return layer_write(fd, out_fd, &options, err);
}

static int start_reading(struct snapshots *s, size_t adopted, struct err *err)
{
	struct reading *r = &s->readings[s->n_readings];
	struct unpack_job *job = &s->jobs[s->n_readings];

	*r = (struct reading){.snapshot = s->in->snapshots[adopted].snapshot,
			      .adopted = adopted,
			      .feeder = FEEDER_INIT,
			      .list_fd = -1,
			      .blob_fd = -1,
			      .all = s};
	s->n_readings++;
	snprintf(r->list_name, sizeof(r->list_name), "list-%zu", adopted);
	snprintf(r->blob_name, sizeof(r->blob_name), "snapshot-%zu", adopted);
	r->list_fd = incoming_create_blob(s->in, r->list_name, err);
	r->blob_fd = r->list_fd < 0 ? -1 : incoming_create_blob(s->in, r->blob_name, err);
	if (r->blob_fd < 0 || feeder_start(&r->feeder, write_archive, r, err) < 0)
		return -err->code;
	*job = (struct unpack_job)UNPACK_JOB_INIT;
	job->in_fd = r->feeder.data_fd;
	job->list_fd = r->list_fd;
	job->blob_fd = r->blob_fd;
	job->wants_gzip = s->wants_gzip;
	return 0;
}

/* A stream that was cut short may still be an archive: the child's word counts. */
static int finish_reading(struct reading *r, bool has_failed, struct err *err)
{
	if (feeder_finish(&r->feeder, has_failed, err) < 0)
		return err_wrap(err, "read what %s left", r->snapshot->info.description);
	return 0;
}

static int read_all(struct snapshots *s, size_t first, struct err *err)
{
	size_t n = s->in->n_snapshots - first;
	size_t failed = 0;
	int rc = 0;

	s->readings = mem_zalloc((n + 1) * sizeof(*s->readings));
	s->jobs = mem_zalloc((n + 1) * sizeof(*s->jobs));
	s->results = mem_zalloc((n + 1) * sizeof(*s->results));
	for (size_t i = first; i < s->in->n_snapshots; i++)
		if (start_reading(s, i, err) < 0)
			return -err->code;
	rc = unpack_run(s->in->store, s->jobs, s->n_readings, s->in->staging.fd, NULL, NULL,
			s->results, &failed, err);
	if (rc < 0) {
		finish_reading(&s->readings[failed], true, err);
		return -err->code;
	}
	for (size_t i = 0; i < s->n_readings; i++) {
		struct reading *r = &s->readings[i];

		if (finish_reading(r, false, err) < 0)
			return -err->code;
		if (close(take_fd(r->list_fd)) < 0 || close(take_fd(r->blob_fd)) < 0)
			return err_sys(err, errno, "close what was read");
	}
	return 0;
}

/* ---- layers ---- */

static struct incoming_layer *push_layer(struct incoming *in)
{
	struct incoming_layer *l = NULL;

	in->layers = mem_realloc_array(in->layers, in->n_layers + 1, sizeof(*in->layers));
	l = &in->layers[in->n_layers++];
	*l = (struct incoming_layer){};
	return l;
}

static void chain_on_top(const struct incoming *in, const char *diff_hex,
			 char ret[static DIGEST_HEX_LEN + 1])
{
	digest_chain(in->n_layers ? in->layers[in->n_layers - 1].info.chain_hex : NULL, diff_hex,
		     ret);
}

static bool has_blob(const struct incoming *in, const struct layer_info *info)
{
	struct stat st;

	return *info->blob_hex &&
	       fstatat(in->blobs_fd, info->blob_hex, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       S_ISREG(st.st_mode) && st.st_size == info->blob_size;
}

/* Takes the layer CHAIN of the store when it is whole: 1, else 0. */
static int take_layer(struct incoming *in, const char *chain_hex, struct err *err)
{
	struct layer_info info = {};
	int rc = layer_info_lookup(in->store, chain_hex, &info, err);

	if (rc <= 0)
		return rc;
	if (!layer_is_there(in->layers_fd, chain_hex) || !has_blob(in, &info))
		return 0;
	*push_layer(in) = (struct incoming_layer){.info = info, .state = LAYER_THERE};
	return 1;
}

static int keep_blob(struct incoming *in, const struct reading *r,
		     const struct unpack_result *result, struct err *err)
{
	char name[BLOB_NAME_LEN];

	snprintf(name, sizeof(name), BLOB_NAME "%s", result->blob_hex);
	if (renameat(in->staging.fd, r->blob_name, in->staging.fd, name) < 0)
		return err_sys(err, errno, "rename to staging/%s/%s", in->staging.name, name);
	incoming_remember_blob(in, result->blob_hex, result->blob_size, true, false);
	return 0;
}

/* One that was read becomes the next layer; where the store has had that all along, it is garbage,
 * once the index says so. */
static int add_read(struct incoming *in, const struct reading *r,
		    const struct unpack_result *result, struct err *err)
{
	struct incoming_snapshot *adopted = &in->snapshots[r->adopted];
	struct incoming_layer *l = NULL;
	int rc = 0;

	chain_on_top(in, result->diff_hex, adopted->chain_hex);
	rc = take_layer(in, adopted->chain_hex, err);
	if (rc != 0)
		return rc < 0 ? rc : 0;
	if (keep_blob(in, r, result, err) < 0)
		return -err->code;
	l = push_layer(in);
	l->state = LAYER_MOVED;
	l->snapshot = r->adopted;
	snprintf(l->dir, sizeof(l->dir), "%s", r->list_name);
	l->info.size = result->size;
	l->info.entries = result->entries;
	l->info.plain_size = result->plain_size;
	l->info.blob_size = result->blob_size;
	memcpy(l->info.chain_hex, adopted->chain_hex, sizeof(l->info.chain_hex));
	memcpy(l->info.diff_hex, result->diff_hex, sizeof(l->info.diff_hex));
	memcpy(l->info.list_hex, result->list_hex, sizeof(l->info.list_hex));
	memcpy(l->info.blob_hex, result->blob_hex, sizeof(l->info.blob_hex));
	memcpy(l->info.blob_format, result->blob_format, sizeof(l->info.blob_format));
	return 0;
}

/* The layer CHAIN, but on top of others than there: its files once more. */
static int add_copy(struct incoming *in, const struct layer_info *info, struct err *err)
{
	struct layer_source source = {.raw_size = info->blob_size};
	cleanup_close int fd = blob_open(in->store, info->blob_hex, NULL, err);

	if (fd < 0)
		return -err->code;
	source.fd = fd;
	source.length = (uint64_t)info->blob_size;
	memcpy(source.raw_hex, info->blob_hex, sizeof(source.raw_hex));
	return incoming_add_layers(in, &source, 1, NULL, NULL, NULL, err);
}

int incoming_find_held(struct incoming *in, const char *chain_hex, struct layer_info *ret,
		       struct err *err)
{
	int rc = layer_info_lookup(in->store, chain_hex, ret, err);

	if (rc == 0)
		rc = layer_read_record(in->layers_fd, chain_hex, ret, err);
	return rc < 0 ? rc : 0;
}

/* It is locked, so it is there; its row may be gone. */
static int add_layer(struct incoming *in, const char *chain_hex, struct err *err)
{
	char wanted[DIGEST_HEX_LEN + 1];
	struct layer_info info = {};
	int rc = incoming_find_held(in, chain_hex, &info, err);

	if (rc < 0)
		return rc;
	chain_on_top(in, info.diff_hex, wanted);
	if (strcmp(wanted, chain_hex) == 0 && has_blob(in, &info)) {
		*push_layer(in) = (struct incoming_layer){.info = info, .state = LAYER_THERE};
		return 0;
	}
	rc = take_layer(in, wanted, err);
	return rc != 0 ? rc : add_copy(in, &info, err);
}

static const struct reading *find_reading(const struct snapshots *s, const char *name, size_t *ret)
{
	for (*ret = 0; *ret < s->n_readings; ++*ret)
		if (strcmp(s->in->snapshots[s->readings[*ret].adopted].name, name) == 0)
			return &s->readings[*ret];
	return NULL;
}

static int add_one(struct snapshots *s, struct snapshot *snapshot, struct err *err)
{
	char chain[DIGEST_HEX_LEN + 1], name[SNAPSHOT_NAME_LEN + 1];
	const struct reading *r = NULL;
	size_t at = 0;

	if (s->in->n_layers == STORE_MAX_LAYERS)
		return err_set(err, ERR_INVALID, "max depth exceeded: more than %d layers",
			       STORE_MAX_LAYERS);
	if (find_place(s->in, snapshot, chain, name, err) < 0)
		return -err->code;
	if (*chain)
		return add_layer(s->in, chain, err);
	r = find_reading(s, name, &at);
	assert(r);
	return add_read(s->in, r, &s->results[at], err);
}

int incoming_add_snapshots(struct incoming *in, struct snapshot *const *snapshots, size_t n,
			   const char *compression, struct strv *ret_diffs, struct err *err)
{
	cleanup_free struct snapshot **items = mem_zalloc((n + 1) * sizeof(*items));
	cleanup_snapshots struct snapshots s = {
		.in = in,
		.items = items,
		.wants_gzip = compression && strcmp(compression, "gzip") == 0,
	};
	size_t first = in->n_snapshots;
	int rc = 0;

	for (size_t i = 0; i < n; i++)
		if (!snapshots[i]->info.is_empty)
			items[s.n++] = snapshots[i];
	do
		rc = lock_next(&s, err);
	while (rc > 0);
	if (rc < 0 || read_all(&s, first, err) < 0)
		return -err->code;
	for (size_t i = 0; i < s.n; i++) {
		if (add_one(&s, items[i], err) < 0)
			return -err->code;
		strv_addf(ret_diffs, DIGEST_PREFIX "%s",
			  in->layers[in->n_layers - 1].info.diff_hex);
	}
	return 0;
}

/* ---- the end ---- */

int incoming_note_durable(struct incoming *in, struct err *err)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	const char *boot_id = NULL;
	int rc = 0;

	if (in->n_snapshots == 0)
		return 0;
	if (store_get_boot_id(in->store, &boot_id, err) < 0)
		return -err->code;
	rc = db_prepare(in->store, &stmt, err, "SELECT dir FROM snapshot WHERE boot=?", "t",
			boot_id);
	while (rc >= 0 && (rc = db_step(in->store, stmt, err)) > 0)
		strv_add(&in->durable, db_text(stmt, 0));
	return rc;
}

int incoming_write_snapshot(struct incoming *in, size_t layer, struct err *err)
{
	const struct incoming_layer *l = &in->layers[layer];
	int fd = in->snapshots[l->snapshot].snapshot->lock_fd;

	if (renameat(in->staging.fd, l->dir, fd, LAYER_LIST) < 0)
		return err_sys(err, errno, "rename to " STORE_SNAPSHOTS "/%s/" LAYER_LIST,
			       in->snapshots[l->snapshot].name);
	return layer_write_record(fd, LAYER_RECORD, &l->info, err);
}

/* Whoever has looked where it is, and mounts it now, holds the lease. */
int incoming_move_snapshot(struct incoming *in, size_t layer, struct err *err)
{
	const struct incoming_layer *l = &in->layers[layer];
	struct incoming_snapshot *s = &in->snapshots[l->snapshot];
	cleanup_close int dir_fd = store_open_dir(in->store, STORE_SNAPSHOTS, err);

	if (dir_fd < 0 || store_lock(dir_fd, LOCK_EX, "the build cache", err) < 0)
		return -err->code;
	s->is_moved = renameat(dir_fd, s->name, in->layers_fd, l->info.chain_hex) == 0;
	if (s->is_moved)
		return 1;
	if (errno == EEXIST || errno == ENOTEMPTY)
		return 0;
	return err_sys(err, errno, "rename to " STORE_LAYERS "/%s", l->info.chain_hex);
}

int incoming_name_snapshots(struct incoming *in, struct err *err)
{
	strv_foreach (i, &in->durable) {
		if (db_run(in->store, err, "UPDATE snapshot SET boot=NULL WHERE dir=?", "t",
			   in->durable.items[i]) < 0)
			return -err->code;
	}
	for (size_t i = 0; i < in->n_snapshots; i++) {
		const struct incoming_snapshot *s = &in->snapshots[i];

		if (*s->chain_hex &&
		    db_run(in->store, err,
			   "UPDATE snapshot SET chain=?,dir=NULL,boot=NULL WHERE dir=?", "tt",
			   s->chain_hex, s->name) < 0)
			return -err->code;
	}
	return 0;
}

/* Where the layer was there already the snapshot's own directory is garbage, and we go on with the
 * layer; when others use it, it goes after them. (To ask for the lock alone would lose ours where
 * others have it: flock(2) gives up the old one first.) */
static bool exchange(struct incoming *in, struct incoming_snapshot *s)
{
	cleanup_close int fd = openat(in->layers_fd, s->chain_hex,
				      O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct err ignored = ERR_INIT;
	struct snapshot *user = s->snapshot;

	if (fd < 0 || flock(fd, LOCK_SH | LOCK_NB) < 0)
		return false;
	fd_cleanup_close(&s->diff_fd);
	fd_cleanup_close(&user->lock_fd);
	user->lock_fd = take_fd(fd);
	return snapshot_locate(in->store, user, &ignored) == 0 &&
	       snapshot_remove_dir(in->store, s->name, in->staging.fd, &ignored) > 0;
}

void incoming_tidy_snapshots(struct incoming *in)
{
	for (size_t i = 0; i < in->n_snapshots; i++) {
		struct incoming_snapshot *s = &in->snapshots[i];

		if (*s->chain_hex && !s->is_moved && !exchange(in, s))
			storage_mark_leftovers(in->store);
	}
}
