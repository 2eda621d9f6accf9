/* SPDX-License-Identifier: Apache-2.0 */
/* Image layouts made on the spot: the good one, and each way to be a bad one. */
#include "../unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "oci/layout.h"

#define INDEX	 "application/vnd.oci.image.index.v1+json"
#define MANIFEST "application/vnd.oci.image.manifest.v1+json"
#define HEX	 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define CONFIG	 "application/vnd.oci.image.config.v1+json"

struct fixture {
	char path[64];
	int fd;
};

static int set_up(void **state)
{
	struct fixture *f = mem_zalloc(sizeof(*f));

	snprintf(f->path, sizeof(f->path), "/tmp/tare-layout-XXXXXX");
	if (!mkdtemp(f->path))
		return -1;
	f->fd = open(f->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(mkdirat(f->fd, "blobs", 0700), 0);
	assert_int_equal(mkdirat(f->fd, "blobs/sha256", 0700), 0);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	fd_remove_tree_at(AT_FDCWD, f->path);
	close(f->fd);
	free(f);
	return 0;
}

/* Stores TEXT as a blob and gives its descriptor's members. */
static char *add_blob(const struct fixture *f, const char *text, const char *media_type)
{
	char hex[DIGEST_HEX_LEN + 1];
	cleanup_free char *path = NULL;

	sha256_hex(text, strlen(text), hex);
	path = str_printf("blobs/sha256/%s", hex);
	assert_int_equal(fd_write_file_at(f->fd, path, text, strlen(text), 0600), 0);
	return str_printf("\"mediaType\":\"%s\",\"digest\":\"sha256:%s\",\"size\":%zu", media_type,
			  hex, strlen(text));
}

static void write_index(const struct fixture *f, const char *entry)
{
	cleanup_free char *text = str_printf("{\"schemaVersion\":2,\"manifests\":[{%s}]}", entry);

	assert_int_equal(fd_write_file_at(f->fd, "index.json", text, strlen(text), 0600), 0);
}

/* A manifest of one layer "LAYER" with EXTRA members behind the usual ones. */
static char *add_manifest(const struct fixture *f, const char *extra)
{
	cleanup_free char *config = add_blob(f, "{}", CONFIG);
	cleanup_free char *layer = add_blob(f, "LAYER", "application/vnd.oci.image.layer.v1.tar");
	cleanup_free char *manifest = str_printf(
		"{\"schemaVersion\":2,\"config\":{%s},\"layers\":[{%s}%s", config, layer, extra);

	return add_blob(f, manifest, MANIFEST);
}

static void reads_an_image(void **state)
{
	cleanup_layout_image struct layout_image image = LAYOUT_IMAGE_INIT;
	struct fixture *f = *state;
	cleanup_free char *manifest = add_manifest(f, "]}");
	cleanup_str struct str content = STR_INIT;
	cleanup_close int fd = -1;
	struct err err = ERR_INIT;

	write_index(f, manifest);
	assert_int_equal(layout_read_image(f->fd, "amd64", &image, &err), 0);
	assert_string_equal(str_get(&image.config), "{}");
	assert_int_equal(image.n_layers, 1);
	fd = layout_open_layer(f->fd, &image.layers[0], &err);
	assert_true(fd >= 0);
	assert_int_equal(fd_read_all(fd, 100, &content), 0);
	assert_string_equal(str_get(&content), "LAYER");
}

/* Manifests that end in other ways than they should; what follows the layer's descriptor. */
static void refuses_manifests(void **state)
{
	static const struct {
		const char *end;
		const char *message;
	} rows[] = {
		{"],\"manifests\":[]}", "ambiguous manifest"},
		{"],\"mediaType\":\"" INDEX "\"}", "ambiguous manifest"},
		{"],\"mediaType\":\"application/vnd.docker.distribution.manifest.v2+json\"}",
		 "ambiguous manifest"},
		{",{\"digest\":\"sha256:x\",\"size\":1}]}",
		 "layer 1: invalid checksum digest length"},
		{",7]}", "layer 1: a descriptor is missing"},
		{",{\"digest\":\"sha256:" HEX "\",\"size\":1,\"urls\":[\"https://x\"]}]}",
		 "layers that live at other places"},
		{"]", "manifest: line 1"},
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		cleanup_free char *manifest = add_manifest(f, rows[i].end);
		struct layout_image image = LAYOUT_IMAGE_INIT;
		struct err err = ERR_INIT;

		write_index(f, manifest);
		assert_true(layout_read_image(f->fd, "amd64", &image, &err) < 0);
		if (!strstr(err.msg, rows[i].message))
			fail_msg("row %zu: \"%s\" not in \"%s\"", i, rows[i].message, err.msg);
		assert_null(image.layers);
	}
}

static void refuses_damage(void **state)
{
	struct fixture *f = *state;
	cleanup_free char *manifest = add_manifest(f, "]}");
	struct layout_image image = LAYOUT_IMAGE_INIT;
	struct err err = ERR_INIT;
	char hex[DIGEST_HEX_LEN + 1];
	cleanup_free char *path = NULL;

	write_index(f, manifest);
	sha256_hex("{}", 2, hex);
	path = str_printf("blobs/sha256/%s", hex);
	assert_int_equal(fd_write_file_at(f->fd, path, "[]", 2, 0600), 0);
	assert_int_equal(layout_read_image(f->fd, "amd64", &image, &err), -ERR_INVALID);
	assert_non_null(strstr(err.msg, "its digest is another"));
	assert_int_equal(fd_write_file_at(f->fd, path, "{} ", 3, 0600), 0);
	assert_int_equal(layout_read_image(f->fd, "amd64", &image, &err), -ERR_INVALID);
	assert_non_null(strstr(err.msg, "has 3 bytes, not the 2"));
	/* A symlink, even to the right content, is not followed. */
	assert_int_equal(unlinkat(f->fd, path, 0), 0);
	assert_int_equal(fd_write_file_at(f->fd, "config", "{}", 2, 0600), 0);
	assert_int_equal(symlinkat("../../config", f->fd, path), 0);
	assert_true(layout_read_image(f->fd, "amd64", &image, &err) < 0);
	assert_int_equal(err.errnum, ELOOP);
}

static void chooses_the_platform(void **state)
{
	struct fixture *f = *state;
	cleanup_free char *manifest = add_manifest(f, "]}");
	cleanup_free char *entry = str_printf(
		"%s,\"platform\":{\"os\":\"linux\",\"architecture\":\"arm64\"}", manifest);
	cleanup_layout_image struct layout_image image = LAYOUT_IMAGE_INIT;
	struct err err = ERR_INIT;

	write_index(f, entry);
	assert_int_equal(layout_read_image(f->fd, "amd64", &image, &err), -ERR_NOT_FOUND);
	assert_int_equal(layout_read_image(f->fd, "arm64", &image, &err), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(reads_an_image, set_up, tear_down),
		cmocka_unit_test_setup_teardown(refuses_manifests, set_up, tear_down),
		cmocka_unit_test_setup_teardown(refuses_damage, set_up, tear_down),
		cmocka_unit_test_setup_teardown(chooses_the_platform, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
