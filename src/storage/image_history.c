/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The history of an image: what its configuration says about each step, the size of the layer that
 * the step made, and the id of the image that ended with it. Such ids are known only of images that
 * were made here, by the chain of parents; steps that came in from elsewhere have none.
 */
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/rand.h"
#include "oci/image_config.h"
#include "storage/db.h"
#include "storage/image_private.h"

/* More generations than this are a circle. */
#define MAX_PARENTS 1000

struct history {
	struct store *store;
	struct image_config config;
	int64_t *sizes;			 /* of the layers, base first */
	char (*ids)[DIGEST_HEX_LEN + 1]; /* of the images that end with each step; "" */
};

static void history_done(struct history *h)
{
	image_config_done(&h->config);
	free(h->sizes);
	free(h->ids);
}

static int load_sizes(struct history *h, const struct image *image, struct err *err)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	size_t n = 0;
	int rc = db_prepare(h->store, &stmt, err,
			    "SELECT l.size FROM image_layer a LEFT JOIN layer l"
			    " ON l.chain_id=a.chain_id WHERE a.image_id=? ORDER BY a.idx",
			    "t", image->id);

	h->sizes = mem_zalloc((h->config.diff_ids.n + 1) * sizeof(*h->sizes));
	while (rc >= 0 && n < h->config.diff_ids.n && (rc = db_step(h->store, stmt, err)) > 0)
		h->sizes[n++] = sqlite3_column_int64(stmt, 0);
	return rc < 0 ? rc : 0;
}

/* Sets ID at the step with which that image ended and moves on to its parent, whose id replaces it
 * ("" at the end). */
static int place_id(struct history *h, char id[static DIGEST_HEX_LEN + 1], struct err *err)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	cleanup_image_config struct image_config config = IMAGE_CONFIG_INIT;
	const char *text = NULL;
	int rc = db_prepare(h->store, &stmt, err, "SELECT config,parent FROM image WHERE id=?", "t",
			    id);

	if (rc == 0)
		rc = db_step(h->store, stmt, err);
	if (rc < 0)
		return rc;
	text = rc > 0 ? db_text(stmt, 0) : "";
	if (rc > 0 && image_config_parse(text, strlen(text), &config, err) < 0)
		return -err->code;
	if (config.n_history > 0 && config.n_history <= h->config.n_history)
		memcpy(h->ids[config.n_history - 1], id, DIGEST_HEX_LEN + 1);
	memcpy(id, "", 1);
	if (rc > 0 && hex_is_valid(db_text(stmt, 1), DIGEST_HEX_LEN))
		memcpy(id, db_text(stmt, 1), DIGEST_HEX_LEN + 1);
	return 0;
}

static int load_ids(struct history *h, const struct image *image, struct err *err)
{
	char id[DIGEST_HEX_LEN + 1];

	h->ids = mem_zalloc((h->config.n_history + 1) * sizeof(*h->ids));
	memcpy(id, image->id, sizeof(id));
	for (int i = 0; *id && i < MAX_PARENTS; i++)
		if (place_id(h, id, err) < 0)
			return -err->code;
	return 0;
}

static int report_step(const struct history *h, size_t i, size_t layer, image_history_fn fn,
		       void *data, struct err *err)
{
	const struct image_history *step = &h->config.history[i];
	struct image_history_row row = {
		.id = h->ids[i],
		.created_by = step->created_by ? step->created_by : "",
		.comment = step->comment ? step->comment : "",
		.makes_layer = !step->empty_layer,
		.size = step->empty_layer ? 0 : h->sizes[layer],
		.created_s = CLOCK_NEVER_S,
	};

	if (step->created && clock_parse_rfc3339_s(step->created, &row.created_s) < 0)
		row.created_s = CLOCK_NEVER_S;
	return fn(&row, data, err);
}

static int report(const struct history *h, image_history_fn fn, void *data, struct err *err)
{
	size_t layer = 0;

	for (size_t i = 0; i < h->config.n_history; i++)
		layer += !h->config.history[i].empty_layer;
	if (layer > h->config.diff_ids.n)
		return err_set(err, ERR_INVALID, "too many non-empty layers in History section");
	for (size_t i = h->config.n_history; i > 0; i--) {
		layer -= !h->config.history[i - 1].empty_layer;
		if (report_step(h, i - 1, layer, fn, data, err) < 0)
			return -err->code;
	}
	return 0;
}

int image_history(struct store *store, const struct image *image, image_history_fn fn, void *data,
		  struct err *err)
{
	cleanup_with(history_done) struct history h = {.store = store};

	if (image_config_parse(image->config, strlen(image->config), &h.config, err) < 0 ||
	    load_sizes(&h, image, err) < 0 || load_ids(&h, image, err) < 0)
		return -err->code;
	return report(&h, fn, data, err);
}

int64_t image_count_with_layer(struct store *store, const char *chain_id, struct err *err)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	int rc = db_prepare(store, &stmt, err,
			    "SELECT count(DISTINCT image_id) FROM image_layer WHERE chain_id=?",
			    "t", chain_id);

	if (rc == 0)
		rc = db_step(store, stmt, err);
	return rc < 0 ? rc : sqlite3_column_int64(stmt, 0);
}
