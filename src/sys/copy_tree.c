/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One walk, depth first. Files are written without a name (O_TMPFILE) and get theirs when they are
 * whole, without replacing anything. Where the file system has no such files they are written under
 * a name of the engine's own and renamed; only one process copies into a directory at a time
 * (callers hold a lock), so what stands under that name is a dead one's. A second name of a file
 * that was copied is linked to the first, which is looked up again without following links: whoever
 * exchanged it in between gets a copy of its own instead.
 */
/* lint file: single components of directories that are open; see the head */
#include "sys/copy_tree.h"

#include "base/fd.h"
#include "base/mem.h"
#include "base/str.h"
#include "sys/path.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#define OVERLAY_XATTRS "trusted.overlay."
#define PART_NAME      ".tare-part"
#define MAX_DEPTH      1000
#define COPY_CHUNK     ((size_t)1 << 30)
#define READ_CHUNK     65536
#define MARK_MAX       256
#define XATTR_MAX      65536 /* XATTR_LIST_MAX and XATTR_SIZE_MAX of limits.h */

struct link {
	dev_t dev;
	ino_t ino;
	char *path; /* owned; below the destination */
};

struct copy {
	int root_fd;
	struct copy_tree_options how;
	size_t n_entries;
	bool is_named;	    /* files need a name while they are written */
	struct str path;    /* where the walk is, below the destination */
	struct link *links; /* a hash table with open addressing; at most half full */
	size_t n_links, cap_links;
};

/* ---- what belongs to any file ---- */

static int copy_xattr(int from, int to, const char *name, char *value)
{
	ssize_t len = fgetxattr(from, name, value, XATTR_MAX);

	if (len < 0)
		return errno == ENODATA || errno == ENOTSUP ? 0 : -errno;
	if (fsetxattr(to, name, value, (size_t)len, 0) < 0 && errno != ENOTSUP)
		return -errno;
	return 0;
}

static bool is_overlay_mark(const char *name)
{
	return strncmp(name, OVERLAY_XATTRS, strlen(OVERLAY_XATTRS)) == 0;
}

