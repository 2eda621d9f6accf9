/* SPDX-License-Identifier: Apache-2.0 */
/* Looking images up, and their names. */
#include "storage/image.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/rand.h"
#include "oci/image_config.h"
#include "oci/reference.h"
#include "storage/collect.h"
#include "storage/db.h"
#include "storage/image_private.h"
#include "storage/names.h"
#include "storage/store_private.h"

/* Without its layers: a query with them in one takes SQLite three times as long to prepare as both
 * queries alone, and every run waits for it. */
#define IMAGE_SELECT "SELECT i.id,i.config,i.created_ns,i.size FROM image i "

void image_done(struct image *image)
{
	free(image->config);
	free(image->reference);
	strv_done(&image->chain_ids);
	*image = (struct image)IMAGE_INIT;
}

int64_t image_get_created(sqlite3_stmt *stmt, int created_ns_column, int config_column)
{
	int64_t ns = sqlite3_column_int64(stmt, created_ns_column);
	cleanup_image_config struct image_config config = IMAGE_CONFIG_INIT;
	const char *text = NULL;
	struct err ignored = ERR_INIT;
	int64_t seconds = 0;

	/* What the column cannot say: nothing at all, which is also 1970, and years far away. */
	if (ns != 0 && ns != INT64_MIN + 1 && ns != INT64_MAX - 1)
		return ns / CLOCK_NS_PER_S - (ns % CLOCK_NS_PER_S < 0);
	text = db_text(stmt, config_column);
	if (image_config_parse(text, strlen(text), &config, &ignored) < 0 || !config.created ||
	    clock_parse_rfc3339_s(config.created, &seconds) < 0)
		return CLOCK_NEVER_S;
	return seconds;
}

char *image_canonical(const struct reference *ref)
{
	if (ref->digest)
		return str_printf("%s/%s@%s", ref->domain, ref->path, ref->digest);
	return str_printf("%s/%s:%s", ref->domain, ref->path,
			  ref->tag ? ref->tag : REFERENCE_DEFAULT_TAG);
}

char *image_familiar(const char *canonical)
{
	cleanup_reference struct reference ref = REFERENCE_INIT;
	struct err ignored = ERR_INIT;

	if (reference_parse(canonical, &ref, &ignored) < 0)
		return str_dup(canonical);
	return reference_format_familiar(&ref);
}

static void read_image(sqlite3_stmt *stmt, struct image *ret)
{
	snprintf(ret->id, sizeof(ret->id), "%s", db_text(stmt, 0));
	ret->config = str_dup(db_text(stmt, 1));
	ret->created_ns = sqlite3_column_int64(stmt, 2);
	ret->size = sqlite3_column_int64(stmt, 3);
}

/* Whether the row is (still) there. */
static int has_row(struct store *store, const char *id, struct err *err)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	int rc = db_prepare(store, &stmt, err, "SELECT 1 FROM image WHERE id=?", "t", id);

	return rc < 0 ? rc : db_step(store, stmt, err);
}

/* An image that was removed since it was found has no layers any more: 0, as if it had not been.
 * There are also images that never had any: nothing but a configuration. */
static int read_layers(struct store *store, struct image *ret, struct err *err)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	int rc = db_prepare(store, &stmt, err,
			    "SELECT chain_id FROM image_layer WHERE image_id=? ORDER BY idx", "t",
			    ret->id);

	if (rc < 0)
		return rc;
	for (rc = db_step(store, stmt, err); rc > 0; rc = db_step(store, stmt, err))
		strv_add(&ret->chain_ids, db_text(stmt, 0));
	if (rc == 0)
		rc = ret->chain_ids.n > 0 ? 1 : has_row(store, ret->id, err);
	if (rc <= 0)
		image_done(ret);
	return rc;
}

/* The image that SQL finds; more than one counts as none, as in docker. */
static int lookup_where(struct store *store, const char *sql, const char *a, const char *b,
			struct image *ret, struct err *err)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	int rc = db_prepare(store, &stmt, err, sql, b ? "tt" : "t", a, b);

	if (rc == 0)
		rc = db_step(store, stmt, err);
	if (rc <= 0)
		return rc;
	read_image(stmt, ret);
	rc = db_step(store, stmt, err);
	if (rc != 0) {
		image_done(ret);
		return rc < 0 ? rc : 0;
	}
	return read_layers(store, ret, err);
}

static int lookup_by_id(struct store *store, const char *hex, struct image *ret, struct err *err)
{
	return lookup_where(store, IMAGE_SELECT "WHERE i.id=? AND i.hidden=0", hex, NULL, ret, err);
}

/* A name of that repository that came with the manifest of that digest ("busybox@sha256:..."):
 * owned, in RET. */
