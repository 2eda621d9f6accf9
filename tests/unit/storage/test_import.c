/* SPDX-License-Identifier: Apache-2.0 */
/* Import: what lies on disk afterwards, what a failure leaves, what the collector takes. */
#include <dirent.h>
#include <string.h>

#include "oci/layout.h"
#include "storage/image.h"
#include "store_fixture.h"

static int count_entries(const char *root, const char *dir)
{
	cleanup_free char *path = str_printf("%s/%s", root, dir);
	DIR *d = opendir(path);
	const struct dirent *e = NULL;
	int n = 0;

	if (!d)
		return 0;
	while ((e = readdir(d)))
		n += e->d_name[0] != '.';
	closedir(d);
	return n;
}

static void see_progress(uint64_t n_bytes, void *data)
{
	*(uint64_t *)data = n_bytes;
}

static void lays_out_an_image(void **state)
{
	struct fixture *f = *state;
	cleanup_close int fd = archive_of(f, "twelve bytes");
	cleanup_image struct image image = IMAGE_INIT;
	cleanup_strv struct strv lowers = STRV_INIT;
	cleanup_str struct str text = STR_INIT;
	uint64_t progress = 0;
	const struct import_request request = {.archive_fd = fd,
					       .reference = "x",
					       .message = "why",
					       .platform = "linux/arm64/v8",
					       .progress = see_progress,
					       .progress_data = &progress};
	char id[DIGEST_HEX_LEN + 1];
	struct err err = ERR_INIT;

	if (image_import(f->store, &request, id, &err) < 0)
		fail_msg("%s", err.msg);
	assert_int_equal(progress, 12);
	assert_int_equal(image_find(f->store, "x", &image, &err), 1);
	assert_string_equal(image.id, id);
	assert_true(digest_is_of(id, image.config, strlen(image.config)));
	assert_non_null(strstr(image.config, "\"architecture\":\"arm64\",\"comment\":\"why\""));
	assert_non_null(strstr(image.config, "\"variant\":\"v8\""));
	image_get_lower_dirs(f->store, &image, &lowers);
	assert_int_equal(lowers.n, 1);

	cleanup_free char *content = str_printf("%s/content", lowers.items[0]);
	cleanup_free char *record = str_printf("%s/layers/%s/layer.json", f->root,
					       image.chain_ids.items[0]);
	cleanup_free char *blob = str_printf("%s/blobs/sha256/%s", f->root, id);

	assert_int_equal(fd_read_file_at(AT_FDCWD, content, 100, &text), 0);
	assert_string_equal(str_get(&text), "twelve bytes");
	assert_int_equal(access(record, R_OK), 0);
	assert_int_equal(access(blob, R_OK), 0);
	assert_int_equal(count_entries(f->root, "staging"), 0);
}

