/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The index by itself. All rows are read in one transaction, so that they belong together; then
 * they are compared with each other: what can be computed from something else must be that.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/rand.h"
#include "oci/document.h"
#include "oci/image_config.h"
#include "oci/reference.h"
#include "storage/check_private.h"
#include "storage/db.h"
#include "storage/image_private.h"
#include "storage/store_private.h"

#define REBUILD "tare system repair makes it again from the files"
#define OPTIONS_LOST                                                                            \
	"lost: inspect does not show them any more; the container runs as before; tare system " \
	"repair empties them"

/* ---- reading ---- */

static int read_layers(struct check *c, struct err *err)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	int rc = db_prepare(c->store, &stmt, err, "SELECT chain_id FROM layer ORDER BY chain_id",
			    "");

	while (rc >= 0 && (rc = db_step(c->store, stmt, err)) > 0) {
		struct check_layer *l = NULL;

		c->layers = mem_realloc_array(c->layers, c->n_layers + 1, sizeof(*c->layers));
		l = &c->layers[c->n_layers++];
		*l = (struct check_layer){};
		if (layer_info_lookup(c->store, db_text(stmt, 0), &l->info, err) < 0)
			return -err->code;
	}
	return rc;
}

static void add_blob(struct check *c, const char *hex, int64_t size, uint32_t image, uint32_t layer)
{
	struct check_blob *b = NULL;

	c->blobs = mem_realloc_array(c->blobs, c->n_blobs + 1, sizeof(*c->blobs));
	b = &c->blobs[c->n_blobs++];
	*b = (struct check_blob){.size = size,
				 .image = image,
				 .layer = layer,
				 .is_target = image == CHECK_NONE && layer == CHECK_NONE};
	snprintf(b->hex, sizeof(b->hex), "%s", hex);
}

static int read_images(struct check *c, struct err *err)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	int rc = db_prepare(c->store, &stmt, err,
			    "SELECT id,config,created_ns,made_ns FROM image ORDER BY id", "");

	while (rc >= 0 && (rc = db_step(c->store, stmt, err)) > 0) {
		struct check_image *i = NULL;

		c->images = mem_realloc_array(c->images, c->n_images + 1, sizeof(*c->images));
		i = &c->images[c->n_images++];
		*i = (struct check_image){.config = str_dup(db_text(stmt, 1)),
					  .created_ns = sqlite3_column_int64(stmt, 2),
					  .made_ns = sqlite3_column_int64(stmt, 3)};
		snprintf(i->id, sizeof(i->id), "%s", db_text(stmt, 0));
	}
	return rc;
}

static struct check_image *lookup_image(const struct check *c, const char *id)
{
	for (size_t i = 0; i < c->n_images; i++)
		if (strcmp(c->images[i].id, id) == 0)
			return &c->images[i];
	return NULL;
}

/* What is wrong with rows: told at once, and remembered for repair. */
static void __attribute__((format(printf, 4, 5)))
bad_rows(struct check *c, const char *kind, const char *id, const char *fmt, ...)
{
	char text[512];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	c->are_rows_bad = true;
	check_report(c, kind, id, NULL, REBUILD, "%s", text);
}

static int read_chains(struct check *c, struct err *err)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	int rc = db_prepare(c->store, &stmt, err,
			    "SELECT image_id,idx,chain_id FROM image_layer ORDER BY image_id,idx",
			    "");

	while (rc >= 0 && (rc = db_step(c->store, stmt, err)) > 0) {
		struct check_image *i = lookup_image(c, db_text(stmt, 0));

		if (!i)
			bad_rows(c, "image", db_text(stmt, 0), "has layers but no row");
		else if ((size_t)sqlite3_column_int64(stmt, 1) != i->chains.n)
			bad_rows(c, "image", i->id, "layer %zu has no row", i->chains.n);
		else
			strv_add(&i->chains, db_text(stmt, 2));
	}
	return rc;
}

