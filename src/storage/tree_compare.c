/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An unpacked layer against its listing.
 *
 * The listing is read into a model first (storage/tree_model.h); then the tree is walked once,
 * descriptor by descriptor, each name looked up in the model and ticked off there. What the model
 * has and nobody met is missing. A directory that must not be there is named but not entered, so
 * the walk is never deeper than a layer may be.
 *
 * A filesystem may not be able to hold the time that an archive gives (ext4 ends in 2446, others
 * earlier). Where a time differs a file without a name is therefore given the wanted one: what it
 * then has is right.
 */
#include "storage/tree_list.h"

#include "archive/crc64.h"
#include "archive/tar_read.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/str.h"
#include "storage/tree_model.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#define BUFFER_LEN  (256 * 1024)
#define XATTR_MAX   65536 /* of the names and of one value: the kernel's limits */
#define OPAQUE_MARK "trusted.overlay.opaque"

struct compare {
	struct tree_model model;
	int root_fd;
	bool with_content;
	size_t max, n;
	struct strv *problems;
	struct str path; /* of the entry that is looked at */
	int probe_fd;	 /* a file without a name; -1 not yet, -2 there can be none */
	uint8_t *buffer;
};

static void compare_done(struct compare *c)
{
	tree_model_done(&c->model);
	str_done(&c->path);
	fd_cleanup_close(&c->probe_fd);
	free(c->buffer);
}

static void __attribute__((format(printf, 2, 3))) report(struct compare *c, const char *fmt, ...)
{
	char quoted[TAR_QUOTE_LEN];
	cleanup_str struct str text = STR_INIT;
	char what[512];
	va_list args;

	c->n++;
	if (c->n > c->max)
		return;
	va_start(args, fmt);
	vsnprintf(what, sizeof(what), fmt, args);
	va_end(args);
	str_addf(&text, "%s: %s", c->path.len ? tar_quote(str_get(&c->path), quoted) : ".", what);
	strv_add_take(c->problems, str_take(&text));
}

/* ---- one file ---- */

static const char *type_name(char type)
{
	static const char *const names[] = {
		['f'] = "file",		['l'] = "symlink",   ['c'] = "character device",
		['b'] = "block device", ['d'] = "directory", ['p'] = "FIFO",
		['w'] = "whiteout",	['s'] = "socket",
	};

	return names[(unsigned char)type];
}

static char type_of(const struct stat *st)
{
	switch (st->st_mode & S_IFMT) {
	case S_IFREG:
		return 'f';
	case S_IFLNK:
		return 'l';
	case S_IFDIR:
		return 'd';
	case S_IFCHR:
		return 'c';
	case S_IFBLK:
		return 'b';
	case S_IFIFO:
		return 'p';
	default:
		return 's';
	}
}

