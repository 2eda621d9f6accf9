/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows of volumes and of who uses them. An object of mount_use is "volume:NAME" or "image:ID", so
 * that one table answers both questions: who uses this, and what does that container use.
 */
#include "storage/volume.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/rand.h"
#include "storage/db.h"
#include "storage/store_private.h"
#include "storage/volume_private.h"

#include <jansson.h>

#define COLUMNS                                                                    \
	"v.name,v.labels,v.options,v.created_ns,(SELECT count(DISTINCT container)" \
	" FROM mount_use u WHERE u.object='volume:'||v.name)"

void volume_done(struct volume *volume)
{
	free(volume->name);
	free(volume->labels);
	free(volume->options);
	*volume = (struct volume)VOLUME_INIT;
}

bool volume_is_anonymous(const struct volume *volume)
{
	json_t *labels = json_loads(volume->labels, JSON_DECODE_ANY, NULL);
	bool found = json_object_get(labels, VOLUME_ANONYMOUS_LABEL);

	json_decref(labels);
	return found;
}

int volume_check_name(const char *name, struct err *err)
{
	static const char rest[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";

	if (strlen(name) == 1)
		return err_set(err, ERR_INVALID,
			       "create %s: volume name is too short, names should be at least two "
			       "alphanumeric characters",
			       name);
	if (isalnum((unsigned char)name[0]) && name[strspn(name, rest)] == '\0' &&
	    strlen(name) <= 255)
		return 0;
	return err_set(err, ERR_INVALID,
		       "create %s: \"%s\" includes invalid characters for a local volume name, "
		       "only \"[a-zA-Z0-9][a-zA-Z0-9_.-]\" are allowed. If you intended to pass a "
		       "host directory, use absolute path",
		       name, name);
}

/* ---- looking ---- */

static void read_row(sqlite3_stmt *stmt, struct volume *ret)
{
	*ret = (struct volume){
		.name = str_dup(db_text(stmt, 0)),
		.labels = str_dup(db_text(stmt, 1)),
		.options = str_dup(db_text(stmt, 2)),
		.created_ns = sqlite3_column_int64(stmt, 3),
		.n_users = sqlite3_column_int64(stmt, 4),
	};
}

int volume_lookup(struct store *store, const char *name, struct volume *ret, struct err *err)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	int rc = db_prepare(store, &stmt, err, "SELECT " COLUMNS " FROM volume v WHERE v.name=?",
			    "t", name);

	if (rc == 0)
		rc = db_step(store, stmt, err);
	if (rc > 0)
		read_row(stmt, ret);
	return rc;
}

int volume_find(struct store *store, const char *name, struct volume *ret, struct err *err)
{
	int rc = 0;

	if (!*name)
		return err_set(err, ERR_INVALID, "invalid volume name or ID: value is empty");
	rc = volume_lookup(store, name, ret, err);
	if (rc == 0)
		return err_set(err, ERR_NOT_FOUND, "get %s: no such volume", name);
	return rc < 0 ? rc : 0;
}

int volume_list(struct store *store, volume_fn fn, void *data, struct err *err)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	int rc = db_prepare(store, &stmt, err, "SELECT " COLUMNS " FROM volume v ORDER BY v.name",
			    "");

	if (rc < 0)
		return rc;
	while ((rc = db_step(store, stmt, err)) > 0) {
		cleanup_volume struct volume volume = VOLUME_INIT;

		read_row(stmt, &volume);
		if (fn(&volume, data, err) < 0)
			return -err->code;
	}
	return rc;
}

static int list_texts(struct store *store, const char *sql, const char *key, struct strv *ret,
		      struct err *err)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	int rc = db_prepare(store, &stmt, err, sql, "t", key);

	while (rc >= 0 && (rc = db_step(store, stmt, err)) > 0)
		strv_add(ret, db_text(stmt, 0));
	return rc;
}

int volume_list_users(struct store *store, const char *name, struct strv *ret, struct err *err)
{
	return list_texts(store,
			  "SELECT DISTINCT c.id FROM mount_use u JOIN container c ON"
			  " c.id=u.container WHERE u.object='volume:'||? ORDER BY c.seq",
			  name, ret, err);
}

/* ---- making ---- */

int volume_insert_row(struct store *store, const struct volume *volume, struct err *err)
{
	int rc = db_run(store, err,
			"INSERT INTO volume(name,driver,created_ns,labels,options)"
			" VALUES(?,'" VOLUME_DRIVER "',?,?,?)",
			"titt", volume->name, volume->created_ns, volume->labels, volume->options);

	return rc < 0 ? rc : 0;
}

