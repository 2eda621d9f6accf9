/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Caches. What is in one was written by other steps, who may share it at this moment: the part that
 * is mounted is resolved under the cache's own directory, which is held by descriptor.
 */
#include "build/run_cache.h"

#include "base/fd.h"
#include "base/mem.h"
#include "build/run_private.h"
#include "sys/copy_tree.h"
#include "sys/mount.h"
#include "sys/path.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEFAULT_MODE 0755

/* ---- the base of a new one ---- */

static bool has_base(const struct run_place *p)
{
	return p->tree || p->lowers;
}

int run_cache_prepare(struct run_place *p, struct err *err)
{
	const struct run_mount *m = &p->mount->mount;
	int rc = cache_mount_open(p->run->engine->store, m->id ? m->id : p->target,
				  m->sharing == SHARING_LOCKED, m->sharing == SHARING_PRIVATE,
				  m->has_mode ? m->mode : DEFAULT_MODE, m->has_uid ? m->uid : 0,
				  m->has_gid ? m->gid : 0, &p->cache, err);
	/* Who waits for it tries again later. */
	if (rc == 1)
		cache_mount_done(&p->cache);
	if (rc != 0)
		return rc;
	return has_base(p) ? run_view_prepare(p, err) : 0;
}

void run_cache_done(struct run_place *p)
{
	if (p->cache.dir)
		cache_mount_done(&p->cache);
}

/* ---- in the child ---- */

/* FROM (a file or a directory of the base) becomes the content of a cache that is empty. */
static int fill(int base, int cache)
{
	cleanup_close int from = -1;
	char name[PATH_FD_LEN];
	int rc = copy_tree_is_empty(cache);

	if (rc <= 0)
		return rc;
	/* lint: a descriptor of ours, opened again for reading */
	from = open(path_of_fd(base, name), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return from < 0 ? -errno : copy_tree(from, cache, NULL);
}

static int take_base(struct run_place *p, int cache, struct err *err)
{
	int rc = run_view_open(p, err);
	cleanup_close int base = p->mount_fd;

	p->mount_fd = -1;
	if (rc == 0)
		rc = fill(base, cache);
	return rc < 0 && !err->code ? err_sys(err, -rc, "fill the cache for %s", p->target) : rc;
}

/* The part that is mounted; with a base the path is one of that, not of the cache. */
static int open_part(const struct run_place *p, int cache)
{
	const char *source = p->mount->mount.source;

	if (!source || has_base(p))
		return fcntl(cache, F_DUPFD_CLOEXEC, 3);
	return path_open_in_root(cache, source, O_PATH | O_DIRECTORY, 0);
}

static int run_cache(struct plan_run *run, const struct step *step, struct err *err)
{
	struct run_place *p = (struct run_place *)(uintptr_t)step->data;
	/* lint: the store's own directory of the cache */
	cleanup_close int cache = open(step->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	cleanup_close int part = -1;
	int rc = 0;

	if (cache < 0)
		return err_sys(err, errno, "open the cache for %s", p->target);
	if (has_base(p))
		rc = take_base(p, cache, err);
	if (rc < 0)
		return rc;
	part = open_part(p, cache);
	if (part == -ENOENT || part == -ENOTDIR)
		return err_set(err, ERR_NOT_FOUND, "\"%s\": not found", p->mount->mount.source);
	p->is_dir = true;
	p->mount_fd = part < 0 ? part : mount_clone(part, false);
	rc = p->mount_fd < 0
		     ? p->mount_fd
		     : mount_change(p->mount_fd, p->mount->mount.read_only ? MOUNT_ATTR_RDONLY : 0,
				    0, MS_PRIVATE, false);
	return rc < 0 ? err_sys(err, -rc, "mount the cache for %s", p->target) : 0;
}

static void explain_cache(const struct step *step, enum step_text mode, struct str *out)
{
	str_add(out, "test -d ");
	str_add_shell(out, step->path ? step->path : "");
}

static const struct step_op step_cache = {"cache", run_cache, explain_cache};

void run_cache_plan(struct plan *plan, struct run_place *p)
{
	struct step *step = plan_add(plan, &step_cache, STEP_INSIDE);

	step->path = str_dup(p->cache.dir);
	step->data = p;
}
