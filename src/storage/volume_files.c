/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The directories of volumes. Whoever changes names in ROOT/volumes holds the writers' lock, so a
 * name that starts with a dot is, for who has the lock, what a dead process left. Nothing inside
 * _data is looked at here: it belongs to containers.
 */
/* lint file: paths chosen by the engine; names were checked by volume_check_name */
#include "storage/volume.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rand.h"
#include "storage/collect.h"
#include "storage/db.h"
#include "storage/staging.h"
#include "storage/store_private.h"
#include "storage/volume_private.h"
#include "sys/copy_tree.h"
#include "json/value.h"

#include <jansson.h>

#define MAX_RECORD  (1 << 20)
#define ASIDE_BYTES 8

char *volume_path(const struct store *store, const char *name, const char *leaf)
{
	return str_printf("%s/" STORE_VOLUMES "/%s%s%s", store->root, name, *leaf ? "/" : "", leaf);
}

int volume_open_parent(struct store *store, struct err *err)
{
	return store_open_dir(store, STORE_VOLUMES, err);
}

static void make_aside_name(char name[static VOLUME_ASIDE_LEN])
{
	char random[2 * ASIDE_BYTES + 1];

	rand_hex(ASIDE_BYTES, random);
	snprintf(name, VOLUME_ASIDE_LEN, ".%s", random);
}

/* ---- the record ---- */

static char *format_record(const struct volume *volume, const char *renamed_from)
{
	json_t *labels = json_loads(volume->labels, JSON_DECODE_ANY, NULL);
	json_t *options = json_loads(volume->options, JSON_DECODE_ANY, NULL);
	json_t *record = json_object();
	char *text = NULL;

	json_set_text(record, "name", volume->name);
	json_set_text(record, "driver", VOLUME_DRIVER);
	json_object_set_new(record, "created_ns", json_integer(volume->created_ns));
	json_object_set_new(record, "labels", labels ? labels : json_null());
	json_object_set_new(record, "options", options ? options : json_null());
	if (renamed_from)
		json_set_text(record, "renamed_from", renamed_from);
	text = json_dumps(record, JSON_INDENT(1));
	json_decref(record);
	return text ? text : str_dup("{}");
}

static json_t *load_record(struct store *store, const char *name)
{
	cleanup_free char *path = str_printf(STORE_VOLUMES "/%s/" VOLUME_RECORD, name);
	cleanup_str struct str text = STR_INIT;
	struct err ignored = ERR_INIT;
	json_t *record = NULL;

	if (fd_read_file_at(store->root_fd, path, MAX_RECORD, &text) < 0 ||
	    json_parse(str_get(&text), text.len, MAX_RECORD, "volume", &record, &ignored) < 0)
		return NULL;
	return record;
}

static char *dump_member(const json_t *record, const char *key)
{
	const json_t *value = json_object_get(record, key);
	char *text = json_is_object(value) ? json_dumps(value, JSON_COMPACT | JSON_SORT_KEYS)
					   : NULL;

	return text ? text : str_dup("null");
}

int volume_read_record(struct store *store, const char *name, struct volume *ret)
{
	cleanup_json json_t *record = load_record(store, name);

	if (!record)
		return 0;
	*ret = (struct volume){
		.name = str_dup(name),
		.labels = dump_member(record, "labels"),
		.options = dump_member(record, "options"),
		.created_ns = json_get_int(record, "created_ns", 0),
	};
	return 1;
}

/* ---- making ---- */

static int write_record(int dir_fd, const struct volume *volume, const char *renamed_from,
			bool durable, struct err *err)
{
	cleanup_free char *text = format_record(volume, renamed_from);
	int rc = fd_replace_file_at(dir_fd, VOLUME_RECORD, text, strlen(text), 0600, durable);

	return rc < 0 ? err_sys(err, -rc, "write the record of volume %s", volume->name) : 0;
}

