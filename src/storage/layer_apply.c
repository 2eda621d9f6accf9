/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One entry of the archive after another is made in the tree.
 *
 * What stands in the way of an entry gives way to it, as with tar: a later entry of a name replaces
 * the earlier one, whatever both are; only a directory over a directory keeps its content. So each
 * object is made exclusively, and only when the kernel says EEXIST is the old one looked at: no
 * question is asked for the common case, and nothing that exists is ever written through.
 *
 * A whiteout applies to lower layers only. When its own layer has the name too, before it or after,
 * the layer's object stays; a directory is then made opaque, since the lower one's content is gone.
 */
#include "storage/layer_apply.h"

#include "archive/crc64.h"
#include "archive/tar_read.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/str.h"
#include "storage/layer_meta.h"
#include "storage/layer_tree.h"
#include "storage/space.h"
#include "storage/tree_list.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

enum { LISTING_PIECE = 64 << 10 };

static const char whiteout_prefix[] = ".wh.";
static const char opaque_marker[] = ".wh..wh..opq";
/* What aufs kept for itself, in images of its time; docker and containerd pass over it. */
static const char aufs_prefix[] = ".wh..wh.";

struct apply {
	struct layer_tree tree;
	struct tar_reader *reader;
	const struct layer_options *options;
	struct layer_result result;
	struct str path;			 /* of the entry, clean */
	struct str link;			 /* target of a hard link, clean */
	struct tar_xattr xattrs[TAR_MAX_XATTRS]; /* of the entry, that are restored */
	struct str lines;			 /* of the listing */
	struct space space;
};

/* The entry just made, for the listing. */
static void list_entry(struct apply *a, char type, const char *link, const struct tar_entry *e,
		       uint64_t crc)
{
	if (a->options->listing)
		tree_list_add(&a->lines, type, str_get(&a->path), link, e, crc);
}

static int flush_listing(struct apply *a, size_t above, struct err *err)
{
	int rc = 0;

	if (!a->options->listing || a->lines.len <= above)
		return 0;
	rc = a->options->listing->write(a->options->listing, &a->lines, err);
	str_truncate(&a->lines, 0);
	return rc;
}

static int charge_entry(struct apply *a, const struct tar_entry *e, struct err *err)
{
	uint64_t max = a->options->max_bytes;

	if (max && e->stored > max - a->result.n_bytes)
		return err_set(err, ERR_INVALID, "more than %llu bytes of file data",
			       (unsigned long long)max);
	a->result.n_bytes += e->stored;
	return space_charge(&a->space, e->stored, 1, err);
}

/* Removes what stands at PLACE: 0 or -errno. */
static int remove_existing(struct apply *a, const struct layer_place *place)
{
	layer_tree_forget(&a->tree);
	if (unlinkat(place->parent_fd, place->name, 0) == 0)
		return 0;
	return errno == EISDIR ? fd_remove_tree_at(place->parent_fd, place->name) : -errno;
}

/* Runs MAKE once, and again with the place cleared when something stood there. */
static int make_replacing(struct apply *a, const struct layer_place *place,
			  const struct tar_entry *e,
			  int (*make)(struct apply *a, const struct layer_place *place,
				      const struct tar_entry *e))
{
	int rc = make(a, place, e);

	if (rc != -EEXIST)
		return rc;
	rc = remove_existing(a, place);
	return rc < 0 ? rc : make(a, place, e);
}

static int create_file(struct apply *a, const struct layer_place *place, const struct tar_entry *e)
{
	int fd = openat(place->parent_fd, place->name,
			O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, e->mode & 0777);

	return fd < 0 ? -errno : fd;
}

/* Only stored bytes are written, so holes stay holes; the size makes one at the end real. */
static int write_content(struct apply *a, int fd, const struct tar_entry *e, uint64_t *ret_crc,
			 struct err *err)
{
	uint64_t end = 0, offset = 0, crc = 0;
	const uint8_t *bytes = NULL;
	ssize_t n = 0;

