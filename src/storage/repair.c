/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The order of a repair: the index first, since it says what must be there, and everything is
 * checked again when it changed; then layers and blobs, each from the other or from the index; at
 * the end what nothing names.
 */
#include "storage/repair.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "storage/collect.h"
#include "storage/db.h"
#include "storage/layer.h"
#include "storage/names.h"
#include "storage/repair_private.h"
#include "storage/store_private.h"

#define MAX_ROUNDS 3

/* ---- telling ---- */

static void tell(struct repair *r, bool is_lost, const char *kind, const char *id, const char *text)
{
	bool is_digest = strlen(id) == DIGEST_HEX_LEN;
	cleanup_free char *object = is_digest ? str_printf("%s %.12s", kind, id)
					      : str_printf("%s %s", kind, id);

	if (is_lost)
		r->totals.n_lost++;
	else
		r->totals.n_done++;
	r->options->fn(is_lost, object, text, r->options->fn_data);
}

void repair_done(struct repair *r, const char *kind, const char *id, const char *fmt, ...)
{
	char text[1024];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	tell(r, false, kind, id, text);
}

void repair_lost(struct repair *r, const char *kind, const char *id, const char *fmt, ...)
{
	char text[1024];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	tell(r, true, kind, id, text);
}

int repair_move_away(struct repair *r, const char *path, const char *name, char **ret_path,
		     struct err *err)
{
	cleanup_close int dir_fd = store_open_dir(r->store, STORE_DAMAGED, err);

	if (dir_fd < 0)
		return dir_fd;
	for (int i = 0; i < 1000; i++) {
		cleanup_free char *to = i ? str_printf("%s.%d", name, i) : str_dup(name);

		if (renameat2(r->store->root_fd, path, dir_fd, to, RENAME_NOREPLACE) == 0) {
			if (ret_path)
				*ret_path = str_printf(STORE_DAMAGED "/%s", to);
			return 0;
		}
		if (errno != EEXIST)
			break;
	}
	return err_sys(err, errno, "move %s to " STORE_DAMAGED, path);
}

/* ---- blobs ---- */

