/* SPDX-License-Identifier: Apache-2.0 */
/* Layers from trees: what each file becomes, what a layer cannot say, and the same tree back. */
#include "../unit.h"

#include "archive/tar_read.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/sha256.h"
#include "base/str.h"
#include "storage/layer_apply.h"
#include "storage/layer_tree.h"
#include "storage/layer_write.h"
#include "tree_maker.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

enum { LIMIT = 64 << 20, N_RANDOM_TREES = 20 };

static const struct layer_write_options upper = {.is_upper = true}, plain = {};

/* ---- a directory of the test's own ---- */

struct place {
	char path[64];
	int fd;
};

static int make_place(void **state)
{
	struct place *p = mem_zalloc(sizeof(*p));

	snprintf(p->path, sizeof(p->path), "/tmp/layer-write-XXXXXX");
	if (!mkdtemp(p->path))
		return -1;
	p->fd = open(p->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	*state = p;
	/* The tests name modes exactly. */
	umask(0);
	return p->fd < 0 || fchmod(p->fd, 0755) < 0 ? -1 : 0;
}

static int remove_place(void **state)
{
	struct place *p = *state;
	int rc = fd_remove_tree_at(AT_FDCWD, p->path);

	close(p->fd);
	free(p);
	return rc;
}

static void need_root(const char *what)
{
	if (geteuid() == 0)
		return;
	print_message("needs root: %s\n", what);
	skip();
}

static void make_dir(const struct place *p, const char *name)
{
	assert_int_equal(mkdirat(p->fd, name, 0755), 0);
}

static void make_file(const struct place *p, const char *name, const char *content)
{
	assert_int_equal(fd_write_file_at(p->fd, name, content, strlen(content), 0644), 0);
}

static void make_whiteout(const struct place *p, const char *name)
{
	assert_int_equal(mknodat(p->fd, name, S_IFCHR, makedev(0, 0)), 0);
}

static void set_xattr(const struct place *p, const char *path, const char *name, const void *value,
		      size_t len)
{
	cleanup_close int fd = openat(p->fd, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

	if (fsetxattr(fd, name, value, len, 0) == 0)
		return;
	assert_int_equal(errno, ENOTSUP);
	print_message("the file system of /tmp has no %s\n", name);
	skip();
}

/* ---- an archive of it ---- */

static void archive(const struct place *p, const struct layer_write_options *options,
		    struct str *ret)
{
	cleanup_close int fd = memfd_create("archive", MFD_CLOEXEC);
	struct err err = ERR_INIT;

	if (layer_write(p->fd, fd, options, &err) < 0)
		fail_msg("%s", err.msg);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	str_truncate(ret, 0);
	assert_int_equal(fd_read_all(fd, LIMIT, ret), 0);
}

static void describe_entry(const struct tar_entry *e, struct str *out)
{
	str_addf(out, "%c %04o %s", "-hlcbdp"[e->type], e -> mode, e -> path);
	if (*e->link)
		str_addf(out, " -> %s", e->link);
	if (e->size)
		str_addf(out, " %llu/%llu", (unsigned long long)e->size,
			 (unsigned long long)e->stored);
	for (size_t i = 0; i < e->n_xattrs; i++)
		str_addf(out, " %s", e->xattrs[i].name);
	str_add_char(out, '\n');
}

static void list(const struct str *tar, struct str *ret)
{
	struct mem_source src;
	struct tar_entry e = {};
	struct err err = ERR_INIT;
	int rc = 0;

	mem_source_init(&src, str_get(tar), tar->len, 0);
	cleanup_tar_reader struct tar_reader *r = tar_reader_new(&src.base);

	str_truncate(ret, 0);
	while ((rc = tar_reader_next(r, &e, &err)) > 0)
		describe_entry(&e, ret);
	if (rc < 0)
		fail_msg("%s", err.msg);
}

static void expect_list(const struct place *p, const struct layer_write_options *options,
			const char *want)
{
	cleanup_str struct str tar = STR_INIT;
	cleanup_str struct str got = STR_INIT;

	archive(p, options, &tar);
	list(&tar, &got);
	assert_string_equal(str_get(&got), want);
}

static void expect_refusal(const struct place *p, const struct layer_write_options *options,
			   const char *want)
{
	cleanup_close int fd = memfd_create("archive", MFD_CLOEXEC);
	struct err err = ERR_INIT;

	if (layer_write(p->fd, fd, options, &err) >= 0)
		fail_msg("expected \"%s\"", want);
	assert_string_equal(err.msg, want);
}

/* ---- what becomes of what ---- */

static void kinds_and_order(void **state)
{
	const struct place *p = *state;

	make_dir(p, "b");
	make_dir(p, "b/empty");
	make_file(p, "b/z", "zz");
	make_file(p, "b.c", "");
	make_file(p, "a", "first");
	assert_int_equal(symlinkat("/nowhere", p->fd, "link"), 0);
	assert_int_equal(mkfifoat(p->fd, "pipe", 0640), 0);
	assert_int_equal(mknodat(p->fd, "socket", S_IFSOCK | 0600, 0), 0);
	assert_int_equal(linkat(p->fd, "a", p->fd, "b/a", 0), 0);
	assert_int_equal(linkat(p->fd, "link", p->fd, "same link", 0), 0);
	assert_int_equal(linkat(p->fd, "b/z", p->fd, "Z", 0), 0);
	assert_int_equal(fchmodat(p->fd, "b.c", 06755, 0), 0);
	expect_list(p, &plain,
		    "d 0755 ./\n"
		    "- 0644 Z 2/2\n"
		    "- 0644 a 5/5\n"
		    "d 0755 b/\n"
		    "h 0644 b/a -> a\n"
		    "d 0755 b/empty/\n"
		    "h 0644 b/z -> Z\n"
		    "- 6755 b.c\n"
		    "l 0777 link -> /nowhere\n"
		    "p 0640 pipe\n"
		    "h 0777 same link -> link\n");
}

static void names_under_a_prefix(void **state)
{
	const struct place *p = *state;

	make_file(p, "f", "");
	assert_int_equal(linkat(p->fd, "f", p->fd, "g", 0), 0);
	expect_list(p, &(struct layer_write_options){.prefix = "dir/"},
		    "d 0755 dir/\n"
		    "- 0644 dir/f\n"
		    "h 0644 dir/g -> dir/f\n");
}

static void marks_of_overlayfs(void **state)
{
	const struct place *p = *state;

	need_root("marks of overlayfs are trusted attributes and devices");
	make_dir(p, "d");
	make_file(p, "d/.a", "");
	make_file(p, "d/z", "");
	make_whiteout(p, "d/gone");
	/* overlayfs links one whiteout under many names. */
	assert_int_equal(linkat(p->fd, "d/gone", p->fd, "away", 0), 0);
	assert_int_equal(mknodat(p->fd, "null", S_IFCHR | 0666, makedev(1, 3)), 0);
	set_xattr(p, "d", "trusted.overlay.opaque", "y", 1);
	set_xattr(p, "d", "trusted.overlay.origin", "...", 3);
	set_xattr(p, "d", "trusted.overlay.impure", "y", 1);
	expect_list(p, &upper,
		    "d 0755 ./\n"
		    "- 0600 .wh.away\n"
		    "d 0755 d/\n"
		    "- 0600 d/.wh..wh..opq\n"
		    "- 0644 d/.a\n"
		    "- 0600 d/.wh.gone\n"
		    "- 0644 d/z\n"
		    "c 0666 null\n");
	/* The same tree as an ordinary one. */
	expect_list(p, &plain,
		    "d 0755 ./\n"
		    "c 0000 away\n"
		    "d 0755 d/\n"
		    "- 0644 d/.a\n"
		    "h 0000 d/gone -> away\n"
		    "- 0644 d/z\n"
		    "c 0666 null\n");
}

/* The engine's overlays have no userxattr: these are what a program in the container wrote. */
static void user_attributes_are_no_marks(void **state)
{
	const struct place *p = *state;

	make_dir(p, "d");
	set_xattr(p, "d", "user.overlay.opaque", "y", 1);
	set_xattr(p, "d", "user.overlay.redirect", "/x", 2);
	set_xattr(p, "d", "user.b", "1", 1);
	set_xattr(p, "d", "user.a", "2", 1);
	expect_list(p, &upper,
		    "d 0755 ./\n"
		    "d 0755 d/ user.a user.b\n");
}

static void capabilities_are_kept(void **state)
{
	const struct place *p = *state;

	need_root("file capabilities are set");
	make_file(p, "ping", "x");
	set_xattr(p, "ping", "security.capability", "\1\0\0\2\0\4\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 20);
	set_xattr(p, "ping", "trusted.x", "1", 1);
	/* docker changes the owner of a link too, which takes the capabilities away. */
	assert_int_equal(linkat(p->fd, "ping", p->fd, "pong", 0), 0);
	expect_list(p, &upper,
		    "d 0755 ./\n"
		    "- 0644 ping 1/1 security.capability\n"
		    "h 0644 pong -> ping security.capability\n");
}

static void what_a_layer_cannot_say(void **state)
{
	static const struct {
		const char *name, *value, *message;
	} rows[] = {
		{"trusted.overlay.redirect", "/old",
		 "d/: trusted.overlay.redirect: a renamed directory of a lower layer "
		 "(redirect_dir)"},
		{"trusted.overlay.metacopy", "",
		 "d/: trusted.overlay.metacopy: a file whose content is in a lower layer "
		 "(metacopy)"},
		{"trusted.overlay.whiteout", "y",
		 "d/: trusted.overlay.whiteout: a whiteout of another notation"},
		{"trusted.overlay.opaque", "x",
		 "d/: trusted.overlay.opaque: a mark of another notation"},
		{"trusted.overlay.opaque", "yes",
		 "d/: trusted.overlay.opaque: a mark of another notation"},
	};
	const struct place *p = *state;

	need_root("marks of overlayfs are trusted attributes");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		make_dir(p, "d");
		set_xattr(p, "d", rows[i].name, rows[i].value, strlen(rows[i].value));
		expect_refusal(p, &upper, rows[i].message);
		expect_list(p, &plain, "d 0755 ./\nd 0755 d/\n");
		assert_int_equal(unlinkat(p->fd, "d", AT_REMOVEDIR), 0);
	}
	make_file(p, "f", "");
	set_xattr(p, "f", "trusted.overlay.metacopy", "", 0);
	expect_refusal(p, &upper,
		       "f: trusted.overlay.metacopy: a file whose content is in a lower layer "
		       "(metacopy)");
}

static void names_that_mean_deletions(void **state)
{
	const struct place *p = *state;

	make_dir(p, "d");
	make_file(p, "d/.wh.x", "kept");
	expect_list(p, &plain, "d 0755 ./\nd 0755 d/\n- 0644 d/.wh.x 4/4\n");
	expect_refusal(p, &upper,
		       "d/.wh.x: a layer cannot hold this name, which would mean a deletion");
}

static void an_untouched_upper_is_empty(void **state)
{
	const struct place *p = *state;
	cleanup_str struct str tar = STR_INIT;

	need_root("the upper directory is root's");
	archive(p, &upper, &tar);
	assert_int_equal(tar.len, 1024);
	assert_int_equal(fchmod(p->fd, 01777), 0);
	expect_list(p, &upper, "d 1777 ./\n");
	assert_int_equal(fchmod(p->fd, 0755), 0);
	expect_list(p, &plain, "d 0755 ./\n");
	set_xattr(p, ".", "trusted.overlay.opaque", "y", 1);
	expect_list(p, &upper, "d 0755 ./\n- 0600 .wh..wh..opq\n");
}

/* ---- holes ---- */

static void write_at(const struct place *p, const char *name, off_t offset, const void *bytes,
		     size_t len)
{
	cleanup_close int fd = openat(p->fd, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

	assert_int_equal(pwrite(fd, bytes, len, offset), len);
}

static void holes_follow_from_the_content(void **state)
{
	const struct place *p = *state;
	cleanup_free char *zeros = mem_zalloc(1 << 20);
	struct stat st;

	/* A hole of one MiB, and the same bytes with all but one block of it written; the last
	 * block is zeros but for its last byte. */
	write_at(p, "a", 0, "x", 1);
	write_at(p, "a", (1 << 20) + 4095, "y", 1);
	write_at(p, "b", 0, "x", 1);
	write_at(p, "b", 8192, zeros, (1 << 20) - 8192);
	write_at(p, "b", (1 << 20) + 4095, "y", 1);
	/* Nothing but a hole; one at the end; none at all; none that is a block. */
	make_file(p, "c", "");
	make_file(p, "d", "d");
	write_at(p, "e", 0, zeros, 1 << 20);
	make_file(p, "f", "end");
	cleanup_close int c = openat(p->fd, "c", O_WRONLY | O_CLOEXEC);
	cleanup_close int d = openat(p->fd, "d", O_WRONLY | O_CLOEXEC);

	assert_int_equal(ftruncate(c, 1 << 30), 0);
	assert_int_equal(ftruncate(d, 10000), 0);
	assert_int_equal(fstatat(p->fd, "a", &st, 0), 0);
	if (st.st_blocks >= 2048) {
		print_message("the file system of /tmp has no holes\n");
		skip();
	}
	expect_list(p, &plain,
		    "d 0755 ./\n"
		    "- 0644 a 1052672/8192\n"
		    "- 0644 b 1052672/8192\n"
		    "- 0644 c 1073741824/0\n"
		    "- 0644 d 10000/4096\n"
		    "- 0644 e 1048576/1048576\n"
		    "- 0644 f 3/3\n");
}

/* ---- trees that are large or in use ---- */

/* DEPTH directories called NAME, one in another, a file behind each, and one in the last. */
static void make_deep(const struct place *p, const char *name, unsigned depth)
{
	cleanup_close int fd = dup(p->fd);

	for (unsigned i = 0; i < depth; i++) {
		int next = mkdirat(fd, name, 0755) < 0
				   ? -1
				   : openat(fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		assert_true(next >= 0);
		close(fd);
		fd = next;
		assert_int_equal(fd_write_file_at(fd, "z", "", 0, 0644), 0);
	}
	assert_int_equal(fd_write_file_at(fd, "f", "x", 1, 0644), 0);
}

static void count_deepest(const struct str *tar, unsigned *ret_depth, unsigned *ret_entries)
{
	struct mem_source src;
	struct tar_entry e = {};
	struct err err = ERR_INIT;

	mem_source_init(&src, str_get(tar), tar->len, 0);
	cleanup_tar_reader struct tar_reader *r = tar_reader_new(&src.base);

	*ret_depth = 0;
	*ret_entries = 0;
	while (tar_reader_next(r, &e, &err) > 0) {
		unsigned depth = 0;

		for (const char *c = e.path; *c; c++)
			depth += *c == '/';
		*ret_depth = depth > *ret_depth ? depth : *ret_depth;
		++*ret_entries;
	}
}

static void deep_trees_with_few_descriptors(void **state)
{
	const struct place *p = *state;
	const struct rlimit few = {64, 64};
	struct rlimit before;
	cleanup_str struct str tar = STR_INIT;
	unsigned depth = 0, entries = 0;

	make_deep(p, "d", 200);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &(struct rlimit){few.rlim_cur, before.rlim_max}),
			 0);
	archive(p, &plain, &tar);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	count_deepest(&tar, &depth, &entries);
	assert_int_equal(depth, 200);
	assert_int_equal(entries, 1 + 200 * 2 + 1);
}

static void layers_as_deep_as_can_be_unpacked(void **state)
{
	const struct place *p = *state;
	cleanup_str struct str tar = STR_INIT;
	cleanup_str struct str deepest = STR_INIT;
	cleanup_close int fd = memfd_create("archive", MFD_CLOEXEC);
	unsigned depth = 0, entries = 0;
	struct err err = ERR_INIT;

	make_deep(p, "d", LAYER_MAX_DEPTH);
	assert_true(layer_write(p->fd, fd, &upper, &err) < 0);
	assert_non_null(strstr(err.msg, "/f: deeper than the 255 directories of a layer"));
	for (int i = 0; i < LAYER_MAX_DEPTH; i++)
		str_add(&deepest, "d/");
	for (const char *name = "f"; *name; name = *name == 'f' ? "z" : "") {
		str_truncate(&deepest, 2 * LAYER_MAX_DEPTH);
		str_add(&deepest, name);
		assert_int_equal(unlinkat(p->fd, deepest.buf, 0), 0);
	}
	archive(p, &upper, &tar);
	count_deepest(&tar, &depth, &entries);
	/* The slash behind the last one's name is counted too. */
	assert_int_equal(depth, LAYER_MAX_DEPTH);
}

static void paths_longer_than_any_reader_takes(void **state)
{
	const struct place *p = *state;
	cleanup_close int fd = memfd_create("archive", MFD_CLOEXEC);
	struct err err = ERR_INIT;

	make_deep(p, "a name of sixty-four bytes, so that few of them make a long path", 64);
	assert_true(layer_write(p->fd, fd, &plain, &err) < 0);
	assert_non_null(strstr(err.msg, ": name longer than 4096 bytes"));
}

/* The writer stands still in a full pipe while the file it is reading is cut or grows. */
static void files_that_change_meanwhile(void **state)
{
	static const off_t sizes[] = {100000, 3 << 20};
	const struct place *p = *state;
	cleanup_free char *bytes = mem_alloc(2 << 20);

	memset(bytes, 'x', 2 << 20);
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		cleanup_str struct str tar = STR_INIT;
		cleanup_str struct str got = STR_INIT;
		cleanup_close int file = -1;
		int fds[2], status = 0;

		write_at(p, "a", 0, bytes, 2 << 20);
		make_file(p, "b", "after");
		file = openat(p->fd, "a", O_WRONLY | O_CLOEXEC);
		assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
		pid_t pid = fork();

		if (pid == 0) {
			struct err err = ERR_INIT;

			close(fds[0]);
			_exit(layer_write(p->fd, fds[1], &plain, &err) < 0);
		}
		close(fds[1]);
		/* Its first bytes say that the header is written, and the size with it. */
		assert_int_equal(fd_read_full(fds[0], str_reserve(&tar, 2048), 2048), 2048);
		tar.len = 2048;
		assert_int_equal(ftruncate(file, sizes[i]), 0);
		assert_int_equal(fd_read_all(fds[0], LIMIT, &tar), 0);
		close(fds[0]);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(status, 0);
		list(&tar, &got);
		assert_string_equal(str_get(&got), "d 0755 ./\n"
						   "- 0644 a 2097152/2097152\n"
						   "- 0644 b 5/5\n");
	}
}

static void access_times_stay(void **state)
{
	static const struct timespec times[2] = {{1000, 5}, {2000, 6}};
	const struct place *p = *state;
	cleanup_str struct str tar = STR_INIT;
	struct stat st;

	make_dir(p, "d");
	make_file(p, "d/f", "content");
	assert_int_equal(utimensat(p->fd, "d/f", times, 0), 0);
	assert_int_equal(utimensat(p->fd, "d", times, 0), 0);
	archive(p, &upper, &tar);
	assert_int_equal(fstatat(p->fd, "d/f", &st, 0), 0);
	assert_int_equal(st.st_atim.tv_sec, 1000);
	assert_int_equal(fstatat(p->fd, "d", &st, 0), 0);
	assert_int_equal(st.st_atim.tv_sec, 1000);
}

/* ---- there and back ---- */

static void apply(const struct str *tar, int root_fd, bool literal, uint64_t seed)
{
	struct mem_source src;
	const struct layer_options options = {.literal_whiteouts = literal,
					      .maker = &layer_maker_direct};
	struct layer_result result = {};
	struct err err = ERR_INIT;

	mem_source_init(&src, str_get(tar), tar->len, 1000);
	cleanup_tar_reader struct tar_reader *r = tar_reader_new(&src.base);

	if (layer_apply(root_fd, r, &options, &result, &err) < 0)
		fail_msg("seed %llu: %s", (unsigned long long)seed, err.msg);
}

static void round_trip(const struct place *p, uint64_t seed)
{
	const struct layer_write_options *options = seed % 2 ? &upper : &plain;
	cleanup_str struct str first = STR_INIT;
	cleanup_str struct str second = STR_INIT;
	cleanup_str struct str want = STR_INIT;
	cleanup_str struct str got = STR_INIT;
	struct place from = {}, to = {};
	struct stat st;

	make_dir(p, "from");
	make_dir(p, "to");
	from.fd = openat(p->fd, "from", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	to.fd = openat(p->fd, "to", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	tree_make_random(from.fd, seed, options->is_upper);
	archive(&from, options, &first);
	apply(&first, to.fd, !options->is_upper, seed);
	tree_describe(from.fd, &want);
	tree_describe(to.fd, &got);
	if (strcmp(str_get(&want), str_get(&got)) != 0)
		fail_msg("seed %llu: want\n%s\ngot\n%s", (unsigned long long)seed, str_get(&want),
			 str_get(&got));
	archive(&to, options, &second);
	assert_int_equal(fstat(to.fd, &st), 0);
	if (first.len != second.len || memcmp(first.buf, second.buf, first.len) != 0)
		fail_msg("seed %llu: the second archive is another", (unsigned long long)seed);
	close(from.fd);
	close(to.fd);
	assert_int_equal(fd_remove_tree_at(p->fd, "from"), 0);
	assert_int_equal(fd_remove_tree_at(p->fd, "to"), 0);
}

static void random_trees_come_back(void **state)
{
	need_root("owners, devices and attributes of all kinds are set");
	for (uint64_t seed = 1; seed <= N_RANDOM_TREES; seed++)
		round_trip(*state, seed);
}

/* The same tree has the same bytes on every machine: tests/data/layer.sha256. */
static void golden(void **state)
{
	static const struct timespec times[2] = {{1700000000, 0}, {1700000000, 123456789}};
	static const char *const names[] = {"usr/bin/tool", "usr/caf\xc3\xa9", "usr/bin", "usr",
					    "."};
	const struct place *p = *state;
	cleanup_str struct str want = STR_INIT;
	cleanup_str struct str tar = STR_INIT;
	char got[SHA256_HEX_LEN + 2] = {};

	need_root("the files are root's, marks of overlayfs are in it");
	make_dir(p, "usr");
	make_dir(p, "usr/bin");
	make_file(p, "usr/bin/tool", "#!/bin/sh\n");
	make_file(p, "usr/caf\xc3\xa9", "x");
	make_whiteout(p, "usr/gone");
	write_at(p, "usr/caf\xc3\xa9", 1 << 20, "y", 1);
	assert_int_equal(linkat(p->fd, "usr/bin/tool", p->fd, "usr/bin/alias", 0), 0);
	assert_int_equal(fchmodat(p->fd, "usr/bin/tool", 04755, 0), 0);
	set_xattr(p, "usr/bin", "trusted.overlay.opaque", "y", 1);
	set_xattr(p, "usr/bin/tool", "user.z", "\0z", 2);
	set_xattr(p, "usr/bin/tool", "user.a", "a", 1);
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		assert_int_equal(utimensat(p->fd, names[i], times, 0), 0);
	archive(p, &upper, &tar);
	sha256_hex(tar.buf, tar.len, got);
	got[SHA256_HEX_LEN] = '\n';
	assert_int_equal(fd_read_file_at(AT_FDCWD, DATA_DIR "/layer.sha256", 1000, &want), 0);
	assert_string_equal(got, want.buf);
}

int main(void)
{
#define test(f) cmocka_unit_test_setup_teardown(f, make_place, remove_place)
	const struct CMUnitTest tests[] = {
		test(kinds_and_order),
		test(names_under_a_prefix),
		test(marks_of_overlayfs),
		test(user_attributes_are_no_marks),
		test(capabilities_are_kept),
		test(what_a_layer_cannot_say),
		test(names_that_mean_deletions),
		test(an_untouched_upper_is_empty),
		test(holes_follow_from_the_content),
		test(deep_trees_with_few_descriptors),
		test(layers_as_deep_as_can_be_unpacked),
		test(paths_longer_than_any_reader_takes),
		test(files_that_change_meanwhile),
		test(access_times_stay),
		test(random_trees_come_back),
		test(golden),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