static int find_name_of_target(struct store *store, const struct reference *name, char **ret,
			       struct err *err)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	cleanup_free char *start = str_printf("%s/%s:", name->domain, name->path);
	cleanup_free char *end = str_printf("%s/%s;", name->domain, name->path); /* follows ':' */
	const char *hex = str_has_prefix(name->digest, DIGEST_PREFIX)
				  ? name->digest + strlen(DIGEST_PREFIX)
				  : "";
	int rc = db_prepare(store, &stmt, err,
			    "SELECT reference FROM tag WHERE reference>=? AND reference<? AND"
			    " target=? ORDER BY reference LIMIT 1",
			    "ttt", start, end, hex);

	if (rc == 0)
		rc = db_step(store, stmt, err);
	if (rc > 0)
		*ret = str_dup(db_text(stmt, 0));
	return rc;
}

static int lookup_by_name(struct store *store, const struct reference *name, struct image *ret,
			  struct err *err)
{
	cleanup_free char *canonical = NULL;
	int rc = 0;

	if (name->digest)
		rc = find_name_of_target(store, name, &canonical, err);
	else
		canonical = image_canonical(name);
	if (!canonical)
		return rc;
	rc = lookup_where(store, IMAGE_SELECT "JOIN tag t ON t.image_id=i.id WHERE t.reference=?",
			  canonical, NULL, ret, err);

	if (rc > 0)
		ret->reference = take_ptr(canonical);
	return rc;
}

static int lookup_by_prefix(struct store *store, const char *ref, struct image *ret,
			    struct err *err)
{
	const char *prefix = str_has_prefix(ref, DIGEST_PREFIX) ? ref + strlen(DIGEST_PREFIX) : ref;
	size_t len = strlen(prefix);
	cleanup_free char *end = str_printf("%sg", prefix); /* 'g' follows 'f' */

	if (len == 0 || len > DIGEST_HEX_LEN || !hex_is_valid(prefix, len))
		return 0;
	return lookup_where(store, IMAGE_SELECT "WHERE i.id>=? AND i.id<? AND i.hidden=0 LIMIT 2",
			    prefix, end, ret, err);
}

int image_lookup(struct store *store, const char *ref, struct image *ret, struct err *err)
{
	cleanup_reference struct reference name = REFERENCE_INIT;
	int rc = 0;

	if (digest_is_valid(ref))
		return lookup_by_id(store, ref + strlen(DIGEST_PREFIX), ret, err);
	if (hex_is_valid(ref, DIGEST_HEX_LEN))
		return lookup_by_id(store, ref, ret, err);
	if (reference_parse(ref, &name, err) < 0)
		return -err->code;
	rc = lookup_by_name(store, &name, ret, err);
	return rc != 0 ? rc : lookup_by_prefix(store, ref, ret, err);
}

int image_find(struct store *store, const char *ref, struct image *ret, struct err *err)
{
	cleanup_reference struct reference name = REFERENCE_INIT;
	cleanup_free char *shown = NULL;
	struct err ignored = ERR_INIT;
	int rc = image_lookup(store, ref, ret, err);

	if (rc != 0)
		return rc;
	if (hex_is_valid(ref, DIGEST_HEX_LEN)) {
		shown = str_printf(DIGEST_PREFIX "%s", ref);
	} else if (!digest_is_valid(ref) && reference_parse(ref, &name, &ignored) == 0) {
		reference_ensure_tag(&name);
		shown = reference_format_familiar(&name);
	}
	return err_set(err, ERR_NOT_FOUND, "No such image: %s", shown ? shown : ref);
}

int image_find_passing(struct store *store, const char *id, struct image *ret, struct err *err)
{
	int rc = lookup_where(store, IMAGE_SELECT "WHERE i.id=?", id, NULL, ret, err);

	return rc != 0 ? rc : err_set(err, ERR_NOT_FOUND, "No such image: " DIGEST_PREFIX "%s", id);
}

void image_get_lower_dirs(const struct store *store, const struct image *image, struct strv *ret)
{
	for (size_t i = image->chain_ids.n; i > 0; i--)
		strv_addf(ret, "%s/" STORE_LAYERS "/%s/diff", store->root,
			  image->chain_ids.items[i - 1]);
}

int image_set_tag(struct store *store, const char *canonical, const char *id, const char *target,
		  struct err *err)
{
	/* The same image without a manifest does not take away the one that the name has. */
	return db_run(
		store, err,
		"INSERT INTO tag(reference,image_id,tagged_ns,target) VALUES(?,?,?,?)"
		" ON CONFLICT(reference) DO UPDATE SET target=CASE WHEN excluded.target IS NULL"
		" AND image_id=excluded.image_id THEN target ELSE excluded.target END,"
		" image_id=excluded.image_id,tagged_ns=excluded.tagged_ns",
		"ttit", canonical, id, clock_real_ns(), target);
}

