/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows from files. A configuration says which layers an image has; their records say the rest;
 * names and targets are in repair_names.c. A row that contradicts what can be computed is made
 * again, one that is right stays.
 */
#include "storage/repair_rows.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/rand.h"
#include "oci/document.h"
#include "oci/image_config.h"
#include "storage/db.h"
#include "storage/layer.h"
#include "storage/store_private.h"

static void rows_done(struct rows *r)
{
	json_decref(r->names);
	strv_done(&r->restored);
	strv_done(&r->broken);
}
#define cleanup_rows __attribute__((cleanup(rows_done)))

/* ---- layers ---- */

static bool is_list_of(const struct rows *r, const struct layer_info *info)
{
	cleanup_free char *path = str_printf(STORE_LAYERS "/%s/" LAYER_LIST, info->chain_hex);
	cleanup_str struct str text = STR_INIT;

	return *info->list_hex &&
	       fd_read_file_at(r->store->root_fd, path, SIZE_MAX / 2, &text) >= 0 &&
	       digest_is_of(info->list_hex, str_get(&text), text.len);
}

static bool has_blob_of(const struct rows *r, const struct layer_info *info)
{
	cleanup_free char *path = str_printf(STORE_BLOBS "/%s", info->blob_hex);
	struct stat st;

	return *info->blob_hex && fstatat(r->store->root_fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       S_ISREG(st.st_mode) && st.st_size == info->blob_size;
}

/* How much of what INFO says is there. */
static int count_right(const struct rows *r, const struct layer_info *info)
{
	return is_list_of(r, info) + has_blob_of(r, info);
}

static bool read_record(const struct rows *r, const char *chain, const char *diff,
			struct layer_info *ret)
{
	struct err ignored = ERR_INIT;
	int layers_fd = r->repair->check.layers_fd;

	return layers_fd >= 0 && layer_read_record(layers_fd, chain, ret, &ignored) >= 0 &&
	       strcmp(ret->diff_hex, diff) == 0;
}

/* What is known of layer CHAIN, whose diff ID must be DIFF: by its row or its record, whichever
 * fits the files better. 1, or 0 when nothing is. */
static int find_layer(struct rows *r, const char *chain, const char *diff, struct layer_info *ret,
		      struct err *err)
{
	struct layer_info row = {}, record = {};
	bool has_record = read_record(r, chain, diff, &record);
	int rc = layer_info_lookup(r->store, chain, &row, err);
	bool has_row = rc > 0 && strcmp(row.diff_hex, diff) == 0;

	if (rc < 0)
		return rc;
	if (has_row && (!has_record || count_right(r, &row) >= count_right(r, &record)))
		*ret = row;
	else if (has_record)
		*ret = record;
	return has_row || has_record;
}

static const char *or_null(const char *s)
{
	return *s ? s : NULL;
}

static int put_layer(struct rows *r, const struct layer_info *l, struct err *err)
{
	bool has_blob = *l->blob_hex;

	return db_run(r->store, err,
		      "INSERT OR REPLACE INTO layer(chain_id,diff_id,size,entries,tree_hash,blob,"
		      "blob_size,blob_format,plain_size) VALUES(?,?,?,?,?,?,?,?,?)",
		      "ttiittiti", l->chain_hex, l->diff_hex, l->size, l->entries,
		      or_null(l->list_hex), or_null(l->blob_hex),
		      has_blob ? l->blob_size : (int64_t)0, or_null(l->blob_format), l->plain_size);
}

/* Whether all layers of a configuration are known. */
static int has_layers(struct rows *r, const struct image_config *config, struct err *err)
{
	char chain[DIGEST_HEX_LEN + 1];

	strv_foreach (i, &config->diff_ids) {
		const char *diff = config->diff_ids.items[i] + strlen(DIGEST_PREFIX);
		struct layer_info info;
		int rc = 0;

		digest_chain(i ? chain : NULL, diff, chain);
		rc = find_layer(r, chain, diff, &info, err);
		if (rc <= 0)
			return rc;
	}
	return config->diff_ids.n > 0;
}

static int put_chain(struct rows *r, const char *id, const struct image_config *config,
		     struct err *err)
{
	char chain[DIGEST_HEX_LEN + 1];

	if (db_run(r->store, err, "DELETE FROM image_layer WHERE image_id=?", "t", id) < 0)
		return -err->code;
	strv_foreach (i, &config->diff_ids) {
		const char *diff = config->diff_ids.items[i] + strlen(DIGEST_PREFIX);
		struct layer_info info = {};

		digest_chain(i ? chain : NULL, diff, chain);
		if (find_layer(r, chain, diff, &info, err) < 0)
			return -err->code;
		/* Of one that is lost altogether this much is known. */
		memcpy(info.chain_hex, chain, sizeof(info.chain_hex));
		memcpy(info.diff_hex, diff, sizeof(info.diff_hex));
		if (put_layer(r, &info, err) < 0 ||
		    db_run(r->store, err,
			   "INSERT INTO image_layer(image_id,idx,chain_id) VALUES(?,?,?)", "tit",
			   id, (int64_t)i, chain) < 0)
			return -err->code;
	}
	return 0;
}

/* ---- images ---- */

/* The configuration ID among the blobs: 1 and its text, 0 when there is none that is whole. */
static int read_config(const struct rows *r, const char *id, struct str *ret)
{
	cleanup_free char *path = str_printf(STORE_BLOBS "/%s", id);

	str_truncate(ret, 0);
	return fd_read_file_at(r->store->root_fd, path, DOCUMENT_MAX_SIZE, ret) >= 0 &&
	       digest_is_of(id, str_get(ret), ret->len) && !memchr(str_get(ret), '\0', ret->len);
}

static int put_image(struct rows *r, const char *id, const char *text,
		     const struct image_config *config, struct err *err)
{
	int64_t created_ns = 0;

	if (config->created && clock_parse_rfc3339(config->created, &created_ns) < 0)
		created_ns = 0;
	if (db_run(r->store, err,
		   "INSERT INTO image(id,created_ns,size,hidden,config) VALUES(?,?,0,0,?)"
		   " ON CONFLICT(id) DO UPDATE SET config=excluded.config,"
		   "created_ns=ifnull(made_ns,excluded.created_ns)",
		   "tit", id, created_ns, text) < 0)
		return -err->code;
	return put_chain(r, id, config, err);
}

/* A row whose text is whole and a blob, under another digest: its id is what was damaged. */
static int mend_id(struct rows *r, const char *id, const char *text, struct err *err)
{
	cleanup_image_config struct image_config config = IMAGE_CONFIG_INIT;
	cleanup_str struct str blob = STR_INIT;
	char true_id[DIGEST_HEX_LEN + 1];
	struct err ignored = ERR_INIT;

	sha256_hex(text, strlen(text), true_id);
	if (strcmp(id, true_id) == 0 || read_config(r, true_id, &blob) <= 0 ||
	    image_config_parse(text, strlen(text), &config, &ignored) < 0)
		return 0;
	if (db_run(r->store, err, "DELETE FROM image WHERE id=?", "t", id) < 0 ||
	    put_image(r, true_id, text, &config, err) < 0)
		return -err->code;
	return 1;
}

/* An image that has a row. One whose configuration is lost keeps its rows as they are, and with
 * them its layers. */
static int mend_image(struct rows *r, const char *id, const char *row_text, struct err *err)
{
	cleanup_image_config struct image_config config = IMAGE_CONFIG_INIT;
	cleanup_str struct str blob = STR_INIT;
	const char *text = row_text;
	struct err why = ERR_INIT;
	int rc = mend_id(r, id, row_text, err);

	if (rc != 0)
		return rc < 0 ? rc : 0;
	if (!digest_is_of(id, text, strlen(text)))
		text = read_config(r, id, &blob) > 0 ? str_get(&blob) : NULL;
	if (!text || image_config_parse(text, strlen(text), &config, &why) < 0) {
		repair_lost(r->repair, "image", id,
			    "its configuration is damaged in the index and as a blob");
		return 0;
	}
	return put_image(r, id, text, &config, err);
}

static int list_images(struct rows *r, struct strv *ids, struct strv *texts, struct err *err)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	int rc = db_prepare(r->store, &stmt, err, "SELECT id,config FROM image", "");

	while (rc >= 0 && (rc = db_step(r->store, stmt, err)) > 0) {
		strv_add(ids, db_text(stmt, 0));
		strv_add(texts, db_text(stmt, 1));
	}
	return rc;
}