static void check_reference(struct check *c, const char *canonical)
{
	cleanup_reference struct reference ref = REFERENCE_INIT;
	struct err ignored = ERR_INIT;

	if (reference_parse(canonical, &ref, &ignored) < 0)
		bad_rows(c, "name", canonical, "is no name");
}

static int read_tags(struct check *c, struct err *err)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	int rc = db_prepare(c->store, &stmt, err,
			    "SELECT t.reference,t.image_id,t.target,b.digest FROM tag t LEFT JOIN"
			    " target_blob b ON b.target=t.target AND b.digest=t.target"
			    " ORDER BY t.reference",
			    "");

	while (rc >= 0 && (rc = db_step(c->store, stmt, err)) > 0) {
		struct check_image *i = lookup_image(c, db_text(stmt, 1));

		check_reference(c, db_text(stmt, 0));
		if (!i)
			bad_rows(c, "name", db_text(stmt, 0), "there is no image %.12s",
				 db_text(stmt, 1));
		else
			strv_add_take(&i->names, image_familiar(db_text(stmt, 0)));
		if (*db_text(stmt, 2) && !*db_text(stmt, 3))
			bad_rows(c, "name", db_text(stmt, 0),
				 "nothing is known of its manifest %.12s", db_text(stmt, 2));
	}
	return rc;
}

static int read_targets(struct check *c, struct err *err)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	int rc = db_prepare(c->store, &stmt, err,
			    "SELECT b.digest,b.size,b.target,t.reference FROM target_blob b LEFT"
			    " JOIN tag t ON t.target=b.target GROUP BY b.target,b.digest",
			    "");

	while (rc >= 0 && (rc = db_step(c->store, stmt, err)) > 0) {
		if (!*db_text(stmt, 3))
			bad_rows(c, "blob", db_text(stmt, 0),
				 "is kept for a manifest %.12s that no name has", db_text(stmt, 2));
		add_blob(c, db_text(stmt, 0), sqlite3_column_int64(stmt, 1), CHECK_NONE,
			 CHECK_NONE);
	}
	return rc;
}

static bool is_object(const char *text)
{
	cleanup_json json_t *doc = NULL;
	struct err ignored = ERR_INIT;

	return document_parse(text, strlen(text), "row", &doc, &ignored) >= 0;
}

static int read_containers(struct check *c, struct err *err)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	int rc = db_prepare(c->store, &stmt, err,
			    "SELECT c.id,c.name,c.image_id,j.config,j.host FROM container c LEFT"
			    " JOIN container_json j ON j.seq=c.seq ORDER BY c.seq",
			    "");

	while (rc >= 0 && (rc = db_step(c->store, stmt, err)) > 0) {
		const char *image = db_text(stmt, 2);
		struct check_container *k = NULL;

		c->containers = mem_realloc_array(c->containers, c->n_containers + 1,
						  sizeof(*c->containers));
		k = &c->containers[c->n_containers++];
		*k = (struct check_container){.name = str_dup(db_text(stmt, 1))};
		snprintf(k->id, sizeof(k->id), "%s", db_text(stmt, 0));
		if (*image && !lookup_image(c, image))
			bad_rows(c, "container", k->id, "there is no image %.12s", image);
		k->has_bad_options = !is_object(db_text(stmt, 3)) || !is_object(db_text(stmt, 4));
		if (k->has_bad_options)
			check_report(c, "container", k->id, NULL, OPTIONS_LOST,
				     "the index's copy of its options is damaged");
	}
	return rc;
}

static int compare_blobs(const void *a, const void *b)
{
	return strcmp(((const struct check_blob *)a)->hex, ((const struct check_blob *)b)->hex);
}

/* One entry for each digest, which knows all that need it. */
static void merge_blobs(struct check *c)
{
	size_t n = 0;

	if (c->n_blobs)
		qsort(c->blobs, c->n_blobs, sizeof(*c->blobs), compare_blobs);
	for (size_t i = 0; i < c->n_blobs; i++) {
		struct check_blob *to = n ? &c->blobs[n - 1] : NULL, *from = &c->blobs[i];

		if (!to || strcmp(to->hex, from->hex) != 0) {
			c->blobs[n++] = *from;
			continue;
		}
		to->is_target |= from->is_target;
		to->size = to->size < 0 ? from->size : to->size;
		to->image = to->image == CHECK_NONE ? from->image : to->image;
		to->layer = to->layer == CHECK_NONE ? from->layer : to->layer;
	}
	c->n_blobs = n;
}

