/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Container rows. The text columns are one table, from which statements are bound, read and copied;
 * the three JSON columns are last because they live in a table of their own, so that lists read
 * small rows only.
 */
#include "storage/container.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "storage/collect.h"
#include "storage/db.h"
#include "storage/image_private.h"
#include "storage/store_private.h"
#include "storage/volume_private.h"

#define TEXT_COLUMNS                                                                           \
	"c.id,c.name,c.image_id,c.image_ref,c.image_name,c.command,c.labels,c.network_mode,c." \
	"mounts,c.networks"
#define LIST_COLUMNS \
	TEXT_COLUMNS \
	",c.created_ns,c.auto_remove,c.n_volumes,c.image_name='' OR t.image_id=c.image_id"
#define LIST_TABLES " FROM container c LEFT JOIN tag t ON t.reference=c.image_name"
#define FULL_SELECT                                                   \
	"SELECT " LIST_COLUMNS ",j.config,j.host,j.extra" LIST_TABLES \
	" LEFT JOIN container_json j ON j.seq=c.seq"

enum { N_TEXT = 10, COL_CREATED = N_TEXT, COL_AUTO_REMOVE, COL_VOLUMES, COL_CURRENT, COL_JSON };

static const size_t text_columns[] = {
	offsetof(struct container_row, id),	    offsetof(struct container_row, name),
	offsetof(struct container_row, image_id),   offsetof(struct container_row, image_ref),
	offsetof(struct container_row, image_name), offsetof(struct container_row, command),
	offsetof(struct container_row, labels),	    offsetof(struct container_row, network_mode),
	offsetof(struct container_row, mounts),	    offsetof(struct container_row, networks),
	offsetof(struct container_row, config),	    offsetof(struct container_row, host),
	offsetof(struct container_row, extra),
};

static const char **column_of(struct container_row *row, size_t i)
{
	return (const char **)((char *)row + text_columns[i]);
}

static void read_row(sqlite3_stmt *stmt, bool with_json, struct container_row *row)
{
	*row = (struct container_row){
		.created_ns = sqlite3_column_int64(stmt, COL_CREATED),
		.auto_remove = sqlite3_column_int(stmt, COL_AUTO_REMOVE),
		.n_volumes = sqlite3_column_int64(stmt, COL_VOLUMES),
		.image_is_current = sqlite3_column_int(stmt, COL_CURRENT),
	};
	for (int i = 0; i < N_TEXT; i++)
		*column_of(row, (size_t)i) = db_text(stmt, i);
	for (size_t i = 0; with_json && i < 3; i++)
		*column_of(row, N_TEXT + i) = db_text(stmt, COL_JSON + (int)i);
}

void container_record_done(struct container_record *record)
{
	free(record->strings);
	*record = (struct container_record){};
}

/* Copies all strings of ROW into one allocation. */
static void copy_row(const struct container_row *row, struct container_record *ret)
{
	size_t total = 0;
	char *to = NULL;

	ret->row = *row;
	for (size_t i = 0; i < ARRAY_LEN(text_columns); i++)
		total += strlen(*column_of(&ret->row, i)) + 1;
	ret->strings = to = mem_alloc(total);
	for (size_t i = 0; i < ARRAY_LEN(text_columns); i++) {
		const char **column = column_of(&ret->row, i);
		size_t size = strlen(*column) + 1;

		memcpy(to, *column, size);
		*column = to;
		to += size;
	}
}

/* Fills RET_HOLDER with the id of the container called NAME, "" when there is none. */
static int find_holder(struct store *store, const char *name, char ret_holder[static ID_LEN + 1],
		       struct err *err)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	int rc = db_prepare(store, &stmt, err, "SELECT id FROM container WHERE name=?", "t", name);

	if (rc == 0)
		rc = db_step(store, stmt, err);
	ret_holder[0] = '\0';
	if (rc > 0)
		snprintf(ret_holder, ID_LEN + 1, "%s", db_text(stmt, 0));
	return rc;
}

static int check_name(struct store *store, const char *name, char ret_holder[static ID_LEN + 1],
		      struct err *err)
{
	int rc = find_holder(store, name, ret_holder, err);

	if (rc <= 0)
		return rc;
	return err_set(
		err, ERR_CONFLICT,
		"Conflict. The container name \"/%s\" is already in use by container \"%s\". "
		"You have to remove (or rename) that container to be able to reuse that name.",
		name, ret_holder);
}

