/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One source in three rounds: directories and everything small, in their order; then the contents
 * of files, on all processors; then second names of files. In a directory that is new nothing needs
 * to be looked up.
 */
/* lint file: paths without links of directories that are open, single components */
#include "build/copy_write.h"

#include "base/fd.h"
#include "base/mem.h"
#include "base/str.h"
#include "build/copy_parallel.h"
#include "build/copy_xattr.h"
#include "sys/copy_tree.h"
#include "sys/path.h"

#include <errno.h>
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

struct round {
	const struct copy_writer *writer;
	const struct select_source *source;
	const char *root; /* where the source's own node goes */
	bool *is_new;	  /* owned: of directories, by node */
	size_t *files;	  /* owned: nodes whose contents are to be written */
	size_t n_files;
};

static void round_done(struct round *r)
{
	free(r->is_new);
	free(r->files);
}

/* ---- what belongs to any file ---- */

static struct owner owner_of(const struct copy_writer *w, const struct select_source *source,
			     const struct stat *st)
{
	if (w->place->owner.is_set)
		return w->place->owner;
	if (!source->tree || source->tree->is_context || source->kind == SELECT_FILE)
		return (struct owner){};
	return (struct owner){.uid = st->st_uid, .gid = st->st_gid};
}

static mode_t mode_of(const struct copy_writer *w, const struct select_source *source,
		      const struct stat *st)
{
	mode_t mode = st->st_mode;

	if (source->kind == SELECT_FILE)
		mode = (mode & S_IFMT) | 0600;
	return w->chmod ? chmod_apply(w->chmod, mode) : mode & 07777;
}

/* Owner before mode, whose set-ID bits a change of owner takes away. */
static int set_owner_and_mode(int fd, struct owner owner, mode_t mode)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if ((st.st_uid != owner.uid || st.st_gid != owner.gid) &&
	    fchown(fd, owner.uid, owner.gid) < 0)
		return -errno;
	return (st.st_mode & 07777) != mode && fchmod(fd, mode) < 0 ? -errno : 0;
}

static int copy_xattrs(const struct select_source *source, size_t i, int from, int to)
{
	const struct select_node *node = &source->nodes[i];

	/* Of a step's files it is never known that there is nothing to be noted of their times. */
	if (!source->tree || (source->tree->is_context && node->is_known && !node->xattrs))
		return 0;
	return copy_xattr_copy(from, to);
}

/* The time that the file shall have: what is not copied of one is of now. */
static struct timespec time_of(const struct round *r, const struct stat *st)
{
	struct timespec now;

	if (r->source->tree)
		return copy_place_clamp(r->writer->place, st->st_mtim);
	clock_gettime(CLOCK_REALTIME, &now);
	return copy_place_clamp(r->writer->place, now);
}

/* Owned path of node I where it goes. */
static char *path_of(const struct round *r, size_t i)
{
	struct str path = STR_INIT;

	str_add(&path, r->root);
	if (i != 0 && path.len)
		str_add_char(&path, '/');
	select_add_path(r->source, i, &path);
	return str_take(&path);
}

static int write_failed(int rc, const char *path, struct err *err)
{
	return err_sys(err, -rc, "write /%s", path);
}

/* Makes room for something that is no directory and has PATH's name. */
static int make_room(struct copy_place *p, const char *path, struct err *err)
{
	cleanup_free char *dir = NULL;
	cleanup_close int fd = -1;
	struct stat st;
	int rc = copy_place_lookup(p, path, &st, NULL, err);

	if (rc <= 0)
		return rc;
	if (S_ISDIR(st.st_mode))
		return err_set(err, ERR_INVALID, "cannot replace to directory /%s with file", path);
	dir = copy_dir_of(path);
	fd = copy_place_open_upper(p, dir, O_PATH | O_DIRECTORY, 0);
	if (fd >= 0 && unlinkat(fd, copy_base(path), 0) < 0 && errno != ENOENT)
		return err_sys(err, errno, "remove /%s", path);
	return 0;
}

/* ---- directories ---- */

static int set_dir(const struct round *r, size_t i, const char *path, bool only_mode)
{
	const struct copy_writer *w = r->writer;
	const struct select_node *node = &r->source->nodes[i];
	cleanup_close int to = copy_place_open_upper(w->place, path, O_RDONLY | O_DIRECTORY, 0);
	cleanup_close int from = -1;
	struct err err = ERR_INIT;
	int rc = 0;

	if (to < 0)
		return to;
	if (only_mode)
		return fchmod(to, node->st.st_mode & 07777) < 0 ? -errno : 0;
	rc = set_owner_and_mode(to, owner_of(w, r->source, &node->st),
				mode_of(w, r->source, &node->st));
	if (rc < 0 || (r->source->tree->is_context && node->is_known && !node->xattrs))
		return rc;
	from = select_open(r->source, i, NULL, &err);
	return from < 0 ? -ESTALE : copy_xattrs(r->source, i, from, to);
}

