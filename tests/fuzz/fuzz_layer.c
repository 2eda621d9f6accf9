/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz target: any bytes as an archive that is applied as a layer, in a directory of a file system
 * of the target's own. The first byte chooses the pieces that the source hands out, whether .wh.
 * names are ordinary ones, and whether headers get right checksums, without which few changed bytes
 * would be read.
 *
 * Whatever the archive is, nothing outside the directory may change. When the applier took it, a
 * model that works in memory (layer_model.c) must take it too and hold the same tree, to the last
 * field.
 *
 * Needs root for devices and attributes; without, only the model runs.
 */
#include "archive/tar_read.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"
#include "layer_model.h"
#include "storage/layer_apply.h"
#include "storage/layer_tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char canary[] = "untouched";
static bool has_user_xattrs; /* tmpfs: since Linux 6.6 */

#define require(condition)                                                                   \
	do {                                                                                 \
		if (!(condition)) {                                                          \
			fprintf(stderr, "%s:%d: %s (%m)\n", __FILE__, __LINE__, #condition); \
			abort();                                                             \
		}                                                                            \
	} while (0)

/* ---- a place for it ---- */

/* A tmpfs that nobody else sees, as the working directory: gone with this process. -1 without root.
 */
static int open_stage(void)
{
	static const char place[] = "/dev/shm";

	if (geteuid() != 0 || unshare(CLONE_NEWNS) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("tmpfs", place, "tmpfs", 0, "size=256m") < 0) {
		fprintf(stderr, "not root: archives are not really applied\n");
		return -1;
	}
	umask(0);
	int fd = open(place, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	require(fd >= 0);
	require(fd_write_file_at(fd, "canary", canary, sizeof(canary), 0600) == 0);
	has_user_xattrs = setxattr("/dev/shm/canary", "user.x", "x", 1, 0) == 0;
	return fd;
}

static void expect_untouched(int stage_fd)
{
	cleanup_str struct str text = STR_INIT;
	struct dirent **entries = NULL;
	int n = scandirat(stage_fd, ".", &entries, NULL, alphasort);

	require(n == 4); /* with "." and ".." */
	require(strcmp(entries[2]->d_name, "canary") == 0);
	require(strcmp(entries[3]->d_name, "root") == 0);
	require(fd_read_file_at(stage_fd, "canary", 100, &text) == 0);
	require(text.len == sizeof(canary) && memcmp(text.buf, canary, text.len) == 0);
	for (int i = 0; i < n; i++)
		free(entries[i]);
	free(entries);
}

/* ---- comparing ---- */

/* Version 3 capabilities come back as version 2 where the kernel can say them so. */
static bool is_comparable(const struct model_xattr *x)
{
	return strcmp(x->name, "security.capability") != 0 || x->len == 20;
}

static void compare_xattrs(const struct model_node *n, int fd)
{
	static char names[XATTR_LIST_MAX]; /* not on the stack: directories are deep */
	ssize_t len = flistxattr(fd, names, sizeof(names));
	size_t expected = n->n_xattrs + n->is_opaque, found = 0;

	require(len >= 0);
	for (const char *name = names; name < names + len; name += strlen(name) + 1)
		found++;
	require(found == expected || !has_user_xattrs);
	for (size_t i = 0; i < n->n_xattrs; i++) {
		const struct model_xattr *x = &n->xattrs[i];
		cleanup_free char *value = mem_alloc(x->len + 1);

		if (!is_comparable(x) || (!has_user_xattrs && str_has_prefix(x->name, "user.")))
			continue;
		require(fgetxattr(fd, x->name, value, x->len + 1) == (ssize_t)x->len);
		require(memcmp(value, x->value, x->len) == 0);
	}
	if (n->is_opaque)
		require(fgetxattr(fd, "trusted.overlay.opaque", names, 2) == 1 && names[0] == 'y');
}

/* Bytes that no piece says are a hole. */
static void expect_zeros(int fd, uint64_t from, uint64_t to)
{
	static const char zeros[4096];
	char buf[sizeof(zeros)];
	const uint64_t some = 64 * 1024;

	/* Of a hole of any size the beginning will do. */
	for (to = to - from < some ? to : from + some; from < to;) {
		size_t want = to - from < sizeof(buf) ? (size_t)(to - from) : sizeof(buf);

		require(pread(fd, buf, want, (off_t)from) == (ssize_t)want);
		require(memcmp(buf, zeros, want) == 0);
		from += want;
	}
}

static void compare_content(const struct model_node *n, int fd)
{
	uint64_t at = 0;

	for (size_t i = 0; i < n->n_pieces; i++) {
		const struct model_piece *p = &n->pieces[i];
		cleanup_free char *buf = mem_alloc(p->len);

		expect_zeros(fd, at, p->offset);
		require(pread(fd, buf, p->len, (off_t)p->offset) == (ssize_t)p->len);
		require(memcmp(buf, n->bytes.buf + p->at, p->len) == 0);
		at = p->offset + p->len;
	}
	expect_zeros(fd, at, n->size);
}

static void compare_stat(struct model_node *n, const struct stat *st)
{
	require((st->st_mode & S_IFMT) == (n->mode & S_IFMT));
	/* What a whiteout is beside its kind means nothing. */
	if (model_is_whiteout(n))
		return;
	require(S_ISLNK(n->mode) || st->st_mode == n->mode);
	require(st->st_uid == n->uid && st->st_gid == n->gid);
	require(!n->has_time ||
		(st->st_mtim.tv_sec == n->mtime.tv_sec && st->st_mtim.tv_nsec == n->mtime.tv_nsec));
	if (S_ISCHR(n->mode) || S_ISBLK(n->mode))
		require(st->st_rdev == makedev(n->dev_major, n->dev_minor));
	if (S_ISDIR(n->mode))
		return;
	/* The same file has all its names, and no other file has them. */
	require(st->st_nlink == n->n_links);
	require(!n->ino || n->ino == st->st_ino);
	n->ino = st->st_ino;
}

static void compare(struct model_node *n, int dir_fd, const char *name);

static void compare_dir(struct model_node *n, int fd)
{
	int copy = dup(fd);
	DIR *dir = fdopendir(copy);
	size_t found = 0;

	require(dir);
	while (readdir(dir))
		found++;
	closedir(dir);
	require(found == n->n_children + 2);
	for (size_t i = 0; i < n->n_children; i++)
		compare(n->children[i].node, fd, n->children[i].name);
}

static void compare(struct model_node *n, int dir_fd, const char *name)
{
	cleanup_close int fd = -1;
	char target[PATH_MAX + 1] = {};
	struct stat st;

	require(fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0);
	compare_stat(n, &st);
	if (S_ISLNK(n->mode)) {
		require(readlinkat(dir_fd, name, target, PATH_MAX) > 0);
		require(strcmp(target, n->target) == 0);
	}
	if (!S_ISREG(n->mode) && !S_ISDIR(n->mode))
		return;
	fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	require(fd >= 0);
	compare_xattrs(n, fd);
	if (S_ISDIR(n->mode)) {
		compare_dir(n, fd);
		return;
	}
	require((uint64_t)st.st_size == n->size);
	compare_content(n, fd);
}

/* ---- one input ---- */

enum { SIGN = 0x40, LITERAL = 0x80, STEP = 0x3f, BLOCK = 512, AT_CHECKSUM = 148, AT_MAGIC = 257 };

/* Makes the checksum right of each block that looks like a header. */
static void sign_headers(uint8_t *bytes, size_t len)
{
	for (; len >= BLOCK; bytes += BLOCK, len -= BLOCK) {
		char text[8];
		unsigned sum = 0;

		if (memcmp(bytes + AT_MAGIC, "ustar", 5) != 0)
			continue;
		memset(bytes + AT_CHECKSUM, ' ', sizeof(text));
		for (size_t i = 0; i < BLOCK; i++)
			sum += bytes[i];
		snprintf(text, sizeof(text), "%06o", sum);
		memcpy(bytes + AT_CHECKSUM, text, sizeof(text) - 1);
	}
}

static int apply_really(int stage_fd, const struct mem_source *from, bool literal)
{
	const struct layer_options options = {.literal_whiteouts = literal,
					      .maker = &layer_maker_direct};
	cleanup_close int root = -1;
	struct mem_source src = *from;
	struct layer_result result = {};
	struct err err = ERR_INIT;
	int rc = 0;

	require(mkdirat(stage_fd, "root", 0755) == 0);
	root = openat(stage_fd, "root", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cleanup_tar_reader struct tar_reader *r = tar_reader_new(&src.base);

	rc = layer_apply(root, r, &options, &result, &err);
	require(rc >= 0 || (err.code && *err.msg));
	return rc;
}

static void run(int stage_fd, const struct mem_source *from, bool literal)
{
	struct mem_source src = *from;
	cleanup_tar_reader struct tar_reader *r = tar_reader_new(&src.base);
	struct model m;
	int expected = 0;

	model_init(&m, literal);
	expected = model_apply(&m, r);
	if (stage_fd >= 0) {
		if (apply_really(stage_fd, from, literal) >= 0) {
			require(expected >= 0);
			compare(m.root, stage_fd, "root");
		}
		expect_untouched(stage_fd);
		require(fd_remove_tree_at(stage_fd, "root") == 0);
	}
	model_done(&m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int stage_fd = -2;
	cleanup_free uint8_t *bytes = NULL;
	struct mem_source src;

	if (stage_fd == -2)
		stage_fd = open_stage();
	if (!size)
		return 0;
	bytes = mem_dup(data + 1, size - 1);
	if (data[0] & SIGN)
		sign_headers(bytes, size - 1);
	mem_source_init(&src, bytes, size - 1, data[0] & STEP);
	run(stage_fd, &src, data[0] & LITERAL);
	return 0;
}
