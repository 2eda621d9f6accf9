/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Removing names and images as docker does (moby daemon/images/image_delete.go describes the rule
 * and its words). The decision and the rows are one transaction; files go afterwards, and what a
 * crash leaves of them the collector removes.
 *
 * An image that a stopped container still needs is only hidden when it is removed by force.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "storage/collect.h"
#include "storage/db.h"
#include "storage/image_private.h"
#include "storage/names.h"
#include "storage/store_private.h"

#define SHORT 12 /* digits of an id in messages */

struct removal {
	struct store *store;
	struct image image;
	struct strv tags;	/* canonical names of the image */
	struct strv containers; /* ids that use it */
	image_running_fn running;
	void *data;
	bool force;
	struct strv lines;
	struct garbage garbage; /* what lost its last name */
};

static void removal_done(struct removal *r)
{
	image_done(&r->image);
	strv_done(&r->tags);
	strv_done(&r->containers);
	strv_done(&r->lines);
	garbage_done(&r->garbage);
}
#define cleanup_removal __attribute__((cleanup(removal_done)))

static int load_containers(struct removal *r, struct err *err)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	int rc = db_prepare(r->store, &stmt, err,
			    "SELECT id FROM container WHERE image_id=? ORDER BY seq DESC", "t",
			    r->image.id);

	while (rc >= 0 && (rc = db_step(r->store, stmt, err)) > 0)
		strv_add(&r->containers, db_text(stmt, 0));
	return rc;
}

static int conflict(const struct removal *r, const char *kind, const char *reason,
		    const char *container, struct err *err)
{
	return err_set(err, ERR_CONFLICT, "conflict: unable to delete %.*s (%s) - %s%s%.*s", SHORT,
		       r->image.id, kind, reason, container ? " " : "", SHORT,
		       container ? container : "");
}

/* A container that runs, or one that does not; NULL. */
static const char *find_container(const struct removal *r, bool running)
{
	strv_foreach (i, &r->containers) {
		const char *id = r->containers.items[i];

		if ((r->running && r->running(id, r->data)) == running)
			return id;
	}
	return NULL;
}

static int check_running(const struct removal *r, struct err *err)
{
	const char *id = find_container(r, true);

	if (!id)
		return 0;
	return conflict(r, "cannot be forced", "image is being used by running container", id, err);
}

static int check_stopped(const struct removal *r, struct err *err)
{
	const char *id = find_container(r, false);

	if (!id || r->force)
		return 0;
	return conflict(r, "must be forced", "image is being used by stopped container", id, err);
}

static int untag(struct removal *r, const char *canonical, struct err *err)
{
	cleanup_free char *familiar = image_familiar(canonical);

	if (db_run(r->store, err, "DELETE FROM tag WHERE reference=?", "t", canonical) < 0)
		return -err->code;
	strv_addf(&r->lines, "Untagged: %s", familiar);
	return 0;
}

/* The image's layers that no other image has, with the blobs that go with them. */
static int find_own_layers(struct store *store, const char *id, struct garbage *ret,
			   struct err *err)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	int rc = db_prepare(
		store, &stmt, err,
		"SELECT a.chain_id,l.size+coalesce(l.blob_size,0),l.blob FROM image_layer a LEFT"
		" JOIN layer l ON l.chain_id=a.chain_id WHERE a.image_id=?1 AND NOT EXISTS(SELECT 1"
		" FROM image_layer b WHERE b.chain_id=a.chain_id AND b.image_id<>?1)"
		" ORDER BY a.idx DESC",
		"t", id);

	while (rc >= 0 && (rc = db_step(store, stmt, err)) > 0) {
		strv_add(&ret->layers, db_text(stmt, 0));
		ret->size += sqlite3_column_int64(stmt, 1);
		if (*db_text(stmt, 2))
			strv_add(&ret->blobs, db_text(stmt, 2));
	}
	return rc;
}

int image_delete_rows(struct store *store, const char *id, struct garbage *ret, struct err *err)
{
	size_t first = ret->layers.n;

	if (find_own_layers(store, id, ret, err) < 0)
		return -err->code;
	for (size_t i = first; i < ret->layers.n; i++)
		if (db_run(store, err, "DELETE FROM layer WHERE chain_id=?", "t",
			   ret->layers.items[i]) < 0)
			return -err->code;
	if (db_run(store, err, "DELETE FROM image_layer WHERE image_id=?", "t", id) < 0 ||
	    db_run(store, err, "DELETE FROM image WHERE id=?", "t", id) < 0)
		return -err->code;
	strv_add(&ret->blobs, id);
	return image_drop_targets(store, ret, err);
}

/* Takes the image itself away, or hides it while a container needs its layers. */
static int delete_image(struct removal *r, struct err *err)
{
	int rc = 0;

	if (r->containers.n > 0)
		rc = db_run(r->store, err, "UPDATE image SET hidden=1 WHERE id=?", "t",
			    r->image.id);
	else
		rc = image_delete_rows(r->store, r->image.id, &r->garbage, err);
	if (rc < 0)
		return rc;
	strv_addf(&r->lines, "Deleted: " DIGEST_PREFIX "%s", r->image.id);
	strv_foreach (i, &r->garbage.layers)
		strv_addf(&r->lines, "Deleted: " DIGEST_PREFIX "%s", r->garbage.layers.items[i]);
	return 0;
}

