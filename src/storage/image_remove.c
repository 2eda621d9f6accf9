/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Removing names and images as docker does (moby daemon/images/image_delete.go describes the rule
 * and its words). The decision and the rows, those of ancestors included, are one transaction;
 * files go afterwards, and what a crash leaves of them the collector removes.
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
#include "storage/reclaim.h"
#include "storage/store_private.h"

#define SHORT 12 /* digits of an id in messages */

struct removal {
	struct store *store;
	image_running_fn running;
	void *data;
	bool force, no_prune;
	struct reclaim *reclaim; /* NULL: nobody wants to know */
	/* Of the image that is looked at: the one the user named, then its ancestors. */
	char id[DIGEST_HEX_LEN + 1];
	struct strv tags;	/* canonical names */
	struct strv containers; /* ids that use it, newest first */
	bool has_children;	/* other images were made from it */
	char *parent;		/* id; NULL */
	struct strv lines;
	bool has_untagged;
	struct garbage garbage; /* what lost its last name */
};

static void removal_forget_image(struct removal *r)
{
	strv_done(&r->tags);
	strv_done(&r->containers);
	str_replace(&r->parent, NULL);
}

static void removal_done(struct removal *r)
{
	removal_forget_image(r);
	strv_done(&r->lines);
	garbage_done(&r->garbage);
}
#define cleanup_removal __attribute__((cleanup(removal_done)))

static int load_containers(struct removal *r, struct err *err)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	int rc = db_prepare(r->store, &stmt, err,
			    "SELECT id FROM container WHERE image_id=?1 OR id IN (SELECT container"
			    " FROM mount_use WHERE object='image:'||?1) ORDER BY seq DESC",
			    "t", r->id);

	while (rc >= 0 && (rc = db_step(r->store, stmt, err)) > 0)
		strv_add(&r->containers, db_text(stmt, 0));
	return rc;
}

/* Looks at the image ID: 1, or 0 when there is none (any more). */
static int load_image(struct removal *r, const char *id, struct err *err)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	int rc = db_prepare(r->store, &stmt, err,
			    "SELECT id,parent,EXISTS(SELECT 1 FROM image k WHERE k.parent=i.id AND"
			    " k.hidden=0) FROM image i WHERE id=? AND hidden=0",
			    "t", id);

	if (rc == 0)
		rc = db_step(r->store, stmt, err);
	if (rc <= 0)
		return rc;
	removal_forget_image(r);
	snprintf(r->id, sizeof(r->id), "%s", db_text(stmt, 0));
	str_replace(&r->parent, (const char *)sqlite3_column_text(stmt, 1));
	r->has_children = sqlite3_column_int(stmt, 2);
	if (image_get_tags(r->store, r->id, &r->tags, err) < 0 || load_containers(r, err) < 0)
		return -err->code;
	return 1;
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

static int conflict(const struct removal *r, const char *kind, const char *reason,
		    const char *container, struct err *err)
{
	return err_set(err, ERR_CONFLICT, "conflict: unable to delete %.*s (%s) - %s%s%.*s", SHORT,
		       r->id, kind, reason, container ? " " : "", SHORT,
		       container ? container : "");
}

/* What stands against the removal of an image by its id, in docker's order. */
static int check_conflicts(const struct removal *r, struct err *err)
{
	static const char never[] = "cannot be forced";
	static const char by_force[] = "must be forced";
	const char *running = find_container(r, true);
	const char *stopped = r->force ? NULL : find_container(r, false);

	if (r->has_children)
		return conflict(r, never, "image has dependent child images", NULL, err);
	if (running)
		return conflict(r, never, "image is being used by running container", running, err);
	if (!r->force && r->tags.n > 1)
		return conflict(r, by_force, "image is referenced in multiple repositories", NULL,
				err);
	if (stopped)
		return conflict(r, by_force, "image is being used by stopped container", stopped,
				err);
	return 0;
}

static int untag(struct removal *r, const char *canonical, struct err *err)
{
	cleanup_free char *familiar = image_familiar(canonical);

	if (db_run(r->store, err, "DELETE FROM tag WHERE reference=?", "t", canonical) < 0)
		return -err->code;
	strv_addf(&r->lines, "Untagged: %s", familiar);
	r->has_untagged = true;
	return 0;
}

/* The image's layers that no other image has, nor the cache of builds, with the blobs that go with
 * them. */
