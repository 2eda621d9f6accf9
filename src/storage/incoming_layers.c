/* SPDX-License-Identifier: Apache-2.0 */
/* The layers of an incoming image: which of them are needed, unpacking these, and their names. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/str.h"
#include "storage/collect.h"
#include "storage/incoming_private.h"
#include "storage/store_private.h"

#define RECORD_PATH_LEN 64

/* One layer that is read: its job, and what the job writes to. */
struct task {
	size_t layer;
	const struct layer_source *source;
	int dir_fd, list_fd, blob_fd; /* owned */
	bool verifies;		      /* only: the store has the layer, under another digest */
	char blob_name[32];
};

struct unpacking {
	struct incoming *in;
	struct task *tasks;
	struct unpack_job *jobs;
	struct unpack_result *results;
	size_t n;
};

static void unpacking_done(struct unpacking *u)
{
	for (size_t i = 0; i < u->n; i++) {
		fd_cleanup_close(&u->tasks[i].dir_fd);
		fd_cleanup_close(&u->tasks[i].list_fd);
		fd_cleanup_close(&u->tasks[i].blob_fd);
	}
	free(u->tasks);
	free(u->jobs);
	free(u->results);
}

static bool has_blob(const struct incoming *in, const struct layer_info *info)
{
	struct stat st;

	return *info->blob_hex &&
	       fstatat(in->blobs_fd, info->blob_hex, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       S_ISREG(st.st_mode) && st.st_size == info->blob_size;
}

/* Fills LAYER for the diff ID that the configuration promises, as far as the store knows it. */
static int look_up_layer(const struct incoming *in, size_t i, struct incoming_layer *layer,
			 struct err *err)
{
	const char *diff_hex = in->config.diff_ids.items[i] + strlen(DIGEST_PREFIX);
	const char *parent = i ? in->layers[i - 1].info.chain_hex : NULL;
	char chain_hex[DIGEST_HEX_LEN + 1];
	int rc = 0;

	digest_chain(parent, diff_hex, chain_hex);
	rc = layer_info_lookup(in->store, chain_hex, &layer->info, err);
	if (rc < 0)
		return rc;
	layer->state = LAYER_NEW;
	if (rc > 0 && layer_is_there(in->layers_fd, chain_hex))
		layer->state = has_blob(in, &layer->info) ? LAYER_THERE : LAYER_BLOB;
	memcpy(layer->info.chain_hex, chain_hex, sizeof(chain_hex));
	memcpy(layer->info.diff_hex, diff_hex, sizeof(layer->info.diff_hex));
	return 0;
}

static int open_outputs(struct incoming *in, struct task *t, struct err *err)
{
	struct incoming_layer *l = &in->layers[t->layer];

	snprintf(l->dir, sizeof(l->dir), "layer-%zu", t->layer);
	snprintf(t->blob_name, sizeof(t->blob_name), "packed-%zu", t->layer);
	if (l->state == LAYER_NEW &&
	    layer_create(&in->staging, l->dir, &t->dir_fd, &t->list_fd, err) < 0)
		return -err->code;
	t->blob_fd = incoming_create_blob(in, t->blob_name, err);
	return t->blob_fd < 0 ? t->blob_fd : 0;
}

static int add_task(struct unpacking *u, size_t layer, const struct layer_source *source,
		    struct err *err)
{
	struct task *t = &u->tasks[u->n];
	struct unpack_job *job = &u->jobs[u->n];

	*t = (struct task){
		.layer = layer, .source = source, .dir_fd = -1, .list_fd = -1, .blob_fd = -1};
	t->verifies = u->in->layers[layer].state == LAYER_THERE;
	u->n++;
	if (!t->verifies && open_outputs(u->in, t, err) < 0)
		return -err->code;
	*job = (struct unpack_job)UNPACK_JOB_INIT;
	job->in_fd = source->fd;
	job->offset = source->offset;
	job->length = source->length;
	job->n_read = source->n_read;
	job->dir_fd = t->dir_fd;
	job->list_fd = t->list_fd;
	job->blob_fd = t->blob_fd;
	return 0;
}

/* What came against what was promised. */
static int verify(const struct incoming *in, const struct task *t, const struct unpack_result *r,
		  struct err *err)
{
	const struct layer_source *s = t->source;
	const struct layer_info *info = &in->layers[t->layer].info;

	if ((*s->raw_hex && strcmp(r->raw_hex, s->raw_hex) != 0) ||
	    (s->raw_size >= 0 && r->raw_size != s->raw_size))
		return err_set(err, ERR_INVALID, "layer %zu is damaged: its digest is another",
			       t->layer);
	if (*info->diff_hex && strcmp(r->diff_hex, info->diff_hex) != 0)
		return err_set(err, ERR_INVALID, "layer %zu is not the one of the configuration",
			       t->layer);
	return 0;
}

/* Remembers what the job found out, and gives the blob its digest as a name. */
static int take_result(struct incoming *in, const struct task *t, const struct unpack_result *r,
		       struct err *err)
{
	struct incoming_layer *l = &in->layers[t->layer];
	char name[BLOB_NAME_LEN];

	if (t->verifies)
		return 0;
	if (!*l->info.diff_hex) {
		const char *parent = t->layer ? in->layers[t->layer - 1].info.chain_hex : NULL;

		memcpy(l->info.diff_hex, r->diff_hex, sizeof(r->diff_hex));
		digest_chain(parent, r->diff_hex, l->info.chain_hex);
	}
	if (l->state == LAYER_NEW) {
		l->info.size = r->size;
		l->info.entries = r->entries;
		memcpy(l->info.list_hex, r->list_hex, sizeof(r->list_hex));
	}
	l->info.plain_size = r->plain_size;
	l->info.blob_size = r->blob_size;
	memcpy(l->info.blob_hex, r->blob_hex, sizeof(r->blob_hex));
	memcpy(l->info.blob_format, r->blob_format, sizeof(r->blob_format));
	snprintf(name, sizeof(name), BLOB_NAME "%s", r->blob_hex);
	if (renameat(in->staging.fd, t->blob_name, in->staging.fd, name) < 0)
		return err_sys(err, errno, "rename to staging/%s/%s", in->staging.name, name);
	incoming_remember_blob(in, r->blob_hex, r->blob_size, true, false);
	return 0;
}

/* close(2) is where some filesystems tell of a failed write. */
static int close_outputs(struct task *t, struct err *err)
{
	if (t->verifies)
		return 0;
	if ((t->list_fd >= 0 && close(take_fd(t->list_fd)) < 0) || close(take_fd(t->blob_fd)) < 0)
		return err_sys(err, errno, "close layer %zu", t->layer);
	return 0;
}

static int run_tasks(struct unpacking *u, unpack_progress_fn progress, void *data, struct err *err)
{
	struct incoming *in = u->in;
	size_t failed = 0;

	if (u->n == 0)
		return 0;
	if (unpack_run(in->store, u->jobs, u->n, in->staging.fd, progress, data, u->results,
		       &failed, err) < 0)
		return in->n_layers > 1 ? err_wrap(err, "layer %zu", u->tasks[failed].layer)
					: -err->code;
	for (size_t i = 0; i < u->n; i++)
		if (close_outputs(&u->tasks[i], err) < 0 ||
		    verify(in, &u->tasks[i], &u->results[i], err) < 0 ||
		    take_result(in, &u->tasks[i], &u->results[i], err) < 0)
			return -err->code;
	return 0;
}

/* What a layer that nobody had to read is known by. */
static void describe_layer(const struct incoming_layer *l, struct unpack_result *ret)
{
	*ret = (struct unpack_result){
		.plain_size = l->info.plain_size,
		.blob_size = l->info.blob_size,
		.size = l->info.size,
		.entries = l->info.entries,
	};
	memcpy(ret->diff_hex, l->info.diff_hex, sizeof(ret->diff_hex));
	memcpy(ret->blob_hex, l->info.blob_hex, sizeof(ret->blob_hex));
}

/* Whether the bytes of layer L may be other than what the store has of it: a manifest promises them
 * under a digest that the store does not know. Its word that they are this layer is not enough: the
 * manifest is handed out again, and elsewhere another image would come of it. */
static bool is_another_blob(const struct incoming_layer *l, const struct layer_source *s)
{
	return *s->raw_hex && strcmp(s->raw_hex, l->info.diff_hex) != 0 &&
	       strcmp(s->raw_hex, l->info.blob_hex) != 0;
}

/* Looks at each layer and makes a task of those that must be read. */
static int prepare(struct unpacking *u, const struct layer_source *sources, size_t n,
		   struct err *err)
{
	struct incoming *in = u->in;
	size_t first = in->n_layers;

	if (in->config_text && first + n > in->config.diff_ids.n)
		return err_set(err, ERR_INVALID,
			       "manifest and configuration name different layers");
	if (first + n > STORE_MAX_LAYERS)
		return err_set(err, ERR_INVALID, "max depth exceeded: more than %d layers",
			       STORE_MAX_LAYERS);
	in->layers = mem_realloc_array(in->layers, first + n, sizeof(*in->layers));
	memset(in->layers + first, 0, n * sizeof(*in->layers));
	for (size_t i = first; i < first + n; i++) {
		struct incoming_layer *l = &in->layers[i];

		in->n_layers++;
		l->state = LAYER_NEW;
		if (in->config_text && look_up_layer(in, i, l, err) < 0)
			return -err->code;
		if ((l->state != LAYER_THERE || is_another_blob(l, &sources[i - first])) &&
		    add_task(u, i, &sources[i - first], err) < 0)
			return -err->code;
	}
	return 0;
}

int incoming_add_layers(struct incoming *in, const struct layer_source *sources, size_t n,
			unpack_progress_fn progress, void *data, struct unpack_result *ret_results,
			struct err *err)
{
	struct unpacking u __attribute__((cleanup(unpacking_done))) = {
		.in = in,
		.tasks = mem_zalloc((n + 1) * sizeof(*u.tasks)),
		.jobs = mem_zalloc((n + 1) * sizeof(*u.jobs)),
		.results = mem_zalloc((n + 1) * sizeof(*u.results)),
	};
	size_t first = in->n_layers;

	if (prepare(&u, sources, n, err) < 0 || run_tasks(&u, progress, data, err) < 0)
		return -err->code;
	for (size_t i = 0; ret_results && i < n; i++)
		describe_layer(&in->layers[first + i], &ret_results[i]);
	for (size_t i = 0; ret_results && i < u.n; i++)
		if (!u.tasks[i].verifies)
			ret_results[u.tasks[i].layer - first] = u.results[i];
	return 0;
}

/* Where the record of layer I is written: beside its files, or, when only the blob is new, alone.
 */
static void record_path(const struct incoming *in, size_t i, char *buf, size_t len)
{
	if (in->layers[i].state == LAYER_NEW)
		snprintf(buf, len, "%s/" LAYER_RECORD, in->layers[i].dir);
	else
		snprintf(buf, len, "record-%zu", i);
}

int incoming_write_records(struct incoming *in, struct err *err)
{
	char path[RECORD_PATH_LEN];

	for (size_t i = 0; i < in->n_layers; i++) {
		if (in->layers[i].state == LAYER_THERE)
			continue;
		if (in->layers[i].state == LAYER_MOVED) {
			if (incoming_write_snapshot(in, i, err) < 0)
				return -err->code;
			continue;
		}
		record_path(in, i, path, sizeof(path));
		if (layer_write_record(in->staging.fd, path, &in->layers[i].info, err) < 0)
			return -err->code;
	}
	return 0;
}

/* The record that names the blob takes the place of the one that could not. */
static int publish_record(struct incoming *in, size_t i, struct err *err)
{
	cleanup_free char *target = str_printf("%s/" LAYER_RECORD, in->layers[i].info.chain_hex);
	cleanup_close int dir_fd = -1;
	char path[RECORD_PATH_LEN];

	record_path(in, i, path, sizeof(path));
	if (renameat(in->staging.fd, path, in->layers_fd, target) < 0)
		return err_sys(err, errno, "rename to " STORE_LAYERS "/%s", target);
	dir_fd = openat(in->layers_fd, in->layers[i].info.chain_hex,
			O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir_fd < 0 || fsync(dir_fd) < 0)
		return err_sys(err, errno, "sync " STORE_LAYERS "/%s",
			       in->layers[i].info.chain_hex);
	return 0;
}

/* The layer that is there has lost its blob (a repair found it damaged): it gets ours, which has
 * its name already. */
static int lend_blob(struct incoming *in, size_t i, const struct layer_info *theirs,
		     struct err *err)
{
	struct incoming_layer *l = &in->layers[i];
	struct layer_info info = *theirs;
	cleanup_str struct str text = STR_INIT;
	char path[RECORD_PATH_LEN];
	int rc = 0;

	memcpy(info.blob_hex, l->info.blob_hex, sizeof(info.blob_hex));
	memcpy(info.blob_format, l->info.blob_format, sizeof(info.blob_format));
	info.blob_size = l->info.blob_size;
	info.plain_size = l->info.plain_size;
	l->info = info;
	l->state = LAYER_BLOB;
	record_path(in, i, path, sizeof(path));
	layer_format_record(&info, &text);
	/* What was synced before did not have it. */
	rc = fd_replace_file_at(in->staging.fd, path, text.buf, text.len, 0600, true);
	return rc < 0 ? err_sys(err, -rc, "write %s", path) : publish_record(in, i, err);
}

/* Where the directory of a new layer is now. */
static char *path_of_new(const struct incoming *in, const struct incoming_layer *l)
{
	if (l->state == LAYER_MOVED)
		return str_printf("%s/" STORE_SNAPSHOTS "/%s", in->store->root,
				  in->snapshots[l->snapshot].name);
	return str_printf("%s/" STORE_STAGING "/%s/%s", in->store->root, in->staging.name, l->dir);
}

/* Somebody else brought the same layer in while we did: its files are taken, with its record. One
 * without a record is half removed; ours takes its place, and it goes with the staging directory.
 */
static int adopt_layer(struct incoming *in, size_t i, struct err *err)
{
	struct incoming_layer *l = &in->layers[i];
	struct layer_info theirs = {};
	struct err record_err = ERR_INIT;

	if (layer_read_record(in->layers_fd, l->info.chain_hex, &theirs, &record_err) < 0) {
		cleanup_free char *ours = path_of_new(in, l);

		if (renameat2(AT_FDCWD, ours, in->layers_fd, l->info.chain_hex, RENAME_EXCHANGE) <
		    0)
			return err_sys(err, errno, "exchange " STORE_LAYERS "/%s",
				       l->info.chain_hex);
		return 0;
	}
	if (strcmp(theirs.diff_hex, l->info.diff_hex) != 0)
		return err_set(err, ERR_SYSTEM, STORE_LAYERS "/%s is another layer",
			       l->info.chain_hex);
	if (!has_blob(in, &theirs))
		return lend_blob(in, i, &theirs, err);
	l->info = theirs;
	l->state = LAYER_THERE;
	storage_mark_leftovers(in->store);
	return 0;
}

int incoming_publish_layers(struct incoming *in, struct err *err)
{
	for (size_t i = 0; i < in->n_layers; i++) {
		struct incoming_layer *l = &in->layers[i];
		int rc = 0;

		if (l->state == LAYER_BLOB)
			rc = publish_record(in, i, err);
		if (l->state == LAYER_MOVED) {
			rc = incoming_move_snapshot(in, i, err);
			if (rc == 0)
				rc = adopt_layer(in, i, err);
		} else if (l->state == LAYER_NEW) {
			rc = layer_publish(&in->staging, l->dir, in->layers_fd, l->info.chain_hex,
					   err);
			if (rc == 0)
				rc = adopt_layer(in, i, err);
		}
		if (rc < 0)
			return rc;
	}
	return 0;
}
