/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The phases of a check, and how its problems are told. The rows of the index come first; then each
 * of the files that they name is looked at, and at the end whatever nothing names.
 *
 * Others work in the store meanwhile. So what looks wrong is looked at again: a problem is one only
 * when the index still has the row afterwards and the name still stands for the same directory.
 */
#include "storage/check.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "storage/check_private.h"
#include "storage/collect.h"
#include "storage/db.h"
#include "storage/layer.h"
#include "storage/store_private.h"

#define SHORT	  12 /* digits of an id for people */
#define MAX_USERS 3  /* images named for one problem */

void check_done(struct check *c)
{
	for (size_t i = 0; i < c->n_images; i++) {
		free(c->images[i].config);
		strv_done(&c->images[i].names);
		strv_done(&c->images[i].chains);
	}
	for (size_t i = 0; i < c->n_layers; i++)
		strv_done(&c->layers[i].texts);
	for (size_t i = 0; i < c->n_blobs; i++)
		free(c->blobs[i].text);
	for (size_t i = 0; i < c->n_containers; i++)
		free(c->containers[i].name);
	free(c->images);
	free(c->layers);
	free(c->blobs);
	free(c->containers);
	strv_done(&c->stray_layers);
	strv_done(&c->stray_blobs);
	strv_done(&c->stray_containers);
	strv_done(&c->odd_files);
	strv_done(&c->stray_volumes);
	strv_done(&c->bare_volumes);
	strv_done(&c->stray_networks);
	strv_done(&c->bare_networks);
	strv_done(&c->bad_networks);
	strv_done(&c->open_dirs);
	/* Whoever wanted to remove something meanwhile has left it to us. */
	if (c->store)
		storage_release(c->store, &c->layers_fd);
	fd_cleanup_close(&c->blobs_fd);
	*c = (struct check){.layers_fd = -1, .blobs_fd = -1};
}

/* ---- telling ---- */

void check_report(struct check *c, const char *kind, const char *id, const char *users,
		  const char *remedy, const char *fmt, ...)
{
	cleanup_free char *object = NULL;
	char text[1024];
	va_list args;
	bool is_digest = strlen(id) == DIGEST_HEX_LEN && strchr(id, '/') == NULL;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	object = is_digest ? str_printf("%s %.*s", kind, SHORT, id) : str_printf("%s %s", kind, id);
	c->totals.n_problems++;
	c->fn(&(struct check_problem){.kind = kind,
				      .id = id,
				      .object = object,
				      .text = text,
				      .images = users ? users : "",
				      .remedy = remedy},
	      c->data);
}

struct check_layer *check_lookup_layer(const struct check *c, const char *chain_hex)
{
	for (size_t from = 0, to = c->n_layers; from < to;) {
		size_t middle = from + (to - from) / 2;
		int order = strcmp(chain_hex, c->layers[middle].info.chain_hex);

		if (order == 0)
			return &c->layers[middle];
		if (order < 0)
			to = middle;
		else
			from = middle + 1;
	}
	return NULL;
}

struct check_blob *check_lookup_blob(const struct check *c, const char *hex)
{
	for (size_t from = 0, to = c->n_blobs; from < to;) {
		size_t middle = from + (to - from) / 2;
		int order = strcmp(hex, c->blobs[middle].hex);

		if (order == 0)
			return &c->blobs[middle];
		if (order < 0)
			to = middle;
		else
			from = middle + 1;
	}
	return NULL;
}

bool check_has_good_blob(const struct check *c, const struct check_layer *layer)
{
	const struct check_blob *b = *layer->info.blob_hex
					     ? check_lookup_blob(c, layer->info.blob_hex)
					     : NULL;

	return b && !b->is_bad;
}

char *check_name_of_image(const struct check_image *image)
{
	return image->names.n ? strv_join(&image->names, ", ") : str_ndup(image->id, SHORT);
}

/* The names of the images for which NEEDS says so. */
static char *join_users(const struct check *c,
			bool (*needs)(const struct check *c, const struct check_image *image,
				      const void *what),
			const void *what)
{
	cleanup_strv struct strv names = STRV_INIT;
	size_t n = 0;

	for (size_t i = 0; i < c->n_images; i++) {
		if (!needs(c, &c->images[i], what))
			continue;
		if (n++ < MAX_USERS)
			strv_add_take(&names, check_name_of_image(&c->images[i]));
	}
	if (n > MAX_USERS)
		strv_addf(&names, "%zu more", n - MAX_USERS);
	return names.n ? strv_join(&names, ", ") : str_dup("");
}

