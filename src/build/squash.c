/* SPDX-License-Identifier: Apache-2.0 */
/*
 * --squash and --squash-all: the snapshots of the build, or all layers there are, are laid over
 * each other in a directory that becomes a snapshot of its own. Its key is that of its parts, so a
 * build that changed nothing finds it again.
 */
#include "base/fd.h"
#include "base/mem.h"
#include "base/rand.h"
#include "build/build_private.h"
#include "engine/engine.h"
#include "storage/image.h"
#include "sys/copy_tree.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>

struct squash {
	struct build *b;
	struct built_image *image;
	bool is_all;
	struct snapshot_info info;
	char name[64];	    /* in the staging directory */
	struct strv layers; /* directories, bottom first */
	size_t n_merged;
};

static void add_key(struct sha256 *hash, const char *key)
{
	sha256_update(hash, key, strlen(key));
	sha256_update(hash, "\n", 1);
}

static void make_key(struct squash *s)
{
	unsigned char digest[SHA256_LEN];
	struct sha256 hash;
	char epoch[32];

	sha256_init(&hash);
	add_key(&hash, s->is_all ? "squash-all" : "squash");
	/* It is made of files that have this build's times. */
	snprintf(epoch, sizeof(epoch), "%" PRId64, s->info.epoch_s);
	add_key(&hash, epoch);
	add_key(&hash, s->b->nodes[s->image->base].result);
	for (size_t i = 0; i < s->image->n_snapshots; i++)
		add_key(&hash, s->image->snapshots[i]->info.result);
	sha256_final(&hash, digest);
	hex_format(digest, sizeof(digest), s->info.key);
}

static void reverse(struct strv *v)
{
	for (size_t i = 0; i < v->n / 2; i++) {
		char *other = v->items[i];

		v->items[i] = v->items[v->n - 1 - i];
		v->items[v->n - 1 - i] = other;
	}
}

static int list_layers(struct squash *s, struct err *err)
{
	const struct build_step *base = &s->b->graph.steps[s->image->base];

	if (s->is_all && base->kind == BUILD_STEP_IMAGE) {
		image_get_lower_dirs(s->b->engine->store, &base->base.image, &s->layers);
		reverse(&s->layers);
	}
	for (size_t i = 0; i < s->image->n_snapshots; i++) {
		struct snapshot *one = s->image->snapshots[i];

		if (one->info.is_empty)
			continue;
		if (snapshot_locate(s->b->engine->store, one, err) < 0)
			return -err->code;
		strv_add(&s->layers, one->dir);
	}
	return 0;
}

static int lay_over(struct squash *s, int upper, struct err *err)
{
	const struct copy_tree_options how = {
		.replaces = true, .is_layer = true, .keeps_marks = !s->is_all};

	strv_foreach (i, &s->layers) {
		/* lint: a directory of the store */
		cleanup_close int layer = open(s->layers.items[i],
					       O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		int rc = layer < 0 ? -errno : copy_tree_with(layer, upper, &how);

		if (rc < 0)
			return err_sys(err, -rc, "squash layer %s", s->layers.items[i]);
	}
	return 0;
}

static int make(struct squash *s, struct err *err)
{
	cleanup_free char *upper_name = str_printf("%s/upper", s->name);
	cleanup_close int upper = -1;
	int staging = s->b->staging.fd;

	if (mkdirat(staging, s->name, 0700) < 0 || mkdirat(staging, upper_name, 0755) < 0 ||
	    fchmodat(staging, upper_name, 0755, 0) < 0)
		return err_sys(err, errno, "create the directory %s", upper_name);
	upper = openat(staging, upper_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (upper < 0)
		return err_sys(err, errno, "open the directory %s", upper_name);
	if (list_layers(s, err) < 0 || lay_over(s, upper, err) < 0)
		return -err->code;
	return snapshot_publish(s->b->engine->store, &s->b->staging, s->name, &s->info, err);
}

/* The steps stay in the history; one more says that there is a single layer now. */
static void rewrite_history(struct squash *s)
{
	struct image_config *config = &s->image->result->config;
	size_t first = s->is_all ? 0 : s->image->result->first_history;
	struct image_history *last = NULL;

	for (size_t i = first; i < config->n_history; i++)
		config->history[i].empty_layer = true;
	last = image_config_add_history(config);
	last->created_by = str_dup("squash");
	last->comment = str_printf("merge %zu layers", s->n_merged);
	last->empty_layer = s->image->squashed.info.is_empty;
}

static int ensure(struct squash *s, struct err *err)
{
	struct store *store = s->b->engine->store;
	int rc = snapshot_open_for(store, s->info.key, s->info.epoch_s, &s->image->squashed, err);
	cleanup_close int lease = -1;

	if (rc != 0)
		return rc < 0 ? rc : 0;
	if (build_ensure_staging(s->b, err) < 0)
		return -err->code;
	lease = snapshot_lease(store, err);
	if (lease < 0 || make(s, err) < 0)
		return -err->code;
	rc = snapshot_open_for(store, s->info.key, s->info.epoch_s, &s->image->squashed, err);
	return rc == 0 ? err_set(err, ERR_SYSTEM, "the squashed layer is gone") : rc < 0 ? rc : 0;
}

int squash_image(struct build *b, struct built_image *image, struct err *err)
{
	char description[] = "squashed layers";
	struct squash s = {
		.b = b,
		.image = image,
		.is_all = b->request->squash_all,
		.info = {.kind = SNAPSHOT_OTHER,
			 .description = description,
			 .epoch_s = b->graph.epoch_s},
	};
	int rc = 0;

	if (image->n_snapshots == 0 && !s.is_all)
		return 0;
	snprintf(s.name, sizeof(s.name), "squash-%zu", image->result->step);
	for (size_t i = 0; i < image->n_snapshots; i++)
		s.n_merged += !image->snapshots[i]->info.is_empty;
	s.n_merged += s.is_all ? image->base_diffs.n : 0;
	make_key(&s);
	rc = ensure(&s, err);
	strv_done(&s.layers);
	if (rc < 0)
		return rc;
	rewrite_history(&s);
	image->snapshots = mem_realloc_array(image->snapshots, 1, sizeof(struct snapshot *));
	image->snapshots[0] = &image->squashed;
	image->n_snapshots = 1;
	image->has_base = image->has_base && !s.is_all;
	return 0;
}