/* The user named one of the image's references. */
static int remove_by_name(struct removal *r, const char *typed, struct err *err)
{
	if (!r->force && r->tags.n == 1 && r->containers.n > 0)
		return err_set(
			err, ERR_CONFLICT,
			"conflict: unable to remove repository reference \"%s\" (must force) - "
			"container %.*s is using its referenced image %.*s",
			typed, SHORT, r->containers.items[0], SHORT, r->image.id);
	if (untag(r, r->image.reference, err) < 0 ||
	    image_drop_targets(r->store, &r->garbage, err) < 0)
		return -err->code;
	/* What the last name stood for goes too, unless a container runs on it: then it stays,
	 * nameless. */
	if (r->tags.n > 1 || find_container(r, true))
		return 0;
	return delete_image(r, err);
}

/* The user named the image by its id. */
static int remove_by_id(struct removal *r, struct err *err)
{
	if (check_running(r, err) < 0)
		return -err->code;
	if (!r->force && r->tags.n > 1)
		return conflict(r, "must be forced", "image is referenced in multiple repositories",
				NULL, err);
	if (check_stopped(r, err) < 0)
		return -err->code;
	strv_foreach (i, &r->tags) {
		if (untag(r, r->tags.items[i], err) < 0)
			return -err->code;
	}
	return delete_image(r, err);
}

static int remove_in_transaction(struct removal *r, const char *ref, struct err *err)
{
	if (image_find(r->store, ref, &r->image, err) < 0 ||
	    image_get_tags(r->store, r->image.id, &r->tags, err) < 0 || load_containers(r, err) < 0)
		return -err->code;
	return r->image.reference ? remove_by_name(r, ref, err) : remove_by_id(r, err);
}

static int run_removal(struct removal *r, const char *ref, struct err *err)
{
	cleanup_transaction struct store *tx = NULL;

	if (db_begin(r->store, false, err) < 0)
		return -err->code;
	tx = r->store;
	if (remove_in_transaction(r, ref, err) < 0)
		return -err->code;
	garbage_prepare(r->store, &r->garbage);
	if (db_commit(r->store, err) < 0)
		return -err->code;
	names_save(r->store);
	storage_remove_garbage(r->store, &r->garbage);
	return 0;
}

int image_remove(struct store *store, const char *ref, bool force, image_running_fn running,
		 void *data, struct strv *ret_lines, struct err *err)
{
	cleanup_removal struct removal r = {.store = store,
					    .running = running,
					    .data = data,
					    .force = force,
					    .garbage = GARBAGE_INIT};

	if (run_removal(&r, ref, err) < 0)
		return -err->code;
	if (ret_lines)
		strv_add_all(ret_lines, &r.lines);
	return 0;
}

struct prune {
	struct strv refs; /* what to remove: names, or ids of nameless images */
	bool all;
};

static int collect_row(const struct image_row *row, void *data, struct err *err)
{
	struct prune *p = data;
	bool is_dangling = strcmp(row->tag, "<none>") == 0;

	if (is_dangling)
		strv_add(&p->refs, row->id);
	else if (p->all)
		strv_addf(&p->refs, "%s:%s", row->repository, row->tag);
	return 0;
}

/* One image of a prune: an image in use is skipped, one that went meanwhile is fine. */
static int prune_one(struct store *store, const char *ref, struct strv *ret_lines,
		     int64_t *ret_reclaimed, struct err *err)
{
	cleanup_removal struct removal r = {.store = store, .garbage = GARBAGE_INIT};

	if (run_removal(&r, ref, err) < 0) {
		if (err->code != ERR_CONFLICT && err->code != ERR_NOT_FOUND)
			return -err->code;
		err_clear(err);
		return 0;
	}
	*ret_reclaimed += r.garbage.size;
	strv_foreach (i, &r.lines) {
		/* "Untagged: x" of rmi is "untagged: x" here. */
		r.lines.items[i][0] |= 0x20;
		strv_add(ret_lines, r.lines.items[i]);
	}
	return 0;
}

/* docker image prune -a leaves every name of an image that a container uses. */
static int is_used(struct store *store, const char *ref, struct err *err)
{
	cleanup_removal struct removal r = {.store = store, .garbage = GARBAGE_INIT};
	int rc = image_lookup(store, ref, &r.image, err);

	if (rc <= 0)
		return rc;
	return load_containers(&r, err) < 0 ? -err->code : r.containers.n > 0;
}

int image_prune(struct store *store, bool all, const struct image_filter *filter,
		struct strv *ret_lines, int64_t *ret_reclaimed, struct err *err)
{
	cleanup_strv struct strv refs = STRV_INIT;
	cleanup_image_filter struct image_filter everything = {};
	struct prune p = {.all = all};
	int rc = 0;

	image_filter_init(&everything);
	rc = image_list(store, filter ? filter : &everything, collect_row, &p, err);
	refs = p.refs;
	*ret_reclaimed = 0;
	for (size_t i = 0; rc >= 0 && i < refs.n; i++) {
		rc = is_used(store, refs.items[i], err);
		if (rc == 0)
			rc = prune_one(store, refs.items[i], ret_lines, ret_reclaimed, err);
	}
	/* Who asks for space gets all that nobody needs. */
	storage_collect(store);
	return rc < 0 ? rc : 0;
}
