/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows of networks, and the records beside the index. Whoever adds or removes one holds the
 * writers' lock, so a record without a row is, for who has that lock, what a dead process left.
 */
#include "storage/network.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "storage/db.h"
#include "storage/store_private.h"
#include "json/value.h"

#define COLUMNS	   "id,name,driver,config,created_ns"
#define RECORD_END ".json"
#define MAX_RECORD (1 << 20)

static struct network_row read_row(sqlite3_stmt *stmt)
{
	return (struct network_row){
		.id = db_text(stmt, 0),
		.name = db_text(stmt, 1),
		.driver = db_text(stmt, 2),
		.config = db_text(stmt, 3),
		.created_ns = sqlite3_column_int64(stmt, 4),
	};
}

/* ---- records ---- */

static char *record_name(const char *id)
{
	return str_printf("%s" RECORD_END, id);
}

static char *format_record(const struct network_row *row)
{
	json_t *config = json_loads(row->config, JSON_DECODE_ANY, NULL);
	cleanup_json json_t *record = json_object();
	char *text = NULL;

	json_set_text(record, "id", row->id);
	json_set_text(record, "name", row->name);
	json_set_text(record, "driver", row->driver);
	json_object_set_new(record, "created_ns", json_integer(row->created_ns));
	json_object_set_new(record, "config", config ? config : json_object());
	text = json_dumps(record, JSON_INDENT(1));
	return text ? text : str_dup("{}");
}

int network_write_record(struct store *store, const struct network_row *row, struct err *err)
{
	cleanup_close int dir_fd = store_open_dir(store, STORE_NETWORKS, err);
	cleanup_free char *name = record_name(row->id);
	cleanup_free char *text = format_record(row);
	int rc = 0;

	if (dir_fd < 0)
		return dir_fd;
	rc = fd_replace_file_at(dir_fd, name, text, strlen(text), 0600, true);
	return rc < 0 ? err_sys(err, -rc, "write the record of network %s", row->name) : 0;
}

static void remove_file(struct store *store, const char *name)
{
	cleanup_free char *path = str_printf(STORE_NETWORKS "/%s", name);

	if (unlinkat(store->root_fd, path, 0) < 0 && errno != ENOENT)
		log_debug("remove %s: %m", path);
}

static void remove_record(struct store *store, const char *id)
{
	cleanup_free char *name = record_name(id);

	remove_file(store, name);
}

static void remove_records(struct store *store, const struct network_insertion *in)
{
	for (size_t i = 0; in->has_record && i < in->n; i++)
		remove_record(store, in->rows[i].id);
}

int network_read_record(struct store *store, const char *name, network_fn fn, void *data,
			struct err *err)
{
	cleanup_free char *path = str_printf(STORE_NETWORKS "/%s", name);
	cleanup_free char *config = NULL;
	cleanup_json json_t *record = NULL;
	cleanup_str struct str text = STR_INIT;
	struct err ignored = ERR_INIT;
	struct network_row row = {};

	if (fd_read_file_at(store->root_fd, path, MAX_RECORD, &text) < 0 ||
	    json_parse(str_get(&text), text.len, MAX_RECORD, "network", &record, &ignored) < 0)
		return 0;
	config = json_dumps(json_object_get(record, "config"), JSON_COMPACT);
	row = (struct network_row){
		.id = json_get_string(record, "id", ""),
		.name = json_get_string(record, "name", ""),
		.driver = json_get_string(record, "driver", ""),
		.config = config,
		.created_ns = json_get_int(record, "created_ns", 0),
	};
	if (!config || !*row.name || !*row.driver || !hex_is_valid(row.id, ID_LEN) ||
	    strncmp(name, row.id, ID_LEN) != 0)
		return 0;
	return fn(&row, data, err) < 0 ? -err->code : 1;
}

/* ---- looking ---- */

/* Calls FN for the row that SQL finds for A and B; returns how many there are, FN being called for
 * exactly one only. */
static int lookup_where(struct store *store, const char *sql, const char *a, const char *b,
			network_fn fn, void *data, struct err *err)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	int rc = db_prepare(store, &stmt, err, sql, b ? "tt" : "t", a, b);
	struct network_row row = {};

	if (rc == 0)
		rc = db_step(store, stmt, err);
	if (rc <= 0)
		return rc;
	row = read_row(stmt);
	return fn(&row, data, err) < 0 ? -err->code : 1;
}

static int count_prefix(struct store *store, const char *from, const char *to, struct err *err)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	int rc = db_prepare(store, &stmt, err, "SELECT count(*) FROM network WHERE id>=? AND id<?",
			    "tt", from, to);

	if (rc == 0)
		rc = db_step(store, stmt, err);
	return rc < 0 ? rc : sqlite3_column_int(stmt, 0);
}

static int lookup_by_prefix(struct store *store, const char *ref, network_fn fn, void *data,
			    struct err *err)
{
	/* 'g' follows the last hexadecimal digit, so this bounds every id that starts with REF. */
	cleanup_free char *end = str_printf("%sg", ref);
	int n = count_prefix(store, ref, end, err);

	if (n > 1)
		return err_set(err, ERR_INVALID,
			       "network %s is ambiguous (%d matches found based on ID prefix)", ref,
			       n);
	return n <= 0 ? n
		      : lookup_where(store, "SELECT " COLUMNS " FROM network WHERE id>=? AND id<?",
				     ref, end, fn, data, err);
}

