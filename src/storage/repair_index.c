/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A new index in the place of a damaged one.
 *
 * The damaged files are copied to tare.db.damaged-TIME first and kept. Rows are read out of another
 * copy, table by table, from both ends towards the damage; then what is missing is made from the
 * files (repair_rows.c). The new index is whole and on disk before it takes the old one's name by
 * one rename; until then a crash leaves the damaged one. From the copy to the rename nobody else
 * may write: it would be told that something is done which the new index does not know.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "storage/db.h"
#include "storage/names.h"
#include "storage/repair_private.h"
#include "storage/staging.h"
#include "storage/store_private.h"

#define NEW_NAME  "new.db"
#define COPY_NAME "old.db"
#define MAX_INDEX ((size_t)4 << 30)
#define PAGE_SIZE 2048 /* what an index is made with (db.c) */

static const struct {
	const char *table, *key, *columns;
	const char *older_columns[2]; /* of versions before the last changes; NULL: no others */
} tables[] = {
	{"container",
	 "seq",
	 "seq,id,name,image_id,image_ref,image_name,created_ns,auto_remove,command,labels,"
	 "network_mode,mounts,n_uses,n_volumes,networks",
	 {"seq,id,name,image_id,image_ref,image_name,created_ns,auto_remove,command,labels,"
	  "network_mode,mounts,n_uses,n_volumes",
	  "seq,id,name,image_id,image_ref,image_name,created_ns,auto_remove,command,labels,"
	  "network_mode,mounts"}},
	{"container_json", "seq", "seq,config,host,extra"},
	{"image",
	 "id",
	 "id,created_ns,size,hidden,config,parent,made_ns",
	 {"id,created_ns,size,hidden,config,parent", "id,created_ns,size,hidden,config"}},
	{"image_layer", "image_id,idx", "image_id,idx,chain_id"},
	{"layer",
	 "chain_id",
	 "chain_id,diff_id,size,entries,tree_hash,blob,blob_size,blob_format,plain_size",
	 {"chain_id,diff_id,size,entries,tree_hash"}},
	{"tag",
	 "reference",
	 "reference,image_id,tagged_ns,target",
	 {"reference,image_id,tagged_ns"}},
	{"target_blob", "target,digest", "target,digest,media_type,size"},
	{"volume", "name", "name,driver,created_ns,labels,options"},
	{"mount_use", "object,container,target", "object,container,target,anonymous"},
	{"network", "id", "id,name,driver,created_ns,config"},
	{"snapshot", "seq",
	 "seq,key,dir,chain,boot,result,kind,description,parent,size,created_ns"},
	{"snapshot_use", "seq", "seq,used_ns,n_uses"},
	{"snapshot_alias", "key", "key,target"},
};

/* ---- reading what can be read ---- */

static char *insert_sql(size_t i, const char *columns)
{
	cleanup_str struct str marks = STR_INIT;

	str_add(&marks, "?");
	for (const char *p = columns; *p; p++)
		str_add(&marks, *p == ',' ? ",?" : "");
	return str_printf("INSERT OR IGNORE INTO main.%s(%s) VALUES(%s)", tables[i].table, columns,
			  str_get(&marks));
}

struct salvage {
	struct store *fresh;
	sqlite3 *old; /* a connection of its own: an error of one ends what another has begun */
};

static void salvage_done(struct salvage *s)
{
	sqlite3_close(s->old);
}
#define cleanup_salvage __attribute__((cleanup(salvage_done)))

static int copy_row(struct salvage *s, sqlite3_stmt *from, sqlite3_stmt *to, struct err *err)
{
	int rc = 0;

	for (int i = 0; i < sqlite3_column_count(from); i++)
		sqlite3_bind_value(to, i + 1, sqlite3_column_value(from, i));
	rc = db_step(s->fresh, to, err);
	sqlite3_reset(to);
	return rc < 0 ? rc : sqlite3_changes(s->fresh->db);
}

/* The rows of one table in one direction, as far as they go: their number, of which no other
 * direction had them; -1 when there is no such table. */
static int64_t copy_rows(struct salvage *s, size_t i, const char *columns, const char *order)
{
	cleanup_free char *insert = insert_sql(i, columns);
	cleanup_free char *select = str_printf("SELECT %s FROM %s ORDER BY %s", columns,
					       tables[i].table, order);
	cleanup_stmt sqlite3_stmt *from = NULL;
	cleanup_stmt sqlite3_stmt *to = NULL;
	struct err ignored = ERR_INIT;
	int64_t n = 0;

	if (db_prepare(s->fresh, &to, &ignored, insert, "") < 0 ||
	    sqlite3_prepare_v2(s->old, select, -1, &from, NULL) != SQLITE_OK)
		return -1;
	while (sqlite3_step(from) == SQLITE_ROW)
		n += copy_row(s, from, to, &ignored) > 0;
	return n;
}

static char *descending(const char *key)
{
	cleanup_str struct str out = STR_INIT;

	for (const char *p = key; *p; p++)
		str_addf(&out, *p == ',' ? " DESC%c" : "%c", *p);
	str_add(&out, " DESC");
	return str_take(&out);
}

