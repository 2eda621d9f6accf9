/* SPDX-License-Identifier: Apache-2.0 */
/* What later layers hide of earlier ones, on layers made of a few files by a shell. */
#include "../shell.h"
#include "storage/image.h"
#include "storage/image_waste.h"
#include "store_fixture.h"

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

/* Lays the layers out, each by the commands of SCRIPTS[i] run in its diff directory, and returns
 * "PATH BYTES LAYER>BY d|o" of each file that is wasted; owned. */
static char *waste_of(const struct fixture *f, const char *const *scripts, size_t n)
{
	cleanup_image_waste struct image_waste waste = IMAGE_WASTE_INIT;
	cleanup_image struct image image = IMAGE_INIT;
	cleanup_strv struct strv lines = STRV_INIT;
	struct err err = ERR_INIT;
	int64_t sum = 0;

	for (size_t i = 0; i < n; i++) {
		cleanup_free char *id = str_printf("%064zu", i);
		cleanup_free char *command = str_printf(
			"rm -rf %s/layers/%s; mkdir -p %s/layers/%s/diff && cd "
			"%s/layers/%s/diff && { %s; }",
			f->root, id, f->root, id, f->root, id, scripts[i]);

		assert_int_equal(shell_run("/", command, NULL, 0), 0);
		strv_add(&image.chain_ids, id);
	}
	assert_int_equal(image_waste_load(f->store, &image, &waste, &err), 0);
	for (size_t i = 0; i < waste.n_files; i++) {
		const struct wasted_file *w = &waste.files[i];

		strv_addf(&lines, "%s %lld %zu>%zu %s", w->path, (long long)w->bytes, w->layer,
			  w->by, w->is_deleted ? "d" : "o");
		sum += w->bytes;
	}
	assert_int_equal(sum, waste.bytes);
	return strv_join(&lines, "|");
}

static void layers_over_layers(void **state)
{
	static const char base[] = "mkdir -p d/e && printf 12345 >a && printf 123 >d/b && printf "
				   "1 >d/e/c";
	static const struct {
		const char *scripts[4];
		const char *expected;
	} rows[] = {
		{{base}, ""},
		{{base, "printf x >new"}, ""},
		/* An empty file costs nothing. */
		{{"touch a", "printf 1 >a"}, ""},
		{{base, "printf x >a"}, "a 5 0>1 o"},
		{{base, "printf x >a", "printf yy >a"}, "a 5 0>1 o|a 1 1>2 o"},
		{{base, "mknod a c 0 0"}, "a 5 0>1 d"},
		{{base, "mknod a c 0 0", "printf x >a"}, "a 5 0>1 d"},
		{{base, "mknod d c 0 0"}, "d/b 3 0>1 d|d/e/c 1 0>1 d"},
		{{base, "mkdir d && printf x >d/n", "mknod d c 0 0"},
		 "d/b 3 0>2 d|d/e/c 1 0>2 d|d/n 1 1>2 d"},
		{{base, "mkdir d"}, ""},
		{{base, "mkdir -p d/e && mknod d/e/c c 0 0"}, "d/e/c 1 0>1 d"},
		{{base, "ln -s x d"}, "d/b 3 0>1 d|d/e/c 1 0>1 d"},
		{{base, "mkdir a && printf x >a/y"}, "a 5 0>1 o"},
		{{base, "ln -s x a", "printf x >a"}, "a 5 0>1 o"},
		/* A whiteout of nothing, and a device that is none. */
		{{base, "mknod nosuch c 0 0"}, ""},
		/* Content is there as long as one of its names is. */
		{{"printf 12345 >a && ln a b", "mknod a c 0 0"}, ""},
		{{"printf 12345 >a && ln a b", "mknod a c 0 0", "printf 1 >b"}, "b 5 0>2 o"},
		{{"printf 12345 >a && ln a b", "mknod a c 0 0", "mknod b c 0 0", "printf 1 >a"},
		 "b 5 0>2 d"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		cleanup_free char *actual = NULL;
		size_t n = 0;

		while (n < ARRAY_LEN(rows[i].scripts) && rows[i].scripts[n])
			n++;
		actual = waste_of(*state, rows[i].scripts, n);
		assert_string_equal(actual, rows[i].expected);
	}
}

/* A layer of N files with two names each in one directory. */
static void make_pairs(const struct fixture *f, const char *id, int n)
{
	cleanup_free char *path = str_printf("%s/layers/%s/diff", f->root, id);
	cleanup_free char *command = str_printf("mkdir -p %s", path);
	cleanup_close int dir = -1;

	assert_int_equal(shell_run("/", command, NULL, 0), 0);
	dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (int i = 0; i < n; i++) {
		char name[16], second[24];

		snprintf(name, sizeof(name), "%08x", (unsigned)i * 2654435761U);
		snprintf(second, sizeof(second), "%s.l", name);
		assert_int_equal(mknodat(dir, name, S_IFREG | 0644, 0), 0);
		assert_int_equal(linkat(dir, name, dir, second, 0), 0);
	}
}

static double seconds_of(const struct fixture *f, const char *id)
{
	cleanup_image_waste struct image_waste waste = IMAGE_WASTE_INIT;
	cleanup_image struct image image = IMAGE_INIT;
	struct err err = ERR_INIT;
	clock_t before = clock();

	strv_add(&image.chain_ids, id);
	assert_int_equal(image_waste_load(f->store, &image, &waste, &err), 0);
	assert_int_equal(waste.n_files, 0);
	return (double)(clock() - before) / CLOCKS_PER_SEC;
}

/* Twelve times as many names take about twelve times as long; it was eighty times when each name
 * and each file was looked for among all others. */
static void many_names(void **state)
{
	const struct fixture *f = *state;
	double few = 0, many = 0;

	make_pairs(f, "few", 1000);
	make_pairs(f, "many", 12000);
	few = seconds_of(f, "few");
	many = seconds_of(f, "many");
	if (many > few * 36)
		fail_msg("%f s for 1000 files, %f s for 12000", few, many);
}

static void missing_layer(void **state)
{
	const struct fixture *f = *state;
	cleanup_image_waste struct image_waste waste = IMAGE_WASTE_INIT;
	cleanup_image struct image image = IMAGE_INIT;
	struct err err = ERR_INIT;

	strv_add(&image.chain_ids, "0123");
	assert_int_equal(image_waste_load(f->store, &image, &waste, &err), -ERR_NOT_FOUND);
	assert_int_equal(err.errnum, ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(layers_over_layers, set_up, tear_down),
		cmocka_unit_test_setup_teardown(many_names, set_up, tear_down),
		cmocka_unit_test_setup_teardown(missing_layer, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
