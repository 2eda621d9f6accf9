/* SPDX-License-Identifier: Apache-2.0 */
/*
 * COPY, ADD and WORKDIR on directories: each case says what the context and the layer below hold,
 * what is copied where, and what the upper directory holds then. As root, for files get owners.
 */
#include "../unit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/num.h"
#include "build/copy.h"
#include "build/owner.h"
#include "copy_cases.h"
#include "dockerfile/ignore.h"
#include "engine/engine.h"

#define EPOCH 1577836800

static char base[] = "/tmp/tare-copy-XXXXXX";

/* ---- trees from text ---- */

static uint64_t number(const char *text, unsigned base_of)
{
	uint64_t n = 0;

	assert_int_equal(num_parse_base(text, base_of, &n), 0);
	return n;
}

/* "d 755 path", "f 644 path content", "l path target", "p 644 path", "h path other", "s path size";
 * "o uid gid path" gives an owner, "t path time" a time, "x path name value" an attribute. */
static void make_line(int dir, char *line)
{
	char *word[4] = {};
	struct timespec times[2] = {};

	for (int i = 0; i < 4; i++)
		word[i] = i < 3 ? strsep(&line, " ") : line;
	switch (*word[0]) {
	case 'd':
		assert_int_equal(mkdirat(dir, word[2], 0755), 0);
		assert_int_equal(fchmodat(dir, word[2], (mode_t)number(word[1], 8), 0), 0);
		break;
	case 'f':
		assert_int_equal(fd_write_file_at(dir, word[2], word[3] ? word[3] : "",
						  word[3] ? strlen(word[3]) : 0, 0644),
				 0);
		assert_int_equal(fchmodat(dir, word[2], (mode_t)number(word[1], 8), 0), 0);
		break;
	case 'l':
		assert_int_equal(symlinkat(word[2], dir, word[1]), 0);
		break;
	case 'p':
		assert_int_equal(mknodat(dir, word[2], S_IFIFO | 0644, 0), 0);
		break;
	case 'h':
		assert_int_equal(linkat(dir, word[2], dir, word[1], 0), 0);
		break;
	case 'o':
		assert_int_equal(fchownat(dir, word[3], (uid_t)number(word[1], 10),
					  (gid_t)number(word[2], 10), AT_SYMLINK_NOFOLLOW),
				 0);
		break;
	case 't':
		times[0].tv_sec = times[1].tv_sec = (time_t)number(word[2], 10);
		assert_int_equal(utimensat(dir, word[1], times, AT_SYMLINK_NOFOLLOW), 0);
		break;
	case 'x': {
		cleanup_close int fd = openat(dir, word[1], O_RDONLY);

		assert_int_equal(fsetxattr(fd, word[2], word[3], strlen(word[3]), 0), 0);
		break;
	}
	default:
		fail_msg("%s", word[0]);
	}
}

static void make_tree(int dir, const char *text)
{
	cleanup_free char *copy = str_dup(text ? text : "");
	char *cursor = copy;
	char *line = NULL;

	while ((line = strsep(&cursor, "\n")) != NULL)
		if (*line)
			make_line(dir, line);
}

static int compare_texts(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void list_dir(int dir, const char *prefix, struct strv *ret);

static void list_name(int dir, const char *prefix, const char *name, struct strv *ret)
{
	cleanup_str struct str line = STR_INIT;
	cleanup_str struct str content = STR_INIT;
	cleanup_free char *path = str_printf("%s%s", prefix, name);
	char link[256] = "";
	struct stat st;

	assert_int_equal(fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW), 0);
	str_addf(&line, "%s %c %o", path,
		 S_ISDIR(st.st_mode)	? 'd'
		 : S_ISREG(st.st_mode)	? 'f'
		 : S_ISLNK(st.st_mode)	? 'l'
		 : S_ISFIFO(st.st_mode) ? 'p'
		 : S_ISCHR(st.st_mode)	? 'c'
					: 's',
		 st.st_mode & 07777);
	if (st.st_uid || st.st_gid)
		str_addf(&line, " %u:%u", st.st_uid, st.st_gid);
	if (st.st_mtim.tv_sec != EPOCH)
		str_addf(&line, " @%ld", st.st_mtim.tv_sec);
	if (S_ISREG(st.st_mode) && st.st_nlink > 1)
		str_addf(&line, " n%lu", (unsigned long)st.st_nlink);
	if (S_ISREG(st.st_mode) && fd_read_file_at(dir, name, 4096, &content) == 0 && content.len)
		str_addf(&line, " '%s'", str_get(&content));
	if (S_ISLNK(st.st_mode) && readlinkat(dir, name, link, sizeof(link) - 1) > 0)
		str_addf(&line, " -> %s", link);
	strv_add(ret, str_get(&line));
	if (S_ISDIR(st.st_mode)) {
		cleanup_close int fd = openat(dir, name, O_RDONLY | O_DIRECTORY);
		cleanup_free char *below = str_printf("%s/", path);

		list_dir(fd, below, ret);
	}
}