static int64_t copy_table(struct salvage *s, size_t i)
{
	cleanup_free char *backwards = descending(tables[i].key);
	const char *columns = tables[i].columns;
	int64_t n = copy_rows(s, i, columns, tables[i].key);
	int64_t more = 0;

	for (size_t k = 0; n < 0 && k < ARRAY_LEN(tables[i].older_columns); k++)
		if (tables[i].older_columns[k]) {
			columns = tables[i].older_columns[k];
			n = copy_rows(s, i, columns, tables[i].key);
		}
	more = copy_rows(s, i, columns, backwards);
	return (n > 0 ? n : 0) + (more > 0 ? more : 0);
}

/* Opens the copy of the old index, as far as its schema can be read. */
static bool open_old(struct salvage *s, const char *path)
{
	/* Tables that have a schema are read though another's is damaged. */
	return sqlite3_open_v2(path, &s->old, SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK &&
	       sqlite3_exec(s->old, "PRAGMA writable_schema=ON", NULL, NULL, NULL) == SQLITE_OK;
}

/* What was read out of damage may be anything. */
static int drop_nonsense(struct store *fresh, struct err *err)
{
	static const char *const statements[] = {
		"DELETE FROM container WHERE length(id)<>64 OR id GLOB '*[^0-9a-f]*'",
		"DELETE FROM container_json WHERE seq NOT IN (SELECT seq FROM container)",
		"DELETE FROM volume WHERE name GLOB '*[^0-9A-Za-z_.-]*' OR length(name)<2 OR"
		" name GLOB '[_.-]*'",
		"DELETE FROM network WHERE length(id)<>64 OR id GLOB '*[^0-9a-f]*' OR name='' OR"
		" ifnull(json_valid(config),0)=0",
		"UPDATE container SET networks=NULL WHERE ifnull(json_valid(networks),0)=0",
		"DELETE FROM mount_use WHERE container NOT IN (SELECT id FROM container)",
		"UPDATE container SET n_uses=(SELECT count(*) FROM mount_use WHERE container=id),"
		"n_volumes=(SELECT count(*) FROM mount_use WHERE container=id AND"
		" object GLOB 'volume:*')",
	};

	for (size_t i = 0; i < ARRAY_LEN(statements); i++)
		if (db_run(fresh, err, statements[i], "") < 0)
			return -err->code;
	return 0;
}

/* Rows of the copy at PATH, whatever is left of them, in the transaction of FRESH. */
static int salvage(struct repair *r, struct store *fresh, const char *path, struct err *err)
{
	cleanup_salvage struct salvage s = {.fresh = fresh};
	int64_t n = 0;

	bool is_open = open_old(&s, path);

	for (size_t i = 0; is_open && i < ARRAY_LEN(tables); i++)
		n += copy_table(&s, i);
	repair_done(r, "index", STORE_INDEX, "%lld rows of the old one could be read",
		    (long long)n);
	return drop_nonsense(fresh, err);
}

/* ---- files ---- */

/* Copies NAME of FROM_FD, if there is one, and syncs it. */
static int copy_file(int from_fd, const char *name, int to_fd, const char *to, struct err *err)
{
	cleanup_str struct str text = STR_INIT;
	int rc = fd_read_file_at(from_fd, name, MAX_INDEX, &text);

	if (rc == -ENOENT)
		return 0;
	if (rc >= 0)
		rc = fd_replace_file_at(to_fd, to, str_get(&text), text.len, 0600, true);
	return rc < 0 ? err_sys(err, -rc, "copy %s to %s", name, to) : 0;
}

static int copy_index(int root_fd, int to_fd, const char *to, struct err *err)
{
	static const char *const endings[] = {"", "-wal"};

	for (size_t i = 0; i < ARRAY_LEN(endings); i++) {
		cleanup_free char *name = str_printf(STORE_INDEX "%s", endings[i]);
		cleanup_free char *copy = str_printf("%s%s", to, endings[i]);

		if (copy_file(root_fd, name, to_fd, copy, err) < 0)
			return -err->code;
	}
	return 0;
}

/* The part of the first page that is the same in every index
 * (fileformat2.html#the_database_header), in the copy. */
static int mend_header(int dir_fd, struct err *err)
{
	static const struct {
		size_t at, len;
		const char *bytes;
	} parts[] = {
		{0, 24, "SQLite format 3\0\x08\0\2\2\0\x40\x20\x20"},
		{44, 4, "\0\0\0\4"},
		{56, 4, "\0\0\0\1"},
	};
	cleanup_str struct str text = STR_INIT;
	int rc = fd_read_file_at(dir_fd, COPY_NAME, MAX_INDEX, &text);

	if (rc == -ENOENT || (rc >= 0 && text.len < PAGE_SIZE))
		return 0;
	for (size_t i = 0; rc >= 0 && i < ARRAY_LEN(parts); i++)
		memcpy(text.buf + parts[i].at, parts[i].bytes, parts[i].len);
	if (rc >= 0)
		rc = fd_write_file_at(dir_fd, COPY_NAME, text.buf, text.len, 0600);
	return rc < 0 ? err_sys(err, -rc, "copy the old index") : 0;
}

static void format_time(char *buf, size_t len)
{
	time_t now = time(NULL);
	struct tm tm;

	gmtime_r(&now, &tm);
	strftime(buf, len, "%Y%m%dT%H%M%SZ", &tm);
}

/* Gives the new index its name. The old one's log must be gone before: it would be applied. */
static int exchange(const struct staging *staging, int root_fd, struct err *err)
{
	static const char *const parts[] = {STORE_INDEX "-wal", STORE_INDEX "-shm"};

	for (size_t i = 0; i < ARRAY_LEN(parts); i++)
		if (unlinkat(root_fd, parts[i], 0) < 0 && errno != ENOENT)
			return err_sys(err, errno, "remove %s", parts[i]);
	if (renameat(staging->fd, NEW_NAME, root_fd, STORE_INDEX) < 0 || fsync(root_fd) < 0)
		return err_sys(err, errno, "rename the new index");
	return 0;
}

static int fill(struct repair *r, struct store *fresh, const char *copy, struct err *err)
{
	cleanup_transaction struct store *tx = NULL;

	if (db_begin(fresh, true, err) < 0)
		return -err->code;
	tx = fresh;
	if (salvage(r, fresh, copy, err) < 0 || repair_complete_rows(r, fresh, true, err) < 0 ||
	    repair_restore_networks(r, fresh, err) < 0 || db_commit(fresh, err) < 0)
		return -err->code;
	return db_finish_new(fresh, err);
}

/* A copy of the old index in STAGING, to read rows from, and one at KEPT for whoever wants more. */
static int copy_old(const struct staging *staging, int root_fd, const char *kept, struct err *err)
{
	int rc = 0;

	if (copy_index(root_fd, root_fd, kept, err) < 0 ||
	    copy_index(root_fd, staging->fd, COPY_NAME, err) < 0 ||
	    mend_header(staging->fd, err) < 0)
		return -err->code;
	rc = repair_wal(staging->fd, COPY_NAME "-wal", false);
	return rc < 0 ? err_sys(err, -rc, "read the old index's log") : 0;
}

static int make_new(struct repair *r, const struct staging *staging, struct err *err)
{
	cleanup_store struct store *fresh = NULL;
	cleanup_free char *name = str_printf(STORE_STAGING "/%s/" NEW_NAME, staging->name);
	cleanup_free char *copy = str_printf("%s/" STORE_STAGING "/%s/" COPY_NAME, r->store->root,
					     staging->name);

	if (storage_open(r->store->root, r->store->runroot, NULL, &fresh, err) < 0)
		return -err->code;
	fresh->db_name = name;
	if (fill(r, fresh, copy, err) < 0)
		return -err->code;
	return syncfs(staging->fd) < 0 ? err_sys(err, errno, "sync the new index") : 0;
}

/* While all writers are held off. */
static int rebuild(struct repair *r, const struct staging *staging, const char *kept,
		   struct err *err)
{
	cleanup_close int root_fd = store_open_dir(r->store, ".", err);

	if (root_fd < 0 || copy_old(staging, root_fd, kept, err) < 0 ||
	    make_new(r, staging, err) < 0 || db_close_alone(r->store, err) < 0)
		return -err->code;
	return exchange(staging, root_fd, err);
}

static int rebuild_alone(struct repair *r, const struct staging *staging, struct err *err)
{
	char time_text[32], kept[64];
	int rc = db_close_alone(r->store, err);

	if (rc < 0)
		return rc;
	format_time(time_text, sizeof(time_text));
	snprintf(kept, sizeof(kept), STORE_INDEX ".damaged-%s", time_text);
	rc = rebuild(r, staging, kept, err);
	db_reopen(r->store);
	if (rc < 0)
		return rc;
	repair_done(r, "index", STORE_INDEX, "made again; the old one is kept as %s", kept);
	names_save(r->store);
	return 0;
}

int repair_index(struct repair *r, struct err *err)
{
	cleanup_staging struct staging staging = STAGING_INIT;
	cleanup_close int layers_fd = -1;

	if (r->options->dry_run) {
		repair_done(r, "index", STORE_INDEX,
			    "made again from what can be read and the files");
		return 0;
	}
	layers_fd = store_open_dir(r->store, STORE_LAYERS, err);
	if (layers_fd < 0 || store_lock(layers_fd, LOCK_EX, "the layers directory", err) < 0 ||
	    staging_create(r->store, &staging, err) < 0)
		return -err->code;
	return rebuild_alone(r, &staging, err);
}

int repair_rows(struct repair *r, struct err *err)
{
	cleanup_transaction struct store *tx = NULL;

	if (r->options->dry_run) {
		repair_done(r, "index", STORE_INDEX, "rows mended from the files");
		return 0;
	}
	if (db_begin(r->store, true, err) < 0)
		return -err->code;
	tx = r->store;
	if (repair_complete_rows(r, r->store, false, err) < 0 || db_commit(r->store, err) < 0)
		return -err->code;
	repair_done(r, "index", STORE_INDEX, "rows mended from the files");
	names_save(r->store);
	return 0;
}