static bool needs_layer(const struct check *c, const struct check_image *image, const void *what)
{
	return strv_has(&image->chains, what);
}

static bool needs_blob(const struct check *c, const struct check_image *image, const void *what)
{
	const struct check_blob *b = what;

	if (b->image != CHECK_NONE && image == &c->images[b->image])
		return true;
	if (b->layer == CHECK_NONE)
		return false;
	/* Layers with the same files on top of others share a blob. */
	strv_foreach (i, &image->chains) {
		const struct check_layer *l = check_lookup_layer(c, image->chains.items[i]);

		if (l && strcmp(l->info.blob_hex, b->hex) == 0)
			return true;
	}
	return false;
}

char *check_users_of_layer(const struct check *c, const char *chain_hex)
{
	return join_users(c, needs_layer, chain_hex);
}

char *check_users_of_blob(const struct check *c, const struct check_blob *blob)
{
	return join_users(c, needs_blob, blob);
}

int check_is_named(struct store *store, const char *sql, const char *id, struct err *err)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	int rc = db_prepare(store, &stmt, err, sql, "t", id);

	return rc < 0 ? rc : db_step(store, stmt, err);
}

void check_list_names(const struct check *check, const char *path, struct strv *ret)
{
	int fd = openat(check->store->root_fd, path,
			O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);

	for (const struct dirent *e = dir ? readdir(dir) : NULL; e; e = readdir(dir))
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			strv_add(ret, e->d_name);
	if (dir)
		closedir(dir);
}

/* ---- the phases ---- */

static int open_part(struct check *c, const char *path)
{
	return openat(c->store->root_fd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

int check_run(struct check *c, struct err *err)
{
	static int (*const phases[])(struct check * c, struct err * err) = {
		check_compare_rows,
		check_look_at_blobs,
		check_look_at_layers,
		check_look_at_strays,
	};
	int rc = 0;

	c->totals = (struct check_totals){};
	c->layers_fd = open_part(c, STORE_LAYERS);
	c->blobs_fd = open_part(c, STORE_BLOBS);
	rc = check_read_rows(c, err);
	if (rc != 0)
		return rc < 0 ? rc : 0;
	c->totals.n_images = c->n_images;
	for (size_t i = 0; rc >= 0 && i < ARRAY_LEN(phases); i++)
		rc = phases[i](c, err);
	return rc < 0 ? check_take_damage(c, err) : 0;
}

int storage_check(struct store *store, const struct check_options *options, check_fn fn, void *data,
		  struct check_totals *ret, struct err *err)
{
	cleanup_check struct check c = {.store = store,
					.options = options,
					.fn = fn,
					.data = data,
					.layers_fd = -1,
					.blobs_fd = -1};

	if (check_run(&c, err) < 0)
		return -err->code;
	*ret = c.totals;
	return 0;
}

/* A store that nothing was ever brought into has no index to look at. */
static bool is_new(const struct store *store)
{
	return faccessat(store->root_fd, STORE_INDEX, F_OK, AT_SYMLINK_NOFOLLOW) < 0 &&
	       faccessat(store->root_fd, STORE_LAYERS, F_OK, AT_SYMLINK_NOFOLLOW) < 0;
}

void storage_glance(struct store *store, char *buf, size_t len)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	cleanup_close int layers_fd = -1;
	struct err err = ERR_INIT;
	int rc = 0;

	*buf = '\0';
	if (is_new(store))
		return;
	layers_fd = openat(store->root_fd, STORE_LAYERS, O_PATH | O_DIRECTORY | O_CLOEXEC);
	rc = db_prepare(store, &stmt, &err,
			"SELECT DISTINCT t.reference,l.chain_id FROM tag t JOIN image_layer l ON"
			" l.image_id=t.image_id",
			"");
	while (rc >= 0 && (rc = db_step(store, stmt, &err)) > 0) {
		if (layer_is_there(layers_fd, db_text(stmt, 1)))
			continue;
		snprintf(buf, len, "image %s lacks layer %.*s", db_text(stmt, 0), SHORT,
			 db_text(stmt, 1));
		return;
	}
	if (rc < 0 && db_is_damage(&err))
		snprintf(buf, len, "%s", err.msg);
}
