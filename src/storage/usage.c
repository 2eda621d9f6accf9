/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two passes: the disk, which gives the bytes of each layer, blob and container by name, then the
 * index, which says whose they are.
 */
#include "storage/usage.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/rand.h"
#include "base/str.h"
#include "storage/db.h"
#include "storage/disk_usage.h"
#include "storage/image_private.h"
#include "storage/store_private.h"
#include "json/value.h"

/* The names of the first pass: 'l' and a chain ID, 'b' and a digest. */
#define OBJECT_KEY_LEN (DIGEST_HEX_LEN + 2)

struct survey {
	struct store *store;
	struct disk_usage disk;
	json_t *bytes;	/* owned; key of an object to what it takes */
	json_t *owners; /* owned; key of an object to the number of its images */
	json_t *needed; /* owned; keys of objects of images that containers use */
	struct usage usage;
};

static void survey_done(struct survey *s)
{
	disk_usage_done(&s->disk);
	json_decref(s->bytes);
	json_decref(s->owners);
	json_decref(s->needed);
	usage_done(&s->usage);
}

void usage_done(struct usage *usage)
{
	for (size_t i = 0; i < usage->n_images; i++)
		free(usage->images[i].reference);
	for (size_t i = 0; i < usage->n_volumes; i++)
		free(usage->volumes[i].name);
	free(usage->images);
	free(usage->volumes);
	free(usage->containers);
	*usage = (struct usage)USAGE_INIT;
}

/* ---- the disk ---- */

typedef void (*entry_fn)(struct survey *s, const char *name, int64_t bytes);

/* Counts each entry of PATH below the root and calls FN (may be NULL) with it; returns the sum.
 * SKIP (may be NULL) is left out. The directory itself is nobody's, so it belongs to the rest. */