static int check_image(struct store *store, const struct container_row *row, struct err *err)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	int rc = 0;

	if (!row->image_id || !*row->image_id)
		return 0;
	rc = db_prepare(store, &stmt, err, "SELECT 1 FROM image WHERE id=? AND hidden=0", "t",
			row->image_id);
	if (rc == 0)
		rc = db_step(store, stmt, err);
	if (rc == 0)
		return err_set(err, ERR_NOT_FOUND, "No such image: %s", row->image_ref);
	return rc < 0 ? rc : 0;
}

/* The volume that comes with its container, or the certainty that it is still there. */
static int ensure_volume(struct store *store, const struct container_use *use, int64_t created_ns,
			 struct err *err)
{
	static char labels[] = "{\"" VOLUME_ANONYMOUS_LABEL "\":\"\"}";
	static char none[] = "null";
	cleanup_free char *name = str_dup(use->volume);
	cleanup_volume struct volume found = VOLUME_INIT;
	const struct volume volume = {
		.name = name, .labels = labels, .options = none, .created_ns = created_ns};

	if (!use->is_new)
		return volume_find(store, use->volume, &found, err);
	if (volume_make_files(store, &volume, false, err) < 0)
		return -err->code;
	return volume_insert_row(store, &volume, err);
}

static int insert_use(struct store *store, const struct container_row *row,
		      const struct container_use *use, struct err *err)
{
	cleanup_free char *object = str_printf("%s:%s", use->volume ? "volume" : "image",
					       use->volume ? use->volume : use->image);
	struct container_row image = {.image_id = use->image, .image_ref = use->image};
	int rc = use->volume ? ensure_volume(store, use, row->created_ns, err)
			     : check_image(store, &image, err);

	if (rc < 0)
		return rc;
	rc = db_run(store, err,
		    "INSERT INTO mount_use(object,container,target,anonymous) VALUES(?,?,?,?)",
		    "ttti", object, row->id, use->target, (int64_t)use->is_anonymous);
	return rc < 0 ? rc : 0;
}

static int64_t count_volumes(const struct container_row *row)
{
	int64_t n = 0;

	for (size_t i = 0; i < row->n_uses; i++)
		n += row->uses[i].volume != NULL;
	return n;
}

static int insert_rows(struct store *store, const struct container_row *row, struct err *err)
{
	int rc = db_run(
		store, err,
		"INSERT INTO container(id,name,image_id,image_ref,image_name,command,labels,"
		"network_mode,mounts,networks,created_ns,auto_remove,n_uses,n_volumes)"
		" VALUES(?,?,?,?,?,?,?,?,?,nullif(?,''),?,?,?,?)",
		"ttttttttttiiii", row->id, row->name, row->image_id ? row->image_id : "",
		row->image_ref, row->image_name ? row->image_name : "", row->command, row->labels,
		row->network_mode, row->mounts, row->networks, row->created_ns,
		(int64_t)row->auto_remove, (int64_t)row->n_uses, count_volumes(row));

	if (rc < 0 && err->code == ERR_CONFLICT)
		return err_set(err, ERR_CONFLICT, "a container with the id %s exists already",
			       row->id);
	if (rc < 0)
		return rc;
	return db_run(store, err,
		      "INSERT INTO container_json(seq,config,host,extra)"
		      " VALUES(last_insert_rowid(),?,?,?)",
		      "ttt", row->config, row->host, row->extra);
}

int container_insert(struct store *store, const struct container_row *row,
		     char ret_holder[static ID_LEN + 1], struct err *err)
{
	cleanup_transaction struct store *tx = NULL;

	ret_holder[0] = '\0';
	if (db_begin(store, false, err) < 0)
		return -err->code;
	tx = store;
	if (check_name(store, row->name, ret_holder, err) < 0 || check_image(store, row, err) < 0 ||
	    insert_rows(store, row, err) < 0)
		return -err->code;
	for (size_t i = 0; i < row->n_uses; i++)
		if (insert_use(store, row, &row->uses[i], err) < 0)
			return -err->code;
	return db_commit(store, err);
}

/* The row that SQL finds for A and B. RET is filled by the first; returns how many there are, at
 * most 2. */