static void collect_blobs(struct check *c)
{
	for (size_t i = 0; i < c->n_images; i++)
		add_blob(c, c->images[i].id, (int64_t)strlen(c->images[i].config), (uint32_t)i,
			 CHECK_NONE);
	for (size_t i = 0; i < c->n_layers; i++) {
		const struct layer_info *info = &c->layers[i].info;

		if (*info->blob_hex)
			add_blob(c, info->blob_hex, info->blob_size, CHECK_NONE, (uint32_t)i);
	}
	merge_blobs(c);
}

/* One message may have several lines, the first of which names the database. */
static void tell_file(struct check *c, const char *message)
{
	cleanup_strv struct strv lines = STRV_INIT;

	c->is_index_bad = true;
	strv_split(&lines, message, '\n');
	strv_foreach (i, &lines) {
		if (*lines.items[i] && !str_has_prefix(lines.items[i], "*** in "))
			check_report(c, "index", STORE_INDEX, NULL, REBUILD, "%s", lines.items[i]);
	}
}

/* SQLite's own look at the file. */
static int check_file(struct check *c, struct err *err)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	int rc = db_prepare(
		c->store, &stmt, err,
		c->options->full ? "PRAGMA integrity_check(10)" : "PRAGMA quick_check(10)", "");

	while (rc >= 0 && (rc = db_step(c->store, stmt, err)) > 0)
		if (strcmp(db_text(stmt, 0), "ok") != 0)
			tell_file(c, db_text(stmt, 0));
	return rc;
}

static int read_all(struct check *c, struct err *err)
{
	static int (*const steps[])(struct check * c, struct err * err) = {
		check_file, read_layers,  read_images,	   read_chains,
		read_tags,  read_targets, read_containers,
	};

	for (size_t i = 0; i < ARRAY_LEN(steps); i++)
		if (steps[i](c, err) < 0)
			return -err->code;
	return 0;
}

int check_take_damage(struct check *c, struct err *err)
{
	if (!db_is_damage(err))
		return -err->code;
	c->is_index_bad = true;
	check_report(c, "index", STORE_INDEX, NULL, REBUILD, "%s", err->msg);
	err_clear(err);
	return 0;
}

int check_read_rows(struct check *c, struct err *err)
{
	struct err ignored = ERR_INIT;
	int rc = db_run(c->store, err, "BEGIN", "");

	if (rc >= 0)
		rc = read_all(c, err);
	db_run(c->store, &ignored, "ROLLBACK", "");
	if (rc < 0)
		return check_take_damage(c, err) < 0 ? -err->code : 1;
	collect_blobs(c);
	return 0;
}

/* ---- comparing ---- */

static void compare_chain(struct check *c, const struct check_image *image,
			  const struct image_config *config)
{
	char chain[DIGEST_HEX_LEN + 1];

	if (config->diff_ids.n != image->chains.n) {
		bad_rows(c, "image", image->id, "its configuration has %zu layers, the index %zu",
			 config->diff_ids.n, image->chains.n);
		return;
	}
	strv_foreach (i, &config->diff_ids) {
		const char *diff = config->diff_ids.items[i] + strlen(DIGEST_PREFIX);
		const struct check_layer *l = check_lookup_layer(c, image->chains.items[i]);

		digest_chain(i ? chain : NULL, diff, chain);
		if (strcmp(chain, image->chains.items[i]) != 0)
			bad_rows(c, "image", image->id, "layer %zu is %.12s, not %.12s", i,
				 image->chains.items[i], chain);
		else if (!l)
			bad_rows(c, "layer", chain, "has no row");
		else if (strcmp(l->info.diff_hex, diff) != 0)
			bad_rows(c, "layer", chain, "its diff ID is %.12s, not %.12s",
				 l->info.diff_hex, diff);
	}
}