int volume_ensure(struct store *store, const char *name, const char *labels, const char *options,
		  struct err *err)
{
	cleanup_transaction struct store *tx = NULL;
	cleanup_volume struct volume old = VOLUME_INIT;
	cleanup_volume struct volume volume = {
		.name = str_dup(name),
		.labels = str_dup(labels),
		.options = str_dup(options),
		.created_ns = clock_real_ns(),
	};
	int rc = volume_lookup(store, name, &old, err);

	if (rc != 0)
		return rc < 0 ? rc : 0;
	if (db_begin(store, true, err) < 0)
		return -err->code;
	tx = store;
	rc = volume_lookup(store, name, &old, err);
	if (rc != 0)
		return rc < 0 ? rc : 0;
	if (volume_make_files(store, &volume, true, err) < 0 ||
	    volume_insert_row(store, &volume, err) < 0 || db_commit(store, err) < 0)
		return -err->code;
	return 1;
}

/* ---- taking away ---- */

static int check_unused(struct store *store, const char *verb, const char *name, struct err *err)
{
	cleanup_strv struct strv ids = STRV_INIT;
	cleanup_free char *joined = NULL;

	if (volume_list_users(store, name, &ids, err) < 0)
		return -err->code;
	if (ids.n == 0)
		return 0;
	joined = strv_join(&ids, ", ");
	return err_set(err, ERR_CONFLICT, "%s %s: volume is in use - [%s]", verb, name, joined);
}

static int delete_row(struct store *store, const char *name, struct err *err)
{
	int rc = 0;

	/* Before the row goes, which is the moment it is gone. */
	volume_mark_removed(store, name);
	rc = db_run(store, err, "DELETE FROM volume WHERE name=?", "t", name);
	return rc < 0 ? rc : 0;
}

static int try_remove(struct store *store, const char *name, struct err *err)
{
	cleanup_transaction struct store *tx = NULL;
	cleanup_volume struct volume volume = VOLUME_INIT;

	if (db_begin(store, true, err) < 0)
		return -err->code;
	tx = store;
	if (volume_find(store, name, &volume, err) < 0 ||
	    check_unused(store, "remove", name, err) < 0 || delete_row(store, name, err) < 0 ||
	    db_commit(store, err) < 0)
		return -err->code;
	volume_remove_files(store, name);
	return 0;
}

int volume_remove(struct store *store, const char *name, struct err *err)
{
	int rc = try_remove(store, name, err);

	if (rc >= 0 || (err->errnum != ENOSPC && err->errnum != EDQUOT) ||
	    !store_release_reserve(store))
		return rc;
	err_clear(err);
	return try_remove(store, name, err);
}

int volume_drop_uses(struct store *store, const char *id, bool with_volumes, struct strv *ret_gone,
		     struct err *err)
{
	int rc = 0;

	/* Those that had no name when this container asked for them, and that no other has. */
	if (with_volumes)
		rc = list_texts(store,
				"SELECT DISTINCT substr(object,8) FROM mount_use m WHERE"
				" container=?1 AND anonymous=1 AND NOT EXISTS(SELECT 1 FROM"
				" mount_use o WHERE o.object=m.object AND (o.container<>?1 OR"
				" o.anonymous=0))",
				id, ret_gone, err);
	if (rc >= 0)
		rc = db_run(store, err, "DELETE FROM mount_use WHERE container=?", "t", id);
	strv_foreach (i, ret_gone)
		if (rc >= 0)
			rc = delete_row(store, ret_gone->items[i], err);
	return rc < 0 ? rc : 0;
}

/* ---- names ---- */

static int rename_rows(struct store *store, const char *name, struct volume *volume,
		       struct err *err)
{
	cleanup_volume struct volume taken = VOLUME_INIT;
	int rc = volume_lookup(store, volume->name, &taken, err);

	if (rc > 0)
		return err_set(err, ERR_CONFLICT,
			       "rename %s: there is already a volume with the name %s", name,
			       volume->name);
	if (rc < 0)
		return rc;
	rc = db_run(store, err, "UPDATE volume SET name=? WHERE name=?", "tt", volume->name, name);
	return rc < 0 ? rc : 0;
}

int volume_rename(struct store *store, const char *name, const char *to, struct err *err)
{
	cleanup_transaction struct store *tx = NULL;
	cleanup_volume struct volume volume = VOLUME_INIT;

	if (volume_check_name(to, err) < 0 || db_begin(store, true, err) < 0)
		return -err->code;
	tx = store;
	if (volume_find(store, name, &volume, err) < 0 ||
	    check_unused(store, "rename", name, err) < 0)
		return -err->code;
	str_replace(&volume.name, to);
	if (rename_rows(store, name, &volume, err) < 0 ||
	    volume_rename_files(store, name, &volume, err) < 0)
		return -err->code;
	return db_commit(store, err);
}