static int lookup_where(struct store *store, const char *sql, const char *a, const char *b,
			struct container_record *ret, struct err *err)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	struct container_row row = {};
	int rc = db_prepare(store, &stmt, err, sql, b ? "tt" : "t", a, b);

	if (rc == 0)
		rc = db_step(store, stmt, err);
	if (rc <= 0)
		return rc;
	read_row(stmt, true, &row);
	copy_row(&row, ret);
	rc = db_step(store, stmt, err);
	if (rc != 0)
		container_record_done(ret);
	return rc < 0 ? rc : 1 + rc;
}

static int lookup_by_prefix(struct store *store, const char *ref, struct container_record *ret,
			    struct err *err)
{
	/* 'g' follows the last hexadecimal digit, so this bounds every id that starts with REF. */
	cleanup_free char *end = str_printf("%sg", ref);
	int n = lookup_where(store, FULL_SELECT " WHERE c.id>=? AND c.id<? LIMIT 2", ref, end, ret,
			     err);

	if (n == 2)
		return err_set(err, ERR_INVALID, "multiple IDs found with provided prefix: %s",
			       ref);
	return n;
}

int container_lookup(struct store *store, const char *ref, struct container_record *ret,
		     struct err *err)
{
	const char *name = *ref == '/' ? ref + 1 : ref;
	size_t len = strlen(ref);
	int rc = 0;

	if (hex_is_valid(ref, ID_LEN))
		rc = lookup_where(store, FULL_SELECT " WHERE c.id=?", ref, NULL, ret, err);
	if (rc == 0)
		rc = lookup_where(store, FULL_SELECT " WHERE c.name=?", name, NULL, ret, err);
	if (rc == 0 && len > 0 && len < ID_LEN && hex_is_valid(ref, len))
		rc = lookup_by_prefix(store, ref, ret, err);
	return rc;
}

int container_lookup_by_ref(struct store *store, const char *ref, struct container_record *ret,
			    struct err *err)
{
	int rc = 0;

	if (!*ref)
		return err_set(err, ERR_INVALID, "invalid container name or ID: value is empty");
	rc = container_lookup(store, ref, ret, err);
	if (rc == 0)
		return err_set(err, ERR_NOT_FOUND, "No such container: %s", ref);
	return rc;
}

int container_list(struct store *store, bool with_json, container_fn fn, void *data,
		   struct err *err)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	const char *sql = with_json ? FULL_SELECT " ORDER BY c.seq DESC"
				    : "SELECT " LIST_COLUMNS LIST_TABLES " ORDER BY c.seq DESC";
	int rc = db_prepare(store, &stmt, err, sql, "");

	if (rc < 0)
		return rc;
	while ((rc = db_step(store, stmt, err)) > 0) {
		struct container_row row = {};

		read_row(stmt, with_json, &row);
		if (fn(&row, data, err) < 0)
			return -err->code;
	}
	return rc;
}

static int check_changed(int n, const char *id, struct err *err)
{
	if (n == 0)
		return err_set(err, ERR_NOT_FOUND, "No such container: %s", id);
	return n < 0 ? n : 0;
}

int container_rename(struct store *store, const char *id, const char *name,
		     char ret_holder[static ID_LEN + 1], struct err *err)
{
	cleanup_transaction struct store *tx = NULL;
	int n = 0;

	ret_holder[0] = '\0';
	if (db_begin(store, false, err) < 0)
		return -err->code;
	tx = store;
	if (check_name(store, name, ret_holder, err) < 0)
		return -err->code;
	n = db_run(store, err, "UPDATE container SET name=? WHERE id=?", "tt", name, id);
	if (check_changed(n, id, err) < 0)
		return -err->code;
	return db_commit(store, err);
}

int container_update_json(struct store *store, const char *id, const char *config, const char *host,
			  const char *extra, struct err *err)
{
	cleanup_transaction struct store *tx = NULL;
	int n = 0;

	if (db_begin(store, false, err) < 0)
		return -err->code;
	tx = store;
	n = db_run(store, err,
		   "UPDATE container_json SET config=ifnull(?1,config),host=ifnull(?2,host),"
		   "extra=ifnull(?3,extra) WHERE seq=(SELECT seq FROM container WHERE id=?4)",
		   "tttt", config, host, extra, id);
	if (check_changed(n, id, err) < 0)
		return -err->code;
	return db_commit(store, err);
}

int container_update_networks(struct store *store, const char *id, const char *networks,
			      struct err *err)
{
	cleanup_transaction struct store *tx = NULL;
	int n = 0;

	if (db_begin(store, false, err) < 0)
		return -err->code;
	tx = store;
	n = db_run(store, err, "UPDATE container SET networks=nullif(?,'') WHERE id=?", "tt",
		   networks, id);
	if (check_changed(n, id, err) < 0)
		return -err->code;
	return db_commit(store, err);
}