int image_drop_targets(struct store *store, struct garbage *ret, struct err *err)
{
	static const char unused[] = " FROM target_blob WHERE NOT EXISTS(SELECT 1 FROM tag t"
				     " WHERE t.target=target_blob.target)";
	cleanup_free char *sql = str_printf("SELECT DISTINCT digest%s", unused);
	cleanup_free char *drop = str_printf("DELETE%s", unused);
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	int rc = db_prepare(store, &stmt, err, sql, "");

	while (rc >= 0 && (rc = db_step(store, stmt, err)) > 0)
		strv_add(&ret->blobs, db_text(stmt, 0));
	if (rc < 0)
		return rc;
	return ret->blobs.n ? db_run(store, err, drop, "") : 0;
}

/* The target that the name SOURCE has; an owned string, NULL for none. */
static int get_target(struct store *store, const struct image *source, char **ret, struct err *err)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	int rc = 0;

	if (!source->reference)
		return 0;
	rc = db_prepare(store, &stmt, err, "SELECT target FROM tag WHERE reference=?", "t",
			source->reference);
	if (rc == 0)
		rc = db_step(store, stmt, err);
	if (rc > 0)
		*ret = str_dup((const char *)sqlite3_column_text(stmt, 0));
	return rc;
}

int image_get_tags(struct store *store, const char *id, struct strv *ret, struct err *err)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	int rc = db_prepare(store, &stmt, err,
			    "SELECT reference FROM tag WHERE image_id=? ORDER BY reference", "t",
			    id);

	if (rc < 0)
		return rc;
	while ((rc = db_step(store, stmt, err)) > 0)
		strv_add(ret, db_text(stmt, 0));
	return rc;
}

int image_list_made_from(struct store *store, const char *id, struct strv *ret, struct err *err)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	int rc = db_prepare(store, &stmt, err,
			    "WITH RECURSIVE made(id) AS (SELECT ? UNION"
			    " SELECT i.id FROM image i JOIN made m ON i.parent=m.id)"
			    " SELECT id FROM made",
			    "t", id);

	if (rc < 0)
		return rc;
	while ((rc = db_step(store, stmt, err)) > 0)
		strv_add(ret, db_text(stmt, 0));
	return rc;
}

/* Docker's two refusals beyond the grammar. */
static int parse_target(const char *target, struct reference *ret, struct err *err)
{
	cleanup_free char *name = NULL;

	if (reference_parse(target, ret, err) < 0)
		return err_wrap(err,
				"Error parsing reference: \"%s\" is not a valid repository/tag",
				target);
	if (ret->digest)
		return err_set(err, ERR_INVALID,
			       "refusing to create a tag with a digest reference");
	name = reference_format_familiar_name(ret);
	if (strcmp(name, "sha256") == 0)
		return err_set(
			err, ERR_INVALID,
			"refusing to create an ambiguous tag using digest algorithm as name");
	return 0;
}

static int find_source(struct store *store, const char *source, struct image *ret, struct err *err)
{
	int rc = image_find(store, source, ret, err);

	return rc == -ERR_INVALID
		       ? err_wrap(err,
				  "Error parsing reference: \"%s\" is not a valid repository/tag",
				  source)
		       : rc;
}

static int tag_in_transaction(struct store *store, const char *source, const char *canonical,
			      struct garbage *garbage, struct err *err)
{
	cleanup_image struct image image = IMAGE_INIT;
	cleanup_free char *target = NULL;

	if (find_source(store, source, &image, err) < 0 ||
	    get_target(store, &image, &target, err) < 0 ||
	    image_set_tag(store, canonical, image.id, target, err) < 0)
		return -err->code;
	return image_drop_targets(store, garbage, err);
}

int image_tag(struct store *store, const char *source, const char *target, struct err *err)
{
	cleanup_reference struct reference ref = REFERENCE_INIT;
	cleanup_transaction struct store *tx = NULL;
	cleanup_garbage struct garbage garbage = GARBAGE_INIT;
	cleanup_free char *canonical = NULL;

	if (parse_target(target, &ref, err) < 0)
		return -err->code;
	canonical = image_canonical(&ref);
	if (db_begin(store, true, err) < 0)
		return -err->code;
	tx = store;
	if (tag_in_transaction(store, source, canonical, &garbage, err) < 0)
		return -err->code;
	garbage_prepare(store, &garbage);
	if (db_commit(store, err) < 0)
		return -err->code;
	names_save(store);
	storage_remove_garbage(store, &garbage);
	return 0;
}