/* Takes a damaged blob out of its place; a missing one is fine. */
static int take_away(struct repair *r, const struct check_blob *b, char **ret_path, struct err *err)
{
	cleanup_free char *path = str_printf(STORE_BLOBS "/%s", b->hex);
	cleanup_free char *name = str_printf("blob-%s", b->hex);

	if (faccessat(r->store->root_fd, path, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	return repair_move_away(r, path, name, ret_path, err);
}

/* Who has seen a blob in its place and is about to name it holds the layers directory shared. */
static int lock_layers(struct repair *r, int *ret_fd, struct err *err)
{
	*ret_fd = store_open_dir(r->store, STORE_LAYERS, err);
	return *ret_fd < 0 ? *ret_fd : store_lock(*ret_fd, LOCK_EX, "the layers directory", err);
}

static int write_config(struct repair *r, const struct check_blob *b, const char *text,
			struct err *err)
{
	cleanup_close int layers_fd = -1;
	cleanup_close int dir_fd = store_open_dir(r->store, STORE_BLOBS, err);
	int rc = 0;

	if (dir_fd < 0 || lock_layers(r, &layers_fd, err) < 0 || take_away(r, b, NULL, err) < 0)
		return -err->code;
	rc = fd_replace_file_at(dir_fd, b->hex, text, strlen(text), 0600, true);
	return rc < 0 ? err_sys(err, -rc, "write blob %s", b->hex) : 0;
}

/* A configuration is in the index too. */
static int repair_config(struct repair *r, const struct check_blob *b, struct err *err)
{
	const char *text = r->check.images[b->image].config;

	if (r->check.images[b->image].is_config_bad) {
		repair_lost(r, "blob", b->hex,
			    "%s; the index's copy of this configuration is damaged too", b->text);
		return 0;
	}
	if (!r->options->dry_run && write_config(r, b, text, err) < 0)
		return -err->code;
	repair_done(r, "blob", b->hex, "written again from the index");
	return 0;
}

/* Forgets the targets that need the blob, and that a layer has it. */
static int forget_blob(struct repair *r, const char *hex, struct err *err)
{
	static const char *const statements[] = {
		"UPDATE tag SET target=NULL WHERE target IN (SELECT target FROM target_blob WHERE"
		" digest=?)",
		"DELETE FROM target_blob WHERE target IN (SELECT target FROM target_blob WHERE"
		" digest=?)",
		"UPDATE layer SET blob=NULL,blob_size=0,blob_format=NULL WHERE blob=?",
	};
	cleanup_transaction struct store *tx = NULL;

	if (db_begin(r->store, true, err) < 0)
		return -err->code;
	tx = r->store;
	for (size_t i = 0; i < ARRAY_LEN(statements); i++)
		if (db_run(r->store, err, statements[i], "t", hex) < 0)
			return -err->code;
	return db_commit(r->store, err);
}

/* The records follow the rows. Layers with the same files on top of others share a blob. */
static int forget_in_records(struct repair *r, const char *hex, struct err *err)
{
	const struct check_layer *layers = r->check.layers;

	for (size_t i = 0; layers && i < r->check.n_layers; i++) {
		struct layer_info info = layers[i].info;

		if (strcmp(info.blob_hex, hex) != 0)
			continue;
		if (layer_info_lookup(r->store, layers[i].info.chain_hex, &info, err) < 0)
			return -err->code;
		if (!layers[i].is_missing && repair_write_record(r, &info, err) < 0)
			return -err->code;
	}
	return 0;
}

/* The image runs on without it. */
static void tell_lost_blob(struct repair *r, const struct check_blob *b, const char *path)
{
	cleanup_free char *users = check_users_of_blob(&r->check, b);
	const char *who = *users ? users : "the image";

	repair_lost(
		r, "blob", b->hex,
		"%s%s%s; %s %s, but cannot be saved or copied as it came: load or pull it again",
		b->text, path ? ", now " : "", path ? path : "", who,
		b->layer == CHECK_NONE ? "is whole" : "runs");
}

/* What only a target needs may be named by a row that is damaged, and not be missing at all: 1 when
 * nothing names it any more once the targets' rows are made again. */
static int was_row_damaged(struct repair *r, const struct check_blob *b, struct err *err)
{
	int rc = 0;

	if (r->options->dry_run)
		return 0;
	if (!r->are_rows_mended && repair_rows(r, err) < 0)
		return -err->code;
	r->are_rows_mended = true;
	rc = check_is_named(r->store, CHECK_SQL_BLOB, b->hex, err);
	return rc < 0 ? rc : rc == 0;
}

/* 0 when somebody has brought the blob again since it was checked, or removed its last use. */
static int give_up(struct repair *r, const struct check_blob *b, char **ret_path, struct err *err)
{
	cleanup_close int layers_fd = -1;
	int rc = lock_layers(r, &layers_fd, err);

	if (rc >= 0)
		rc = check_is_still_bad(&r->check, b, err);
	if (rc <= 0)
		return rc;
	if (forget_blob(r, b->hex, err) < 0 || forget_in_records(r, b->hex, err) < 0 ||
	    take_away(r, b, ret_path, err) < 0)
		return -err->code;
	return 1;
}

static int repair_blob(struct repair *r, const struct check_blob *b, struct err *err)
{
	cleanup_free char *path = NULL;
	const struct check_layer *l = b->layer == CHECK_NONE ? NULL : &r->check.layers[b->layer];

	if (!b->is_bad)
		return 0;
	if (b->image != CHECK_NONE)
		return repair_config(r, b, err);
	int rc = l ? 0 : was_row_damaged(r, b, err);

	if (rc != 0)
		return rc;
	rc = r->options->dry_run ? 1 : give_up(r, b, &path, err);
	/* The loss of both was told with the layer. Without the bad blob an import brings another.
	 */
	if (rc <= 0 || (l && (l->is_missing || l->is_tree_bad)))
		return rc;
	tell_lost_blob(r, b, path);
	return 0;
}

static int repair_blobs(struct repair *r, struct err *err)
{
	for (size_t i = 0; i < r->check.n_blobs; i++) {
		const struct check_blob *b = &r->check.blobs[i];

		if (repair_blob(r, b, err) < 0)
			repair_lost(r, "blob", b->hex, "%s", err->msg);
		err_clear(err);
	}
	return 0;
}

/* ---- the rest ---- */

static int repair_modes(struct repair *r, struct err *err)
{
	strv_foreach (i, &r->check.open_dirs) {
		const char *path = r->check.open_dirs.items[i];
		struct stat st;

		if (r->options->dry_run) {
			repair_done(r, "mode", path, "closed to others");
			continue;
		}
		if (fstatat(r->store->root_fd, path, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
		    S_ISLNK(st.st_mode) ||
		    fchownat(r->store->root_fd, path, geteuid(), getegid(), AT_SYMLINK_NOFOLLOW) <
			    0 ||
		    fchmodat(r->store->root_fd, path, S_ISDIR(st.st_mode) ? 0700 : 0600, 0) < 0)
			repair_lost(r, "mode", path, "cannot be closed: %s",
				    strerrordesc_np(errno));
		else
			repair_done(r, "mode", path, "closed to others");
	}
	return 0;
}

/* FOLDER/NAME that does not belong there; of a replaced layer nothing is to be kept. */
static int repair_odd_file(struct repair *r, const char *path, struct err *err)
{
	const char *name = strrchr(path, '/') + 1;
	cleanup_free char *to = NULL;

	if (str_has_suffix(path, CHECK_REPLACED)) {
		if (!r->options->dry_run)
			storage_remove_replaced(r->store, r->options->is_running, r->options->data);
		if (!r->options->dry_run &&
		    faccessat(r->store->root_fd, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
			return err_set(err, ERR_UNAVAILABLE, "somebody is reading it");
		repair_done(r, "leftover", path, "removed");
		return 0;
	}
	if (!r->options->dry_run && repair_move_away(r, path, name, &to, err) < 0)
		return -err->code;
	repair_done(r, "leftover", path, "moved to %s", to ? to : STORE_DAMAGED);
	return 0;
}

static int repair_leftovers(struct repair *r, struct err *err)
{
	const struct check *c = &r->check;

	strv_foreach (i, &c->odd_files) {
		if (repair_odd_file(r, c->odd_files.items[i], err) < 0)
			repair_lost(r, "leftover", c->odd_files.items[i], "%s", err->msg);
		err_clear(err);
	}
	/* What the blobs above gave up may have been the last use of others. */
	if (!r->options->dry_run)
		storage_collect(r->store);
	strv_foreach (i, &c->stray_layers)
		repair_done(r, "leftover", c->stray_layers.items[i], "removed");
	strv_foreach (i, &c->stray_blobs)
		repair_done(r, "leftover", c->stray_blobs.items[i], "removed");
	strv_foreach (i, &c->stray_snapshots)
		repair_done(r, "leftover", c->stray_snapshots.items[i], "removed");
	strv_foreach (i, &c->lost_snapshots)
		repair_done(r, "cache", c->lost_snapshots.items[i], "forgotten");
	if (c->has_dead_staging)
		repair_done(r, "leftover", STORE_STAGING, "removed");
	if (c->are_names_bad)
		repair_done(r, "name", NAMES_FILE, "written again");
	return 0;
}

/* Without a row a container cannot be found, but its files are its user's. */
static int move_container(struct repair *r, const char *id, struct err *err)
{
	cleanup_free char *path = str_printf(STORE_CONTAINERS "/%s", id);
	cleanup_free char *name = str_printf("container-%s", id);
	cleanup_free char *to = NULL;

	if (r->options->is_running && r->options->is_running(id, r->options->data)) {
		repair_lost(r, "container", id,
			    "runs, but its row is lost; its writable layer is %s/%s/upper",
			    r->store->root, path);
		return 0;
	}
	if (!r->options->dry_run && repair_move_away(r, path, name, &to, err) < 0)
		return -err->code;
	repair_lost(r, "container", id, "its row is lost; its writable layer is %s/%s/upper",
		    r->store->root, to ? to : path);
	return 0;
}

/* The options as they were typed, which only inspect shows: config.json is what runs. */
static int empty_options(struct repair *r, struct err *err)
{
	static const char *const statements[] = {
		("INSERT OR IGNORE INTO container_json(seq,config,host,extra)"
		 " SELECT seq,'{}','{}','{}' FROM container"),
		"UPDATE container_json SET config='{}' WHERE ifnull(json_valid(config),0)=0",
		"UPDATE container_json SET host='{}' WHERE ifnull(json_valid(host),0)=0",
		"UPDATE container_json SET extra='{}' WHERE ifnull(json_valid(extra),0)=0",
	};
	cleanup_transaction struct store *tx = NULL;
	bool is_needed = false;

	for (size_t i = 0; i < r->check.n_containers; i++) {
		const struct check_container *k = &r->check.containers[i];

		is_needed |= k->has_bad_options;
		if (k->has_bad_options)
			repair_lost(r, "container", k->id, "the options that inspect shows of %s",
				    k->name);
	}
	if (!is_needed || r->options->dry_run)
		return 0;
	if (db_begin(r->store, true, err) < 0)
		return -err->code;
	tx = r->store;
	for (size_t i = 0; i < ARRAY_LEN(statements); i++)
		if (db_run(r->store, err, statements[i], "") < 0)
			return -err->code;
	return db_commit(r->store, err);
}

static int repair_containers(struct repair *r, struct err *err)
{
	strv_foreach (i, &r->check.stray_containers) {
		const char *id = r->check.stray_containers.items[i];

		if (move_container(r, id, err) < 0)
			repair_lost(r, "container", id, "%s", err->msg);
		err_clear(err);
	}
	for (size_t i = 0; i < r->check.n_containers; i++)
		if (r->check.containers[i].fault)
			repair_lost(r, "container", r->check.containers[i].id,
				    "%s: tare rm %s removes what is left",
				    r->check.containers[i].fault, r->check.containers[i].name);
	return empty_options(r, err);
}

/* ---- the order ---- */

static void count_problem(const struct check_problem *problem, void *data)
{
	/* What is wrong is in struct check; only its number is of interest here. */
}

static int run_check(struct repair *r, const struct check_options *options, struct err *err)
{
	check_done(&r->check);
	r->check = (struct check){.store = r->store,
				  .options = options,
				  .fn = count_problem,
				  .layers_fd = -1,
				  .blobs_fd = -1};
	return check_run(&r->check, err);
}

/* Whether index.json speaks of images that the index does not have and whose files are whole. */
static int has_forgotten(struct repair *r, struct err *err)
{
	cleanup_strv struct strv images = STRV_INIT;

	return repair_find_forgotten(r, &images, err) < 0 ? -err->code : images.n > 0;
}

/* The end of the index's log may be damaged: then SQLite goes on without what it had. */
static bool is_log_damaged(struct repair *r)
{
	return repair_wal(r->store->root_fd, STORE_INDEX "-wal", true) > 0;
}

/* 1 when rows were changed, 2 when the index is another, and all must be looked at again. */
static int mend_index(struct repair *r, bool was_rebuilt, struct err *err)
{
	int forgotten = r->check.is_index_bad ? 0 : has_forgotten(r, err);
	bool is_short = forgotten > 0 || r->check.stray_containers.n > 0;

	if (forgotten < 0)
		return forgotten;
	if (!was_rebuilt && (r->check.is_index_bad || (is_short && is_log_damaged(r))))
		return repair_index(r, err) < 0 ? -err->code : 2;
	if (r->check.are_rows_bad || forgotten > 0 || repair_has_better_record(r))
		return repair_rows(r, err) < 0 ? -err->code : 1;
	return 0;
}

static int check_and_mend_index(struct repair *r, const struct check_options *options,
				struct err *err)
{
	bool was_rebuilt = false;

	for (int i = 0; i < MAX_ROUNDS; i++) {
		int rc = run_check(r, options, err);

		if (i == 0)
			r->totals.n_problems = r->check.totals.n_problems;
		if (rc < 0 || (i == MAX_ROUNDS - 1 && !r->check.is_index_bad))
			return rc;
		rc = mend_index(r, was_rebuilt, err);
		if (rc <= 0 || r->options->dry_run)
			return rc;
		was_rebuilt |= rc == 2;
	}
	return err_set(err, ERR_SYSTEM, "the index cannot be mended");
}

int storage_repair(struct store *store, const struct repair_options *options,
		   struct repair_totals *ret, struct err *err)
{
	static int (*const steps[])(struct repair * r, struct err * err) = {
		repair_layers,	repair_blobs,	 repair_modes,	   repair_containers,
		repair_volumes, repair_networks, repair_leftovers,
	};
	const struct check_options check = {.full = true,
					    .is_busy = options->is_busy,
					    .is_running = options->is_running,
					    .data = options->data};
	struct repair r = {
		.store = store, .options = options, .check = {.layers_fd = -1, .blobs_fd = -1}};
	int rc = check_and_mend_index(&r, &check, err);

	for (size_t i = 0; rc >= 0 && i < ARRAY_LEN(steps); i++)
		rc = steps[i](&r, err);
	check_done(&r.check);
	*ret = r.totals;
	return rc < 0 ? rc : 0;
}