	while ((n = tar_reader_data(a->reader, &bytes, &offset, err)) > 0) {
		int rc = fd_pwrite_full(fd, bytes, (size_t)n, offset);

		if (rc < 0)
			return err_sys(err, -rc, "write");
		if (a->options->listing)
			crc = crc64_update_fast(crc64_update_zeros(crc, offset - end), bytes,
						(size_t)n);
		end = offset + (uint64_t)n;
	}
	if (n < 0)
		return (int)n;
	if (end < e->size && ftruncate(fd, (off_t)e->size) < 0)
		return err_sys(err, errno, "set size");
	*ret_crc = crc64_update_zeros(crc, e->size - end);
	return 0;
}

static int make_file(struct apply *a, const struct layer_place *place, struct tar_entry *e,
		     struct err *err)
{
	cleanup_close int fd = make_replacing(a, place, e, create_file);
	uint64_t crc = 0;
	int rc = 0;

	if (fd < 0)
		return err_sys(err, -fd, "create");
	rc = write_content(a, fd, e, &crc, err);
	if (rc < 0)
		return rc;
	rc = layer_set_file_meta(fd, e, err);
	if (rc < 0)
		return rc;
	/* close(2) is where a network filesystem tells of a failed write. */
	if (close(take_fd(fd)) < 0)
		return err_sys(err, errno, "close");
	list_entry(a, 'f', NULL, e, crc);
	return 0;
}

static int create_symlink(struct apply *a, const struct layer_place *place,
			  const struct tar_entry *e)
{
	return symlinkat(e->link, place->parent_fd, place->name) < 0 ? -errno : 0;
}

static int make_symlink(struct apply *a, const struct layer_place *place, struct tar_entry *e,
			struct err *err)
{
	int rc = 0;

	if (!*e->link)
		return err_set(err, ERR_INVALID, "symlink without a target");
	rc = make_replacing(a, place, e, create_symlink);
	if (rc < 0)
		return err_sys(err, -rc, "create symlink");
	layer_tree_forget(&a->tree);
	list_entry(a, 'l', e->link, e, 0);
	return layer_set_node_meta(place->parent_fd, place->name, e, err);
}

static int set_opaque(struct apply *a, int dir_fd)
{
	return a->options->maker->set_opaque(a->options->maker, dir_fd);
}

static int create_node(struct apply *a, const struct layer_place *place, const struct tar_entry *e)
{
	mode_t kind = e->type == TAR_CHAR ? S_IFCHR : S_IFBLK;
	dev_t dev = makedev(e->dev_major, e->dev_minor);

	if (e->type == TAR_FIFO)
		return mknodat(place->parent_fd, place->name, S_IFIFO | 0600, 0) < 0 ? -errno : 0;
	return a->options->maker->make_device(a->options->maker, place->parent_fd, place->name,
					      kind | 0600, dev);
}

static int make_node(struct apply *a, const struct layer_place *place, struct tar_entry *e,
		     struct err *err)
{
	int rc = make_replacing(a, place, e, create_node);

	if (rc < 0)
		return err_sys(err, -rc, "create device or FIFO");
	list_entry(a, e->type == TAR_FIFO ? 'p' : e->type == TAR_CHAR ? 'c' : 'b', NULL, e, 0);
	return layer_set_node_meta(place->parent_fd, place->name, e, err);
}

/* Opens the directory at PLACE, making it when it is not there: a descriptor, -errno. Replacing
 * something else than a directory is make_dir's business (-ENOTDIR, -ELOOP). */
