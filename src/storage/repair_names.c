/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names and targets from files: index.json says which names there are, and manifests and indexes
 * which blobs they need.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/rand.h"
#include "oci/document.h"
#include "oci/reference.h"
#include "storage/db.h"
#include "storage/image_private.h"
#include "storage/repair_rows.h"
#include "storage/store_private.h"

#define MAX_NAMES ((size_t)64 << 20)
#define MAX_NEST  4 /* indexes in indexes */

/* ---- index.json ---- */

json_t *repair_read_names(struct store *store)
{
	cleanup_str struct str text = STR_INIT;
	json_t *doc = NULL, *list = NULL;

	if (fd_read_file_at(store->root_fd, NAMES_FILE, MAX_NAMES, &text) < 0)
		return NULL;
	doc = json_loadb(str_get(&text), text.len, JSON_REJECT_DUPLICATES, NULL);
	list = json_incref(json_object_get(doc, "manifests"));
	json_decref(doc);
	return list;
}

/* One entry; false when it is none of ours. */
bool repair_parse_named(const json_t *d, struct named *ret)
{
	cleanup_reference struct reference ref = REFERENCE_INIT;
	const json_t *notes = json_object_get(d, "annotations");
	const char *image = json_string_value(json_object_get(notes, NAMES_IMAGE));
	const char *digest = json_string_value(json_object_get(d, "digest"));
	struct err ignored = ERR_INIT;

	*ret = (struct named){.name = json_string_value(json_object_get(notes, NAMES_NAME)),
			      .media_type = json_string_value(json_object_get(d, "mediaType"))};
	if (!image || !digest || !ret->name || digest_parse(image, ret->image, &ignored) < 0 ||
	    digest_parse(digest, ret->target, &ignored) < 0 ||
	    reference_parse(ret->name, &ref, &ignored) < 0)
		return false;
	if (strcmp(ret->image, ret->target) == 0)
		ret->target[0] = '\0';
	return true;
}

bool repair_is_named_in_file(const struct rows *r, const char *id)
{
	struct named n;

	for (size_t i = 0; i < json_array_size(r->names); i++)
		if (repair_parse_named(json_array_get(r->names, i), &n) && strcmp(n.image, id) == 0)
			return true;
	return false;
}

/* ---- targets ---- */

static int put_target(struct rows *r, const char *target, const char *hex, const char *media_type,
		      int64_t size, struct err *err)
{
	return db_run(r->store, err,
		      "INSERT OR REPLACE INTO target_blob(target,digest,media_type,size)"
		      " VALUES(?,?,?,?)",
		      "ttti", target, hex, strcmp(target, hex) == 0 ? media_type : NULL, size);
}

static int walk_target(struct rows *r, const char *target, const char *hex, const char *media_type,
		       int depth, struct err *err);