static int mend_images(struct rows *r, struct err *err)
{
	cleanup_strv struct strv ids = STRV_INIT;
	cleanup_strv struct strv texts = STRV_INIT;

	/* Ids that are no digests name nothing. */
	if (db_run(r->store, err, "DELETE FROM image WHERE length(id)<>64", "") < 0 ||
	    list_images(r, &ids, &texts, err) < 0)
		return -err->code;
	strv_foreach (i, &ids) {
		if (mend_image(r, ids.items[i], texts.items[i], err) < 0)
			return -err->code;
	}
	return 0;
}

/* A blob that is the configuration of an image without a row. */
static int restore_image(struct rows *r, const char *id, struct err *err)
{
	cleanup_image_config struct image_config config = IMAGE_CONFIG_INIT;
	cleanup_str struct str text = STR_INIT;
	struct err ignored = ERR_INIT;
	int rc = check_is_named(r->store, "SELECT 1 FROM image WHERE id=?", id, err);

	if (rc != 0)
		return rc < 0 ? rc : 0;
	if (!(r->is_lost || repair_is_named_in_file(r, id)) || read_config(r, id, &text) <= 0 ||
	    image_config_parse(str_get(&text), text.len, &config, &ignored) < 0)
		return 0;
	rc = has_layers(r, &config, err);
	if (rc <= 0)
		return rc;
	strv_add(&r->restored, id);
	return put_image(r, id, str_get(&text), &config, err);
}