static bool is_time(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

/* Whether this filesystem makes IS of WANTED. */
static bool is_time_kept_as(struct compare *c, const struct timespec *wanted,
			    const struct timespec *is)
{
	const struct timespec times[2] = {*wanted, *wanted};
	struct stat st;

	if (c->probe_fd == -1) {
		c->probe_fd = openat(c->root_fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
		c->probe_fd = c->probe_fd < 0 ? -2 : c->probe_fd;
	}
	return c->probe_fd >= 0 && futimens(c->probe_fd, times) == 0 &&
	       fstat(c->probe_fd, &st) == 0 && is_time(&st.st_mtim, is);
}

static void compare_meta(struct compare *c, const struct tree_inode *i, const struct stat *st)
{
	unsigned mode = st->st_mode & 07777;

	if (i->type != 'l' && mode != i->mode)
		report(c, "mode is %04o, not %04o", mode, i->mode);
	if (st->st_uid != i->uid || st->st_gid != i->gid)
		report(c, "owner is %u:%u, not %u:%u", st->st_uid, st->st_gid, i->uid, i->gid);
	if (!i->is_time_unknown && !is_time(&st->st_mtim, &i->mtime) &&
	    !is_time_kept_as(c, &i->mtime, &st->st_mtim))
		report(c, "modification time differs");
	if ((i->type == 'c' || i->type == 'b') &&
	    st->st_rdev != makedev(i->dev_major, i->dev_minor))
		report(c, "device is %u:%u, not %u:%u", major(st->st_rdev), minor(st->st_rdev),
		       i->dev_major, i->dev_minor);
}

/* The attributes that an image may set (storage/layer_meta.c); others are the host's. */
static bool is_xattr_wanted(const char *name)
{
	return strcmp(name, "security.capability") == 0 ||
	       (str_has_prefix(name, "user.") && !str_has_prefix(name, "user.overlay."));
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The wanted names of FD, sorted; 0 or -errno. */
static int list_xattrs(int fd, char *buffer, struct strv *ret)
{
	ssize_t len = flistxattr(fd, buffer, XATTR_MAX);

	if (len < 0)
		return errno == ENOTSUP ? 0 : -errno;
	for (const char *name = buffer; name < buffer + len; name += strlen(name) + 1)
		if (is_xattr_wanted(name))
			strv_add(ret, name);
	if (ret->n > 1)
		qsort(ret->items, ret->n, sizeof(*ret->items), compare_names);
	return 0;
}

/* The checksum that tree_list_add gives to the attributes of FD; 0 or -errno. */
static int sum_xattrs(int fd, char *buffer, const struct strv *names, uint64_t *ret)
{
	uint64_t crc = 0;

	strv_foreach (i, names) {
		const char *name = names->items[i];
		ssize_t len = fgetxattr(fd, name, buffer, XATTR_MAX);
		char digits[24];

		if (len < 0)
			return -errno;
		snprintf(digits, sizeof(digits), "%zd", len);
		crc = crc64_update(crc, name, strlen(name) + 1);
		crc = crc64_update(crc, digits, strlen(digits) + 1);
		crc = crc64_update(crc, buffer, (size_t)len);
	}
	*ret = crc;
	return 0;
}

static void compare_xattrs(struct compare *c, const struct tree_inode *i, int fd)
{
	cleanup_strv struct strv names = STRV_INIT;
	char *buffer = (char *)c->buffer;
	uint64_t crc = 0;
	int rc = list_xattrs(fd, buffer, &names);

	if (rc == 0 && !i->is_xattrs_unknown) {
		rc = sum_xattrs(fd, buffer, &names, &crc);
		if (rc == 0 && (i->has_xattrs != (names.n > 0) || crc != i->xattrs))
			report(c, "extended attributes differ");
	}
	if (rc < 0)
		report(c, "extended attributes cannot be read: %s", strerrordesc_np(-rc));
}

static void compare_opaque(struct compare *c, const struct tree_inode *i, int fd)
{
	char value = 0;
	bool is_opaque = fgetxattr(fd, OPAQUE_MARK, &value, 1) == 1 && value == 'y';

	if (!i->is_opaque_unknown && is_opaque != i->is_opaque)
		report(c, "is %smarked as hiding lower layers", is_opaque ? "" : "not ");
}

/* Adds what FD has from OFFSET to END; 0 or -errno. Fewer bytes are -EIO. */
static int sum_bytes(struct compare *c, int fd, off_t offset, off_t end, uint64_t *crc)
{
	while (offset < end) {
		size_t len = end - offset < BUFFER_LEN ? (size_t)(end - offset) : BUFFER_LEN;
		ssize_t n = pread(fd, c->buffer, len, offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		*crc = crc64_update(*crc, c->buffer, (size_t)n);
		offset += n;
	}
	return 0;
}

/* Holes are zeros that need not be read. */
static int sum_content(struct compare *c, int fd, off_t size, uint64_t *ret)
{
	uint64_t crc = 0;
	off_t at = 0;

	while (at < size) {
		off_t data = lseek(fd, at, SEEK_DATA);
		off_t hole = 0;
		int rc = 0;

		if (data < 0 && errno != ENXIO)
			data = at;
		else if (data < 0 || data > size)
			data = size;
		hole = data < size ? lseek(fd, data, SEEK_HOLE) : size;
		if (hole < 0 || hole > size)
			hole = size;
		crc = crc64_update_zeros(crc, (uint64_t)(data - at));
		rc = sum_bytes(c, fd, data, hole, &crc);
		if (rc < 0)
			return rc;
		at = hole;
	}
	*ret = crc;
	return 0;
}

static void compare_content(struct compare *c, const struct tree_inode *i, int fd,
			    const struct stat *st)
{
	uint64_t crc = 0;
	int rc = 0;

	if ((uint64_t)st->st_size != i->size) {
		report(c, "size is %lld, not %llu", (long long)st->st_size,
		       (unsigned long long)i->size);
		return;
	}
	if (!c->with_content)
		return;
	rc = sum_content(c, fd, st->st_size, &crc);
	if (rc < 0)
		report(c, "cannot be read: %s", strerrordesc_np(-rc));
	else if (crc != i->crc)
		report(c, "content differs");
}

static void compare_file(struct compare *c, const struct tree_inode *i, int dir_fd,
			 const char *name, const struct stat *st)
{
	cleanup_close int fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0) {
		report(c, "cannot be opened: %s", strerrordesc_np(errno));
		return;
	}
	compare_content(c, i, fd, st);
	compare_xattrs(c, i, fd);
}

static void compare_symlink(struct compare *c, const struct tree_inode *i, int dir_fd,
			    const char *name)
{
	char target[TAR_MAX_PATH + 2];
	ssize_t len = readlinkat(dir_fd, name, target, sizeof(target) - 1);

	if (len < 0) {
		report(c, "cannot be read: %s", strerrordesc_np(errno));
		return;
	}
	target[len] = '\0';
	if (strcmp(target, i->target) != 0)
		report(c, "points elsewhere");
}

/* ---- the walk ---- */

static int compare_dir(struct compare *c, uint32_t node, int fd, struct err *err);

/* A name of what has several: only the first is compared, the others must be the same file. */
static bool is_first_name(struct compare *c, struct tree_inode *i, const struct stat *st)
{
	char quoted[TAR_QUOTE_LEN];
	bool is_first = !i->seen_path;

	if (i->type == 'd' || !i->is_linked)
		return true;
	if (is_first) {
		i->seen_ino = st->st_ino;
		i->seen_path = tree_model_keep(&c->model, str_get(&c->path), c->path.len);
	} else if (i->seen_ino != st->st_ino) {
		report(c, "is not the same file as %s", tar_quote(i->seen_path, quoted));
	}
	return is_first;
}

static int enter_dir(struct compare *c, uint32_t node, int dir_fd, const char *name,
		     struct err *err)
{
	int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd >= 0)
		return compare_dir(c, node, fd, err);
	report(c, "cannot be opened: %s", strerrordesc_np(errno));
	return 0;
}

static int compare_node(struct compare *c, uint32_t node, int dir_fd, const char *name,
			const struct stat *st, struct err *err)
{
	struct tree_inode *i = tree_model_inode(&c->model, node);
	bool is_whiteout = S_ISCHR(st->st_mode) && st->st_rdev == makedev(0, 0);
	char is = i->type == 'w' && is_whiteout ? 'w' : type_of(st);

	if (is != i->type) {
		report(c, "is a %s, not a %s", type_name(is), type_name(i->type));
		return 0;
	}
	if (i->type == 'w' || !is_first_name(c, i, st))
		return 0;
	compare_meta(c, i, st);
	if (is == 'd')
		return enter_dir(c, node, dir_fd, name, err);
	if (is == 'f')
		compare_file(c, i, dir_fd, name, st);
	else if (is == 'l')
		compare_symlink(c, i, dir_fd, name);
	return 0;
}

static int compare_name(struct compare *c, uint32_t dir, int dir_fd, const char *name,
			struct err *err)
{
	size_t len = c->path.len;
	uint32_t node = tree_model_lookup(&c->model, dir, name);
	struct stat st;
	int rc = 0;

	str_addf(&c->path, "%s%s", len ? "/" : "", name);
	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		/* What the listing has is then reported as missing. */
		if (errno != ENOENT)
			report(c, "cannot be looked at: %s", strerrordesc_np(errno));
	} else if (node == TREE_NONE) {
		report(c, "does not belong there");
	} else {
		c->model.nodes[node].is_seen = true;
		rc = compare_node(c, node, dir_fd, name, &st, err);
	}
	str_truncate(&c->path, len);
	return rc;
}

static void report_missing(struct compare *c, uint32_t dir)
{
	const struct tree_node *nodes = c->model.nodes;
	size_t len = c->path.len;

	for (uint32_t n = nodes[dir].first_child; n != TREE_NONE; n = nodes[n].next_sibling) {
		uint64_t below = 0;

		if (!nodes[n].is_there || nodes[n].is_seen)
			continue;
		below = tree_model_count(&c->model, n) - 1;
		str_addf(&c->path, "%s%s", len ? "/" : "", nodes[n].name);
		if (below)
			report(c, "is missing with all %llu below it", (unsigned long long)below);
		else
			report(c, "is missing");
		str_truncate(&c->path, len);
	}
}

/* Takes FD over. */
static int compare_dir(struct compare *c, uint32_t node, int fd, struct err *err)
{
	const struct tree_inode *i = tree_model_inode(&c->model, node);
	const struct dirent *e = NULL;
	DIR *dir = NULL;
	int rc = 0;

	compare_xattrs(c, i, fd);
	compare_opaque(c, i, fd);
	dir = fdopendir(fd);
	if (!dir) {
		rc = err_sys(err, errno, "list a directory");
		close(fd);
		return rc;
	}
	errno = 0;
	for (e = readdir(dir); e && rc >= 0; e = readdir(dir)) {
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			rc = compare_name(c, node, fd, e->d_name, err);
		errno = 0;
	}
	if (!e && errno)
		report(c, "cannot be listed: %s", strerrordesc_np(errno));
	closedir(dir);
	if (rc >= 0)
		report_missing(c, node);
	return rc;
}

static int compare_root(struct compare *c, struct err *err)
{
	int fd = openat(c->root_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0) {
		int rc = err_sys(err, errno, "open the layer's directory");

		fd_cleanup_close(&fd);
		return rc;
	}
	compare_meta(c, tree_model_inode(&c->model, TREE_ROOT), &st);
	return compare_dir(c, TREE_ROOT, fd, err);
}

int tree_list_compare(int root_fd, const char *list, size_t len, int with_content, size_t max,
		      struct strv *ret_problems, struct err *err)
{
	struct compare c __attribute__((cleanup(compare_done))) = {
		.root_fd = root_fd,
		.with_content = with_content,
		.max = max,
		.problems = ret_problems,
		.probe_fd = -1,
		.buffer = mem_alloc(BUFFER_LEN),
	};

	if (tree_model_read(list, len, &c.model, err) < 0 || compare_root(&c, err) < 0)
		return -err->code;
	return c.n > INT32_MAX ? INT32_MAX : (int)c.n;
}