static int64_t count_entries(struct survey *s, const char *path, const char *const *skip,
			     entry_fn fn)
{
	cleanup_close int dir_fd = openat(s->store->root_fd, path,
					  O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int fd = dir_fd < 0 ? -1 : openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	int64_t total = 0;

	if (!dir) {
		fd_cleanup_close(&fd);
		return 0;
	}
	s->usage.rest_bytes += disk_usage_add_entry(&s->disk, dir_fd, ".");
	for (const struct dirent *e = readdir(dir); e; e = readdir(dir)) {
		bool is_skipped = strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0;
		int64_t bytes = 0;

		for (size_t i = 0; skip && skip[i]; i++)
			is_skipped = is_skipped || strcmp(e->d_name, skip[i]) == 0;
		if (is_skipped)
			continue;
		bytes = disk_usage_add(&s->disk, dir_fd, e->d_name);
		if (fn)
			fn(s, e->d_name, bytes);
		total += bytes;
	}
	closedir(dir);
	return total;
}

static void add_object(struct survey *s, char kind, const char *name, int64_t bytes)
{
	char key[OBJECT_KEY_LEN];

	if (!hex_is_valid(name, DIGEST_HEX_LEN))
		return;
	snprintf(key, sizeof(key), "%c%.64s", kind, name);
	json_object_set_new(s->bytes, key, json_integer(bytes));
}

static void on_layer(struct survey *s, const char *name, int64_t bytes)
{
	add_object(s, 'l', name, bytes);
}

static void on_blob(struct survey *s, const char *name, int64_t bytes)
{
	add_object(s, 'b', name, bytes);
}

static void on_container(struct survey *s, const char *name, int64_t bytes)
{
	struct usage *u = &s->usage;

	if (!hex_is_valid(name, DIGEST_HEX_LEN))
		return;
	u->containers = mem_realloc_array(u->containers, u->n_containers + 1,
					  sizeof(*u->containers));
	u->containers[u->n_containers].bytes = bytes;
	snprintf(u->containers[u->n_containers++].id, sizeof(u->containers->id), "%.64s", name);
}

static void on_volume(struct survey *s, const char *name, int64_t bytes)
{
	struct usage *u = &s->usage;

	u->volumes = mem_realloc_array(u->volumes, u->n_volumes + 1, sizeof(*u->volumes));
	u->volumes[u->n_volumes++] = (struct volume_usage){.name = str_dup(name), .bytes = bytes};
}

static void survey_disk(struct survey *s)
{
	static const char *const elsewhere[] = {"blobs",       STORE_LAYERS,	STORE_CONTAINERS,
						STORE_VOLUMES, STORE_SNAPSHOTS, STORE_CACHES,
						NULL};
	static const char *const digests[] = {"sha256", NULL};

	int64_t rest = 0;

	s->usage.images_bytes = count_entries(s, STORE_LAYERS, NULL, on_layer) +
				count_entries(s, "blobs", digests, NULL) +
				count_entries(s, STORE_BLOBS, NULL, on_blob);
	s->usage.containers_bytes = count_entries(s, STORE_CONTAINERS, NULL, on_container);
	s->usage.volumes_bytes = count_entries(s, STORE_VOLUMES, NULL, on_volume);
	s->usage.cache_bytes = count_entries(s, STORE_SNAPSHOTS, NULL, NULL) +
			       count_entries(s, STORE_CACHES, NULL, NULL);
	rest = count_entries(s, ".", elsewhere, NULL);
	s->usage.rest_bytes += rest;
}

/* ---- the index ---- */

static int load_images(struct survey *s, struct err *err)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	struct usage *u = &s->usage;
	int rc = db_prepare(s->store, &stmt, err,
			    "SELECT i.id,i.created_ns,i.size,i.hidden,"
			    "(SELECT min(reference) FROM tag t WHERE t.image_id=i.id) name,"
			    "(SELECT count(*) FROM container c WHERE c.image_id=i.id OR c.id IN"
			    " (SELECT container FROM mount_use WHERE object='image:'||i.id)),"
			    "EXISTS(SELECT 1 FROM image k WHERE k.parent=i.id AND k.hidden=0),"
			    "i.config FROM image i ORDER BY i.created_ns DESC,i.id",
			    "");

	while (rc >= 0 && (rc = db_step(s->store, stmt, err)) > 0) {
		struct image_usage image = {
			.created_s = image_get_created(stmt, 1, 7),
			.size = sqlite3_column_int64(stmt, 2),
			.is_hidden = sqlite3_column_int(stmt, 3),
			.reference = str_dup((const char *)sqlite3_column_text(stmt, 4)),
			.n_containers = sqlite3_column_int64(stmt, 5),
		};

		image.is_parent = !image.reference && sqlite3_column_int(stmt, 6);
		snprintf(image.id, sizeof(image.id), "%s", db_text(stmt, 0));
		u->images = mem_realloc_array(u->images, u->n_images + 1, sizeof(*u->images));
		u->images[u->n_images++] = image;
	}
	return rc;
}

/* Every object of every image. */
#define OBJECTS                                                                    \
	"SELECT image_id AS image,'l'||chain_id AS object FROM image_layer"        \
	" UNION SELECT a.image_id,'b'||l.blob FROM image_layer a JOIN layer l ON " \
	"l.chain_id=a.chain_id WHERE l.blob IS NOT NULL"                           \
	" UNION SELECT id,'b'||id FROM image"                                      \
	" UNION SELECT t.image_id,'b'||b.digest FROM tag t JOIN target_blob b ON " \
	"b.target=t.target"

static int count_owners(struct survey *s, struct err *err)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	int rc = db_prepare(s->store, &stmt, err,
			    "SELECT object,count(*),max(EXISTS(SELECT 1 FROM container c"
			    " WHERE c.image_id=image) OR EXISTS(SELECT 1 FROM mount_use m WHERE"
			    " m.object='image:'||image)) FROM (" OBJECTS ") GROUP BY object",
			    "");

	while (rc >= 0 && (rc = db_step(s->store, stmt, err)) > 0) {
		json_object_set_new(s->owners, db_text(stmt, 0),
				    json_integer(sqlite3_column_int64(stmt, 1)));
		if (sqlite3_column_int(stmt, 2))
			json_object_set_new(s->needed, db_text(stmt, 0), json_true());
	}
	return rc;
}