/* What goes with a container. */
struct deletion {
	const char *id;
	bool with_volumes;
	struct strv hidden; /* hidden images that nobody else needs */
	struct strv gone;   /* volumes */
};

static void deletion_done(struct deletion *d)
{
	strv_done(&d->hidden);
	strv_done(&d->gone);
}

/* Hidden images that the container has mounted, and nobody else needs. */
static int find_mounted_images(struct store *store, struct deletion *d, struct err *err)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	int rc = db_prepare(store, &stmt, err,
			    "SELECT DISTINCT i.id FROM mount_use m JOIN image i ON"
			    " m.object='image:'||i.id AND i.hidden=1 WHERE m.container=?1 AND NOT"
			    " EXISTS(SELECT 1 FROM mount_use o WHERE o.object=m.object AND"
			    " o.container<>?1) AND NOT EXISTS(SELECT 1 FROM container c WHERE"
			    " c.image_id=i.id AND c.id<>?1)",
			    "t", d->id);

	while (rc >= 0 && (rc = db_step(store, stmt, err)) > 0)
		if (!strv_has(&d->hidden, db_text(stmt, 0)))
			strv_add(&d->hidden, db_text(stmt, 0));
	return rc;
}

static int delete_rows(struct store *store, struct deletion *d, struct err *err)
{
	const char *id = d->id;
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	int64_t seq = 0;
	int rc = db_prepare(
		store, &stmt, err,
		"SELECT c.seq,i.id,c.n_uses,c.auto_remove FROM container c LEFT JOIN image i ON"
		" i.id=c.image_id AND i.hidden=1 AND NOT EXISTS(SELECT 1 FROM container o WHERE"
		" o.image_id=i.id AND o.seq<>c.seq) AND NOT EXISTS(SELECT 1 FROM mount_use m WHERE"
		" m.object='image:'||i.id AND m.container<>c.id) WHERE c.id=?",
		"t", id);

	if (rc == 0)
		rc = db_step(store, stmt, err);
	if (rc <= 0)
		return rc;
	seq = sqlite3_column_int64(stmt, 0);
	if (sqlite3_column_type(stmt, 1) != SQLITE_NULL)
		strv_add(&d->hidden, db_text(stmt, 1));
	if (sqlite3_column_int64(stmt, 2) > 0 &&
	    (find_mounted_images(store, d, err) < 0 ||
	     volume_drop_uses(store, id, d->with_volumes || sqlite3_column_int(stmt, 3), &d->gone,
			      err) < 0))
		return -err->code;
	if (db_run(store, err, "DELETE FROM container_json WHERE seq=?", "i", seq) < 0 ||
	    db_run(store, err, "DELETE FROM container WHERE seq=?", "i", seq) < 0)
		return -err->code;
	return 1;
}

static int try_delete(struct store *store, const char *id, bool with_volumes,
		      struct strv *ret_volumes, struct err *err)
{
	cleanup_with(deletion_done) struct deletion d = {.id = id, .with_volumes = with_volumes};
	cleanup_garbage struct garbage garbage = GARBAGE_INIT;
	cleanup_transaction struct store *tx = NULL;
	int rc = 0;

	if (db_begin(store, false, err) < 0)
		return -err->code;
	tx = store;
	rc = delete_rows(store, &d, err);
	if (rc <= 0)
		return rc;
	strv_foreach (i, &d.hidden)
		if (image_delete_rows(store, d.hidden.items[i], &garbage, err) < 0)
			return -err->code;
	garbage_prepare(store, &garbage);
	if (db_commit(store, err) < 0)
		return -err->code;
	storage_remove_garbage(store, &garbage);
	strv_foreach (i, &d.gone)
		volume_remove_files(store, d.gone.items[i]);
	if (ret_volumes)
		strv_add_all(ret_volumes, &d.gone);
	return 1;
}

int container_delete(struct store *store, const char *id, bool with_volumes,
		     struct strv *ret_volumes, struct err *err)
{
	int rc = try_delete(store, id, with_volumes, ret_volumes, err);

	if (rc >= 0 || (err->errnum != ENOSPC && err->errnum != EDQUOT) ||
	    !store_release_reserve(store))
		return rc;
	err_clear(err);
	return try_delete(store, id, with_volumes, ret_volumes, err);
}