static int find_own_layers(struct store *store, const char *id, struct garbage *ret,
			   struct err *err)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	int rc = db_prepare(
		store, &stmt, err,
		"SELECT a.chain_id,l.size+coalesce(l.blob_size,0),l.blob FROM image_layer a LEFT"
		" JOIN layer l ON l.chain_id=a.chain_id WHERE a.image_id=?1 AND NOT EXISTS(SELECT 1"
		" FROM image_layer b WHERE b.chain_id=a.chain_id AND b.image_id<>?1) AND NOT"
		" EXISTS(SELECT 1 FROM snapshot s WHERE s.chain=a.chain_id)"
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
	size_t first = r->garbage.layers.n;
	int rc = 0;

	if (r->containers.n > 0)
		rc = db_run(r->store, err, "UPDATE image SET hidden=1 WHERE id=?", "t", r->id);
	else
		rc = image_delete_rows(r->store, r->id, &r->garbage, err);
	if (rc < 0)
		return rc;
	strv_addf(&r->lines, "Deleted: " DIGEST_PREFIX "%s", r->id);
	for (size_t i = first; i < r->garbage.layers.n; i++)
		strv_addf(&r->lines, "Deleted: " DIGEST_PREFIX "%s", r->garbage.layers.items[i]);
	return 0;
}

/* Deletes the image, then its ancestors as long as nobody needs them by name, as a container's
 * image or as a parent. */
static int delete_with_parents(struct removal *r, struct err *err)
{
	for (;;) {
		cleanup_free char *parent = NULL;
		int rc = delete_image(r, err);

		parent = take_ptr(r->parent);
		if (rc < 0 || r->no_prune || !parent)
			return rc;
		rc = load_image(r, parent, err);
		if (rc <= 0 || r->tags.n || r->containers.n || r->has_children)
			return rc;
	}
}

/* The user named one of the image's references. */
static int remove_by_name(struct removal *r, const char *reference, const char *typed,
			  struct err *err)
{
	if (!r->force && r->tags.n == 1 && r->containers.n > 0)
		return err_set(
			err, ERR_CONFLICT,
			"conflict: unable to remove repository reference \"%s\" (must force) - "
			"container %.*s is using its referenced image %.*s",
			typed, SHORT, r->containers.items[0], SHORT, r->id);
	if (untag(r, reference, err) < 0 || image_drop_targets(r->store, &r->garbage, err) < 0)
		return -err->code;
	/* What the last name stood for goes too, unless a container runs on it or other images
	 * were made from it: then it stays, nameless. */
	if (r->tags.n > 1 || r->has_children || find_container(r, true))
		return 0;
	return delete_with_parents(r, err);
}

/* The user named the image by its id. */
static int remove_by_id(struct removal *r, struct err *err)
{
	if (check_conflicts(r, err) < 0)
		return -err->code;
	strv_foreach (i, &r->tags) {
		if (untag(r, r->tags.items[i], err) < 0)
			return -err->code;
	}
	return delete_with_parents(r, err);
}

static int remove_in_transaction(struct removal *r, const char *ref, struct err *err)
{
	cleanup_image struct image image = IMAGE_INIT;
	int rc = image_find(r->store, ref, &image, err);

	/* docker drops the digest and keeps the tag; here the digest belongs to the tag. */
	if (rc >= 0 && image.reference && strchr(ref, '@')) {
		cleanup_free char *name = image_familiar(image.reference);

		return err_set(err, ERR_CONFLICT,
			       "conflict: unable to remove digest reference \"%s\" - it belongs to "
			       "%s",
			       ref, name);
	}
	if (rc >= 0)
		rc = load_image(r, image.id, err);
	if (rc < 0)
		return rc;
	return image.reference ? remove_by_name(r, image.reference, ref, err)
			       : remove_by_id(r, err);
}

static int try_removal(struct removal *r, const char *ref, struct err *err)
{
	cleanup_transaction struct store *tx = NULL;

	if (db_begin(r->store, true, err) < 0)
		return -err->code;
	tx = r->store;
	if (remove_in_transaction(r, ref, err) < 0)
		return -err->code;
	garbage_prepare(r->store, &r->garbage);
	return db_commit(r->store, err);
}

/* On a full disk the index may have no room to forget anything: for that there is the reserve. */
static int run_removal(struct removal *r, const char *ref, struct err *err)
{
	int rc = try_removal(r, ref, err);

	if (rc < 0 && (err->errnum == ENOSPC || err->errnum == EDQUOT) &&
	    store_release_reserve(r->store)) {
		err_clear(err);
		strv_done(&r->lines);
		garbage_done(&r->garbage);
		rc = try_removal(r, ref, err);
	}
	if (rc < 0)
		return rc;
	if (r->reclaim)
		reclaim_add_garbage(r->reclaim, r->store, &r->garbage);
	storage_remove_garbage(r->store, &r->garbage);
	/* Empties the staging directory: only then there is room for the other two. */
	garbage_done(&r->garbage);
	if (r->has_untagged)
		names_save(r->store);
	store_ensure_reserve(r->store);
	return 0;
}

int image_remove(struct store *store, const char *ref, const struct image_removal *how,
		 struct strv *ret_lines, struct err *err)
{
	cleanup_removal struct removal r = {.store = store,
					    .running = how->running,
					    .data = how->data,
					    .force = how->force,
					    .no_prune = how->no_prune,
					    .garbage = GARBAGE_INIT};

