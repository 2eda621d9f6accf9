/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One result of a step, with the times that it has in images of several epochs.
 *
 * The key of a step does not contain the epoch. What stands under it has the times of the epoch
 * that was asked for last; what the same run of the step is with others stands beside it, under
 * keys made of its own, the epoch and the moment of that run. So a build whose epoch is the last
 * one finds everything with one look, and one with another copies and packs what it needs, but runs
 * nothing. A few variants stay; older ones go, and with them the layers that no image has.
 */
/* lint file: paths chosen by the engine */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/str.h"
#include "storage/collect.h"
#include "storage/snapshot_private.h"
#include "storage/store_private.h"
#include "sys/copy_tree.h"

enum { MAX_VARIANTS = 3 };

/* ---- which epochs ---- */

bool snapshot_fits(const struct snapshot_info *info, int64_t epoch_s)
{
	if (info->is_empty || info->epoch_s == epoch_s)
		return true;
	if (info->epoch_s == SNAPSHOT_NO_EPOCH)
		return false;
	return epoch_s > info->epoch_s ? info->late == SNAPSHOT_LATE_NONE
				       : info->latest_s <= epoch_s;
}

bool snapshot_row_serves(struct store *store, const struct snapshot_row *row, int64_t epoch_s)
{
	char path[SNAPSHOT_PATH_LEN];

	if (snapshot_fits(&row->info, epoch_s) || row->info.late == SNAPSHOT_LATE_NONE)
		return true;
	/* It may have become a layer that came from elsewhere, or was restored. */
	return row->info.late == SNAPSHOT_LATE_NOTED && snapshot_path(row, path) &&
	       snapshot_has_notes(store->root_fd, path);
}

/* ---- variants ---- */

void snapshot_variant_key(const struct snapshot_row *row, int64_t epoch_s,
			  char ret[static DIGEST_HEX_LEN + 1])
{
	char text[DIGEST_HEX_LEN + 64];

	snprintf(text, sizeof(text), "epoch\n%s\n%" PRId64 "\n%" PRId64 "\n", row->info.key,
		 row->info.created_ns, epoch_s);
	sha256_hex(text, strlen(text), ret);
}

int snapshot_open_variant(struct store *store, const struct snapshot_row *row, int64_t epoch_s,
			  struct snapshot *ret, struct err *err)
{
	char key[DIGEST_HEX_LEN + 1];
	int rc = 0;

	snapshot_variant_key(row, epoch_s, key);
	rc = snapshot_open(store, key, ret, err);
	if (rc > 0)
		memcpy(ret->info.key, row->info.key, sizeof(ret->info.key));
	return rc;
}

int snapshot_drop_variants(struct store *store, const char *key, int64_t keep,
			   struct garbage *garbage, struct err *err)
{
	cleanup_strv struct strv keys = STRV_INIT;
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	int rc = db_prepare(store, &stmt, err,
			    "SELECT key FROM snapshot WHERE variant_of=? ORDER BY seq DESC LIMIT -1"
			    " OFFSET ?",
			    "ti", key, keep);

	while (rc >= 0 && (rc = db_step(store, stmt, err)) > 0)
		strv_add(&keys, db_text(stmt, 0));
	for (size_t i = 0; rc >= 0 && i < keys.n; i++) {
		struct snapshot_row row = {};

		rc = snapshot_find_row(store, keys.items[i], &row, err);
		if (rc > 0)
			rc = snapshot_delete_row(store, &row, garbage, err);
		/* Somebody may be using it: whoever collects what is left over finds out. */
		if (*row.dir)
			storage_mark_leftovers(store);
		snapshot_info_done(&row.info);
	}
	return rc < 0 ? rc : 0;
}

int snapshot_set_aside(struct store *store, const struct snapshot_row *row, struct garbage *garbage,
		       struct err *err)
{
	char key[DIGEST_HEX_LEN + 1];
	struct snapshot_row other = {};
	int rc = 0;

	snapshot_variant_key(row, row->info.epoch_s, key);
	rc = snapshot_find_row(store, key, &other, err);
	if (rc > 0)
		rc = snapshot_delete_row(store, &other, garbage, err);
	if (*other.dir)
		storage_mark_leftovers(store);
	snapshot_info_done(&other.info);
	if (rc < 0 || db_run(store, err, "UPDATE snapshot SET key=?,variant_of=? WHERE seq=?",
			     "tti", key, row->info.key, row->seq) < 0)
		return -err->code;
	return snapshot_drop_variants(store, row->info.key, MAX_VARIANTS, garbage, err);
}

/* ---- the copy ---- */

static int copy_files(const struct staging *staging, const char *dir, const struct snapshot *s,
		      struct err *err)
{
	const struct copy_tree_options how = {
		.is_layer = true, .keeps_marks = true, .mark = SNAPSHOT_TIME_NOTE};
	cleanup_free char *upper = str_printf("%s/upper", dir);
	cleanup_close int from = open(s->dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	cleanup_close int to = -1;
	int rc = 0;

	if (from < 0)
		return err_sys(err, errno, "open %s", s->dir);
	if (mkdirat(staging->fd, dir, 0700) < 0 || mkdirat(staging->fd, upper, 0755) < 0)
		return err_sys(err, errno, "create staging/%s/%s", staging->name, upper);
	to = openat(staging->fd, upper, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (to < 0)
		return err_sys(err, errno, "open staging/%s/%s", staging->name, upper);
	rc = copy_tree_with(from, to, &how);
	return rc < 0 ? err_sys(err, -rc, "copy what %s left", s->info.description) : 0;
}

int snapshot_retime(struct store *store, const struct staging *staging, const char *dir,
		    int64_t epoch_s, struct snapshot *s, struct err *err)
{
	cleanup_snapshot struct snapshot found = SNAPSHOT_INIT;
	struct snapshot_info info = s->info;
	struct snapshot_row row = {.info = s->info};
	int rc = 0;

	if (snapshot_fits(&s->info, epoch_s))
		return 0;
	info.epoch_s = epoch_s;
	info.began_ns = 0;
	info.replaces = false;
	if (snapshot_locate(store, s, err) < 0 || copy_files(staging, dir, s, err) < 0 ||
	    snapshot_publish_retimed(store, staging, dir, &info, s->info.epoch_s, err) < 0)
		return -err->code;
	rc = snapshot_open_variant(store, &row, epoch_s, &found, err);
	if (rc == 0)
		rc = snapshot_open(store, s->info.key, &found, err);
	if (rc < 0)
		return rc;
	if (rc == 0 || !snapshot_fits(&found.info, epoch_s) ||
	    strcmp(found.info.result, s->info.result) != 0)
		return err_set(err, ERR_CONFLICT, "the result of %s was removed meanwhile",
			       s->info.description);
	snapshot_done(s);
	*s = found;
	found = (struct snapshot)SNAPSHOT_INIT;
	return 0;
}