static void list_dir(int dir, const char *prefix, struct strv *ret)
{
	DIR *d = fdopendir(dup(dir));

	assert_non_null(d);
	for (struct dirent *e = readdir(d); e; e = readdir(d))
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			list_name(dir, prefix, e->d_name, ret);
	closedir(d);
}

static char *list_tree(const char *path)
{
	cleanup_close int fd = open(path, O_RDONLY | O_DIRECTORY);
	cleanup_strv struct strv lines = STRV_INIT;

	assert_true(fd >= 0);
	list_dir(fd, "", &lines);
	if (lines.n)
		qsort(lines.items, lines.n, sizeof(lines.items[0]), compare_texts);
	return strv_join(&lines, "\n");
}

/* ---- one case ---- */

struct rig {
	int dir;     /* of the case */
	char *path;  /* owned */
	char *lower; /* owned */
	struct strv lowers;
	struct build_tree tree;
	struct build_copy_op op;
};

static int new_dir(int dir, const char *name)
{
	assert_int_equal(mkdirat(dir, name, 0755), 0);
	return openat(dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static void rig_init(struct rig *r, const struct copy_case *c)
{
	static int n;
	cleanup_close int lower = -1;
	cleanup_close int upper = -1;
	cleanup_close int work = -1;
	struct err err = ERR_INIT;

	*r = (struct rig){.path = str_printf("%s/%d", base, n++)};
	assert_int_equal(mkdir(r->path, 0755), 0);
	r->dir = open(r->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	upper = new_dir(r->dir, "upper");
	work = new_dir(r->dir, "work");
	r->tree = (struct build_tree){.root_fd = new_dir(r->dir, "context"),
				      .is_context = !c->is_stage,
				      .is_download = c->is_download};
	make_tree(r->tree.root_fd, c->context);
	if (c->ignore)
		assert_int_equal(ignore_parse(c->ignore, strlen(c->ignore), &r->tree.ignore, &err),
				 0);
	if (!c->lower)
		return;
	lower = new_dir(r->dir, "lower");
	make_tree(lower, c->lower);
	r->lower = str_printf("%s/lower", r->path);
	strv_add(&r->lowers, r->lower);
}

static void rig_done(struct rig *r)
{
	close(r->dir);
	free(r->path);
	free(r->lower);
	strv_done(&r->lowers);
	build_tree_done(&r->tree);
	for (size_t i = 0; i < r->op.n_items; i++)
		free(r->op.items[i].path);
	free(r->op.items);
	free(r->op.target);
	strv_done(&r->op.excludes);
}

/* "a b ... target"; "<<NAME" is a document of that name. */
static void fill_op(struct rig *r, const struct copy_case *c)
{
	cleanup_strv struct strv words = STRV_INIT;
	static char content[] = "text\n";
	struct build_copy_op *op = &r->op;

	strv_split(&words, c->words, ' ');
	op->target = str_dup(words.items[words.n - 1]);
	op->n_items = words.n - 1;
	op->items = mem_zalloc(op->n_items * sizeof(*op->items));
	for (size_t i = 0; i < op->n_items; i++) {
		const char *word = words.items[i];
		bool is_inline = str_has_prefix(word, "<<");

		op->items[i] = (struct build_copy_item){
			.kind = c->is_download ? BUILD_ITEM_REMOTE
				: is_inline    ? BUILD_ITEM_INLINE
					       : BUILD_ITEM_PATH,
			.path = str_dup(is_inline ? word + 2 : word)};
		op->items[i].name = op->items[i].path;
		op->items[i].content = content;
	}
	op->chown = (char *)(uintptr_t)c->chown;
	op->chmod = (char *)(uintptr_t)c->chmod;
	op->link = c->link;
	op->parents = c->parents;
	op->is_add = c->is_add;
	op->unpack = -1;
	if (c->excludes)
		strv_split(&op->excludes, c->excludes, ' ');
}

static int run_in_child(struct rig *r, const struct build_selection *s, struct err *err)
{
	struct engine engine = {.root = base};
	const struct build_place place = {.engine = &engine, .lowers = &r->lowers, .dir = r->path};
	int ends[2];
	pid_t pid = -1;
	int status = 0;

	assert_int_equal(pipe(ends), 0);
	pid = fork();
	if (pid == 0) {
		int rc = build_copy(&r->op, s, &place, EPOCH, err);

		fd_write_full(ends[1], err, sizeof(*err));
		_exit(rc < 0);
	}
	close(ends[1]);
	assert_int_equal(fd_read_full(ends[0], err, sizeof(*err)), sizeof(*err));
	close(ends[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status) ? -err->code : 0;
}

static int run_case(struct rig *r, const struct copy_case *c, char digest[65], struct err *err)
{
	struct build_tree *trees[8];
	struct build_selection *s = NULL;
	int rc = 0;

	for (size_t i = 0; i < ARRAY_LEN(trees); i++)
		trees[i] = &r->tree;
	fill_op(r, c);
	rc = build_select(&r->op, trees, &s, err);
	if (rc == 0)
		rc = build_selection_digest(s, digest, err);
	if (rc == 0)
		rc = run_in_child(r, s, err);
	build_selection_free(s);
	return rc;
}

static void test_cases(void **state)
{
	size_t n_failed = 0;

	if (geteuid() != 0)
		skip();
	for (size_t i = 0; i < n_copy_cases; i++) {
		const struct copy_case *c = &copy_cases[i];
		struct rig r;
		struct err err = ERR_INIT;
		char digest[65];
		cleanup_free char *upper = NULL;
		cleanup_free char *got = NULL;

		rig_init(&r, c);
		if (run_case(&r, c, digest, &err) < 0) {
			got = str_printf("ERROR %s", err.msg);
		} else {
			upper = str_printf("%s/upper", r.path);
			got = list_tree(upper);
		}
		if (strcmp(got, c->want) != 0) {
			print_error("%s\n-- got\n%s\n-- want\n%s\n", c->name, got, c->want);
			n_failed++;
		}
		rig_done(&r);
	}
	assert_int_equal(n_failed, 0);
}

/* ---- digests ---- */

static void digest_of(const struct copy_case *c, char ret[65])
{
	struct rig r;
	struct err err = ERR_INIT;

	rig_init(&r, c);
	if (run_case(&r, c, ret, &err) < 0)
		fail_msg("%s: %s", c->name, err.msg);
	rig_done(&r);
}

static void test_digests(void **state)
{
	if (geteuid() != 0)
		skip();
	for (size_t i = 0; i < n_digest_cases; i++) {
		const struct digest_case *d = &digest_cases[i];
		struct copy_case a = {.name = d->name,
				      .context = d->a,
				      .words = d->words,
				      .is_stage = d->is_stage,
				      .ignore = d->ignore};
		struct copy_case b = a;
		char digests[2][65];

		b.context = d->b;
		digest_of(&a, digests[0]);
		digest_of(&b, digests[1]);
		if ((strcmp(digests[0], digests[1]) == 0) != d->same)
			fail_msg("%s: digests are%s the same", d->name, d->same ? " not" : "");
	}
}

static int make_base(void **state)
{
	return mkdtemp(base) ? 0 : -1;
}

static int remove_base(void **state)
{
	return fd_remove_tree_at(AT_FDCWD, base);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_digests),
	};

	return cmocka_run_group_tests(tests, make_base, remove_base);
}