	if (run_removal(&r, ref, err) < 0)
		return -err->code;
	if (ret_lines)
		strv_add_all(ret_lines, &r.lines);
	return 0;
}

/* ---- images that were only made to be written somewhere else ---- */

#define IS_PASSING                                                                                 \
	" hidden=1 AND NOT EXISTS(SELECT 1 FROM container c WHERE c.image_id=i.id) AND NOT EXISTS" \
	"(SELECT 1 FROM mount_use m WHERE m.object='image:'||i.id)"

/* Those that SQL finds. */
static int delete_passing(struct store *store, const char *sql, const char *id,
			  struct garbage *garbage, struct err *err)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	cleanup_strv struct strv ids = STRV_INIT;
	int rc = db_prepare(store, &stmt, err, sql, id ? "t" : "", id);

	while (rc >= 0 && (rc = db_step(store, stmt, err)) > 0)
		strv_add(&ids, db_text(stmt, 0));
	for (size_t i = 0; rc >= 0 && i < ids.n; i++)
		rc = image_delete_rows(store, ids.items[i], garbage, err);
	return rc;
}

int image_remove_passing(struct store *store, const char *id, struct err *err)
{
	cleanup_transaction struct store *tx = NULL;
	cleanup_garbage struct garbage garbage = GARBAGE_INIT;

	if (db_begin(store, false, err) < 0)
		return -err->code;
	tx = store;
	if (delete_passing(store, "SELECT id FROM image i WHERE id=? AND" IS_PASSING, id, &garbage,
			   err) < 0)
		return -err->code;
	/* Who builds holds the lock of the layers, so now it could not be had anyhow. */
	storage_mark_leftovers(store);
	return db_commit(store, err);
}

static int has_passing(struct store *store, struct err *err)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	int rc = db_prepare(store, &stmt, err, "SELECT 1 FROM image i WHERE" IS_PASSING, "");

	return rc < 0 ? rc : db_step(store, stmt, err);
}

int image_forget_passing(struct store *store, struct garbage *garbage, struct err *err)
{
	cleanup_transaction struct store *tx = NULL;
	int rc = has_passing(store, err);

	if (rc <= 0)
		return rc;
	if (db_begin(store, false, err) < 0)
		return -err->code;
	tx = store;
	if (delete_passing(store, "SELECT id FROM image i WHERE" IS_PASSING, NULL, garbage, err) <
	    0)
		return -err->code;
	return db_commit(store, err);
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

/* Whether a container needs the image that REF names. docker image prune -a takes the names of such
 * an image except for the last; here they stay. */
static int is_used(struct store *store, const char *ref, struct err *err)
{
	cleanup_removal struct removal r = {.store = store, .garbage = GARBAGE_INIT};
	cleanup_image struct image image = IMAGE_INIT;
	int rc = image_lookup(store, ref, &image, err);

	if (rc > 0)
		rc = load_image(&r, image.id, err);
	return rc <= 0 ? rc : r.containers.n > 0;
}

/* One image of a prune: an image in use is skipped, one that went meanwhile is fine. */
static int prune_one(struct store *store, const char *ref, struct strv *ret_lines,
		     struct reclaim *reclaim, struct err *err)
{
	cleanup_removal struct removal r = {
		.store = store, .reclaim = reclaim, .garbage = GARBAGE_INIT};
	int rc = is_used(store, ref, err);

	if (rc == 0)
		rc = run_removal(&r, ref, err);
	if (rc < 0 && (err->code == ERR_CONFLICT || err->code == ERR_NOT_FOUND)) {
		err_clear(err);
		return 0;
	}
	strv_foreach (i, &r.lines) {
		/* "Untagged: x" of rmi is "untagged: x" here. */
		r.lines.items[i][0] |= 0x20;
		strv_add(ret_lines, r.lines.items[i]);
	}
	return rc;
}

int image_prune(struct store *store, bool all, const struct image_filter *filter,
		struct strv *ret_lines, int64_t *ret_reclaimed, struct err *err)
{
	cleanup_strv struct strv refs = STRV_INIT;
	cleanup_image_filter struct image_filter everything = {};
	cleanup_reclaim struct reclaim reclaim = RECLAIM_INIT;
	struct prune p = {.all = all};
	int rc = 0;

	image_filter_init(&everything);
	rc = image_list(store, filter ? filter : &everything, collect_row, &p, err);
	refs = p.refs;
	for (size_t i = 0; rc >= 0 && i < refs.n; i++)
		rc = prune_one(store, refs.items[i], ret_lines, &reclaim, err);
	/* Who asks for space gets all that nobody needs. */
	reclaim_add_unnamed(&reclaim, store);
	storage_collect(store);
	*ret_reclaimed = reclaim_get_bytes(&reclaim, store);
	return rc < 0 ? rc : 0;
}
