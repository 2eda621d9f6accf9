/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Results of steps come in. Only what is not here is read; all of it at the same time, by helpers
 * that have nothing but their input and the directory that they fill. What a digest does not fit is
 * refused before the cache knows of any of it.
 */
/* lint file: the directory is the user's own, named by the caller */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/str.h"
#include "oci/document.h"
#include "storage/build_cache.h"
#include "storage/cache_mount.h"
#include "storage/collect.h"
#include "storage/snapshot_private.h"
#include "storage/store_private.h"
#include "storage/unpack.h"

enum { BATCH = 32, MAX_STEPS = 100000 };

/* Something with files that is to be made here. */
struct wanted {
	struct snapshot_info info; /* of a step */
	const json_t *times;	   /* borrowed: notes for its files; NULL: none came along */
	struct cache_mount mount;  /* of a cache; lock_fd -1: it is a step */
	char hex[DIGEST_HEX_LEN + 1];
	char dir[32]; /* in the staging directory */
	int in_fd, dir_fd;
};

struct importer {
	struct store *store;
	struct staging staging;
	int blobs_fd;
	json_t *config;
	struct wanted items[BATCH];
	size_t n, n_steps;
};

static void forget_items(struct importer *m)
{
	for (size_t i = 0; i < m->n; i++) {
		struct wanted *w = &m->items[i];

		snapshot_info_done(&w->info);
		cache_mount_done(&w->mount);
		fd_cleanup_close(&w->in_fd);
		fd_cleanup_close(&w->dir_fd);
	}
	m->n = 0;
}

static void importer_done(struct importer *m)
{
	forget_items(m);
	staging_done(&m->staging);
	fd_cleanup_close(&m->blobs_fd);
	json_decref(m->config);
}
#define cleanup_importer __attribute__((cleanup(importer_done)))

/* ---- documents ---- */

static int get_hex(const json_t *object, const char *key, char ret[static DIGEST_HEX_LEN + 1],
		   struct err *err)
{
	const char *text = NULL;

	if (document_get_string(object, key, &text, err) < 0)
		return -err->code;
	if (!text || !hex_is_valid(text, DIGEST_HEX_LEN))
		return err_set(err, ERR_INVALID, "%s is no key", key);
	memcpy(ret, text, DIGEST_HEX_LEN + 1);
	return 0;
}

static int get_digest(const json_t *object, const char *key, char ret[static DIGEST_HEX_LEN + 1],
		      struct err *err)
{
	const char *text = NULL;

	if (document_get_string(object, key, &text, err) < 0)
		return -err->code;
	return text ? digest_parse(text, ret, err)
		    : err_set(err, ERR_INVALID, "%s is missing", key);
}

static int read_document(struct importer *m, const char *hex, json_t **ret, struct err *err)
{
	cleanup_str struct str text = STR_INIT;
	int rc = fd_read_file_at(m->blobs_fd, hex, DOCUMENT_MAX_SIZE, &text);

	if (rc < 0)
		return err_sys(err, -rc, "read blob %s", hex);
	if (!digest_is_of(hex, str_get(&text), text.len))
		return err_set(err, ERR_INVALID, "blob %s is damaged: its digest is another", hex);
	return document_parse(str_get(&text), text.len, "build cache", ret, err);
}

/* The configuration of the first manifest that is a cache's. */
static int find_config(struct importer *m, const json_t *index, struct err *err)
{
	json_t *list = NULL;

	if (document_get_array(index, "manifests", &list, err) < 0)
		return -err->code;
	for (size_t i = 0; i < json_array_size(list); i++) {
		cleanup_json json_t *manifest = NULL;
		json_t *config = NULL;
		const char *type = NULL;
		char hex[DIGEST_HEX_LEN + 1];

		if (get_digest(json_array_get(list, i), "digest", hex, err) < 0 ||
		    read_document(m, hex, &manifest, err) < 0 ||
		    document_get_object(manifest, "config", &config, err) < 0 ||
		    document_get_string(config, "mediaType", &type, err) < 0)
			return -err->code;
		if (type && strcmp(type, BUILD_CACHE_TYPE) == 0)
			return get_digest(config, "digest", hex, err) < 0
				       ? -err->code
				       : read_document(m, hex, &m->config, err);
	}
	return err_set(err, ERR_INVALID, "there is no build cache of tare in it");
}

