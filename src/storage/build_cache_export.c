/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Results of steps go out. What has become a layer has its blob already; the rest, and the caches,
 * are packed now. index.json comes last, in one rename: a directory without it is no cache, one
 * with an older one is still the older cache.
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
#include "storage/blob.h"
#include "storage/build_cache.h"
#include "storage/layer_write.h"
#include "storage/snapshot_private.h"
#include "storage/unpack.h"
#include "sys/feeder.h"
#include "json/value.h"

#define TEMPORARY ".new"

struct exporter {
	struct store *store;
	int dir_fd, blobs_fd; /* owned */
	bool wants_gzip;
	json_t *layers; /* owned; of the manifest */
	json_t *config; /* owned */
};

struct packed {
	char hex[DIGEST_HEX_LEN + 1], format[8];
	int64_t size;
};

static void exporter_done(struct exporter *x)
{
	fd_cleanup_close(&x->dir_fd);
	fd_cleanup_close(&x->blobs_fd);
	json_decref(x->layers);
	json_decref(x->config);
}
#define cleanup_exporter __attribute__((cleanup(exporter_done)))

/* ---- blobs ---- */

static int open_dirs(struct exporter *x, const char *dest, struct err *err)
{
	cleanup_free char *blobs = str_printf("%s/" BUILD_CACHE_BLOBS, dest);
	int rc = fd_mkdir_p(blobs, 0755);

	if (rc < 0)
		return err_sys(err, -rc, "create %s", blobs);
	x->dir_fd = open(dest, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	x->blobs_fd = open(blobs, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (x->dir_fd < 0 || x->blobs_fd < 0)
		return err_sys(err, errno, "open %s", dest);
	return 0;
}

static bool has_blob(const struct exporter *x, const struct packed *p)
{
	struct stat st;

	return fstatat(x->blobs_fd, p->hex, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) &&
	       st.st_size == p->size;
}

static int create_temporary(struct exporter *x, struct err *err)
{
	int fd = -1;

	/* Of a run that was cut short. */
	unlinkat(x->blobs_fd, TEMPORARY, 0);
	fd = openat(x->blobs_fd, TEMPORARY, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
		    0644);
	return fd < 0 ? err_sys(err, errno, "create a blob") : fd;
}

/* Syncs and closes the file, and gives it its name. */
static int finish_blob(struct exporter *x, int *fd, const char *hex, struct err *err)
{
	if (fsync(*fd) < 0 || close(take_fd(*fd)) < 0 ||
	    renameat(x->blobs_fd, TEMPORARY, x->blobs_fd, hex) < 0)
		return err_sys(err, errno, "write blob %s", hex);
	return 0;
}

/* One that the store has, verified on its way. */
static int copy_blob(struct exporter *x, const struct packed *p, struct err *err)
{
	cleanup_close int from = blob_open(x->store, p->hex, NULL, err);
	cleanup_close int to = from < 0 ? -1 : create_temporary(x, err);
	struct unpack_job job = UNPACK_JOB_INIT;
	struct unpack_result result = {};

	if (to < 0)
		return -err->code;
	job.in_fd = from;
	job.offset = 0;
	job.length = (uint64_t)p->size;
	job.raw_fd = to;
	if (unpack_run(x->store, &job, 1, -1, NULL, NULL, &result, NULL, err) < 0)
		return err_wrap(err, "blob %s", p->hex);
	if (strcmp(result.raw_hex, p->hex) != 0)
		return err_set(err, ERR_INVALID, "blob %s is damaged: its digest is another",
			       p->hex);
	return finish_blob(x, &to, p->hex, err);
}

struct tree {
	int fd;
	bool is_upper;
};

static int write_tree(int out_fd, void *data, struct err *err)
{
	const struct tree *tree = data;
	const struct layer_write_options options = {.is_upper = tree->is_upper};

	return layer_write(tree->fd, out_fd, &options, err);
}

static int pack_stream(struct exporter *x, struct tree *tree, int to, struct unpack_result *ret,
		       struct err *err)
{
	cleanup_feeder struct feeder feeder = FEEDER_INIT;
	struct unpack_job job = UNPACK_JOB_INIT;
	int rc = feeder_start(&feeder, write_tree, tree, err);

	if (rc < 0)
		return rc;
	job.in_fd = feeder.data_fd;
	job.blob_fd = to;
	job.wants_gzip = x->wants_gzip;
	rc = unpack_run(x->store, &job, 1, -1, NULL, NULL, ret, NULL, err);
	return feeder_finish(&feeder, rc < 0, err) < 0 ? -err->code : rc;
}

static int pack(struct exporter *x, const char *dir, bool is_upper, struct packed *ret,
		struct err *err)
{
	cleanup_close int fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	cleanup_close int to = -1;
	struct tree tree = {.fd = fd, .is_upper = is_upper};
	struct unpack_result result = {};

	if (fd < 0)
		return err_sys(err, errno, "open %s", dir);
	to = create_temporary(x, err);
	if (to < 0 || pack_stream(x, &tree, to, &result, err) < 0)
		return -err->code;
	memcpy(ret->hex, result.blob_hex, sizeof(ret->hex));
	memcpy(ret->format, result.blob_format, sizeof(ret->format));
	ret->size = result.blob_size;
	return finish_blob(x, &to, ret->hex, err);
}

static int write_document(struct exporter *x, const json_t *doc, struct packed *ret,
			  struct err *err)
{
	cleanup_free char *text = json_dumps(doc, JSON_COMPACT);
	size_t len = strlen(text);
	int rc = 0;

	sha256_hex(text, len, ret->hex);
	ret->size = (int64_t)len;
	rc = fd_replace_file_at(x->blobs_fd, ret->hex, text, len, 0644, true);
	return rc < 0 ? err_sys(err, -rc, "write blob %s", ret->hex) : 0;
}

/* ---- steps ---- */

static void set_digest(json_t *object, const char *key, const char *hex)
{
	cleanup_free char *text = str_printf(DIGEST_PREFIX "%s", hex);

	json_object_set_new(object, key, json_string(text));
}

static void add_layer(struct exporter *x, json_t *owner, const struct packed *p)
{
	cleanup_free char *type = str_printf(OCI_LAYER_TYPE "%s", p->format);
	json_t *d = json_object();

	json_object_set_new(d, "mediaType", json_string(type));
	set_digest(d, "digest", p->hex);
	json_object_set_new(d, "size", json_integer(p->size));
	json_array_append_new(x->layers, d);
	set_digest(owner, "layer", p->hex);
	json_object_set_new(owner, "size", json_integer(p->size));
}

/* With what epoch it was settled, and what times were before. */
static int add_times(const struct snapshot *s, json_t *step, struct err *err)
{
	cleanup_close int fd = -1;
	json_t *list = NULL;

	if (s->info.epoch_s == SNAPSHOT_NO_EPOCH)
		return 0;
	json_object_set_new(step, "epoch", json_integer(s->info.epoch_s));
	if (s->info.late == SNAPSHOT_LATE_UNKNOWN)
		return 0;
	fd = open(s->dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return err_sys(err, errno, "open %s", s->dir);
	list = snapshot_notes_list(fd, s->info.epoch_s);
	if (list)
		json_object_set_new(step, "times", list);
	return 0;
}

/* The blob of a snapshot: that of its layer, or one that is made now. */
static int add_files(struct exporter *x, const struct snapshot *s, json_t *step, struct err *err)
{
	struct layer_info info = {};
	struct packed p = {};
	int rc = *s->info.chain_hex ? layer_info_lookup(x->store, s->info.chain_hex, &info, err)
				    : 0;

	if (rc < 0)
		return rc;
	if (*info.blob_hex) {
		memcpy(p.hex, info.blob_hex, sizeof(p.hex));
		memcpy(p.format, info.blob_format, sizeof(p.format));
		p.size = info.blob_size;
		rc = has_blob(x, &p) ? 0 : copy_blob(x, &p, err);
	} else {
		rc = pack(x, s->dir, true, &p, err);
	}
	if (rc == 0)
		add_layer(x, step, &p);
	return rc;
}

static int add_step(struct exporter *x, const struct snapshot *s, struct err *err)
{
	json_t *step = json_object();

	json_array_append_new(json_object_get(x->config, "steps"), step);
	json_object_set_new(step, "key", json_string(s->info.key));
	json_object_set_new(step, "result", json_string(s->info.result));
	json_object_set_new(step, "kind", json_integer((json_int_t)s->info.kind));
	/* What a command printed of itself may be any bytes. */
	json_object_set_new(step, "description", json_string_nocheck(s->info.description));
	if (s->info.parent)
		json_object_set_new(step, "parent", json_string(s->info.parent));
	if (s->info.is_empty)
		return 0;
	return add_times(s, step, err) < 0 ? -err->code : add_files(x, s, step, err);
}

static int add_key(struct exporter *x, const char *key, struct err *err)
{
	struct snapshot s = SNAPSHOT_INIT;
	int rc = snapshot_open(x->store, key, &s, err);

	if (rc > 0)
		rc = snapshot_locate(x->store, &s, err);
	if (rc >= 0 && *s.info.key)
		rc = add_step(x, &s, err);
	snapshot_done(&s);
	return rc < 0 ? rc : 0;
}

static int add_aliases(struct exporter *x, const char *key, struct err *err)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	int rc = db_prepare(x->store, &stmt, err,
			    "SELECT key,target FROM snapshot_alias WHERE target=? ORDER BY key",
			    "t", key);

	while (rc >= 0 && (rc = db_step(x->store, stmt, err)) > 0) {
		json_t *alias = json_object();

		json_object_set_new(alias, "key", json_string(db_text(stmt, 0)));
		json_object_set_new(alias, "target", json_string(db_text(stmt, 1)));
		json_array_append_new(json_object_get(x->config, "aliases"), alias);
	}
	return rc;
}

/* ---- caches ---- */

static int add_mount(struct exporter *x, const char *id, struct err *err)
{
	struct cache_mount m = {.lock_fd = -1};
	struct packed p = {};
	struct stat st;
	json_t *mount = json_object();
	int rc = 0;

	json_array_append_new(json_object_get(x->config, "mounts"), mount);
	json_object_set_new(mount, "id", json_string_nocheck(id));
	rc = cache_mount_open(x->store, id, false, false, 0755, 0, 0, &m, err);
	if (rc > 0)
		return err_set(err, ERR_CONFLICT, "the cache %s is in use", id);
	if (rc == 0 && stat(m.dir, &st) < 0)
		rc = err_sys(err, errno, "look at the cache %s", id);
	if (rc == 0)
		rc = pack(x, m.dir, false, &p, err);
	if (rc == 0) {
		json_object_set_new(mount, "mode", json_integer(st.st_mode & 07777));
		json_object_set_new(mount, "uid", json_integer(st.st_uid));
		json_object_set_new(mount, "gid", json_integer(st.st_gid));
		add_layer(x, mount, &p);
	}
	cache_mount_done(&m);
	return rc;
}

/* ---- the layout ---- */

static json_t *describe(const char *type, const struct packed *p)
{
	json_t *d = json_object();

	json_object_set_new(d, "mediaType", json_string(type));
	set_digest(d, "digest", p->hex);
	json_object_set_new(d, "size", json_integer(p->size));
	return d;
}

static int write_file(struct exporter *x, const char *name, const char *text, struct err *err)
{
	int rc = fd_replace_file_at(x->dir_fd, name, text, strlen(text), 0644, true);

	return rc < 0 ? err_sys(err, -rc, "write %s", name) : 0;
}

static int write_layout(struct exporter *x, struct err *err)
{
	cleanup_json json_t *manifest = json_object();
	cleanup_json json_t *index = json_object();
	cleanup_free char *text = NULL;
	struct packed p = {};

	if (write_document(x, x->config, &p, err) < 0)
		return -err->code;
	json_object_set_new(manifest, "schemaVersion", json_integer(2));
	json_object_set_new(manifest, "mediaType", json_string(OCI_MANIFEST_TYPE));
	json_object_set_new(manifest, "config", describe(BUILD_CACHE_TYPE, &p));
	json_object_set(manifest, "layers", x->layers);
	if (write_document(x, manifest, &p, err) < 0 ||
	    write_file(x, "oci-layout", BUILD_CACHE_LAYOUT, err) < 0)
		return -err->code;
	json_object_set_new(index, "schemaVersion", json_integer(2));
	json_object_set_new(index, "mediaType", json_string(OCI_INDEX_TYPE));
	json_object_set_new(index, "manifests", json_pack("[o]", describe(OCI_MANIFEST_TYPE, &p)));
	text = json_dumps(index, JSON_COMPACT);
	return write_file(x, "index.json", text, err);
}

int snapshot_export(struct store *store, const char *const *keys, size_t n, const char *dest,
		    const struct strv *mounts, const char *compression, struct err *err)
{
	cleanup_exporter struct exporter x = {
		.store = store,
		.dir_fd = -1,
		.blobs_fd = -1,
		.wants_gzip = compression && strcmp(compression, "gzip") == 0,
		.layers = json_array(),
		.config = json_pack("{s[]s[]s[]}", "steps", "aliases", "mounts"),
	};

	if (open_dirs(&x, dest, err) < 0)
		return -err->code;
	for (size_t i = 0; i < n; i++)
		if (add_key(&x, keys[i], err) < 0 || add_aliases(&x, keys[i], err) < 0)
			return -err->code;
	for (size_t i = 0; mounts && i < mounts->n; i++)
		if (add_mount(&x, mounts->items[i], err) < 0)
			return -err->code;
	return write_layout(&x, err);
}
