/* SPDX-License-Identifier: Apache-2.0 */
/*
 * COPY and ADD: where each source goes, as BuildKit decides it. A directory's contents go into the
 * target; anything else becomes the target, or goes into it when that is a directory. Directories
 * on the way are made.
 */
#include "build/copy.h"

#include "base/mem.h"
#include "base/str.h"
#include "build/chmod.h"
#include "build/copy_archive.h"
#include "build/copy_place.h"
#include "build/copy_write.h"
#include "build/owner.h"
#include "build/select.h"

#include <sys/stat.h>

struct copy {
	const struct build_copy_op *op;
	const struct build_place *where;
	struct copy_place place;
	struct chmod_spec chmod;
	struct copy_writer writer;
};

static void copy_done(struct copy *c)
{
	copy_place_done(&c->place);
}

static bool is_dir_target(const char *target)
{
	return str_has_suffix(target, "/") || str_has_suffix(target, "/.");
}

/* Resolves PATH and ensures that it is a directory. */
static int ensure_dir(struct copy *c, const char *path, struct copy_resolved *ret, bool *ret_is_new,
		      struct err *err)
{
	if (copy_place_resolve(&c->place, path, ret, err) < 0)
		return -err->code;
	return copy_place_ensure_dir(&c->place, ret->path, ret_is_new, err);
}

/* A target with a slash at its end is a directory; of any other only the one above it is. */
static int ensure_way(struct copy *c, struct err *err)
{
	cleanup_resolved struct copy_resolved dir = {};
	const char *target = c->op->target;
	const char *slash = strrchr(target, '/');
	cleanup_free char *way = is_dir_target(target) || !slash
					 ? str_dup(target)
					 : str_ndup(target, (size_t)(slash - target));

	return slash ? ensure_dir(c, way, &dir, NULL, err) : 0;
}

static int copy_dir(struct copy *c, const struct select_source *source, struct err *err)
{
	cleanup_resolved struct copy_resolved target = {};
	bool is_new = false;

	if (ensure_dir(c, c->op->target, &target, &is_new, err) < 0)
		return -err->code;
	return copy_write_dir(&c->writer, source, target.path, is_new, err);
}

static int copy_file(struct copy *c, const struct select_source *source, struct err *err)
{
	cleanup_resolved struct copy_resolved target = {};
	cleanup_free char *path = NULL;
	cleanup_free char *dir = NULL;

	if (copy_place_resolve(&c->place, c->op->target, &target, err) < 0)
		return -err->code;
	path = target.exists && S_ISDIR(target.st.st_mode) ? copy_join(target.path, source->base)
							   : take_ptr(target.path);
	dir = copy_dir_of(path);
	if (copy_place_ensure_dir(&c->place, dir, NULL, err) < 0)
		return -err->code;
	return copy_write_file(&c->writer, source, path, err);
}

/* Several files that a pattern stands for cannot all become one. */
static int check_matches(struct copy *c, const struct build_selection *s, size_t i, struct err *err)
{
	cleanup_resolved struct copy_resolved target = {};
	const struct select_source *source = &s->sources[i];

	if (i == 0 || s->sources[i - 1].item != source->item || is_dir_target(c->op->target) ||
	    S_ISDIR(source->nodes[0].st.st_mode))
		return 0;
	if (copy_place_resolve(&c->place, c->op->target, &target, err) < 0)
		return -err->code;
	if (target.exists && S_ISDIR(target.st.st_mode))
		return 0;
	return err_set(err, ERR_INVALID,
		       "When using %s with more than one source file, the destination must be a "
		       "directory and end with a /",
		       c->op->is_add ? "ADD" : "COPY");
}

static bool may_unpack(const struct copy *c, const struct select_source *source)
{
	if (!S_ISREG(source->nodes[0].st.st_mode) || source->kind == SELECT_INLINE)
		return false;
	if (c->op->unpack >= 0)
		return c->op->unpack > 0;
	return c->op->is_add && source->kind != SELECT_FILE;
}

static int copy_source(struct copy *c, const struct select_source *source, struct err *err)
{
	int rc = 0;

	if (ensure_way(c, err) < 0)
		return -err->code;
	if (may_unpack(c, source))
		rc = copy_archive(&c->place, c->where, source, c->op->target, err);
	if (rc != 0)
		return rc < 0 ? rc : 0;
	return S_ISDIR(source->nodes[0].st.st_mode) ? copy_dir(c, source, err)
						    : copy_file(c, source, err);
}

static int prepare(struct copy *c, int64_t epoch_s, struct err *err)
{
	/* Modes are set as they are to be. */
	umask(0);
	if (c->op->chmod && chmod_parse(c->op->chmod, &c->chmod, err) < 0)
		return -err->code;
	if (copy_place_open(c->where, !c->op->link, epoch_s, &c->place, err) < 0 ||
	    owner_resolve(c->place.lower_fd, c->op->chown, &c->place.owner, err) < 0)
		return -err->code;
	c->writer = (struct copy_writer){.place = &c->place,
					 .chmod = c->op->chmod ? &c->chmod : NULL};
	return 0;
}

int build_copy(const struct build_copy_op *op, const struct build_selection *s,
	       const struct build_place *place, int64_t epoch_s, struct err *err)
{
	cleanup_with(copy_done) struct copy c = {
		.op = op, .where = place, .place = COPY_PLACE_INIT};

	if (prepare(&c, epoch_s, err) < 0)
		return -err->code;
	for (size_t i = 0; i < s->n_sources; i++)
		if (check_matches(&c, s, i, err) < 0 || copy_source(&c, &s->sources[i], err) < 0)
			return -err->code;
	return copy_place_finish(&c.place, err);
}

int build_workdir(const struct build_workdir_op *op, const struct build_place *place,
		  int64_t epoch_s, struct err *err)
{
	cleanup_place struct copy_place p = COPY_PLACE_INIT;
	cleanup_resolved struct copy_resolved target = {};
	struct err unknown = ERR_INIT;

	umask(0);
	if (copy_place_open(place, true, epoch_s, &p, err) < 0)
		return -err->code;
	/* A user who is not there yet is root here; whoever runs as one learns of it. */
	if (owner_resolve(p.lower_fd, op->user, &p.owner, &unknown) < 0)
		p.owner = (struct owner){};
	if (copy_place_resolve(&p, op->path, &target, err) < 0)
		return -err->code;
	/* One that is there is no change. */
	if (target.exists && S_ISDIR(target.st.st_mode))
		return 0;
	if (target.exists)
		return err_set(err, ERR_INVALID, "mkdir /%s: not a directory", target.path);
	if (copy_place_ensure_dir(&p, target.path, NULL, err) < 0)
		return -err->code;
	return copy_place_finish(&p, err);
}
