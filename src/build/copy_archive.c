/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Archives may be hostile: nothing here looks into one but at its first block. The helper unpacks
 * it into a directory of its own beside the upper one, and from there whole directories move to
 * where they belong, for they are on the same file system. A directory merges with one that is
 * there, also through a symlink as far as that stays below the target; anything else takes the
 * place of what is there.
 *
 * The helper takes archives for layers, so names that begin with ".wh." have become whiteouts. Here
 * they delete nothing and are left out.
 */
/* lint file: paths without links of directories that are open, single components */
#include "build/copy_archive.h"

#include "archive/tar_header.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/str.h"
#include "build/copy_xattr.h"
#include "engine/cp_stream.h"
#include "engine/engine.h"
#include "storage/dir_names.h"
#include "storage/unpack.h"
#include "sys/feeder.h"
#include "sys/path.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/xattr.h>
#include <unistd.h>

#define UNPACK_NAME "unpacked"
#define MAX_LIST    (512 << 20)

/* ---- what is an archive ---- */

struct magic {
	const char *bytes;
	size_t len;
};

static const struct magic compressions[] = {{"\x1f\x8b", 2},
					    {"BZh", 3},
					    {"\xfd"
					     "7zXZ\0",
					     6},
					    {"\x28\xb5\x2f\xfd", 4}};

static bool is_compressed(const uint8_t *block, size_t len)
{
	for (size_t i = 0; i < ARRAY_LEN(compressions); i++)
		if (len >= compressions[i].len &&
		    memcmp(block, compressions[i].bytes, compressions[i].len) == 0)
			return true;
	return false;
}

struct plain {
	struct store *store;
	int fd;
};

static int write_plain(int out_fd, void *data, struct err *err)
{
	const struct plain *plain = data;

	return cp_stream_plain(plain->store, plain->fd, out_fd, err);
}

/* The first block of what FD is decompressed; the length of what there is of it. */
static int read_plain(struct store *store, int fd, uint8_t block[static TAR_BLOCK], struct err *err)
{
	cleanup_feeder struct feeder feeder = FEEDER_INIT;
	struct plain plain = {.store = store, .fd = fd};
	struct err ignored = ERR_INIT;
	ssize_t n = 0;

	if (feeder_start(&feeder, write_plain, &plain, err) < 0)
		return -err->code;
	n = fd_read_full(feeder.data_fd, block, TAR_BLOCK);
	/* What cannot be decompressed is no archive, but a file like any other. */
	feeder_finish(&feeder, true, &ignored);
	return n < 0 ? 0 : (int)n;
}

/* 1 or 0, or -code. FD is at its beginning before and after. */
static int is_archive(struct store *store, int fd, struct err *err)
{
	uint8_t block[TAR_BLOCK];
	struct tar_header header;
	struct err bad = ERR_INIT;
	ssize_t n = pread(fd, block, sizeof(block), 0);

	if (n < 0)
		return err_sys(err, errno, "read the head of a file");
	if (is_compressed(block, (size_t)n)) {
		n = read_plain(store, fd, block, err);
		if (n < 0)
			return (int)n;
		if (lseek(fd, 0, SEEK_SET) < 0)
			return err_sys(err, errno, "rewind a file");
	}
	return n == TAR_BLOCK && tar_header_parse(block, &header, &bad) == 1;
}

/* ---- unpacked, and made what it shall be ---- */

struct merge {
	struct copy_place *place;
	const char *target;	 /* resolved */
	struct strv directories; /* that the archive names itself, sorted */
	int root_fd;		 /* what was unpacked */
};

static void merge_done(struct merge *m)
{
	strv_done(&m->directories);
	fd_cleanup_close(&m->root_fd);
}