/* A directory that was only on the way to what is copied gives its mode to one that is there. */
static int write_subdir(struct round *r, size_t i, const char *path, struct err *err)
{
	const struct select_node *node = &r->source->nodes[i];
	struct copy_place *p = r->writer->place;
	int rc = 0;

	if (copy_place_ensure_dir(p, path, &r->is_new[i], err) < 0)
		return -err->code;
	rc = set_dir(r, i, path, node->is_way && !r->is_new[i]);
	return rc < 0 ? write_failed(rc, path, err) : 0;
}

/* ---- small things ---- */

static int set_small(const struct round *r, const struct select_node *node, int dir_fd,
		     const char *name)
{
	struct owner owner = owner_of(r->writer, r->source, &node->st);
	struct timespec t = time_of(r, &node->st);
	const struct timespec times[2] = {t, t};

	if (fchownat(dir_fd, name, owner.uid, owner.gid, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	/* Nobody else writes here: it is still what was just made, no link. */
	if (!S_ISLNK(node->st.st_mode) &&
	    fchmodat(dir_fd, name, mode_of(r->writer, r->source, &node->st), 0) < 0)
		return -errno;
	return utimensat(dir_fd, name, times, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
}

/* What is known of the time of something in another step, and cannot be opened. */
static int copy_note(const struct round *r, size_t i, int to_dir, const char *name)
{
	const struct select_source *source = r->source;
	const struct timespec *t = &source->nodes[i].st.st_mtim;
	cleanup_str struct str path = STR_INIT;
	cleanup_free char *dir = NULL;
	cleanup_close int from_dir = -1;

	if (!source->tree || source->tree->is_context || t->tv_nsec ||
	    t->tv_sec != r->writer->place->settled_s)
		return 0;
	str_add(&path, source->path);
	if (i != 0 && path.len)
		str_add_char(&path, '/');
	select_add_path(source, i, &path);
	dir = copy_dir_of(str_get(&path));
	from_dir = path_open_no_links(source->tree->root_fd, *dir ? dir : "/",
				      O_PATH | O_DIRECTORY);
	return from_dir < 0 ? from_dir
			    : copy_xattr_note(from_dir, copy_base(str_get(&path)), to_dir, name);
}

static int write_small(struct round *r, size_t i, const char *path, struct err *err)
{
	const struct select_node *node = &r->source->nodes[i];
	cleanup_free char *dir = copy_dir_of(path);
	cleanup_close int fd = copy_place_open_upper(r->writer->place, dir, O_PATH | O_DIRECTORY,
						     0);
	const char *name = copy_base(path);
	int rc = fd;

	if (rc >= 0 && S_ISLNK(node->st.st_mode))
		rc = symlinkat(node->link, fd, name) < 0 ? -errno : 0;
	else if (rc >= 0)
		rc = mknodat(fd, name, node->st.st_mode, node->st.st_rdev) < 0 ? -errno : 0;
	if (rc >= 0)
		rc = set_small(r, node, fd, name);
	if (rc >= 0)
		rc = copy_note(r, i, fd, name);
	return rc < 0 ? write_failed(rc, path, err) : 0;
}

static int write_second_name(const struct round *r, size_t i, struct err *err)
{
	const struct copy_place *p = r->writer->place;
	cleanup_free char *path = path_of(r, i);
	cleanup_free char *first = path_of(r, r->source->nodes[i].same);
	cleanup_free char *dir = copy_dir_of(path);
	cleanup_free char *first_dir = copy_dir_of(first);
	cleanup_close int to = copy_place_open_upper(p, dir, O_PATH | O_DIRECTORY, 0);
	cleanup_close int from = copy_place_open_upper(p, first_dir, O_PATH | O_DIRECTORY, 0);

	if (to < 0 || from < 0)
		return write_failed(to < 0 ? to : from, path, err);
	if (linkat(from, copy_base(first), to, copy_base(path), 0) < 0)
		return write_failed(-errno, path, err);
	return 0;
}

/* ---- contents ---- */

/* The content and attributes of FROM, which looked like ST, for TO. */
static int fill(const struct round *r, size_t i, int from, const struct stat *st, int to)
{
	int rc = copy_file_content(from, to, st->st_size);

	if (rc == 0)
		rc = set_owner_and_mode(to, owner_of(r->writer, r->source, st),
					mode_of(r->writer, r->source, st));
	return rc < 0 ? rc : copy_xattrs(r->source, i, from, to);
}

static int fill_inline(const struct round *r, int to)
{
	const struct select_node *node = &r->source->nodes[0];
	int rc = fd_write_full(to, r->source->item->content, (size_t)node->st.st_size);

	return rc < 0 ? rc
		      : set_owner_and_mode(to, owner_of(r->writer, r->source, &node->st),
					   mode_of(r->writer, r->source, &node->st));
}

static int set_time(const struct round *r, int fd, const struct stat *st)
{
	struct timespec t = time_of(r, st);
	const struct timespec times[2] = {t, t};

	return futimens(fd, times) < 0 ? -errno : 0;
}

/* Its digest was taken of what was seen: what is copied must be that still. */
static int check_unchanged(int from, const struct select_node *node, const char *path,
			   struct err *err)
{
	struct stat now;

	if (fstat(from, &now) < 0 || !select_is_unchanged(&node->st, &now))
		return err_set(err, ERR_UNAVAILABLE, "/%s was changed while it was copied", path);
	return 0;
}

static int write_content(void *ctx, size_t piece, struct err *err)
{
	const struct round *r = ctx;
	size_t i = r->files[piece];
	const struct select_node *node = &r->source->nodes[i];
	cleanup_free char *path = path_of(r, i);
	cleanup_close int from = r->source->tree ? select_open(r->source, i, NULL, err) : -1;
	cleanup_close int to = -1;
	int rc = 0;

	if (r->source->tree && from < 0)
		return from;
	to = copy_place_open_upper(r->writer->place, path, O_WRONLY | O_CREAT | O_EXCL,
				   mode_of(r->writer, r->source, &node->st) & 0777);
	rc = to;
	if (rc >= 0)
		rc = from < 0 ? fill_inline(r, to) : fill(r, i, from, &node->st, to);
	if (rc >= 0 && from >= 0 && check_unchanged(from, node, path, err) < 0)
		return -err->code;
	if (rc >= 0)
		rc = set_time(r, to, &node->st);
	return rc < 0 ? write_failed(rc, path, err) : 0;
}

/* ---- rounds ---- */

/* The first round's part for node I. KNOWN_NEW: its directory is new. */
static int write_node(struct round *r, size_t i, bool known_new, struct err *err)
{
	const struct select_node *node = &r->source->nodes[i];
	cleanup_free char *path = path_of(r, i);
	cleanup_free char *dir = NULL;

	if (S_ISDIR(node->st.st_mode))
		return write_subdir(r, i, path, err);
	if (!known_new && make_room(r->writer->place, path, err) < 0)
		return -err->code;
	dir = copy_dir_of(path);
	if (i == 0 || !known_new)
		copy_place_touch(r->writer->place, dir, NULL);
	if (S_ISREG(node->st.st_mode))
		r->files[r->n_files++] = i;
	else
		return write_small(r, i, path, err);
	return 0;
}

static int write_contents(struct round *r, struct err *err)
{
	size_t n = 0;

	/* Second names wait until the first ones are there. */
	for (size_t k = 0; k < r->n_files; k++)
		if (r->source->nodes[r->files[k]].same == SELECT_NONE)
			r->files[n++] = r->files[k];
	r->n_files = n;
	if (copy_parallel(n, write_content, r, err) < 0)
		return -err->code;
	for (size_t i = 0; i < r->source->n_nodes; i++)
		if (r->source->nodes[i].same != SELECT_NONE && write_second_name(r, i, err) < 0)
			return -err->code;
	return 0;
}

static void round_init(struct round *r, const struct copy_writer *w,
		       const struct select_source *source, const char *root)
{
	*r = (struct round){.writer = w, .source = source, .root = root};
	r->is_new = mem_zalloc(source->n_nodes * sizeof(*r->is_new));
	r->files = mem_zalloc(source->n_nodes * sizeof(*r->files));
}

int copy_write_file(const struct copy_writer *w, const struct select_source *source,
		    const char *path, struct err *err)
{
	cleanup_with(round_done) struct round r;

	round_init(&r, w, source, path);
	return write_node(&r, 0, false, err) < 0 ? -err->code : write_contents(&r, err);
}

int copy_write_dir(const struct copy_writer *w, const struct select_source *source,
		   const char *path, bool is_new, struct err *err)
{
	cleanup_with(round_done) struct round r;

	round_init(&r, w, source, path);
	r.is_new[0] = is_new;
	for (size_t i = 1; i < source->n_nodes; i++)
		if (write_node(&r, i, r.is_new[source->nodes[i].parent], err) < 0)
			return -err->code;
	if (write_contents(&r, err) < 0)
		return -err->code;
	/* After all that changes them. */
	for (size_t i = 1; i < source->n_nodes; i++) {
		cleanup_free char *dir = NULL;

		if (!S_ISDIR(source->nodes[i].st.st_mode))
			continue;
		dir = path_of(&r, i);
		copy_place_touch(w->place, dir, &source->nodes[i].st.st_mtim);
	}
	return 0;
}
