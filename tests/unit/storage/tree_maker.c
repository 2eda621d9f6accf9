/* SPDX-License-Identifier: Apache-2.0 */
/* Random trees, and their descriptions. Nothing here is shared with the code under test. */
#include "tree_maker.h"

#include "base/fd.h"
#include "base/mem.h"
#include "base/rand.h"
#include "base/sha256.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#define require(condition)                                                                  \
	do {                                                                                \
		if (!(condition)) {                                                         \
			fprintf(stderr, "%s:%d: %s: %m\n", __FILE__, __LINE__, #condition); \
			abort();                                                            \
		}                                                                           \
	} while (0)

enum { MAX_DEPTH = 5, MAX_NAMES = 9 };

/* ---- making ---- */

struct maker {
	uint64_t state;
	bool in_upper;
	struct strv links; /* names, from the top, of what may get a second one */
	int top_fd;
};

/* xorshift64*: the same on every machine. */
static uint64_t next(struct maker *m)
{
	m->state ^= m->state >> 12;
	m->state ^= m->state << 25;
	m->state ^= m->state >> 27;
	return m->state * 2685821657736338717ull >> 8;
}

static uint64_t below(struct maker *m, uint64_t n)
{
	return next(m) % n;
}

static void make_name(struct maker *m, char name[static 256])
{
	size_t len = below(m, 8) ? 1 + below(m, 12) : 1 + below(m, 255);

	do {
		for (size_t i = 0; i < len; i++) {
			char c = (char)(below(m, 3) ? 'a' + below(m, 26) : 1 + below(m, 255));

			name[i] = c == '/' ? '_' : c;
		}
		name[len] = '\0';
	} while (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || str_has_prefix(name, ".wh."));
}

static void set_xattrs(struct maker *m, int fd, bool is_file)
{
	uint8_t value[40];

	for (uint64_t n = below(m, 6) ? 0 : below(m, 4); n; n--) {
		cleanup_free char *name = str_printf("user.%c%s", (char)('a' + below(m, 26)),
						     below(m, 4) ? "" : "=b");

		for (size_t i = 0; i < sizeof(value); i++)
			value[i] = (uint8_t)below(m, 256);
		/* Not every file system has them. */
		(void)!fsetxattr(fd, name, value, below(m, sizeof(value)), 0);
	}
	if (is_file && below(m, 12) == 0)
		require(fsetxattr(fd, "security.capability",
				  "\1\0\0\2\0\4\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 20, 0) == 0);
}

static void set_meta(struct maker *m, int dir_fd, const char *name, bool is_symlink)
{
	uid_t uid = (uid_t)(below(m, 3) ? below(m, 2000) : below(m, UINT32_MAX));
	struct timespec times[2] = {};
	mode_t mode = (mode_t)below(m, 010000);

	times[0].tv_sec = times[1].tv_sec = (time_t)below(m, 1ull << 35) - (1ll << 33);
	times[0].tv_nsec = times[1].tv_nsec = below(m, 3) ? (long)below(m, 1000000000) : 0;
	require(fchownat(dir_fd, name, uid, (gid_t)below(m, 70000), AT_SYMLINK_NOFOLLOW) == 0);
	require(is_symlink || fchmodat(dir_fd, name, mode, 0) == 0);
	require(utimensat(dir_fd, name, times, AT_SYMLINK_NOFOLLOW) == 0);
}

static void write_content(struct maker *m, int fd)
{
	static const size_t sizes[] = {0, 1, 511, 512, 4095, 4096, 4097, 70000, 200001};
	size_t size = sizes[below(m, ARRAY_LEN(sizes))];
	cleanup_free uint8_t *bytes = mem_alloc(size);

	for (size_t i = 0; i < size; i++)
		bytes[i] = (uint8_t)next(m);
	require(fd_write_full(fd, bytes, size) == 0);
	if (below(m, 4))
		return;
	/* Holes, zeros that are stored, and more bytes behind them. */
	require(lseek(fd, (off_t)below(m, 300000), SEEK_CUR) >= 0);
	memset(bytes, 0, size);
	require(fd_write_full(fd, bytes, size) == 0);
	require(below(m, 2) || fd_write_full(fd, "end", 3) == 0);
	require(ftruncate(fd, lseek(fd, 0, SEEK_CUR) + (off_t)below(m, 20000)) == 0);
}

static void make_file(struct maker *m, int dir_fd, const char *name)
{
	cleanup_close int fd = openat(dir_fd, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	require(fd >= 0);

	write_content(m, fd);
	set_meta(m, dir_fd, name, false);
	/* A change of owner or content takes capabilities away; attributes change no times. */
	set_xattrs(m, fd, true);
}

static void make_dir(struct maker *m, int fd, const char *path, int depth);

static void make_any(struct maker *m, int dir_fd, const char *name, const char *path, int depth)
{
	static const mode_t nodes[] = {S_IFIFO, S_IFCHR, S_IFBLK, S_IFSOCK};
	uint64_t kind = below(m, 20);
	char target[600];

	if (kind < 5 && depth < MAX_DEPTH) {
		require(mkdirat(dir_fd, name, 0700) == 0);
		cleanup_close int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		make_dir(m, fd, path, depth + 1);
		set_meta(m, dir_fd, name, false);
		return;
	}
	if (kind < 8) {
		memset(target, 't', sizeof(target));
		target[1 + below(m, sizeof(target) - 1)] = '\0';
		target[sizeof(target) - 1] = '\0';
		require(symlinkat(target, dir_fd, name) == 0);
		set_meta(m, dir_fd, name, true);
	} else if (kind < 10) {
		size_t i = below(m, ARRAY_LEN(nodes) - 1);

		require(mknodat(dir_fd, name, nodes[i] | 0600,
				makedev(1 + (unsigned)below(m, 4095),
					(unsigned)below(m, 1 << 20))) == 0);
		set_meta(m, dir_fd, name, false);
	} else if (kind == 10 && m->in_upper) {
		require(mknodat(dir_fd, name, S_IFCHR, makedev(0, 0)) == 0);
		return;
	} else if (kind < 13 && m->links.n) {
		require(linkat(m->top_fd, m->links.items[below(m, m->links.n)], dir_fd, name, 0) ==
			0);
		return;
	} else {
		make_file(m, dir_fd, name);
	}
	strv_add(&m->links, path);
}

static void make_dir(struct maker *m, int fd, const char *path, int depth)
{
	set_xattrs(m, fd, false);
	if (m->in_upper && below(m, 5) == 0)
		require(fsetxattr(fd, "trusted.overlay.opaque", "y", 1, 0) == 0);
	for (uint64_t n = below(m, MAX_NAMES) + (depth == 0); n; n--) {
		cleanup_free char *child = NULL;
		char name[256];
		struct stat st;

		make_name(m, name);
		child = str_printf("%s%s%s", path, *path ? "/" : "", name);
		if (fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			make_any(m, fd, name, child, depth);
	}
}

void tree_make_random(int dir_fd, uint64_t seed, bool in_upper)
{
	struct maker m = {
		.state = seed * 0x9e3779b97f4a7c15ull + 1, .in_upper = in_upper, .top_fd = dir_fd};

	make_dir(&m, dir_fd, "", 0);
	set_meta(&m, dir_fd, ".", false);
	strv_done(&m.links);
}

/* ---- describing ---- */

struct describer {
	struct str *out;
	struct strv files; /* "dev:ino path" of files with several names */
};

static void add_hex(struct str *out, const void *bytes, size_t len)
{
	char *to = str_reserve(out, 2 * len + 1);

	hex_format(bytes, len, to);
	out->len += 2 * len;
}

static void describe_xattrs(struct describer *d, int fd)
{
	static const char opaque[] = "trusted.overlay.opaque";
	char names[4096], value[64];
	ssize_t len = flistxattr(fd, names, sizeof(names) - 1);
	cleanup_strv struct strv lines = STRV_INIT;

	for (const char *n = names; n < names + len; n += strlen(n) + 1) {
		cleanup_str struct str hex = STR_INIT;
		ssize_t value_len = fgetxattr(fd, n, value, sizeof(value));

		require(value_len >= 0);
		add_hex(&hex, value, (size_t)value_len);
		if (str_has_prefix(n, "user.") || str_is_equal(n, "security.capability") ||
		    str_is_equal(n, opaque))
			strv_addf(&lines, " %s:%s", n, str_get(&hex));
	}
	/* The kernel lists them in no order. */
	for (size_t i = 0; i < lines.n; i++)
		for (size_t k = i + 1; k < lines.n; k++)
			if (strcmp(lines.items[k], lines.items[i]) < 0) {
				char *swap = lines.items[i];

				lines.items[i] = lines.items[k];
				lines.items[k] = swap;
			}
	strv_foreach (i, &lines)
		str_add(d->out, lines.items[i]);
}

static void describe_content(struct describer *d, int fd)
{
	cleanup_str struct str bytes = STR_INIT;
	char digest[SHA256_HEX_LEN + 1];

	require(fd_read_all(fd, 1 << 30, &bytes) == 0);
	sha256_hex(str_get(&bytes), bytes.len, digest);
	str_addf(d->out, " %s", digest);
}

static void describe_first_name(struct describer *d, const struct stat *st, const char *path)
{
	cleanup_free char *key = str_printf("%lx:%lx ", (unsigned long)st->st_dev,
					    (unsigned long)st->st_ino);

	if (S_ISDIR(st->st_mode) || st->st_nlink < 2)
		return;
	strv_foreach (i, &d->files) {
		if (!str_has_prefix(d->files.items[i], key))
			continue;
		str_add(d->out, " = ");
		add_hex(d->out, d->files.items[i] + strlen(key),
			strlen(d->files.items[i] + strlen(key)));
		return;
	}
	strv_addf(&d->files, "%s%s", key, path);
}

static void describe(struct describer *d, int dir_fd, const char *name, const char *path);

static void describe_children(struct describer *d, int fd, const char *path)
{
	struct dirent **entries = NULL;
	int n = scandirat(fd, ".", &entries, NULL, alphasort);

	require(n >= 0);
	for (int i = 0; i < n; i++) {
		const char *name = entries[i]->d_name;
		cleanup_free char *child = str_printf("%s/%s", path, name);

		if (strcmp(name, ".") != 0 && strcmp(name, "..") != 0)
			describe(d, fd, name, child);
		free(entries[i]);
	}
	free(entries);
}

static void describe(struct describer *d, int dir_fd, const char *name, const char *path)
{
	char target[PATH_MAX + 1] = {};
	struct stat st;

	require(fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0);
	if (S_ISSOCK(st.st_mode))
		return;
	add_hex(d->out, path, strlen(path));
	if (S_ISCHR(st.st_mode) && st.st_rdev == makedev(0, 0)) {
		str_add(d->out, " whiteout\n");
		return;
	}
	str_addf(d->out, " %o %u:%u %lld.%09ld", st.st_mode, st.st_uid, st.st_gid,
		 (long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
	describe_first_name(d, &st, path);
	if (S_ISLNK(st.st_mode)) {
		require(readlinkat(dir_fd, name, target, PATH_MAX) > 0);
		str_addf(d->out, " -> %s", target);
	} else if (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode)) {
		cleanup_close int fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

		require(fd >= 0);
		describe_xattrs(d, fd);
		if (S_ISREG(st.st_mode))
			describe_content(d, fd);
		str_add_char(d->out, '\n');
		if (S_ISDIR(st.st_mode))
			describe_children(d, fd, path);
		return;
	} else {
		str_addf(d->out, " %lx", (unsigned long)st.st_rdev);
	}
	str_add_char(d->out, '\n');
}

void tree_describe(int dir_fd, struct str *ret)
{
	struct describer d = {.out = ret};

	describe(&d, dir_fd, ".", "");
	strv_done(&d.files);
}