static struct image_usage *find_image(struct usage *u, const char *id)
{
	for (size_t i = 0; i < u->n_images; i++)
		if (strcmp(u->images[i].id, id) == 0)
			return &u->images[i];
	return NULL;
}

static int add_up_images(struct survey *s, struct err *err)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	struct image_usage *image = NULL;
	int rc = db_prepare(s->store, &stmt, err, OBJECTS " ORDER BY 1", "");

	while (rc >= 0 && (rc = db_step(s->store, stmt, err)) > 0) {
		const char *key = db_text(stmt, 1);
		int64_t bytes = json_integer_value(json_object_get(s->bytes, key));

		if (!image || strcmp(image->id, db_text(stmt, 0)) != 0)
			image = find_image(&s->usage, db_text(stmt, 0));
		if (!image)
			continue;
		image->bytes += bytes;
		if (json_integer_value(json_object_get(s->owners, key)) > 1)
			image->shared_bytes += bytes;
	}
	return rc;
}

/* An object of a layer that only the cache of builds has. */
static void move_to_cache(struct survey *s, char kind, const char *name)
{
	char key[OBJECT_KEY_LEN];
	int64_t bytes = 0;

	snprintf(key, sizeof(key), "%c%.64s", kind, name);
	if (json_object_get(s->owners, key))
		return;
	bytes = json_integer_value(json_object_get(s->bytes, key));
	json_object_del(s->bytes, key);
	s->usage.images_bytes -= bytes;
	s->usage.cache_bytes += bytes;
}

static int add_up_cache(struct survey *s, struct err *err)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	int rc = db_prepare(s->store, &stmt, err,
			    "SELECT chain_id,blob FROM layer WHERE chain_id IN (SELECT chain FROM"
			    " snapshot WHERE chain IS NOT NULL)",
			    "");

	while (rc >= 0 && (rc = db_step(s->store, stmt, err)) > 0) {
		move_to_cache(s, 'l', db_text(stmt, 0));
		move_to_cache(s, 'b', db_text(stmt, 1));
	}
	return rc;
}

static void add_up_reclaimable(struct survey *s)
{
	const char *key = NULL;
	json_t *bytes = NULL;

	json_object_foreach (s->bytes, key, bytes)
		if (!json_object_get(s->needed, key))
			s->usage.images_reclaimable += json_integer_value(bytes);
}

int usage_load(struct store *store, struct usage *ret, struct err *err)
{
	cleanup_with(survey_done) struct survey s = {.store = store,
						     .bytes = json_object(),
						     .owners = json_object(),
						     .needed = json_object()};

	/* The index first: opening it may make files. */
	if (load_images(&s, err) < 0 || count_owners(&s, err) < 0)
		return -err->code;
	survey_disk(&s);
	if (add_up_images(&s, err) < 0 || add_up_cache(&s, err) < 0)
		return -err->code;
	add_up_reclaimable(&s);
	*ret = s.usage;
	s.usage = (struct usage)USAGE_INIT;
	return 0;
}

int64_t usage_get_container(const struct usage *usage, const char *id)
{
	for (size_t i = 0; i < usage->n_containers; i++)
		if (strcmp(usage->containers[i].id, id) == 0)
			return usage->containers[i].bytes;
	return 0;
}

int64_t usage_get_volume(const struct usage *usage, const char *name)
{
	for (size_t i = 0; i < usage->n_volumes; i++)
		if (strcmp(usage->volumes[i].name, name) == 0)
			return usage->volumes[i].bytes;
	return 0;
}