static int open_or_create_dir(const struct layer_place *place)
{
	const char *name = *place->name ? place->name : ".";
	int fd = -1;

	if (*place->name && mkdirat(place->parent_fd, name, 0700) < 0 && errno != EEXIST)
		return -errno;
	fd = openat(place->parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int make_dir(struct apply *a, const struct layer_place *place, struct tar_entry *e,
		    struct err *err)
{
	cleanup_close int fd = open_or_create_dir(place);
	int was_whiteout = 0;
	int rc = 0;

	if (fd == -ENOTDIR || fd == -ELOOP) {
		if (!a->options->literal_whiteouts)
			was_whiteout = layer_find_whiteout(place->parent_fd, place->name);
		rc = was_whiteout < 0 ? was_whiteout : remove_existing(a, place);
		fd = rc < 0 ? rc : open_or_create_dir(place);
	}
	if (fd < 0)
		return err_sys(err, -fd, "create directory");
	rc = was_whiteout ? set_opaque(a, fd) : 0;
	if (rc < 0)
		return err_sys(err, -rc, "make directory opaque");
	rc = layer_set_dir_meta(fd, e, err);
	if (rc < 0)
		return rc;
	list_entry(a, 'd', NULL, e, 0);
	if (was_whiteout)
		list_entry(a, 'o', NULL, e, 0);
	return layer_tree_add_dir(&a->tree, str_get(&a->path), fd, &e->mtime, err);
}

/* Makes the second name; when one stands there already that is the same file, all is done. */
static int link_replacing(struct apply *a, const struct layer_place *target,
			  const struct stat *target_st, const struct layer_place *place)
{
	struct stat st;
	int rc = 0;

	/* Without AT_SYMLINK_FOLLOW a symlink itself gets the second name. */
	if (linkat(target->parent_fd, target->name, place->parent_fd, place->name, 0) == 0)
		return 0;
	if (errno != EEXIST)
		return -errno;
	if (fstatat(place->parent_fd, place->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if (st.st_dev == target_st->st_dev && st.st_ino == target_st->st_ino)
		return 0;
	rc = remove_existing(a, place);
	if (rc < 0)
		return rc;
	rc = linkat(target->parent_fd, target->name, place->parent_fd, place->name, 0);
	return rc < 0 ? -errno : 0;
}

static int make_hard_link(struct apply *a, const struct layer_place *place, struct tar_entry *e,
			  struct err *err)
{
	struct layer_place target = {.parent_fd = -1};
	cleanup_close int target_fd = -1;
	struct stat st;
	int rc = layer_name_clean(e->link, &a->link, err);

	if (rc >= 0)
		rc = layer_tree_find_existing(&a->tree, str_get(&a->link), &target, err);
	if (rc < 0)
		return err_wrap(err, "hard link target");
	target_fd = target.parent_fd;
	if (!*target.name)
		return err_set(err, ERR_INVALID, "hard link to a directory");
	rc = fstatat(target_fd, target.name, &st, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
	/* What this layer has deleted cannot be linked to either. */
	if (rc == 0 && !a->options->literal_whiteouts && layer_is_whiteout(&st))
		rc = -ENOENT;
	if (rc < 0)
		return err_sys(err, -rc, "hard link target %s", str_get(&a->link));
	if (S_ISDIR(st.st_mode))
		return err_set(err, ERR_INVALID, "hard link to a directory");
	rc = link_replacing(a, &target, &st, place);
	if (rc < 0)
		return err_sys(err, -rc, "hard link to %s", str_get(&a->link));
	list_entry(a, 'h', str_get(&a->link), e, 0);
	return 0;
}

static int (*const makers[])(struct apply *a, const struct layer_place *place, struct tar_entry *e,
			     struct err *err) = {
	[TAR_FILE] = make_file, [TAR_HARD_LINK] = make_hard_link, [TAR_SYMLINK] = make_symlink,
	[TAR_CHAR] = make_node, [TAR_BLOCK_DEVICE] = make_node,	  [TAR_DIR] = make_dir,
	[TAR_FIFO] = make_node,
};

static int make_entry(struct apply *a, struct tar_entry *e, struct err *err)
{
	struct layer_place place = {};
	int rc = layer_tree_find(&a->tree, str_get(&a->path), &e->mtime, &place, err);

	if (rc < 0)
		return rc;
	if (!*place.name && e->type != TAR_DIR)
		return err_set(err, ERR_INVALID, "the root is not a directory");
	return makers[e->type](a, &place, e, err);
}

static int make_opaque(struct apply *a, const struct tar_entry *e, size_t parent_len,
		       struct err *err)
{
	struct layer_place place = {};
	int rc = layer_tree_find(&a->tree, str_get(&a->path), &e->mtime, &place, err);

	if (rc < 0)
		return rc;
	rc = set_opaque(a, place.parent_fd);
	if (rc < 0)
		return err_sys(err, -rc, "make directory opaque");
	/* The line is about the directory that the marker stands in. */
	str_truncate(&a->path, parent_len ? parent_len - 1 : 0);
	list_entry(a, 'o', NULL, e, 0);
	return 0;
}

/* Whiteout of NAME at PLACE: nothing there, or something that this layer brought itself. */
static int cover_name(struct apply *a, const struct layer_place *place, const struct tar_entry *e)
{
	cleanup_close int fd = -1;
	int rc = layer_make_whiteout(place->parent_fd, place->name);

	if (rc == 0)
		list_entry(a, 'w', NULL, e, 0);
	if (rc != -EEXIST)
		return rc;
	fd = openat(place->parent_fd, place->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOTDIR || errno == ELOOP ? 0 : -errno;
	list_entry(a, 'o', NULL, e, 0);
	return set_opaque(a, fd);
}

static int make_whiteout(struct apply *a, const struct tar_entry *e, const char *marker,
			 struct err *err)
{
	const char *name = marker + sizeof(whiteout_prefix) - 1;
	size_t parent_len = (size_t)(marker - str_get(&a->path));
	struct layer_place place = {};
	int rc = 0;

	if (strcmp(marker, opaque_marker) == 0)
		return make_opaque(a, e, parent_len, err);
	if (str_has_prefix(marker, aufs_prefix))
		return 0;
	if (!*name || strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ||
	    str_has_prefix(name, whiteout_prefix))
		return err_set(err, ERR_INVALID, "illegal name of a whiteout");
	/* The marker is cut out of the entry's path in place. */
	memmove(a->path.buf + parent_len, name, strlen(name) + 1);
	a->path.len -= sizeof(whiteout_prefix) - 1;
	rc = layer_tree_find(&a->tree, str_get(&a->path), &e->mtime, &place, err);
	if (rc < 0)
		return rc;
	rc = cover_name(a, &place, e);
	return rc < 0 ? err_sys(err, -rc, "make whiteout") : 0;
}

static int apply_entry(struct apply *a, struct tar_entry *e, struct err *err)
{
	const char *slash = NULL, *name = NULL;
	int rc = layer_name_clean(e->path, &a->path, err);

	if (rc >= 0)
		rc = charge_entry(a, e, err);
	if (rc < 0)
		return rc;
	layer_meta_select(e, a->xattrs);
	slash = strrchr(str_get(&a->path), '/');
	name = slash ? slash + 1 : str_get(&a->path);
	if (a->options->literal_whiteouts)
		return make_entry(a, e, err);
	if (str_has_prefix(name, whiteout_prefix))
		return make_whiteout(a, e, name, err);
	/* What lies in a directory of aufs' own, at the top. */
	return str_has_prefix(str_get(&a->path), aufs_prefix) ? 0 : make_entry(a, e, err);
}

static int apply_all(struct apply *a, struct err *err)
{
	struct tar_entry e = {};
	int rc = 0;

	while ((rc = tar_reader_next(a->reader, &e, err)) > 0) {
		char quoted[TAR_QUOTE_LEN];

		rc = apply_entry(a, &e, err);
		if (rc >= 0)
			rc = flush_listing(a, LISTING_PIECE, err);
		/* The reader names the entry itself in what it reports. */
		if (rc < 0 && str_has_prefix(err->msg, "entry "))
			return rc;
		if (rc < 0)
			return err_wrap(err, "entry %s", tar_quote(e.path, quoted));
		a->result.n_entries++;
	}
	if (rc < 0 || flush_listing(a, 0, err) < 0)
		return -err->code;
	return layer_tree_set_times(&a->tree, err);
}

int layer_apply(int root_fd, struct tar_reader *reader, const struct layer_options *options,
		struct layer_result *ret, struct err *err)
{
	struct apply a = {.reader = reader, .options = options, .space.fd = root_fd};
	int rc = 0;

	layer_tree_init(&a.tree, root_fd, options->maker, options->literal_whiteouts);
	rc = apply_all(&a, err);
	if (rc >= 0)
		*ret = a.result;
	layer_tree_done(&a.tree);
	str_done(&a.lines);
	str_done(&a.path);
	str_done(&a.link);
	return rc;
}