static int open_source(struct importer *m, const char *source, struct err *err)
{
	cleanup_close int dir_fd = open(source, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cleanup_str struct str text = STR_INIT;
	cleanup_json json_t *index = NULL;
	int rc = dir_fd < 0 ? -errno
			    : fd_read_file_at(dir_fd, "index.json", DOCUMENT_MAX_SIZE, &text);

	if (rc < 0)
		return err_sys(err, -rc, "read %s/index.json", source);
	m->blobs_fd = openat(dir_fd, BUILD_CACHE_BLOBS, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (m->blobs_fd < 0)
		return err_sys(err, errno, "open %s/" BUILD_CACHE_BLOBS, source);
	if (document_parse(str_get(&text), text.len, "index.json", &index, err) < 0 ||
	    find_config(m, index, err) < 0)
		return err_wrap(err, "%s", source);
	return 0;
}

/* ---- files ---- */

static int open_input(struct importer *m, struct wanted *w, const json_t *object, struct err *err)
{
	struct stat st;

	if (get_digest(object, "layer", w->hex, err) < 0)
		return -err->code;
	w->in_fd = openat(m->blobs_fd, w->hex, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (w->in_fd < 0 || fstat(w->in_fd, &st) < 0)
		return err_sys(err, errno, "open blob %s", w->hex);
	return S_ISREG(st.st_mode) ? 0 : err_set(err, ERR_INVALID, "blob %s is no file", w->hex);
}

static int fill_job(const struct wanted *w, struct unpack_job *job, struct err *err)
{
	struct stat st;

	*job = (struct unpack_job)UNPACK_JOB_INIT;
	if (fstat(w->in_fd, &st) < 0)
		return err_sys(err, errno, "look at blob %s", w->hex);
	job->in_fd = w->in_fd;
	job->offset = 0;
	job->length = (uint64_t)st.st_size;
	job->dir_fd = w->dir_fd;
	return 0;
}

/* Without notes it serves the one epoch. */
static void note_times(struct wanted *w)
{
	if (!w->times || !snapshot_notes_write(w->dir_fd, w->info.epoch_s, w->times))
		w->info.late = SNAPSHOT_LATE_UNKNOWN;
}

/* The files of a cache take the place of its empty directory, whose owner and mode stay. */
static int publish_mount(struct importer *m, const struct wanted *w, struct err *err)
{
	cleanup_free char *upper = str_printf("%s/upper", w->dir);
	struct stat st;

	/* lint: the store's own directory of the cache, which is locked */
	if (lstat(w->mount.dir, &st) < 0 || fchown(w->dir_fd, st.st_uid, st.st_gid) < 0 ||
	    fchmod(w->dir_fd, st.st_mode & 07777) < 0 ||
	    renameat(m->staging.fd, upper, AT_FDCWD, w->mount.dir) < 0)
		return err_sys(err, errno, "fill the cache %s", w->mount.dir);
	return 0;
}

static int publish(struct importer *m, struct wanted *w, struct err *err)
{
	if (w->mount.dir)
		return publish_mount(m, w, err);
	note_times(w);
	return snapshot_publish(m->store, &m->staging, w->dir, &w->info, err);
}

/* Unpacks all that was collected, and publishes it when all of it is what it should be. */
static int flush(struct importer *m, struct err *err)
{
	struct unpack_job jobs[BATCH];
	struct unpack_result results[BATCH];
	size_t failed = 0;

	for (size_t i = 0; i < m->n; i++)
		if (fill_job(&m->items[i], &jobs[i], err) < 0)
			return -err->code;
	if (unpack_run(m->store, jobs, m->n, m->staging.fd, NULL, NULL, results, &failed, err) < 0)
		return err_wrap(err, "blob %s", m->items[failed].hex);
	for (size_t i = 0; i < m->n; i++)
		if (strcmp(results[i].raw_hex, m->items[i].hex) != 0)
			return err_set(err, ERR_INVALID,
				       "blob %s is damaged: its digest is another",
				       m->items[i].hex);
	for (size_t i = 0; i < m->n; i++)
		if (publish(m, &m->items[i], err) < 0)
			return -err->code;
	forget_items(m);
	return 0;
}

static struct wanted *push(struct importer *m, struct err *err)
{
	if (m->n == BATCH && flush(m, err) < 0)
		return NULL;
	m->items[m->n] = (struct wanted){.mount = {.lock_fd = -1}, .in_fd = -1, .dir_fd = -1};
	return &m->items[m->n++];
}

/* ---- steps ---- */

static int parse_step(const json_t *object, struct snapshot_info *ret, struct err *err)
{
	const char *description = NULL, *parent = NULL;
	json_int_t kind = 0, epoch_s = SNAPSHOT_NO_EPOCH;

	if (get_hex(object, "key", ret->key, err) < 0 ||
	    get_hex(object, "result", ret->result, err) < 0 ||
	    document_get_string(object, "description", &description, err) < 0 ||
	    document_get_string(object, "parent", &parent, err) < 0 ||
	    document_get_int(object, "kind", &kind, err) < 0 ||
	    document_get_int(object, "epoch", &epoch_s, err) < 0)
		return -err->code;
	if (kind < SNAPSHOT_RUN || kind > SNAPSHOT_OTHER)
		return err_set(err, ERR_INVALID, "a step of kind %lld", (long long)kind);
	ret->kind = (enum snapshot_kind)kind;
	ret->epoch_s = epoch_s;
	ret->description = str_dup(description ? description : "");
	ret->parent = parent && hex_is_valid(parent, DIGEST_HEX_LEN) ? str_dup(parent) : NULL;
	return 0;
}

/* Whether KEY is here, with its files. */
static int is_here(struct importer *m, const char *key, struct err *err)
{
	struct snapshot s = SNAPSHOT_INIT;
	int rc = snapshot_open(m->store, key, &s, err);

	snapshot_done(&s);
	return rc;
}

static int make_dir(struct importer *m, struct wanted *w, struct err *err)
{
	cleanup_free char *upper = NULL;

	snprintf(w->dir, sizeof(w->dir), "step-%zu", m->n_steps++);
	upper = str_printf("%s/upper", w->dir);
	if (mkdirat(m->staging.fd, w->dir, 0700) < 0 || mkdirat(m->staging.fd, upper, 0755) < 0 ||
	    fchmodat(m->staging.fd, upper, 0755, 0) < 0)
		return err_sys(err, errno, "create staging/%s/%s", m->staging.name, upper);
	w->dir_fd = openat(m->staging.fd, upper, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return w->dir_fd < 0 ? err_sys(err, errno, "open %s", upper) : 0;
}

static int import_step(struct importer *m, const json_t *object, struct err *err)
{
	char key[DIGEST_HEX_LEN + 1];
	struct wanted *w = NULL;
	int rc = get_hex(object, "key", key, err);

	if (rc == 0)
		rc = is_here(m, key, err);
	if (rc != 0)
		return rc < 0 ? rc : 0;
	w = push(m, err);
	if (!w || parse_step(object, &w->info, err) < 0 || make_dir(m, w, err) < 0)
		return -err->code;
	if (json_object_get(object, "layer")) {
		json_t *times = NULL;

		if (document_get_object(object, "times", &times, err) < 0)
			return -err->code;
		w->times = times;
		return open_input(m, w, object, err);
	}
	/* It changed nothing. */
	rc = snapshot_publish(m->store, &m->staging, w->dir, &w->info, err);
	snapshot_info_done(&w->info);
	fd_cleanup_close(&w->dir_fd);
	m->n--;
	return rc;
}

static int import_alias(struct importer *m, const json_t *object, struct err *err)
{
	char key[DIGEST_HEX_LEN + 1], target[DIGEST_HEX_LEN + 1];
	int rc = 0;

	if (get_hex(object, "key", key, err) < 0 || get_hex(object, "target", target, err) < 0)
		return -err->code;
	rc = is_here(m, key, err);
	if (rc == 0)
		rc = is_here(m, target, err) > 0 ? snapshot_add_alias(m->store, key, target, err)
						 : -err->code;
	return rc < 0 ? rc : 0;
}

/* ---- caches ---- */

static int get_number(const json_t *object, const char *key, uint32_t limit, uint32_t *ret,
		      struct err *err)
{
	json_int_t n = *ret;

	if (json_object_get(object, key) && document_get_int(object, key, &n, err) < 0)
		return -err->code;
	if (n < 0 || n > limit)
		return err_set(err, ERR_INVALID, "%s %lld of a cache", key, (long long)n);
	*ret = (uint32_t)n;
	return 0;
}

static int open_mount(struct importer *m, const json_t *object, const char *id, struct wanted *w,
		      struct err *err)
{
	uint32_t mode = 0755, uid = 0, gid = 0;

	if (get_number(object, "mode", 07777, &mode, err) < 0 ||
	    get_number(object, "uid", UINT32_MAX - 1, &uid, err) < 0 ||
	    get_number(object, "gid", UINT32_MAX - 1, &gid, err) < 0)
		return -err->code;
	return cache_mount_open(m->store, id, true, false, mode, uid, gid, &w->mount, err);
}

static int is_empty_mount(const struct wanted *w, const char *id, struct err *err)
{
	/* lint: the store's own directory of the cache, which is locked */
	cleanup_close int fd = open(w->mount.dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 ? err_sys(err, errno, "open the cache %s", id) : cache_mount_is_empty(fd);
}

/* Fills a cache that is empty, or not here at all; one that somebody uses has its own content. */
static int import_mount(struct importer *m, const json_t *object, struct err *err)
{
	struct wanted *w = NULL;
	const char *id = NULL;
	int rc = 0;

	if (document_get_string(object, "id", &id, err) < 0)
		return -err->code;
	if (!id)
		return err_set(err, ERR_INVALID, "a cache without an id");
	w = push(m, err);
	if (!w)
		return -err->code;
	rc = open_mount(m, object, id, w, err);
	if (rc == 0 && w->mount.dir)
		rc = is_empty_mount(w, id, err);
	if (rc > 0 && w->mount.dir)
		return make_dir(m, w, err) < 0 ? -err->code : open_input(m, w, object, err);
	cache_mount_done(&w->mount);
	m->n--;
	return rc < 0 ? rc : 0;
}

static int for_each(struct importer *m, const char *key,
		    int (*fn)(struct importer *m, const json_t *object, struct err *err),
		    struct err *err)
{
	json_t *list = NULL;

	if (document_get_array(m->config, key, &list, err) < 0)
		return -err->code;
	if (json_array_size(list) > MAX_STEPS)
		return err_set(err, ERR_INVALID, "more than %d %s", MAX_STEPS, key);
	for (size_t i = 0; i < json_array_size(list); i++)
		if (fn(m, json_array_get(list, i), err) < 0)
			return -err->code;
	return flush(m, err);
}

int snapshot_import(struct store *store, const char *source, struct err *err)
{
	cleanup_importer struct importer m = {
		.store = store, .staging = STAGING_INIT, .blobs_fd = -1};

	if (open_source(&m, source, err) < 0 || staging_create(store, &m.staging, err) < 0)
		return -err->code;
	if (for_each(&m, "steps", import_step, err) < 0 ||
	    for_each(&m, "aliases", import_alias, err) < 0 ||
	    for_each(&m, "mounts", import_mount, err) < 0)
		return err_wrap(err, "%s", source);
	return 0;
}