static int restore_images(struct rows *r, struct err *err)
{
	int fd = openat(r->store->root_fd, STORE_BLOBS, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *e = NULL;
	struct stat st;
	int rc = 0;

	if (!dir) {
		fd_cleanup_close(&fd);
		return 0;
	}
	while (rc >= 0 && (e = readdir(dir)))
		if (hex_is_valid(e->d_name, DIGEST_HEX_LEN) &&
		    fstatat(fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) &&
		    st.st_size <= (off_t)DOCUMENT_MAX_SIZE)
			rc = restore_image(r, e->d_name, err);
	closedir(dir);
	return rc;
}

/* What the rows above leave behind. */
static int tidy(struct rows *r, struct err *err)
{
	static const char *const statements[] = {
		("DELETE FROM snapshot WHERE length(key)<>64 OR key GLOB '*[^0-9a-f]*' OR"
		 " (dir IS NOT NULL AND (length(dir)<>32 OR dir GLOB '*[^0-9a-f]*')) OR"
		 " (chain IS NOT NULL AND chain NOT IN (SELECT chain_id FROM layer))"),
		"DELETE FROM snapshot_use WHERE seq NOT IN (SELECT seq FROM snapshot)",
		"DELETE FROM snapshot_alias WHERE target NOT IN (SELECT key FROM snapshot)",
		"DELETE FROM image_layer WHERE image_id NOT IN (SELECT id FROM image)",
		"DELETE FROM layer WHERE chain_id NOT IN (SELECT chain_id FROM image_layer) AND"
		" chain_id NOT IN (SELECT chain FROM snapshot WHERE chain IS NOT NULL)",
		"UPDATE image SET size=(SELECT ifnull(sum(l.size),0) FROM image_layer a JOIN layer "
		"l"
		" ON l.chain_id=a.chain_id WHERE a.image_id=image.id)",
		"UPDATE image SET hidden=0 WHERE hidden NOT IN (0,1)",
		"UPDATE target_blob SET size=(SELECT l.blob_size FROM layer l WHERE l.blob=digest"
		" LIMIT 1) WHERE digest IN (SELECT blob FROM layer WHERE blob IS NOT NULL)",
		"UPDATE target_blob SET size=(SELECT length(CAST(i.config AS BLOB)) FROM image i"
		" WHERE i.id=digest) WHERE digest IN (SELECT id FROM image)",
		"UPDATE tag SET target=NULL WHERE target IS NOT NULL AND NOT EXISTS(SELECT 1 FROM"
		" target_blob b WHERE b.target=tag.target AND b.digest=tag.target)",
		"DELETE FROM target_blob WHERE NOT EXISTS(SELECT 1 FROM tag t WHERE"
		" t.target=target_blob.target)",
	};

	for (size_t i = 0; i < ARRAY_LEN(statements); i++)
		if (db_run(r->store, err, statements[i], "") < 0)
			return -err->code;
	return 0;
}

int repair_complete_rows(struct repair *repair, struct store *store, bool is_lost, struct err *err)
{
	static int (*const steps[])(struct rows * r, struct err * err) = {
		mend_images,
		restore_images,
		repair_mend_targets,
		repair_drop_broken_names,
		repair_restore_names,
		repair_mend_containers,
		tidy,
	};
	cleanup_rows struct rows r = {.repair = repair,
				      .store = store,
				      .is_lost = is_lost,
				      .names = repair_read_names(repair->store)};

	for (size_t i = 0; i < ARRAY_LEN(steps); i++)
		if (steps[i](&r, err) < 0)
			return -err->code;
	strv_foreach (i, &r.restored)
		repair_done(repair, "image", r.restored.items[i],
			    "is known again, by its configuration and layers");
	return 0;
}

int repair_find_forgotten(struct repair *repair, struct strv *ret, struct err *err)
{
	cleanup_rows struct rows r = {.repair = repair,
				      .store = repair->store,
				      .names = repair_read_names(repair->store)};
	struct named n;

	for (size_t i = 0; i < json_array_size(r.names); i++) {
		cleanup_image_config struct image_config config = IMAGE_CONFIG_INIT;
		cleanup_str struct str text = STR_INIT;
		struct err ignored = ERR_INIT;
		int rc = 0;

		if (!repair_parse_named(json_array_get(r.names, i), &n) || strv_has(ret, n.image))
			continue;
		rc = check_is_named(r.store, "SELECT 1 FROM image WHERE id=?", n.image, err);
		if (rc < 0)
			return rc;
		if (rc > 0 || read_config(&r, n.image, &text) <= 0 ||
		    image_config_parse(str_get(&text), text.len, &config, &ignored) < 0)
			continue;
		rc = has_layers(&r, &config, err);
		if (rc < 0)
			return rc;
		if (rc > 0)
			strv_add(ret, n.image);
	}
	return 0;
}

bool repair_has_better_record(struct repair *repair)
{
	const struct rows r = {.repair = repair, .store = repair->store};

	for (size_t i = 0; i < repair->check.n_layers; i++) {
		const struct check_layer *l = &repair->check.layers[i];
		struct layer_info record = {};

		if (l->is_record_bad &&
		    read_record(&r, l->info.chain_hex, l->info.diff_hex, &record) &&
		    count_right(&r, &record) > count_right(&r, &l->info))
			return true;
	}
	return false;
}