static int compare_texts(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Undoes the %XX of a listing, in place. */
static void unescape(char *text)
{
	char *to = text;

	for (const char *p = text; *p; to++) {
		int high = *p == '%' ? num_hex_digit(p[1]) : -1;
		int low = high >= 0 ? num_hex_digit(p[2]) : -1;

		*to = low >= 0 ? (char)(high << 4 | low) : *p;
		p += low >= 0 ? 3 : 1;
	}
	*to = '\0';
}

/* The directories of the listing (storage/tree_list.h): TYPE and, as the ninth word, PATH. */
static void parse_list(char *text, struct strv *ret)
{
	char *line = NULL;

	while ((line = strsep(&text, "\n")) != NULL) {
		char *word = NULL;

		if (line[0] != 'd' || line[1] != ' ')
			continue;
		for (int i = 0; i < 9 && line; i++)
			word = strsep(&line, " ");
		if (!word)
			continue;
		unescape(word);
		strv_add(ret, word);
	}
	if (ret->n > 0)
		qsort(ret->items, ret->n, sizeof(ret->items[0]), compare_texts);
}

static bool is_named(const struct merge *m, const char *path)
{
	return m->directories.n > 0 &&
	       bsearch(&path, m->directories.items, m->directories.n,
		       sizeof(m->directories.items[0]), compare_texts) != NULL;
}

static int unpack(const struct build_place *where, int in_fd, struct merge *m, struct err *err)
{
	struct unpack_job job = UNPACK_JOB_INIT;
	struct unpack_result result;
	cleanup_close int list = open(where->dir, O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
	cleanup_str struct str text = STR_INIT;
	int rc = 0;

	job.in_fd = in_fd;
	job.dir_fd = m->root_fd;
	job.list_fd = list;
	if (list < 0)
		return err_sys(err, errno, "make room for a listing");
	if (unpack_run(where->engine->store, &job, 1, -1, NULL, NULL, &result, NULL, err) < 0)
		return -err->code;
	if (lseek(list, 0, SEEK_SET) < 0)
		return err_sys(err, errno, "read a listing");
	rc = fd_read_all(list, MAX_LIST, &text);
	if (rc < 0)
		return err_sys(err, -rc, "read a listing");
	if (text.len > 0)
		parse_list(text.buf, &m->directories);
	return 0;
}

static int adjust(const struct copy_place *p, int dir_fd, const char *name, const struct stat *st)
{
	struct timespec t = copy_place_clamp(p, st->st_mtim);
	const struct timespec times[2] = {t, t};
	mode_t mode = st->st_mode & 07777;

	if (p->owner.is_set &&
	    fchownat(dir_fd, name, p->owner.uid, p->owner.gid, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	/* Set-ID bits go with the owner. Nobody else writes here: it still is no link. */
	if (p->owner.is_set && mode & (S_ISUID | S_ISGID) && !S_ISLNK(st->st_mode) &&
	    fchmodat(dir_fd, name, mode, 0) < 0)
		return -errno;
	if (t.tv_sec == st->st_mtim.tv_sec && t.tv_nsec == st->st_mtim.tv_nsec)
		return 0;
	return utimensat(dir_fd, name, times, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
}

static bool is_whiteout(const struct stat *st)
{
	return S_ISCHR(st->st_mode) && st->st_rdev == 0;
}

static int adjust_dir(const struct copy_place *p, int fd);

static int adjust_name(const struct copy_place *p, int dir_fd, const char *name)
{
	cleanup_close int fd = -1;
	struct stat st;
	int rc = 0;

	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if (is_whiteout(&st))
		return unlinkat(dir_fd, name, 0) < 0 ? -errno : 0;
	if (S_ISDIR(st.st_mode)) {
		fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		rc = fd < 0 ? -errno : adjust_dir(p, fd);
	}
	return rc < 0 ? rc : adjust(p, dir_fd, name, &st);
}

/* Owners and times of all in the directory FD, which is at its beginning. As deep as an archive may
 * be. */
static int adjust_dir(const struct copy_place *p, int fd)
{
	cleanup_with(dir_names_done) struct dir_names names = {};
	int rc = dir_names_read(&names, fd);

	if (rc == 0 && fremovexattr(fd, "trusted.overlay.opaque") < 0 && errno != ENODATA &&
	    errno != ENOTSUP)
		rc = -errno;
	for (size_t i = 0; rc == 0 && i < names.n; i++)
		rc = adjust_name(p, fd, dir_names_get(&names, i));
	return rc;
}

/* ---- to where it belongs ---- */

/* Links are followed as if the target were the root. */
static int look_below_target(void *ctx, const char *path, struct stat *ret, char **ret_link,
			     struct err *err)
{
	const struct merge *m = ctx;
	cleanup_free char *full = copy_join(m->target, path);

	return copy_place_lookup(m->place, full, ret, ret_link, err);
}

/* Takes away what stands in the upper directory as PATH. */
static int clear_upper(const struct copy_place *p, const char *path, int *ret_dir_fd)
{
	cleanup_free char *dir = copy_dir_of(path);
	cleanup_close int fd = copy_place_open_upper(p, dir, O_RDONLY | O_DIRECTORY, 0);
	int rc = fd < 0 ? fd : fd_remove_tree_at(fd, copy_base(path));

	if (rc < 0)
		return rc;
	*ret_dir_fd = take_fd(fd);
	return 0;
}

/* Moves NAME of DIR_FD to PATH, whose directory is in the upper one. */
static int move(const struct merge *m, int dir_fd, const char *name, const char *path,
		struct err *err)
{
	cleanup_free char *dir = copy_dir_of(path);
	cleanup_close int to = -1;
	int rc = clear_upper(m->place, path, &to);

	if (rc == 0 && renameat(dir_fd, name, to, copy_base(path)) < 0)
		rc = -errno;
	if (rc < 0)
		return err_sys(err, -rc, "move /%s", path);
	copy_place_touch(m->place, dir, NULL);
	return 0;
}

/* What stood in the place of the directory PATH until now may have hidden another below. */
static int hide_below(const struct copy_place *p, const char *path, struct err *err)
{
	cleanup_close int below = p->lower_fd < 0 ? -1
						  : path_open_no_links(p->lower_fd, path,
								       O_PATH | O_DIRECTORY);
	cleanup_close int fd = -1;

	if (below < 0)
		return 0;
	fd = copy_place_open_upper(p, path, O_RDONLY | O_DIRECTORY, 0);
	if (fd < 0)
		return err_sys(err, -fd, "open /%s", path);
	if (fsetxattr(fd, "trusted.overlay.opaque", "y", 1, 0) < 0)
		return err_sys(err, errno, "hide what is below /%s", path);
	return 0;
}

static int merge_dir(struct merge *m, const char *from, const char *to, struct err *err);

/* The directory FROM of what was unpacked goes where /TO is a directory already. */
static int merge_subdir(struct merge *m, const char *from, const char *to, struct err *err)
{
	cleanup_close int fd = -1;
	cleanup_close int upper = -1;
	struct stat st;
	int rc = 0;

	if (copy_place_ensure_dir(m->place, to, NULL, err) < 0)
		return -err->code;
	if (!is_named(m, from))
		return merge_dir(m, from, to, err);
	fd = path_open_no_links(m->root_fd, from, O_RDONLY | O_DIRECTORY);
	upper = copy_place_open_upper(m->place, to, O_RDONLY | O_DIRECTORY, 0);
	rc = fd < 0 ? fd : upper;
	if (rc >= 0 && (fstat(fd, &st) < 0 || fchown(upper, st.st_uid, st.st_gid) < 0 ||
			fchmod(upper, st.st_mode & 07777) < 0))
		rc = -errno;
	if (rc >= 0)
		rc = copy_xattr_copy(fd, upper);
	if (rc < 0)
		return err_sys(err, -rc, "write /%s", to);
	if (merge_dir(m, from, to, err) < 0)
		return -err->code;
	copy_place_touch(m->place, to, &st.st_mtim);
	return 0;
}

static int merge_name(struct merge *m, int dir_fd, const char *from, const char *to,
		      struct err *err)
{
	cleanup_resolved struct copy_resolved there = {};
	const char *name = copy_base(from);
	const char *below = to + strlen(m->target);
	struct stat st;

	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(err, errno, "stat /%s", from);
	if (!S_ISDIR(st.st_mode))
		return move(m, dir_fd, name, to, err);
	if (copy_resolve(look_below_target, m, below, true, &there, err) < 0)
		return -err->code;
	if (there.exists && S_ISDIR(there.st.st_mode)) {
		cleanup_free char *path = copy_join(m->target, there.path);

		return merge_subdir(m, from, path, err);
	}
	if (move(m, dir_fd, name, to, err) < 0)
		return -err->code;
	return hide_below(m->place, to, err);
}

static int merge_dir(struct merge *m, const char *from, const char *to, struct err *err)
{
	cleanup_with(dir_names_done) struct dir_names names = {};
	cleanup_close int fd = path_open_no_links(m->root_fd, *from ? from : "/",
						  O_RDONLY | O_DIRECTORY);
	int rc = fd < 0 ? fd : dir_names_read(&names, fd);

	if (rc < 0)
		return err_sys(err, -rc, "read what was unpacked");
	dir_names_sort(&names);
	for (size_t i = 0; rc >= 0 && i < names.n; i++) {
		cleanup_free char *path = copy_join(from, dir_names_get(&names, i));
		cleanup_free char *target = copy_join(to, dir_names_get(&names, i));

		rc = merge_name(m, fd, path, target, err);
	}
	return rc;
}

/* ---- all of it ---- */

static int make_room(const struct build_place *where, int *ret_dir_fd, int *ret_fd, struct err *err)
{
	cleanup_close int dir = open(where->dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int fd = -1;

	if (dir < 0 || mkdirat(dir, UNPACK_NAME, 0755) < 0)
		return err_sys(err, errno, "make room to unpack");
	fd = openat(dir, UNPACK_NAME, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return err_sys(err, errno, "make room to unpack");
	*ret_dir_fd = take_fd(dir);
	*ret_fd = fd;
	return 0;
}

static int unpack_and_merge(struct merge *m, const struct build_place *where, int in_fd,
			    struct err *err)
{
	cleanup_close int fd = -1;
	int rc = 0;

	if (unpack(where, in_fd, m, err) < 0)
		return -err->code;
	fd = openat(m->root_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	rc = fd < 0 ? -errno : adjust_dir(m->place, fd);
	if (rc < 0)
		return err_sys(err, -rc, "set owners and times of what was unpacked");
	if (copy_place_ensure_dir(m->place, m->target, NULL, err) < 0)
		return -err->code;
	return merge_dir(m, "", m->target, err);
}

int copy_archive(struct copy_place *p, const struct build_place *where,
		 const struct select_source *source, const char *target, struct err *err)
{
	cleanup_with(merge_done) struct merge m = {.place = p, .root_fd = -1};
	cleanup_resolved struct copy_resolved resolved = {};
	cleanup_close int in = select_open(source, 0, NULL, err);
	cleanup_close int dir = -1;
	int rc = in < 0 ? in : is_archive(where->engine->store, in, err);

	if (rc <= 0)
		return rc;
	if (copy_place_resolve(p, target, &resolved, err) < 0 ||
	    make_room(where, &dir, &m.root_fd, err) < 0)
		return -err->code;
	m.target = resolved.path;
	rc = unpack_and_merge(&m, where, in, err);
	if (fd_remove_tree_at(dir, UNPACK_NAME) < 0 && rc >= 0)
		return err_set(err, ERR_SYSTEM, "remove what was unpacked");
	return rc < 0 ? err_wrap(err, "unpack %s", source->base) : 1;
}
