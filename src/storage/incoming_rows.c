/* SPDX-License-Identifier: Apache-2.0 */
/* The transaction that names an incoming image: layers first, the tags last. */
#include <string.h>

#include "base/clock.h"
#include "storage/collect.h"
#include "storage/db.h"
#include "storage/image_private.h"
#include "storage/incoming_private.h"

static const char *or_null(const char *s)
{
	return *s ? s : NULL;
}

static int insert_layer(const struct incoming *in, size_t i, struct err *err)
{
	const struct layer_info *l = &in->layers[i].info;

	/* A layer that is there keeps its row; whoever removed it meanwhile finds the new one. */
	if (db_run(in->store, err,
		   "INSERT OR REPLACE INTO layer(chain_id,diff_id,size,entries,tree_hash,blob,"
		   "blob_size,blob_format,plain_size) VALUES(?,?,?,?,?,?,?,?,?)",
		   "ttiittiti", l->chain_hex, l->diff_hex, l->size, l->entries,
		   or_null(l->list_hex), or_null(l->blob_hex), l->blob_size,
		   or_null(l->blob_format), l->plain_size) < 0)
		return -err->code;
	return db_run(in->store, err,
		      "INSERT OR REPLACE INTO image_layer(image_id,idx,chain_id) VALUES(?,?,?)",
		      "tit", in->id, (int64_t)i, l->chain_hex);
}

static int insert_image(const struct incoming *in, struct err *err)
{
	int64_t created_ns = 0;
	int64_t size = 0;

	if (in->made_ns)
		created_ns = in->made_ns;
	else if (in->config.created && clock_parse_rfc3339(in->config.created, &created_ns) < 0)
		created_ns = 0;
	for (size_t i = 0; i < in->n_layers; i++)
		size += in->layers[i].info.size;
	return db_run(in->store, err,
		      "INSERT INTO image(id,created_ns,size,hidden,config,parent,made_ns)"
		      " VALUES(?,?,?,?,?,?,nullif(?,0)) ON CONFLICT(id) DO UPDATE SET"
		      " hidden=min(hidden,excluded.hidden)",
		      "tiiitti", in->id, created_ns, size, (int64_t)in->is_passing, in->config_text,
		      or_null(in->parent), in->made_ns);
}

static int insert_target(const struct incoming *in, struct err *err)
{
	if (!*in->target)
		return 0;
	for (size_t i = 0; i < in->n_blobs; i++) {
		const struct incoming_blob *b = &in->blobs[i];
		bool is_itself = strcmp(b->hex, in->target) == 0;

		if (b->is_for_target &&
		    db_run(in->store, err,
			   "INSERT OR REPLACE INTO target_blob(target,digest,media_type,size)"
			   " VALUES(?,?,?,?)",
			   "ttti", in->target, b->hex, is_itself ? in->target_type : NULL,
			   b->size) < 0)
			return -err->code;
	}
	return 0;
}

static int name_in_transaction(struct incoming *in, struct garbage *garbage, struct err *err)
{
	for (size_t i = 0; i < in->n_layers; i++)
		if (insert_layer(in, i, err) < 0)
			return -err->code;
	if (insert_image(in, err) < 0 || insert_target(in, err) < 0 ||
	    incoming_name_snapshots(in, err) < 0)
		return -err->code;
	strv_foreach (i, &in->names) {
		if (image_set_tag(in->store, in->names.items[i], in->id, or_null(in->target), err) <
		    0)
			return -err->code;
	}
	return image_drop_targets(in->store, garbage, err);
}

int incoming_name_everything(struct incoming *in, struct err *err)
{
	cleanup_transaction struct store *tx = NULL;
	cleanup_garbage struct garbage garbage = GARBAGE_INIT;

	if (db_begin(in->store, true, err) < 0)
		return -err->code;
	tx = in->store;
	if (name_in_transaction(in, &garbage, err) < 0 || db_commit(in->store, err) < 0)
		return -err->code;
	/* We hold the lock ourselves: the end of this import removes what lost its name. */
	if (garbage.blobs.n)
		storage_mark_leftovers(in->store);
	return 0;
}
