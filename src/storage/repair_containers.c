/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The image that a container's row names, where there is none of that id. The container's own
 * configuration lists the layers it was made on, so its image is one that has these; where several
 * do, or the configuration is lost, the one whose id is nearest to the damaged one: the ids of two
 * images differ in nearly every digit, what damage does to one in a few.
 */
#include <string.h>

#include "base/fd.h"
#include "base/mem.h"
#include "oci/runtime_config.h"
#include "storage/db.h"
#include "storage/repair_rows.h"
#include "storage/store_private.h"

#define MAX_CONFIG ((size_t)4 << 20)
#define NEAR	   8 /* digits: by chance, two ids in 10^52 are so near to each other */

struct orphan {
	const char *id, *image_id, *image_name; /* the row */
	char *layers; /* owned; what its configuration says, uppermost first; NULL */
	char image[DIGEST_HEX_LEN + 1]; /* the best so far; "" */
	size_t distance;
	bool is_named, is_unsure;
};

static void orphan_done(struct orphan *o)
{
	free(o->layers);
}
#define cleanup_orphan __attribute__((cleanup(orphan_done)))

static char *read_layers(const struct rows *r, const char *id)
{
	cleanup_free char *path = str_printf(STORE_CONTAINERS "/%s/config.json", id);
	cleanup_oci_config struct oci_runtime_config config = OCI_RUNTIME_CONFIG_INIT;
	cleanup_str struct str text = STR_INIT;
	struct err ignored = ERR_INIT;

	if (fd_read_file_at(r->repair->store->root_fd, path, MAX_CONFIG, &text) < 0 ||
	    oci_config_parse(str_get(&text), text.len, &config, &ignored) < 0)
		return NULL;
	return str_dup(oci_annotation(&config, OCI_NOTE_LAYERS));
}

static size_t count_differences(const char *a, const char *b)
{
	size_t n = 0;

	if (strlen(a) != strlen(b))
		return DIGEST_HEX_LEN;
	for (; *a; a++, b++)
		n += *a != *b;
	return n;
}

/* Takes IMAGE when it suits better than what was found before. Of two that suit the same, the one
 * to which the container's image name leads. */
static void consider(struct orphan *o, const char *image, const char *layers, bool is_named)
{
	size_t distance = count_differences(o->image_id, image);

	if (o->layers ? strcmp(o->layers, layers) != 0 : distance > NEAR)
		return;
	if (distance > NEAR)
		distance = DIGEST_HEX_LEN; /* says nothing */
	if (*o->image && distance == o->distance && is_named == o->is_named) {
		o->is_unsure = true;
		return;
	}
	if (*o->image && (distance > o->distance || (distance == o->distance && !is_named)))
		return;
	memcpy(o->image, image, sizeof(o->image));
	o->distance = distance;
	o->is_named = is_named;
	o->is_unsure = false;
}

static int find_image(struct rows *r, struct orphan *o, struct err *err)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	int rc = db_prepare(r->store, &stmt, err,
			    "SELECT i.id,(SELECT group_concat(chain_id,':') FROM (SELECT chain_id"
			    " FROM image_layer WHERE image_id=i.id ORDER BY idx DESC)),EXISTS("
			    "SELECT 1 FROM tag t WHERE t.reference=?1 AND t.image_id=i.id) FROM"
			    " image i ORDER BY i.id",
			    "t", o->image_name);

	o->layers = read_layers(r, o->id);
	while (rc >= 0 && (rc = db_step(r->store, stmt, err)) > 0)
		if (strlen(db_text(stmt, 0)) == DIGEST_HEX_LEN)
			consider(o, db_text(stmt, 0), db_text(stmt, 1),
				 sqlite3_column_int(stmt, 2));
	return rc;
}

static int mend_container(struct rows *r, struct orphan *o, struct err *err)
{
	if (find_image(r, o, err) < 0)
		return -err->code;
	if (o->is_unsure)
		o->image[0] = '\0';
	if (db_run(r->store, err, "UPDATE container SET image_id=? WHERE id=?", "tt", o->image,
		   o->id) < 0)
		return -err->code;
	if (*o->image)
		repair_done(r->repair, "container", o->id, "its image is %.12s", o->image);
	else
		repair_lost(r->repair, "container", o->id,
			    "its image %.12s is not there; it keeps its files", o->image_id);
	return 0;
}

int repair_mend_containers(struct rows *r, struct err *err)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	cleanup_strv struct strv fields = STRV_INIT;
	int rc = db_prepare(r->store, &stmt, err,
			    "SELECT id,image_id,image_name FROM container WHERE image_id<>'' AND"
			    " image_id NOT IN (SELECT id FROM image)",
			    "");

	while (rc >= 0 && (rc = db_step(r->store, stmt, err)) > 0)
		for (int i = 0; i < 3; i++)
			strv_add(&fields, db_text(stmt, i));
	db_finalize(&stmt);
	for (size_t i = 0; rc >= 0 && i + 2 < fields.n; i += 3) {
		cleanup_orphan struct orphan o = {.id = fields.items[i],
						  .image_id = fields.items[i + 1],
						  .image_name = fields.items[i + 2]};

		rc = mend_container(r, &o, err);
	}
	return rc < 0 ? rc : 0;
}