static int copy_xattrs(const struct copy *c, int from, int to)
{
	cleanup_free char *names = mem_alloc(XATTR_MAX);
	cleanup_free char *value = NULL;
	ssize_t len = flistxattr(from, names, XATTR_MAX);

	if (len < 0)
		return errno == ENOTSUP ? 0 : -errno;
	if (len > 0)
		value = mem_alloc(XATTR_MAX);
	for (const char *p = names; p < names + len; p += strlen(p) + 1) {
		int rc = 0;

		if (c->how.is_layer && !c->how.keeps_marks && is_overlay_mark(p))
			continue;
		rc = copy_xattr(from, to, p, value);
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* The mode comes after the owner, whose change takes set-ID bits away; capabilities after both. */
static int copy_attributes(const struct copy *c, int from, int to, const struct stat *st)
{
	const struct timespec times[2] = {st->st_atim, st->st_mtim};
	int rc = 0;

	if (!c->how.is_mine && fchown(to, st->st_uid, st->st_gid) < 0)
		return -errno;
	if (fchmod(to, st->st_mode & 07777) < 0)
		return -errno;
	rc = copy_xattrs(c, from, to);
	if (rc < 0)
		return rc;
	return futimens(to, times) < 0 ? -errno : 0;
}

/* ---- files ---- */

static int copy_by_reading(int from, int to, off_t offset, off_t end)
{
	cleanup_free char *buf = mem_alloc(READ_CHUNK);

	while (offset < end) {
		size_t want = end - offset < READ_CHUNK ? (size_t)(end - offset) : READ_CHUNK;
		ssize_t n = pread(from, buf, want, offset);
		int rc = 0;

		if (n <= 0)
			return n < 0 ? -errno : 0;
		rc = fd_pwrite_full(to, buf, (size_t)n, (uint64_t)offset);
		if (rc < 0)
			return rc;
		offset += n;
	}
	return 0;
}

static int copy_range(int from, int to, off_t offset, off_t end)
{
	while (offset < end) {
		off_t in = offset;
		off_t out = offset;
		size_t want = (size_t)(end - offset) < COPY_CHUNK ? (size_t)(end - offset)
								  : COPY_CHUNK;
		ssize_t n = copy_file_range(from, &in, to, &out, want, 0);

		if (n < 0 && (errno == EXDEV || errno == EINVAL || errno == ENOSYS ||
			      errno == EOPNOTSUPP || errno == ETXTBSY))
			return copy_by_reading(from, to, offset, end);
		if (n <= 0)
			return n < 0 ? -errno : 0;
		offset += n;
	}
	return 0;
}

int copy_file_content(int from, int to, off_t size)
{
	off_t data = 0;

	if (ioctl(to, FICLONE, from) == 0)
		return 0;
	while (data < size) {
		off_t hole = 0;
		int rc = 0;

		data = lseek(from, data, SEEK_DATA);
		if (data < 0 && errno == ENXIO)
			break; /* a hole up to the end */
		if (data < 0)
			return -errno;
		hole = lseek(from, data, SEEK_HOLE);
		rc = copy_range(from, to, data, hole < 0 ? size : hole);
		if (rc < 0)
			return rc;
		data = hole < 0 ? size : hole;
	}
	return ftruncate(to, size) < 0 ? -errno : 0;
}

/* A file to write to; c->is_named says whether it is PART_NAME. */
static int create_part(struct copy *c, int to_dir)
{
	int fd = -1;

	if (!c->is_named) {
		fd = openat(to_dir, ".", O_WRONLY | O_TMPFILE | O_CLOEXEC, 0600);
		if (fd >= 0)
			return fd;
		if (errno != EOPNOTSUPP && errno != EISDIR && errno != ENOENT)
			return -errno;
		c->is_named = true;
	}
	if (unlinkat(to_dir, PART_NAME, 0) < 0 && errno != ENOENT)
		return -errno;
	fd = openat(to_dir, PART_NAME, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	return fd < 0 ? -errno : fd;
}

/* Gives the part its name, unless something has that already. */
static int name_part(const struct copy *c, int part, int to_dir, const char *name)
{
	int rc = 0;

	if (!c->is_named)
		return linkat(part, "", to_dir, name, AT_EMPTY_PATH) < 0 && errno != EEXIST ? -errno
											    : 0;
	if (renameat2(to_dir, PART_NAME, to_dir, name, RENAME_NOREPLACE) < 0) {
		rc = errno == EEXIST ? 0 : -errno;
		unlinkat(to_dir, PART_NAME, 0);
	}
	return rc;
}

static int copy_file(struct copy *c, int from_dir, int to_dir, const char *name,
		     const struct stat *st)
{
	cleanup_close int from = openat(from_dir, name,
					O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	cleanup_close int to = -1;
	struct stat now;
	int rc = 0;

	if (from < 0 || fstat(from, &now) < 0)
		return -errno;
	if (!S_ISREG(now.st_mode))
		return -EAGAIN;
	to = create_part(c, to_dir);
	if (to < 0)
		return to;
	rc = copy_file_content(from, to, now.st_size);
	if (rc == 0)
		rc = copy_attributes(c, from, to, &now);
	if (rc == 0)
		return name_part(c, to, to_dir, name);
	if (c->is_named)
		unlinkat(to_dir, PART_NAME, 0);
	return rc;
}

/* ---- second names ---- */

/* The place of a file in the table: its own, or a free one. There is a free one. */
static struct link *link_slot(struct link *links, size_t cap, dev_t dev, ino_t ino)
{
	size_t i = ((size_t)ino * 0x9e3779b97f4a7c15ull ^ (size_t)dev) & (cap - 1);

	while (links[i].path && (links[i].dev != dev || links[i].ino != ino))
		i = (i + 1) & (cap - 1);
	return &links[i];
}

static const struct link *find_link(const struct copy *c, const struct stat *st)
{
	const struct link *found = c->cap_links ? link_slot(c->links, c->cap_links, st->st_dev,
							    st->st_ino)
						: NULL;

	return found && found->path ? found : NULL;
}

static void grow_links(struct copy *c)
{
	size_t cap = c->cap_links ? 2 * c->cap_links : 64;
	struct link *links = mem_zalloc(cap * sizeof(*links));

	for (size_t i = 0; i < c->cap_links; i++)
		if (c->links[i].path)
			*link_slot(links, cap, c->links[i].dev, c->links[i].ino) = c->links[i];
	free(c->links);
	c->links = links;
	c->cap_links = cap;
}

static void remember_link(struct copy *c, const struct stat *st, const char *name)
{
	struct link *slot = NULL;

	if (2 * c->n_links >= c->cap_links)
		grow_links(c);
	slot = link_slot(c->links, c->cap_links, st->st_dev, st->st_ino);
	if (slot->path)
		return;
	*slot = (struct link){.dev = st->st_dev,
			      .ino = st->st_ino,
			      .path = str_printf("%s%s", str_get(&c->path), name)};
	c->n_links++;
}

/* 1 when NAME is another name of what was copied, 0 when it has to be copied. */
static int link_again(struct copy *c, int to_dir, const char *name, const struct stat *st)
{
	const struct link *first = st->st_nlink > 1 ? find_link(c, st) : NULL;
	cleanup_free char *dir = NULL;
	cleanup_close int dir_fd = -1;
	const char *leaf = NULL;

	if (!first)
		return 0;
	leaf = strrchr(first->path, '/');
	dir = leaf ? str_ndup(first->path, (size_t)(leaf - first->path)) : str_dup(".");
	leaf = leaf ? leaf + 1 : first->path;
	dir_fd = path_open_strict(c->root_fd, dir, O_PATH | O_DIRECTORY);
	return dir_fd >= 0 && (linkat(dir_fd, leaf, to_dir, name, 0) == 0 || errno == EEXIST);
}

/* ---- everything else ---- */

/* Attributes of what cannot be opened are reached by paths alone. */
static int copy_mark(const struct copy *c, int from_dir, int to_dir, const char *name)
{
	char path[PATH_FD_LEN + NAME_MAX + 2], value[MARK_MAX];
	ssize_t len = 0;

	if (!c->how.mark)
		return 0;
	snprintf(path, sizeof(path), "/proc/self/fd/%d/%s", from_dir, name);
	len = lgetxattr(path, c->how.mark, value, sizeof(value));
	if (len < 0)
		return errno == ENODATA || errno == ENOTSUP ? 0 : -errno;
	snprintf(path, sizeof(path), "/proc/self/fd/%d/%s", to_dir, name);
	return lsetxattr(path, c->how.mark, value, (size_t)len, 0) < 0 ? -errno : 0;
}

static int copy_link(const struct copy *c, int from_dir, int to_dir, const char *name,
		     const struct stat *st)
{
	const struct timespec times[2] = {st->st_atim, st->st_mtim};
	cleanup_free char *target = mem_alloc(PATH_MAX + 1);
	ssize_t n = readlinkat(from_dir, name, target, PATH_MAX);

	if (n < 0)
		return -errno;
	target[n] = '\0';
	if (symlinkat(target, to_dir, name) < 0)
		return errno == EEXIST ? 0 : -errno;
	if (!c->how.is_mine &&
	    fchownat(to_dir, name, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if (utimensat(to_dir, name, times, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	return copy_mark(c, from_dir, to_dir, name);
}

static int copy_node(const struct copy *c, int from_dir, int to_dir, const char *name,
		     const struct stat *st)
{
	const struct timespec times[2] = {st->st_atim, st->st_mtim};

	if (mknodat(to_dir, name, (st->st_mode & S_IFMT) | 0600, st->st_rdev) < 0)
		return errno == EEXIST ? 0 : -errno;
	/* Never through a link that took its place. */
	if (!c->how.is_mine &&
	    fchownat(to_dir, name, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	cleanup_close int fd = openat(to_dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	char path[PATH_FD_LEN];
	struct stat now;

	if (fd < 0 || fstat(fd, &now) < 0 || (now.st_mode & S_IFMT) != (st->st_mode & S_IFMT))
		return -EAGAIN;
	if (chmod(path_of_fd(fd, path), st->st_mode & 07777) < 0 ||
	    utimensat(to_dir, name, times, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	return copy_mark(c, from_dir, to_dir, name);
}

/* ---- in the place of what is there ---- */

static bool is_opaque(int dir_fd, const char *name)
{
	cleanup_close int fd = openat(dir_fd, name,
				      O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	char mark = 0;

	return fd >= 0 && fgetxattr(fd, OVERLAY_XATTRS "opaque", &mark, 1) == 1 && mark == 'y';
}

/* Removes what cannot stay beside NAME. 1 when nothing is left to be copied: it was a whiteout. */
static int make_way(const struct copy *c, int from_dir, int to_dir, const char *name,
		    const struct stat *st)
{
	struct stat now;
	bool is_whiteout = c->how.is_layer && S_ISCHR(st->st_mode) && st->st_rdev == 0;
	bool is_dir = S_ISDIR(st->st_mode);
	int rc = 0;

	if (fstatat(to_dir, name, &now, AT_SYMLINK_NOFOLLOW) == 0 &&
	    (!is_dir || !S_ISDIR(now.st_mode) || (c->how.is_layer && is_opaque(from_dir, name))))
		rc = fd_remove_tree_at(to_dir, name);
	if (rc < 0)
		return rc;
	return is_whiteout && !c->how.keeps_marks;
}

static int copy_dir(struct copy *c, int from, int to, const struct stat *st, unsigned depth);

static int copy_subdir(struct copy *c, int from_dir, int to_dir, const char *name, unsigned depth)
{
	cleanup_close int from = openat(from_dir, name,
					O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	cleanup_close int to = -1;
	size_t len = c->path.len;
	struct stat st;
	int rc = 0;

	if (from < 0 || fstat(from, &st) < 0)
		return -errno;
	if (mkdirat(to_dir, name, 0700) < 0 && errno != EEXIST)
		return -errno;
	to = openat(to_dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (to < 0)
		return -errno;
	str_addf(&c->path, "%s/", name);
	rc = copy_dir(c, from, to, &st, depth + 1);
	str_truncate(&c->path, len);
	return rc;
}

static int copy_entry(struct copy *c, int from_dir, int to_dir, const char *name, unsigned depth)
{
	struct stat st;
	int rc = 0;

	if (fstatat(from_dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -errno;
	c->n_entries++;
	rc = c->how.replaces ? make_way(c, from_dir, to_dir, name, &st) : 0;
	if (rc != 0)
		return rc < 0 ? rc : 0;
	if (S_ISDIR(st.st_mode))
		return copy_subdir(c, from_dir, to_dir, name, depth);
	if (link_again(c, to_dir, name, &st))
		return 0;
	if (S_ISREG(st.st_mode))
		rc = copy_file(c, from_dir, to_dir, name, &st);
	else if (S_ISLNK(st.st_mode))
		rc = copy_link(c, from_dir, to_dir, name, &st);
	else if (!S_ISSOCK(st.st_mode)) /* a socket is nothing without its process */
		rc = copy_node(c, from_dir, to_dir, name, &st);
	if (rc == 0 && st.st_nlink > 1)
		remember_link(c, &st, name);
	return rc;
}

static int copy_dir(struct copy *c, int from, int to, const struct stat *st, unsigned depth)
{
	int fd = depth > MAX_DEPTH ? -1 : openat(from, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	int rc = 0;

	if (!dir) {
		int saved = errno;

		fd_cleanup_close(&fd);
		return depth > MAX_DEPTH ? -ELOOP : -saved;
	}
	for (const struct dirent *e = readdir(dir); rc == 0 && e; e = readdir(dir))
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			rc = copy_entry(c, from, to, e->d_name, depth);
	closedir(dir);
	if (rc < 0)
		return rc;
	/* Of a copy that was cut short. */
	if (c->is_named && unlinkat(to, PART_NAME, 0) < 0 && errno != ENOENT)
		return -errno;
	if (depth == 0 && c->how.leaves_root)
		return 0;
	return copy_attributes(c, from, to, st);
}

static int copy_all(int from_fd, int to_fd, const struct copy_tree_options *options, size_t *ret_n)
{
	struct copy c = {.root_fd = to_fd, .how = *options};
	struct stat st;
	int rc = fstat(from_fd, &st) < 0 ? -errno : copy_dir(&c, from_fd, to_fd, &st, 0);

	for (size_t i = 0; i < c.cap_links; i++)
		free(c.links[i].path);
	free(c.links);
	str_done(&c.path);
	if (ret_n)
		*ret_n = c.n_entries;
	return rc;
}

int copy_tree(int from_fd, int to_fd, size_t *ret_n)
{
	return copy_all(from_fd, to_fd, &(struct copy_tree_options){}, ret_n);
}

int copy_tree_with(int from_fd, int to_fd, const struct copy_tree_options *options)
{
	return copy_all(from_fd, to_fd, options, NULL);
}

int copy_tree_is_empty(int fd)
{
	int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = copy < 0 ? NULL : fdopendir(copy);
	size_t n = 0;

	if (!dir) {
		int saved = errno;

		fd_cleanup_close(&copy);
		return -saved;
	}
	while (n <= 2 && readdir(dir))
		n++;
	closedir(dir);
	return n <= 2;
}