int network_lookup(struct store *store, const char *ref, network_fn fn, void *data, struct err *err)
{
	size_t len = strlen(ref);
	int rc = 0;

	if (hex_is_valid(ref, ID_LEN))
		rc = lookup_where(store, "SELECT " COLUMNS " FROM network WHERE id=?", ref, NULL,
				  fn, data, err);
	if (rc == 0)
		rc = lookup_where(store, "SELECT " COLUMNS " FROM network WHERE name=?", ref, NULL,
				  fn, data, err);
	if (rc == 0 && len > 0 && len < ID_LEN && hex_is_valid(ref, len))
		rc = lookup_by_prefix(store, ref, fn, data, err);
	return rc;
}

int network_list(struct store *store, network_fn fn, void *data, struct err *err)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	int rc = db_prepare(store, &stmt, err, "SELECT " COLUMNS " FROM network ORDER BY name", "");

	if (rc < 0)
		return rc;
	while ((rc = db_step(store, stmt, err)) > 0) {
		const struct network_row row = read_row(stmt);

		if (fn(&row, data, err) < 0)
			return -err->code;
	}
	return rc;
}

/* ---- adding ---- */

static int check_name(struct store *store, const char *name, struct err *err)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	int rc = db_prepare(store, &stmt, err, "SELECT 1 FROM network WHERE name=?", "t", name);

	if (rc == 0)
		rc = db_step(store, stmt, err);
	if (rc > 0)
		return err_set(err, ERR_CONFLICT, "network with name %s already exists", name);
	return rc;
}

static int insert_row(struct store *store, const struct network_row *row, struct err *err)
{
	int rc = db_run(store, err, "INSERT INTO network(" COLUMNS ") VALUES(?,?,?,?,?)", "tttti",
			row->id, row->name, row->driver, row->config, row->created_ns);

	return rc < 0 ? rc : 0;
}

static int insert_all(struct store *store, const struct network_insertion *in, struct err *err)
{
	for (size_t i = 0; i < in->n; i++)
		if (check_name(store, in->rows[i].name, err) < 0)
			return -err->code;
	if ((in->see && network_list(store, in->see, in->data, err) < 0) ||
	    (in->choose && in->choose(in->data, err) < 0))
		return -err->code;
	for (size_t i = 0; i < in->n; i++)
		if ((in->has_record && network_write_record(store, &in->rows[i], err) < 0) ||
		    insert_row(store, &in->rows[i], err) < 0)
			return -err->code;
	return 0;
}

int network_insert(struct store *store, const struct network_insertion *in, struct err *err)
{
	cleanup_transaction struct store *tx = NULL;
	int rc = db_begin(store, in->has_record, err);

	if (rc < 0)
		return rc;
	tx = store;
	rc = insert_all(store, in, err);
	/* With the lock still held: nobody takes the record of another for that of this one. */
	if (rc < 0)
		remove_records(store, in);
	return rc < 0 ? rc : db_commit(store, err);
}

int network_restore_row(struct store *store, const struct network_row *row, struct err *err)
{
	int rc = db_run(store, err, "INSERT OR IGNORE INTO network(" COLUMNS ") VALUES(?,?,?,?,?)",
			"tttti", row->id, row->name, row->driver, row->config, row->created_ns);

	return rc < 0 ? rc : rc > 0;
}

/* ---- removing ---- */

static int try_delete(struct store *store, const char *id, struct err *err)
{
	cleanup_transaction struct store *tx = NULL;
	int n = 0;

	if (db_begin(store, true, err) < 0)
		return -err->code;
	tx = store;
	n = db_run(store, err, "DELETE FROM network WHERE id=?", "t", id);
	if (n <= 0)
		return n;
	if (db_commit(store, err) < 0)
		return -err->code;
	remove_record(store, id);
	return 1;
}

/* On a full disk the index may have no room to forget anything: for that there is the reserve. */
int network_delete(struct store *store, const char *id, struct err *err)
{
	int rc = try_delete(store, id, err);

	if (rc >= 0 || (err->errnum != ENOSPC && err->errnum != EDQUOT) ||
	    !store_release_reserve(store))
		return rc;
	err_clear(err);
	rc = try_delete(store, id, err);
	store_ensure_reserve(store);
	return rc;
}

/* ---- the sweep ---- */

static bool has_row(struct store *store, const char *id, struct err *err)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	int rc = db_prepare(store, &stmt, err, "SELECT 1 FROM network WHERE id=?", "t", id);

	if (rc == 0)
		rc = db_step(store, stmt, err);
	/* When the index cannot say, nothing is touched. */
	return rc != 0;
}

/* Whether FILE is a record that has its row; what else is there was to become one. */
static bool is_needed(struct store *store, const char *file, struct err *err)
{
	cleanup_free char *id = str_ndup(file, ID_LEN);

	return strlen(file) == ID_LEN + strlen(RECORD_END) && str_has_suffix(file, RECORD_END) &&
	       hex_is_valid(id, ID_LEN) && has_row(store, id, err);
}

/* Files that nobody needs; without the lock they are only suspects. */
static void find_strays(struct store *store, struct strv *ret)
{
	int fd = openat(store->root_fd, STORE_NETWORKS,
			O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct err ignored = ERR_INIT;

	for (const struct dirent *e = dir ? readdir(dir) : NULL; e; e = readdir(dir))
		if (e->d_name[0] != '.' && !is_needed(store, e->d_name, &ignored))
			strv_add(ret, e->d_name);
	if (dir)
		closedir(dir);
}

void network_sweep(struct store *store)
{
	cleanup_transaction struct store *tx = NULL;
	cleanup_strv struct strv files = STRV_INIT;
	struct err err = ERR_INIT;

	find_strays(store, &files);
	if (files.n == 0)
		return;
	if (db_begin(store, false, &err) < 0) {
		log_debug("networks: %s", err.msg);
		return;
	}
	tx = store;
	strv_foreach (i, &files)
		if (!is_needed(store, files.items[i], &err))
			remove_file(store, files.items[i]);
}