static void fails_without_a_trace(void **state)
{
	struct fixture *f = *state;
	cleanup_close int fd = archive_of(f, "bad archive");
	const struct {
		const char *reference, *platform, *message;
	} rows[] = {
		{NULL, NULL, "entry x: truncated"},
		{"X", NULL,
		 "invalid reference format: repository name (library/X) must be lowercase"},
		{NULL, "windows/amd64", "operating system \"windows\" is not supported"},
		{NULL, "a/b/c/d", "\"a/b/c/d\": unknown operating system or architecture"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct import_request request = {.archive_fd = fd,
						       .reference = rows[i].reference,
						       .platform = rows[i].platform};
		char id[DIGEST_HEX_LEN + 1];
		struct err err = ERR_INIT;

		assert_true(image_import(f->store, &request, id, &err) < 0);
		assert_string_equal(err.msg, rows[i].message);
		assert_int_equal(count_entries(f->root, "staging"), 0);
		assert_int_equal(count_entries(f->root, "layers"), 0);
		assert_int_equal(count_entries(f->root, "blobs/sha256"), 0);
	}
}

static void make_dir(const struct fixture *f, const char *name)
{
	cleanup_free char *path = str_printf("%s/%s", f->root, name);

	assert_int_equal(fd_mkdir_p(path, 0700), 0);
}

#define ORPHAN "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

/* Another boot's staging, a dead owner's, a layer that nothing names. */
static void collects_garbage(void **state)
{
	struct fixture *f = *state;
	cleanup_str struct str boot_id = STR_INIT;
	char id[DIGEST_HEX_LEN + 1];

	assert_int_equal(fd_read_kernel_file("/proc/sys/kernel/random/boot_id", 100, &boot_id), 0);
	str_truncate(&boot_id, 36);

	cleanup_free char *dead = str_printf("staging/%s.dead/layer-0/diff", str_get(&boot_id));

	/* With an index: without one, layers mean that it is lost. */
	import_image(f, "layer", "one", NULL, id);
	make_dir(f, dead);
	make_dir(f, "staging/00000000-0000-0000-0000-000000000000.abc/x/y");
	make_dir(f, "layers/" ORPHAN "/diff/a");
	import_image(f, "layer", "one", NULL, id);
	assert_int_equal(count_entries(f->root, "staging"), 0);
	assert_int_equal(count_entries(f->root, "layers"), 1);
	/* The configurations of both imports, and their layer. */
	assert_int_equal(count_entries(f->root, "blobs/sha256"), 3);
}

/* Writes a blob into the layout and gives its descriptor. */
static char *add_blob(const char *dir, const char *text)
{
	char hex[DIGEST_HEX_LEN + 1];
	cleanup_free char *path = NULL;

	sha256_hex(text, strlen(text), hex);
	path = str_printf("%s/blobs/sha256/%s", dir, hex);
	assert_int_equal(fd_write_file_at(AT_FDCWD, path, text, strlen(text), 0600), 0);
	return str_printf("{\"digest\":\"sha256:%s\",\"size\":%zu}", hex, strlen(text));
}

/* IMAGES/NAME with one layer LAYER, whose configuration speaks of DIFF. */
static void make_bundle(const struct fixture *f, const char *name, const char *layer,
			const char *diff)
{
	cleanup_free char *dir = str_printf("%s/images/%s", f->path, name);
	cleanup_free char *blobs = str_printf("%s/blobs/sha256", dir);
	cleanup_free char *index_path = str_printf("%s/index.json", dir);
	char hex[DIGEST_HEX_LEN + 1];

	sha256_hex(diff, strlen(diff), hex);
	assert_int_equal(fd_mkdir_p(blobs, 0700), 0);

	cleanup_free char *config_text = str_printf(
		"{\"architecture\":\"%s\",\"os\":\"linux\",\"config\":{\"Cmd\":[\"/"
		"hello\"]},\"rootfs\":"
		"{\"type\":\"layers\",\"diff_ids\":[\"sha256:%s\"]}}",
		layout_host_arch(), hex);
	cleanup_free char *config = add_blob(dir, config_text);
	cleanup_free char *layer_descriptor = add_blob(dir, layer);
	cleanup_free char *manifest_text = str_printf("{\"config\":%s,\"layers\":[%s]}", config,
						      layer_descriptor);
	cleanup_free char *manifest = add_blob(dir, manifest_text);
	cleanup_free char *index = str_printf("{\"manifests\":[%s]}", manifest);

	assert_int_equal(fd_write_file_at(AT_FDCWD, index_path, index, strlen(index), 0600), 0);
}

static void loads_bundled_images(void **state)
{
	static const char *const absent[] = {"nosuch", "hello:v2", "team/hello", "localhost/hello"};
	struct fixture *f = *state;
	cleanup_free char *images = str_printf("%s/images", f->path);
	cleanup_image struct image image = IMAGE_INIT;
	struct err err = ERR_INIT;

	make_bundle(f, "hello", "files", "files");
	make_bundle(f, "forged", "files", "other files");
	for (size_t i = 0; i < ARRAY_LEN(absent); i++)
		assert_int_equal(image_ensure_bundled(f->store, absent[i], images, &err), 0);
	if (image_ensure_bundled(f->store, "hello", images, &err) != 1)
		fail_msg("%s", err.msg);
	assert_int_equal(
		image_ensure_bundled(f->store, "docker.io/library/hello:latest", images, &err), 1);
	assert_int_equal(image_find(f->store, "hello", &image, &err), 1);
	assert_int_equal(count_entries(f->root, "layers"), 1);
	assert_int_equal(image_ensure_bundled(f->store, "forged", images, &err), -ERR_INVALID);
	assert_string_equal(err.msg,
			    "bundled image forged: layer 0 is not the one of the configuration");
	assert_int_equal(count_entries(f->root, "staging"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(lays_out_an_image, set_up, tear_down),
		cmocka_unit_test_setup_teardown(fails_without_a_trace, set_up, tear_down),
		cmocka_unit_test_setup_teardown(collects_garbage, set_up, tear_down),
		cmocka_unit_test_setup_teardown(loads_bundled_images, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
