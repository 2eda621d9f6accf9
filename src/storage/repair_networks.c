/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of networks from their records, and records from rows. */
#include "storage/repair_private.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/rand.h"
#include "base/str.h"
#include "storage/db.h"
#include "storage/network.h"
#include "storage/store_private.h"

/* ---- a new index ---- */

struct restoring {
	struct repair *repair;
	struct store *fresh;
};

static int restore(const struct network_row *row, void *data, struct err *err)
{
	const struct restoring *x = data;
	int rc = network_restore_row(x->fresh, row, err);

	if (rc > 0)
		repair_done(x->repair, "network", row->name, "is in the index again");
	return rc;
}

int repair_restore_networks(struct repair *r, struct store *fresh, struct err *err)
{
	struct restoring x = {r, fresh};
	int fd = openat(r->store->root_fd, STORE_NETWORKS,
			O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	int rc = 0;

	for (const struct dirent *e = dir ? readdir(dir) : NULL; e && rc >= 0; e = readdir(dir))
		rc = network_read_record(r->store, e->d_name, restore, &x, err);
	if (dir)
		closedir(dir);
	return rc < 0 ? rc : 0;
}

/* ---- a whole index ---- */

static int write_record(const struct network_row *row, void *data, struct err *err)
{
	struct repair *r = data;
	int rc = r->options->dry_run ? 0 : network_write_record(r->store, row, err);

	if (rc >= 0)
		repair_done(r, "network", row->name, "its record is written again");
	return rc;
}

static int remove_leftover(struct repair *r, const char *path, struct err *err)
{
	if (!r->options->dry_run && unlinkat(r->store->root_fd, path, 0) < 0 && errno != ENOENT)
		return err_sys(err, errno, "remove %s/%s", r->store->root, path);
	repair_done(r, "leftover", path, "removed, of a network");
	return 0;
}

static int replace_row(const struct network_row *row, void *data, struct err *err)
{
	struct repair *r = data;
	cleanup_transaction struct store *tx = NULL;

	repair_done(r, "network", row->name, "is made again from its record");
	if (r->options->dry_run)
		return 0;
	if (db_begin(r->store, true, err) < 0)
		return -err->code;
	tx = r->store;
	if (db_run(r->store, err, "DELETE FROM network WHERE id=?", "t", row->id) < 0 ||
	    network_restore_row(r->store, row, err) < 0)
		return -err->code;
	return db_commit(r->store, err);
}

static int mend_row(struct repair *r, const char *id, struct err *err)
{
	cleanup_free char *name = str_printf("%s.json", id);
	int rc = network_read_record(r->store, name, replace_row, r, err);

	if (rc != 0)
		return rc < 0 ? rc : 0;
	repair_lost(r, "network", id, "the network %.12s, its row and its record", id);
	if (r->options->dry_run)
		return 0;
	rc = network_delete(r->store, id, err);
	return rc < 0 ? rc : 0;
}

int repair_networks(struct repair *r, struct err *err)
{
	strv_foreach (i, &r->check.stray_networks)
		if (remove_leftover(r, r->check.stray_networks.items[i], err) < 0)
			return -err->code;
	strv_foreach (i, &r->check.bad_networks)
		if (mend_row(r, r->check.bad_networks.items[i], err) < 0)
			return -err->code;
	strv_foreach (i, &r->check.bare_networks)
		if (network_lookup(r->store, r->check.bare_networks.items[i], write_record, r,
				   err) < 0)
			return -err->code;
	return 0;
}
