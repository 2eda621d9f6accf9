/* SPDX-License-Identifier: Apache-2.0 */
/* Directories as contexts: which Dockerfile and which ignore file count, and what is said when they
 * cannot be read. */
#include "box.h"

#include "base/err.h"
#include "base/str.h"
#include "build/graph.h"
#include "build/input_private.h"
#include "build/tree.h"
#include "dockerfile/ignore.h"

/* Opens the context and says what came of it: the name and text of the Dockerfile, and which of two
 * files are ignored; or the error. Owned. */
static char *open_it(const struct box *b, const char *file, const char *ignorefile)
{
	cleanup_free char *context = str_printf("%s/c", b->path);
	cleanup_free char *path = file && *file != '-' ? str_printf("%s/%s", b->path, file)
						       : str_dup(file);
	cleanup_free char *ignore = ignorefile ? str_printf("%s/%s", b->path, ignorefile) : NULL;
	struct build_request request = {.context = context, .file = path, .ignorefile = ignore};
	struct build_input in = {};
	struct err err = ERR_INIT;
	char *ret = NULL;

	if (build_input_open(NULL, &request, -1, &in, &err) < 0)
		return str_dup(err.msg);
	assert_true(in.has_context && in.context.is_context);
	assert_int_equal(in.main->kind, BUILD_SOURCE_LOCAL);
	assert_string_equal(in.main->where, context);
	assert_int_equal(strlen(in.file_text), in.file_len);
	ret = str_printf("%s=%s%s%s", in.file_name, in.file_text,
			 ignore_match(in.context.ignore, "x", NULL, NULL) ? " -x" : "",
			 ignore_match(in.context.ignore, "y", NULL, NULL) ? " -y" : "");
	build_input_done(&in);
	return ret;
}

static void check(const struct box *b, const char *file, const char *ignorefile,
		  const char *expected)
{
	cleanup_free char *found = open_it(b, file, ignorefile);

	assert_string_equal(found, expected);
}

static void finds_the_dockerfile(void **state)
{
	const struct box *b = *state;

	box_make(b, "c/", "");
	check(b, NULL, NULL,
	      "failed to read dockerfile: open Dockerfile: no such file or directory");
	box_make(b, "c/Containerfile", "3");
	check(b, NULL, NULL, "Containerfile=3");
	box_make(b, "c/dockerfile", "2");
	check(b, NULL, NULL, "dockerfile=2");
	box_make(b, "c/Dockerfile", "1");
	check(b, NULL, NULL, "Dockerfile=1");
	box_make(b, "c/sub/Other", "4");
	check(b, "c/sub/Other", NULL, "Other=4");
	box_make(b, "outside/D", "5");
	check(b, "outside/D", NULL, "D=5");
	check(b, "outside/E", NULL, "failed to read dockerfile: open E: no such file or directory");
	check(b, "nowhere/E", NULL, "failed to read dockerfile: open E: no such file or directory");
	check(b, "outside/D/E", NULL,
	      "failed to read dockerfile: open E: no such file or directory");
	check(b, "outside", NULL, "failed to read dockerfile: read outside: is a directory");
	check(b, "outside/", NULL, "failed to read dockerfile: read outside: is a directory");
}

static void reads_regular_files_only(void **state)
{
	const struct box *b = *state;

	box_make(b, "c/", "");
	assert_int_equal(mkfifoat(b->fd, "c/Dockerfile", 0600), 0);
	check(b, NULL, NULL, "failed to read dockerfile: open Dockerfile: not a regular file");
	assert_int_equal(unlinkat(b->fd, "c/Dockerfile", 0), 0);
	box_make(b, "c/Dockerfile/", "");
	check(b, NULL, NULL, "failed to read dockerfile: read Dockerfile: is a directory");
	assert_int_equal(unlinkat(b->fd, "c/Dockerfile", AT_REMOVEDIR), 0);
	/* Links are followed inside the context. */
	assert_int_equal(symlinkat("/etc/passwd", b->fd, "c/Dockerfile"), 0);
	check(b, NULL, NULL,
	      "failed to read dockerfile: open Dockerfile: no such file or directory");
	assert_int_equal(unlinkat(b->fd, "c/Dockerfile", 0), 0);
	assert_int_equal(symlinkat("../../../../../etc/passwd", b->fd, "c/Dockerfile"), 0);
	check(b, NULL, NULL,
	      "failed to read dockerfile: open Dockerfile: no such file or directory");
	box_make(b, "c/etc/passwd", "mine");
	check(b, NULL, NULL, "Dockerfile=mine");
	assert_int_equal(unlinkat(b->fd, "c/Dockerfile", 0), 0);
	assert_int_equal(symlinkat("Dockerfile", b->fd, "c/Dockerfile"), 0);
	check(b, NULL, NULL,
	      "failed to read dockerfile: open Dockerfile: too many levels of symbolic links");
}

