/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a bind of RUN shows: a context, a stage or an image, or a part of it.
 *
 * Always through an overlay: its uppermost layer hides what an ignore file leaves out; what a
 * command writes to a mount that it may write to goes to a directory that is thrown away; and no
 * FIFO and no socket of the host can be reached through it, as overlayfs has inodes of its own for
 * these. The path in it is resolved in the overlay's root, so a symlink of a hostile stage, and
 * "..", lead nowhere else, and what was found is held by descriptor from then on.
 */
#include "build/run_private.h"

#include "base/fd.h"
#include "base/mem.h"
#include "build/run_mask.h"
#include "dockerfile/ignore.h"
#include "plan/mount_text.h"
#include "sys/mount.h"
#include "sys/path.h"
#include "sys/userns.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

/* That of images, with the mask. */
#define MAX_LAYERS 129

static bool has_source(const struct run_place *p)
{
	const char *source = p->mount->mount.source;

	return source && source[strspn(source, "/.")];
}

/* ---- on the host ---- */

/* A descriptor of what the root of the view looks like; -1 for nothing at all. */
static int open_model(const struct run_place *p)
{
	if (p->tree)
		return fcntl(p->tree->root_fd, F_DUPFD_CLOEXEC, 3);
	if (!p->lowers || !p->lowers->n)
		return -1;
	/* lint: a layer directory of the store */
	return open(p->lowers->items[0], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* Makes directory NAME, which looks like MODEL but for its owner with IS_ROOT. Its descriptor or
 * -errno. */
static int make_dir(int dir, const char *name, int model, bool is_root)
{
	cleanup_close int fd = -1;
	int rc = 0;

	if (mkdirat(dir, name, 0755) < 0)
		return -errno;
	fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	/* Not by the umask: somebody else walks through it. */
	if (fd < 0 || fchmod(fd, 0755) < 0)
		return -errno;
	rc = model < 0 ? 0 : run_mask_copy_state(model, fd, is_root);
	return rc < 0 ? rc : take_fd(fd);
}

/* Which of its directories a view takes. */
static bool has_dir(const struct run_place *p, const char *name)
{
	size_t n_layers = p->lowers ? p->lowers->n : 0;

	if (strcmp(name, "source") == 0)
		return p->tree || n_layers == 0;
	if (strcmp(name, "mask") == 0)
		return p->tree || n_layers < 2;
	if (strcmp(name, "upper") == 0 || strcmp(name, "work") == 0)
		return !p->mount->mount.read_only;
	return true;
}

static int make_dirs(const struct run_place *p, int dir, struct err *err)
{
	static const char *const names[] = {"source", "at", "work", "upper", "mask"};
	bool is_context = p->tree && p->tree->is_context;
	cleanup_close int model = open_model(p);

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		cleanup_close int fd = -1;

		if (!has_dir(p, names[i]))
			continue;
		fd = make_dir(dir, names[i], model, is_context);
		if (fd < 0)
			return err_sys(err, -fd, "create %s/%s", p->side, names[i]);
		if (p->tree && strcmp(names[i], "mask") == 0 && run_mask_make(fd, p->tree, err) < 0)
			return -err->code;
	}
	return 0;
}

int run_view_prepare(struct run_place *p, struct err *err)
{
	cleanup_close int dir = -1;

	/* lint: the step's own directory, of a side that is there */
	if (mkdir(p->side, 0700) < 0)
		return err_sys(err, errno, "create %s", p->side);
	/* lint: the step's own directory */
	dir = open(p->side, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return err_sys(err, errno, "open %s", p->side);
	return make_dirs(p, dir, err);
}

static struct run_place *place_of(const struct step *step)
{
	return (struct run_place *)(uintptr_t)step->data;
}

/* In a build the files of a context are root's: whoever has the context stands for root, and the
 * other way round. A file system that cannot shows its owners as they are. */
static int map_owner(struct run_place *p, const struct stat *st)
{
	cleanup_str struct str uids = STR_INIT;
	cleanup_str struct str gids = STR_INIT;
	cleanup_close int ns = -1;
	int fd = -1;

	userns_add_swap(st->st_uid, 0, &uids);
	userns_add_swap(st->st_gid, 0, &gids);
	ns = userns_create_map(str_get(&uids), str_get(&gids));
	if (ns < 0)
		return ns;
	fd = mount_clone(p->tree->root_fd, false);
	if (fd >= 0 && mount_map_ids(fd, ns, false) < 0)
		fd_cleanup_close(&fd);
	return fd;
}

/* Mounts made in the builder's namespace: in the child's nothing can be made of a tree. */
static int run_tree(struct plan_run *run, const struct step *step, struct err *err)
{
	struct run_place *p = place_of(step);
	struct stat st;

	run_view_release(p);
	p->tree_fd = mount_clone(p->tree->root_fd, false);
	if (p->tree_fd < 0 || fstat(p->tree->root_fd, &st) < 0)
		return err_sys(err, p->tree_fd < 0 ? -p->tree_fd : errno, "open the files for %s",
			       p->target);
	if (p->tree->is_context && (st.st_uid || st.st_gid))
		p->mapped_fd = map_owner(p, &st);
	return 0;
}

void run_view_release(struct run_place *p)
{
	fd_cleanup_close(&p->tree_fd);
	fd_cleanup_close(&p->mapped_fd);
}

static void add_source(const struct run_place *p, struct str *out)
{
	char link[PATH_FD_LEN];
	char path[4096] = "";

	/* lint: for people alone */
	if (readlink(path_of_fd(p->tree->root_fd, link), path, sizeof(path) - 1) > 0)
		str_add_shell(out, path);
}

static void explain_tree(const struct step *step, enum step_text mode, struct str *out)
{
	str_add(out, "test -d ");
	add_source(place_of(step), out);
	if (mode == TEXT_TRACE)
		str_add(out, "   # and keep a descriptor of it, so that nobody can exchange it");
}

static const struct step_op step_tree = {"tree", run_tree, explain_tree};

void run_view_plan_sources(struct plan *plan, struct run_place *p)
{
	struct step *step = NULL;

	if (!p->tree)
		return;
	step = plan_add(plan, &step_tree, STEP_HOST);
	step->data = p;
	step->path = str_dup(p->side);
}

/* ---- in the child ---- */

static int open_dir(const char *side, const char *name)
{
	cleanup_free char *path = str_printf("%s/%s", side, name);
	/* lint: the step's own directory */
	int fd = open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/* Appends the descriptor of LAYER; 0 or -errno. */
static int add_layer(int *fds, size_t *n, int layer)
{
	if (layer >= 0)
		fds[(*n)++] = layer;
	return layer < 0 ? layer : 0;
}

static int attach_tree(struct run_place *p, int tree)
{
	cleanup_close int at = open_dir(p->side, "source");
	int rc = at < 0 ? at : mount_attach(tree, at);

	return rc < 0 ? rc : fcntl(tree, F_DUPFD_CLOEXEC, 3);
}

static int open_lower(const char *path)
{
	/* lint: a layer directory of the store */
	int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/* TREE: what stands for the tree. */
static int open_layers(struct run_place *p, int tree, int *fds, size_t *n)
{
	int rc = p->tree ? add_layer(fds, n, open_dir(p->side, "mask")) : 0;

	if (rc == 0 && p->tree)
		rc = add_layer(fds, n, attach_tree(p, tree));
	for (size_t i = 0; rc == 0 && p->lowers && i < p->lowers->n; i++)
		rc = *n >= MAX_LAYERS ? -E2BIG : add_layer(fds, n, open_lower(p->lowers->items[i]));
	/* One layer alone is no overlay, nothing at all is one of two empty directories. */
	if (rc == 0 && *n < 2)
		rc = add_layer(fds, n, open_dir(p->side, "mask"));
	if (rc == 0 && *n < 2)
		rc = add_layer(fds, n, open_dir(p->side, "source"));
	return rc;
}

static int mount_layers(struct run_place *p, int tree)
{
	bool is_read_only = p->mount->mount.read_only;
	cleanup_free char *at = str_printf("%s/at", p->side);
	cleanup_close int upper = is_read_only ? -1 : open_dir(p->side, "upper");
	cleanup_close int work = is_read_only ? -1 : open_dir(p->side, "work");
	int fds[MAX_LAYERS];
	size_t n = 0;
	int rc = open_layers(p, tree, fds, &n);

	if (rc == 0)
		rc = mount_overlay(fds, n, upper, work, true, at);
	for (size_t i = 0; i < n; i++)
		close(fds[i]);
	return rc;
}

/* Descriptor of the root of the view, or -errno. */
static int mount_view(struct run_place *p)
{
	int rc = p->mapped_fd < 0 ? -EINVAL : mount_layers(p, p->mapped_fd);

	/* Overlays of mapped mounts are of Linux 5.19. */
	return rc == -EINVAL ? mount_layers(p, p->tree_fd) : rc;
}

static int find_source(struct run_place *p, int view, struct err *err)
{
	const char *source = has_source(p) ? p->mount->mount.source : "/";
	int fd = path_open_in_root(view, source, O_PATH, 0);
	struct stat st;

	if (fd == -ENOENT || fd == -ENOTDIR)
		return err_set(err, ERR_NOT_FOUND, "\"%s%s\": not found", *source == '/' ? "" : "/",
			       source);
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(err, fd < 0 ? -fd : errno, "open %s", source);
	p->is_dir = S_ISDIR(st.st_mode);
	if (!p->is_dir && !S_ISREG(st.st_mode)) {
		close(fd);
		return err_set(err, ERR_INVALID,
			       "invalid mount source \"%s\": neither a file nor a directory",
			       source);
	}
	return fd;
}

/* A tree of the host brings neither devices nor programs that make somebody somebody else. */
static uint64_t attrs_of(const struct run_place *p)
{
	return (p->mount->mount.read_only ? MOUNT_ATTR_RDONLY : 0) |
	       (p->tree ? MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID : 0);
}

int run_view_open(struct run_place *p, struct err *err)
{
	cleanup_close int view = mount_view(p);
	cleanup_close int source = -1;
	int rc = 0;

	if (view < 0)
		return err_sys(err, -view, "mount the files for %s", p->target);
	source = find_source(p, view, err);
	if (source < 0)
		return source;
	p->mount_fd = mount_clone(source, false);
	rc = p->mount_fd < 0 ? p->mount_fd
			     : mount_change(p->mount_fd, attrs_of(p), 0, MS_PRIVATE, false);
	return rc < 0 ? err_sys(err, -rc, "mount %s", p->target) : 0;
}

static int run_view(struct plan_run *run, const struct step *step, struct err *err)
{
	return run_view_open(place_of(step), err);
}

static void explain_view(const struct step *step, enum step_text mode, struct str *out)
{
	const struct run_place *p = place_of(step);
	cleanup_str struct str options = STR_INIT;

	str_add(&options, "lowerdir=");
	for (size_t i = 0; p->lowers && i < p->lowers->n; i++)
		str_addf(&options, "%s:", p->lowers->items[i]);
	str_addf(&options, "%s/mask", p->side);
	if (!p->lowers || !p->lowers->n)
		str_addf(&options, ":%s/source", p->side);
	if (!p->mount->mount.read_only)
		str_addf(&options, ",upperdir=%s/upper,workdir=%s/work", p->side, p->side);
	if (mode == TEXT_SCRIPT)
		str_addf(out, "mkdir -p %s/mask %s/source %s/upper %s/work %s/at; ", p->side,
			 p->side, p->side, p->side, p->side);
	if (p->tree) {
		str_add(out, "mount --bind ");
		add_source(p, out);
		str_addf(out, " %s/source; ", p->side);
	}
	str_add(out, "mount -t overlay -o ");
	str_add_shell(out, str_get(&options));
	str_addf(out, " overlay %s/at", p->side);
}

static const struct step_op step_view = {"view", run_view, explain_view};

void run_view_plan(struct plan *plan, struct run_place *p)
{
	struct step *step = plan_add(plan, &step_view, STEP_INSIDE);

	step->data = p;
	step->path = str_dup(p->side);
}