static void compare_created(struct check *c, const struct check_image *image,
			    const struct image_config *config)
{
	int64_t created_ns = 0;

	if (image->made_ns)
		created_ns = image->made_ns;
	else if (config->created && clock_parse_rfc3339(config->created, &created_ns) < 0)
		created_ns = 0;
	if (created_ns != image->created_ns)
		bad_rows(c, "image", image->id, "was not created when its row says");
}

static void compare_image(struct check *c, struct check_image *image)
{
	cleanup_image_config struct image_config config = IMAGE_CONFIG_INIT;
	struct err err = ERR_INIT;
	size_t len = strlen(image->config);

	image->is_config_bad = !digest_is_of(image->id, image->config, len);
	if (image->is_config_bad)
		bad_rows(c, "image", image->id, "the index's copy of its configuration is damaged");
	else if (image_config_parse(image->config, len, &config, &err) < 0)
		bad_rows(c, "image", image->id, "%s", err.msg);
	else
		compare_chain(c, image, &config);
	if (config.diff_ids.n)
		compare_created(c, image, &config);
}

/* What is computed when an image comes in. */
static int compare_sums(struct check *c, struct err *err)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	int rc = db_prepare(c->store, &stmt, err,
			    "SELECT i.id FROM image i WHERE i.size<>(SELECT ifnull(sum(l.size),0)"
			    " FROM image_layer a JOIN layer l ON l.chain_id=a.chain_id"
			    " WHERE a.image_id=i.id) OR i.hidden NOT IN (0,1)",
			    "");

	while (rc >= 0 && (rc = db_step(c->store, stmt, err)) > 0)
		bad_rows(c, "image", db_text(stmt, 0), "its size is not that of its layers");
	return rc;
}

/* Two rows that name one blob. */
static int compare_sizes(struct check *c, struct err *err)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	int rc = db_prepare(c->store, &stmt, err,
			    "SELECT DISTINCT b.digest FROM target_blob b WHERE EXISTS(SELECT 1 FROM"
			    " layer l WHERE l.blob=b.digest AND l.blob_size<>b.size) OR EXISTS("
			    "SELECT 1 FROM image i WHERE i.id=b.digest AND"
			    " length(CAST(i.config AS BLOB))<>b.size)",
			    "");

	while (rc >= 0 && (rc = db_step(c->store, stmt, err)) > 0)
		bad_rows(c, "blob", db_text(stmt, 0), "has two sizes in the index");
	return rc;
}

static int compare_unused(struct check *c, struct err *err)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	int rc = db_prepare(c->store, &stmt, err,
			    "SELECT chain_id FROM layer l WHERE NOT EXISTS(SELECT 1 FROM"
			    " image_layer a WHERE a.chain_id=l.chain_id) AND NOT EXISTS(SELECT 1"
			    " FROM snapshot s WHERE s.chain=l.chain_id)",
			    "");

	while (rc >= 0 && (rc = db_step(c->store, stmt, err)) > 0)
		bad_rows(c, "layer", db_text(stmt, 0), "has a row, but nothing needs it");
	return rc;
}

/* Layers that only the cache of builds names. */
static int compare_snapshots(struct check *c, struct err *err)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	int rc = db_prepare(c->store, &stmt, err,
			    "SELECT key,chain FROM snapshot WHERE chain IS NOT NULL AND chain NOT"
			    " IN (SELECT chain_id FROM layer)",
			    "");

	while (rc >= 0 && (rc = db_step(c->store, stmt, err)) > 0)
		bad_rows(c, "cache", db_text(stmt, 0), "there is no layer %.12s", db_text(stmt, 1));
	return rc;
}

int check_compare_rows(struct check *c, struct err *err)
{
	for (size_t i = 0; i < c->n_images; i++)
		compare_image(c, &c->images[i]);
	return compare_sums(c, err) < 0 || compare_sizes(c, err) < 0 ||
			       compare_unused(c, err) < 0 || compare_snapshots(c, err) < 0
		       ? -err->code
		       : 0;
}