/* The descriptor D in a manifest or index: 1 when all of it is there. */
static int walk_descriptor(struct rows *r, const char *target, const json_t *d, bool is_document,
			   int depth, struct err *err)
{
	const char *digest = json_string_value(json_object_get(d, "digest"));
	cleanup_free char *path = NULL;
	char hex[DIGEST_HEX_LEN + 1];
	struct err ignored = ERR_INIT;
	struct stat st;

	if (!digest || digest_parse(digest, hex, &ignored) < 0)
		return 0;
	if (is_document)
		return walk_target(r, target, hex, NULL, depth + 1, err);
	path = str_printf(STORE_BLOBS "/%s", hex);
	/* Of a layer that came uncompressed the store has its own blob, and makes this from it. */
	if (fstatat(r->store->root_fd, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return check_is_named(r->store, "SELECT 1 FROM layer WHERE diff_id=? LIMIT 1", hex,
				      err);
	return put_target(r, target, hex, NULL, st.st_size, err) < 0 ? -err->code : 1;
}

/* Everything that the manifest or index HEX names: 1, or 0 when something is missing. */
static int walk_target(struct rows *r, const char *target, const char *hex, const char *media_type,
		       int depth, struct err *err)
{
	static const char *const lists[] = {"layers", "manifests"};
	cleanup_json json_t *doc = NULL;
	cleanup_str struct str text = STR_INIT;
	struct err ignored = ERR_INIT;
	int rc = 1;

	if (depth > MAX_NEST || blob_read(r->store, hex, &text, &ignored) < 0 ||
	    document_parse(str_get(&text), text.len, "manifest", &doc, &ignored) < 0)
		return 0;
	if (!media_type)
		media_type = json_string_value(json_object_get(doc, "mediaType"));
	if (put_target(r, target, hex, media_type, (int64_t)text.len, err) < 0)
		return -err->code;
	if (json_object_get(doc, "config"))
		rc = walk_descriptor(r, target, json_object_get(doc, "config"), false, depth, err);
	for (size_t l = 0; rc > 0 && l < ARRAY_LEN(lists); l++) {
		const json_t *list = json_object_get(doc, lists[l]);

		for (size_t i = 0; rc > 0 && i < json_array_size(list); i++)
			rc = walk_descriptor(r, target, json_array_get(list, i), l == 1, depth,
					     err);
	}
	return rc;
}

/* Makes the rows of a target again when all of it is there; else they stay as they are. */
static int mend_target(struct rows *r, const char *target, const char *media_type, struct err *err)
{
	int rc = 0;

	if (db_run(r->store, err, "SAVEPOINT walk", "") < 0 ||
	    db_run(r->store, err, "DELETE FROM target_blob WHERE target=?", "t", target) < 0)
		return -err->code;
	rc = walk_target(r, target, target, *media_type ? media_type : NULL, 0, err);
	if (rc < 0 || (rc == 0 && db_run(r->store, err, "ROLLBACK TO walk", "") < 0))
		return -err->code;
	return db_run(r->store, err, "RELEASE walk", "") < 0 ? -err->code : 0;
}

int repair_mend_targets(struct rows *r, struct err *err)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	cleanup_strv struct strv targets = STRV_INIT;
	cleanup_strv struct strv types = STRV_INIT;
	int rc = db_prepare(
		r->store, &stmt, err,
		"SELECT DISTINCT t.target,b.media_type FROM tag t LEFT JOIN target_blob b"
		" ON b.target=t.target AND b.digest=t.target WHERE t.target IS NOT NULL",
		"");

	while (rc >= 0 && (rc = db_step(r->store, stmt, err)) > 0) {
		strv_add(&targets, db_text(stmt, 0));
		strv_add(&types, db_text(stmt, 1));
	}
	db_finalize(&stmt);
	for (size_t i = 0; rc >= 0 && i < targets.n; i++)
		if (hex_is_valid(targets.items[i], DIGEST_HEX_LEN))
			rc = mend_target(r, targets.items[i], types.items[i], err);
	return rc;
}

/* Ensures the rows of a target; one that is not whole is none: 1 or 0. */
static int ensure_target(struct rows *r, const struct named *n, struct err *err)
{
	int rc = *n->target ? walk_target(r, n->target, n->target, n->media_type, 0, err) : 0;

	if (rc != 0 || !*n->target)
		return rc;
	return db_run(r->store, err, "DELETE FROM target_blob WHERE target=?", "t", n->target) < 0
		       ? -err->code
		       : 0;
}

/* ---- names ---- */

static int find_broken(struct rows *r, const char *sql, struct err *err)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	int rc = db_prepare(r->store, &stmt, err, sql, "");

	while (rc >= 0 && (rc = db_step(r->store, stmt, err)) > 0)
		strv_add(&r->broken, db_text(stmt, 0));
	return rc;
}

/* Names of images, or of targets, that there are not. */
int repair_drop_broken_names(struct rows *r, struct err *err)
{
	if (find_broken(r,
			"SELECT reference FROM tag WHERE image_id NOT IN (SELECT id FROM image) OR"
			" (target IS NOT NULL AND NOT EXISTS(SELECT 1 FROM target_blob b WHERE"
			" b.target=tag.target AND b.digest=tag.target))",
			err) < 0)
		return -err->code;
	return db_run(r->store, err, "DELETE FROM tag WHERE image_id NOT IN (SELECT id FROM image)",
		      "");
}

/* A name that index.json has. The index is believed where it can be. */
static int restore_name(struct rows *r, const struct named *n, struct err *err)
{
	int rc = check_is_named(r->store, "SELECT 1 FROM image WHERE id=?", n->image, err);

	if (rc <= 0)
		return rc;
	if (!r->is_lost && !strv_has(&r->restored, n->image) && !strv_has(&r->broken, n->name))
		return 0;
	rc = ensure_target(r, n, err);
	if (rc < 0)
		return rc;
	return image_set_tag(r->store, n->name, n->image, rc > 0 ? n->target : NULL, err);
}

int repair_restore_names(struct rows *r, struct err *err)
{
	struct named n;

	for (size_t i = 0; i < json_array_size(r->names); i++)
		if (repair_parse_named(json_array_get(r->names, i), &n) &&
		    restore_name(r, &n, err) < 0)
			return -err->code;
	return 0;
}
