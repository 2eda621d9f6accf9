/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cache inside an image: its configuration says which of its layers is the result of which
 * step. Nothing is copied, neither here nor there: a row of the cache names a layer that is there
 * with its image.
 */
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "oci/document.h"
#include "oci/image_config.h"
#include "storage/image.h"
#include "storage/snapshot_private.h"
#include "storage/store_private.h"

enum { MAX_STEPS = 2000 };

/* Nothing that the cache knows may show in an image's configuration, but what follows from the
 * layer: what its times were is noted at files of the cache alone. */
static void add_times(json_t *step, const struct snapshot_info *info, int64_t epoch_s)
{
	json_object_set_new(step, "epoch", json_integer(epoch_s));
	json_object_set_new(step, "latest", json_integer(info->latest_s));
}

char *snapshot_describe_inline(struct snapshot *const *snapshots, size_t n, size_t n_below,
			       int64_t epoch_s)
{
	cleanup_json json_t *steps = json_array();
	size_t layer = n_below;

	for (size_t i = 0; i < n; i++) {
		const struct snapshot_info *info = &snapshots[i]->info;
		json_t *step = json_object();

		json_object_set_new(step, "key", json_string(info->key));
		if (strcmp(info->result, info->key) != 0)
			json_object_set_new(step, "result", json_string(info->result));
		json_object_set_new(step, "kind", json_integer((json_int_t)info->kind));
		json_object_set_new(step, "description", json_string_nocheck(info->description));
		if (info->parent)
			json_object_set_new(step, "parent", json_string(info->parent));
		if (!info->is_empty) {
			json_object_set_new(step, "layer", json_integer((json_int_t)layer++));
			add_times(step, info, epoch_s);
		}
		json_array_append_new(steps, step);
	}
	return json_dumps(steps, JSON_COMPACT);
}

struct step {
	const char *key, *result, *description, *parent; /* borrowed */
	json_int_t kind, epoch_s, latest_s;
	const char *chain; /* NULL: it changed nothing */
	int64_t size;
};

static bool is_key(const char *text)
{
	return text && hex_is_valid(text, DIGEST_HEX_LEN);
}

static int parse_step(const json_t *object, const struct image *image, struct step *ret,
		      struct err *err)
{
	json_int_t layer = 0;

	*ret = (struct step){};
	if (document_get_string(object, "key", &ret->key, err) < 0 ||
	    document_get_string(object, "result", &ret->result, err) < 0 ||
	    document_get_string(object, "description", &ret->description, err) < 0 ||
	    document_get_string(object, "parent", &ret->parent, err) < 0 ||
	    document_get_int(object, "kind", &ret->kind, err) < 0 ||
	    document_get_int(object, "layer", &layer, err) < 0 ||
	    document_get_int(object, "epoch", &ret->epoch_s, err) < 0 ||
	    document_get_int(object, "latest", &ret->latest_s, err) < 0)
		return -err->code;
	if (!json_object_get(object, "epoch"))
		ret->epoch_s = SNAPSHOT_NO_EPOCH;
	if (!is_key(ret->key) || (ret->result && !is_key(ret->result)) || ret->kind < 0 ||
	    ret->kind > SNAPSHOT_OTHER || layer < 0 || (size_t)layer >= image->chain_ids.n)
		return err_set(err, ERR_INVALID, "the build cache in image %.12s is damaged",
			       image->id);
	if (json_object_get(object, "layer"))
		ret->chain = image->chain_ids.items[layer];
	return 0;
}

/* What is here stays. */
static int insert_step(struct store *store, const struct step *s, struct err *err)
{
	int64_t now_ns = clock_real_ns();
	int rc = db_run(
		store, err,
		"INSERT OR IGNORE INTO snapshot(key,chain,kind,description,parent,size,"
		"created_ns,result,epoch,late,latest) SELECT ?1,?2,?3,?4,?5,ifnull((SELECT"
		" size FROM layer WHERE chain_id=?2),0),?6,?7,nullif(?8,"
		"9223372036854775807),?9,?10 WHERE ?2 IS NULL OR EXISTS(SELECT 1 FROM"
		" layer WHERE chain_id=?2)",
		"ttittitiii", s->key, s->chain, (int64_t)s->kind,
		s->description ? s->description : "", is_key(s->parent) ? s->parent : NULL, now_ns,
		s->result, (int64_t)s->epoch_s,
		(int64_t)(s->latest_s >= s->epoch_s ? SNAPSHOT_LATE_UNKNOWN : SNAPSHOT_LATE_NONE),
		(int64_t)s->latest_s);

	if (rc <= 0)
		return rc;
	return db_run(store, err,
		      "INSERT OR REPLACE INTO snapshot_use(seq,used_ns,n_uses)"
		      " VALUES(last_insert_rowid(),?,0)",
		      "i", now_ns);
}

/* Whether the step is here, with its files: 1, 0, or -code. */
static int is_here(struct store *store, const json_t *object, struct err *err)
{
	const char *key = json_string_value(json_object_get(object, "key"));
	struct snapshot s = SNAPSHOT_INIT;
	int rc = is_key(key) ? snapshot_open(store, key, &s, err) : 0;

	snapshot_done(&s);
	return rc;
}

/* A row that cannot be believed, or whose files are gone, gives way. */
static int put_step(struct store *store, const struct image *image, const json_t *object,
		    struct err *err)
{
	struct step s;
	int rc = is_here(store, object, err);

	if (rc != 0)
		return rc < 0 ? rc : 0;
	if (parse_step(object, image, &s, err) < 0 ||
	    db_run(store, err, "DELETE FROM snapshot WHERE key=?", "t", s.key) < 0)
		return -err->code;
	return insert_step(store, &s, err);
}

static int put_all(struct store *store, const struct image *image, const json_t *steps,
		   struct err *err)
{
	cleanup_transaction struct store *tx = NULL;

	if (db_begin(store, false, err) < 0)
		return -err->code;
	tx = store;
	for (size_t i = 0; i < json_array_size(steps); i++)
		if (put_step(store, image, json_array_get(steps, i), err) < 0)
			return -err->code;
	if (db_run(store, err,
		   "DELETE FROM snapshot_use WHERE seq NOT IN (SELECT seq FROM snapshot)", "") < 0)
		return -err->code;
	return db_commit(store, err);
}

static int count_missing(struct store *store, const json_t *steps, struct err *err)
{
	int n = 0;

	for (size_t i = 0; i < json_array_size(steps); i++) {
		int rc = is_here(store, json_array_get(steps, i), err);

		if (rc < 0)
			return rc;
		n += rc == 0;
	}
	return n;
}

int snapshot_import_inline(struct store *store, const char *ref, struct err *err)
{
	cleanup_image struct image image = IMAGE_INIT;
	cleanup_json json_t *doc = NULL;
	json_t *steps = NULL;
	int rc = 0;

	if (image_find(store, ref, &image, err) < 0 ||
	    document_parse(image.config, strlen(image.config), "configuration", &doc, err) < 0 ||
	    document_get_array(doc, IMAGE_BUILD_CACHE, &steps, err) < 0)
		return -err->code;
	if (!steps)
		return err_set(err, ERR_NOT_FOUND, "there is no build cache in %s", ref);
	if (json_array_size(steps) > MAX_STEPS)
		return err_set(err, ERR_INVALID, "more than %d steps", MAX_STEPS);
	rc = count_missing(store, steps, err);
	return rc > 0 ? put_all(store, &image, steps, err) : rc;
}