int volume_write_record(struct store *store, const struct volume *volume, struct err *err)
{
	cleanup_free char *path = str_printf(STORE_VOLUMES "/%s", volume->name);
	cleanup_close int dir_fd = openat(store->root_fd, path,
					  O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (dir_fd < 0)
		return err_sys(err, errno, "open volume %s", volume->name);
	return write_record(dir_fd, volume, NULL, true, err);
}

static int fill(int parent_fd, const char *aside, const struct volume *volume, bool durable,
		struct err *err)
{
	cleanup_close int dir_fd = -1;

	if (mkdirat(parent_fd, aside, 0700) < 0)
		return err_sys(err, errno, "create volume %s", volume->name);
	dir_fd = openat(parent_fd, aside, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	/* The content's directory is what containers see: its mode is for them. */
	if (dir_fd < 0 || mkdirat(dir_fd, VOLUME_DATA, 0755) < 0 ||
	    fchmodat(dir_fd, VOLUME_DATA, 0755, 0) < 0)
		return err_sys(err, errno, "create volume %s", volume->name);
	return write_record(dir_fd, volume, NULL, durable, err);
}

static bool has_record(int parent_fd, const char *name)
{
	cleanup_free char *path = str_printf("%s/" VOLUME_RECORD, name);

	return faccessat(parent_fd, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static void remove_aside(int parent_fd, const char *name)
{
	int rc = fd_remove_tree_at(parent_fd, name);

	if (rc < 0)
		log_debug("remove what was volume %s: %s", name, strerrordesc_np(-rc));
}

/* Takes the name from NAME, which has no row and no record: true, and the name that it has now. */
static bool put_aside(int parent_fd, const char *name, char aside[static VOLUME_ASIDE_LEN])
{
	make_aside_name(aside);
	return renameat(parent_fd, name, parent_fd, aside) == 0;
}

static void put_away(int parent_fd, const char *name)
{
	char aside[VOLUME_ASIDE_LEN];

	if (put_aside(parent_fd, name, aside))
		remove_aside(parent_fd, aside);
}

int volume_make_files(struct store *store, const struct volume *volume, bool durable,
		      struct err *err)
{
	cleanup_close int parent_fd = volume_open_parent(store, err);
	char aside[VOLUME_ASIDE_LEN];
	int rc = 0;

	if (parent_fd < 0)
		return parent_fd;
	/* Content whose row is lost is not thrown away for an empty one. */
	if (has_record(parent_fd, volume->name))
		return 0;
	put_away(parent_fd, volume->name);
	make_aside_name(aside);
	rc = fill(parent_fd, aside, volume, durable, err);
	if (rc == 0 && renameat(parent_fd, aside, parent_fd, volume->name) < 0)
		rc = err_sys(err, errno, "create volume %s", volume->name);
	if (rc == 0 && durable && fsync(parent_fd) < 0)
		rc = err_sys(err, errno, "sync %s/" STORE_VOLUMES, store->root);
	if (rc < 0)
		remove_aside(parent_fd, aside);
	return rc;
}

/* ---- taking away ---- */

void volume_mark_removed(struct store *store, const char *name)
{
	cleanup_free char *from = str_printf(STORE_VOLUMES "/%s/" VOLUME_RECORD, name);
	cleanup_free char *to = str_printf(STORE_VOLUMES "/%s/" VOLUME_OLD_RECORD, name);

	if (renameat(store->root_fd, from, store->root_fd, to) < 0)
		log_debug("volume %s: %m", name);
}

/* Somebody may have made a new one of that name already: that has a record, and whoever makes one
 * has the lock. */
static bool take_name(struct store *store, int parent_fd, const char *name,
		      char aside[static VOLUME_ASIDE_LEN])
{
	cleanup_transaction struct store *tx = NULL;
	struct err err = ERR_INIT;

	if (db_begin(store, false, &err) < 0) {
		log_debug("volume %s is left to the next sweep: %s", name, err.msg);
		return false;
	}
	tx = store;
	return !has_record(parent_fd, name) && put_aside(parent_fd, name, aside);
}

void volume_remove_files(struct store *store, const char *name)
{
	cleanup_close int parent_fd = openat(store->root_fd, STORE_VOLUMES,
					     O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	char aside[VOLUME_ASIDE_LEN];

	if (parent_fd >= 0 && faccessat(parent_fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0 &&
	    take_name(store, parent_fd, name, aside))
		remove_aside(parent_fd, aside);
}

int volume_rename_files(struct store *store, const char *name, const struct volume *volume,
			struct err *err)
{
	cleanup_close int parent_fd = volume_open_parent(store, err);
	cleanup_close int dir_fd = -1;

	if (parent_fd < 0)
		return parent_fd;
	dir_fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir_fd < 0)
		return err_sys(err, errno, "open volume %s", name);
	if (!has_record(parent_fd, volume->name))
		put_away(parent_fd, volume->name);
	/* Who finds the new name without its row knows from the record which row is meant. */
	if (write_record(dir_fd, volume, name, true, err) < 0)
		return -err->code;
	if (renameat2(parent_fd, name, parent_fd, volume->name, RENAME_NOREPLACE) < 0 ||
	    fsync(parent_fd) < 0)
		return err_sys(err, errno, "rename volume %s to %s", name, volume->name);
	return 0;
}

/* ---- a copy ---- */

static int fill_copy(int dir_fd, const struct volume *volume, int content_fd, struct err *err)
{
	cleanup_close int data = -1;
	int rc = 0;

	if (mkdirat(dir_fd, VOLUME_DATA, 0755) == 0)
		data = openat(dir_fd, VOLUME_DATA, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (data < 0)
		return err_sys(err, errno, "create volume %s", volume->name);
	rc = copy_tree(content_fd, data, NULL);
	if (rc < 0)
		return err_sys(err, -rc, "copy to volume %s", volume->name);
	return write_record(dir_fd, volume, NULL, true, err);
}

static int take_place(struct store *store, int from_fd, const struct volume *volume,
		      struct err *err)
{
	cleanup_close int parent_fd = volume_open_parent(store, err);

	if (parent_fd < 0)
		return parent_fd;
	if (!has_record(parent_fd, volume->name))
		put_away(parent_fd, volume->name);
	if (renameat2(from_fd, "volume", parent_fd, volume->name, RENAME_NOREPLACE) < 0 ||
	    fsync(parent_fd) < 0)
		return err_sys(err, errno, "create volume %s", volume->name);
	return 0;
}

int volume_clone_files(struct store *store, int content_fd, const char *name, const char *labels,
		       struct err *err)
{
	static char none[] = "null";
	cleanup_free char *own_name = str_dup(name);
	cleanup_free char *own_labels = str_dup(labels);
	const struct volume volume = {.name = own_name,
				      .labels = own_labels,
				      .options = none,
				      .created_ns = clock_real_ns()};
	cleanup_with(staging_done) struct staging staging = STAGING_INIT;
	cleanup_transaction struct store *tx = NULL;
	cleanup_close int dir_fd = -1;

	if (staging_create(store, &staging, err) < 0)
		return -err->code;
	if (mkdirat(staging.fd, "volume", 0700) == 0)
		dir_fd = openat(staging.fd, "volume", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir_fd < 0)
		return err_sys(err, errno, "create volume %s", name);
	if (fill_copy(dir_fd, &volume, content_fd, err) < 0)
		return -err->code;
	if (syncfs(dir_fd) < 0)
		return err_sys(err, errno, "sync volume %s", name);
	if (db_begin(store, true, err) < 0)
		return -err->code;
	tx = store;
	if (take_place(store, staging.fd, &volume, err) < 0 ||
	    volume_insert_row(store, &volume, err) < 0)
		return -err->code;
	return db_commit(store, err);
}

/* ---- the content ---- */

int volume_open(struct store *store, const char *name, struct err *err)
{
	cleanup_free char *path = str_printf(STORE_VOLUMES "/%s", name);
	cleanup_close int dir_fd = openat(store->root_fd, path,
					  O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int fd = -1;

	if (dir_fd >= 0)
		fd = openat(dir_fd, VOLUME_DATA, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd >= 0)
		return fd;
	if (errno == ENOTDIR || errno == ELOOP)
		return err_set(err, ERR_DENIED,
			       "volume %s: %s/%s/" VOLUME_DATA " is no directory any more", name,
			       store->root, path);
	return err_sys(err, errno, "open volume %s", name);
}

/* ---- the sweep ---- */

/* The record of DIRECTORY says that its row has an older name, whose directory is gone: 1 when the
 * row has the new one now. */
static int finish_rename(struct store *store, const char *name, struct err *err)
{
	cleanup_json json_t *record = load_record(store, name);
	const char *from = json_get_string(record, "renamed_from", NULL);
	cleanup_free char *path = from ? str_printf(STORE_VOLUMES "/%s", from) : NULL;

	if (!path || volume_check_name(from, err) < 0 ||
	    faccessat(store->root_fd, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
		err_clear(err);
		return 0;
	}
	return db_run(store, err, "UPDATE volume SET name=? WHERE name=?", "tt", name, from);
}

static bool is_empty(struct store *store, const char *name)
{
	cleanup_free char *path = str_printf(STORE_VOLUMES "/%s/" VOLUME_DATA, name);
	int fd = openat(store->root_fd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	size_t n = 0;

	while (dir && readdir(dir))
		n++;
	if (dir)
		closedir(dir);
	return n <= 2;
}

static bool has_row(struct store *store, const char *name, struct err *err)
{
	cleanup_volume struct volume volume = VOLUME_INIT;

	/* When the index cannot say, nothing is touched. */
	return volume_lookup(store, name, &volume, err) != 0;
}

/* With the writers' lock. What is to be removed without it is appended to RET_ASIDE. */
static int settle(struct store *store, int parent_fd, const char *name, struct strv *ret_aside,
		  struct err *err)
{
	cleanup_volume struct volume volume = VOLUME_INIT;
	char aside[VOLUME_ASIDE_LEN];
	int rc = 0;

	if (name[0] == '.') {
		strv_add(ret_aside, name);
		return 0;
	}
	if (has_row(store, name, err))
		return err->code ? -err->code : 0;
	rc = finish_rename(store, name, err);
	if (rc != 0)
		return rc < 0 ? rc : 0;
	/* Made for a container that never came to be. */
	if (!volume_read_record(store, name, &volume) ||
	    (volume_is_anonymous(&volume) && is_empty(store, name))) {
		if (put_aside(parent_fd, name, aside))
			strv_add(ret_aside, aside);
		return 0;
	}
	log_warn("volume %s was not in the index, and is again", name);
	return volume_insert_row(store, &volume, err);
}

static int collect_names(const struct volume *volume, void *data, struct err *err)
{
	json_object_set_new(data, volume->name, json_true());
	return 0;
}

/* Names in ROOT/volumes that have no row, as far as can be seen without a lock. */
static void find_odd(struct store *store, int parent_fd, struct strv *ret)
{
	cleanup_json json_t *known = json_object();
	struct err ignored = ERR_INIT;
	int fd = openat(parent_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);

	if (!dir || volume_list(store, collect_names, known, &ignored) < 0) {
		if (dir)
			closedir(dir);
		return;
	}
	for (const struct dirent *e = readdir(dir); e; e = readdir(dir))
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0 &&
		    !json_object_get(known, e->d_name))
			strv_add(ret, e->d_name);
	closedir(dir);
}

void volume_sweep(struct store *store)
{
	cleanup_close int parent_fd = openat(store->root_fd, STORE_VOLUMES,
					     O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	cleanup_transaction struct store *tx = NULL;
	cleanup_strv struct strv names = STRV_INIT;
	cleanup_strv struct strv aside = STRV_INIT;
	struct err err = ERR_INIT;
	int rc = 0;

	/* Of a clone; and with it everything else, of which the staging directory is the sign. */
	storage_sweep(store);
	if (parent_fd < 0)
		return;
	find_odd(store, parent_fd, &names);
	if (names.n == 0 || db_begin(store, true, &err) < 0)
		return;
	tx = store;
	strv_foreach (i, &names)
		if (rc >= 0)
			rc = settle(store, parent_fd, names.items[i], &aside, &err);
	if (rc < 0 || db_commit(store, &err) < 0) {
		log_debug("volumes: %s", err.msg);
		return;
	}
	/* Nobody's any more, and perhaps large: not while others wait for the lock. */
	strv_foreach (i, &aside)
		remove_aside(parent_fd, aside.items[i]);
}