static void finds_the_ignore_file(void **state)
{
	const struct box *b = *state;

	box_make(b, "c/Dockerfile", "1");
	check(b, NULL, NULL, "Dockerfile=1");
	box_make(b, "c/.dockerignore", "x\n");
	check(b, NULL, NULL, "Dockerfile=1 -x");
	box_make(b, "c/.containerignore", "y\n");
	check(b, NULL, NULL, "Dockerfile=1 -y");
	box_make(b, "c/Dockerfile.dockerignore", "x\ny\n");
	check(b, NULL, NULL, "Dockerfile=1 -x -y");
	box_make(b, "own", "");
	check(b, NULL, "own", "Dockerfile=1");
	/* It stands beside the Dockerfile, wherever that is. */
	box_make(b, "outside/D", "2");
	check(b, "outside/D", NULL, "D=2 -y");
	box_make(b, "outside/D.dockerignore", "x\n");
	check(b, "outside/D", NULL, "D=2 -x");
	box_make(b, "c/.dockerignore", "[\n");
	box_make(b, "c/.containerignore", "[\n");
	check(b, "outside/D", NULL, "D=2 -x");
}

static void says_what_is_wrong_with_it(void **state)
{
	const struct box *b = *state;

	box_make(b, "c/Dockerfile", "1");
	box_make(b, "c/.dockerignore", "a\n[\n");
	check(b, NULL, NULL, "failed parsing .dockerignore: line 2: [: syntax error in pattern");
	assert_int_equal(unlinkat(b->fd, "c/.dockerignore", 0), 0);
	assert_int_equal(mkfifoat(b->fd, "c/.dockerignore", 0600), 0);
	check(b, NULL, NULL, "failed to read .dockerignore: not a regular file");
	assert_int_equal(unlinkat(b->fd, "c/.dockerignore", 0), 0);
	box_make(b, "c/.dockerignore/", "");
	check(b, NULL, NULL, "failed to read .dockerignore: is a directory");
	assert_int_equal(unlinkat(b->fd, "c/.dockerignore", AT_REMOVEDIR), 0);
	assert_int_equal(symlinkat("/etc/passwd", b->fd, "c/.dockerignore"), 0);
	check(b, NULL, NULL, "Dockerfile=1");
}

static void knows_contexts(void **state)
{
	static const char *const rows[][2] = {
		{"", "unable to prepare context: path \"\" not found"},
		{"/nonexistent", "unable to prepare context: path \"/nonexistent\" not found"},
		{"/etc/passwd", "unable to prepare context: context must be a directory: /etc/passwd"},
		{"git://h/r#-x", "invalid git ref \"-x\""},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct build_request request = {.context = (char *)(uintptr_t)rows[i][0]};
		struct build_input in = {};
		struct err err = ERR_INIT;

		assert_true(build_input_open(NULL, &request, -1, &in, &err) < 0);
		assert_string_equal(err.msg, rows[i][1]);
	}
}

static void tells_archives(void **state)
{
	static const struct {
		const char *bytes;
		bool expected;
	} rows[] = {
		{"BZh9", true},
		{"\x1f\x8b\x08x", true},
		{"\xfd"
		 "7zXZ\0",
		 true},
		{"BZ", false},
		{"\x28\xb5\x2f\xfd", true},
		{"FROM busybox\n", false},
		{"", false},
		{"\x1f\x8b\x07", false},
		{"# syntax=x", false},
	};
	unsigned char head[INPUT_HEAD_LEN] = {};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(input_is_archive((const unsigned char *)rows[i].bytes,
						  i == 2 ? 6 : strlen(rows[i].bytes)),
				 rows[i].expected);
	/* An empty archive; a header by its checksum; text of that length. */
	assert_true(input_is_archive(head, sizeof(head)));
	head[0] = 'a';
	memcpy(head + 148, "0000541\0", 8); /* 8 blanks and an "a" */
	assert_true(input_is_archive(head, sizeof(head)));
	head[1] = 'b';
	assert_false(input_is_archive(head, sizeof(head)));
	memset(head, 'x', sizeof(head));
	assert_false(input_is_archive(head, sizeof(head)));
}

static void looks_without_taking(void **state)
{
	unsigned char head[INPUT_HEAD_LEN];
	char text[600];
	char back[600];
	int ends[2];

	memset(text, 'q', sizeof(text));
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_int_equal(write(ends[1], text, sizeof(text)), sizeof(text));
	assert_int_equal(input_peek(ends[0], head), INPUT_HEAD_LEN);
	assert_memory_equal(head, text, sizeof(head));
	assert_int_equal(read(ends[0], back, sizeof(back)), sizeof(text));
	assert_int_equal(write(ends[1], text, 3), 3);
	close(ends[1]);
	assert_int_equal(input_peek(ends[0], head), 3);
	assert_int_equal(read(ends[0], back, sizeof(back)), 3);
	assert_int_equal(input_peek(ends[0], head), 0);
	close(ends[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(finds_the_dockerfile, box_open, box_close),
		cmocka_unit_test_setup_teardown(reads_regular_files_only, box_open, box_close),
		cmocka_unit_test_setup_teardown(finds_the_ignore_file, box_open, box_close),
		cmocka_unit_test_setup_teardown(says_what_is_wrong_with_it, box_open, box_close),
		cmocka_unit_test(knows_contexts),
		cmocka_unit_test(tells_archives),
		cmocka_unit_test(looks_without_taking),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
