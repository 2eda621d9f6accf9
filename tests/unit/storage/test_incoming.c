/* SPDX-License-Identifier: Apache-2.0 */
/* Images on their way in: what is read and what is not, what is refused, which blobs stay. */
#include <dirent.h>
#include <string.h>

#include "oci/image_config.h"
#include "storage/blob.h"
#include "storage/collect.h"
#include "storage/db.h"
#include "storage/image.h"
#include "storage/incoming.h"
#include "storage/names.h"
#include "store_fixture.h"

static const struct image_removal plainly;

static int count_blobs(const struct fixture *f)
{
	cleanup_free char *path = str_printf("%s/blobs/sha256", f->root);
	DIR *d = opendir(path);
	const struct dirent *e = NULL;
	int n = 0;

	while (d && (e = readdir(d)))
		n += e->d_name[0] != '.';
	if (d)
		closedir(d);
	return n;
}

/* The configuration of an image whose only layer is TEXT; owned. */
static char *config_of(const char *text, const char *author)
{
	char hex[DIGEST_HEX_LEN + 1];

	sha256_hex(text, strlen(text), hex);
	return str_printf(
		"{\"architecture\":\"amd64\",\"author\":\"%s\",\"os\":\"linux\",\"rootfs\":"
		"{\"type\":\"layers\",\"diff_ids\":[\"sha256:%s\"]}}",
		author, hex);
}

static struct layer_source source_of(int fd, const char *text)
{
	struct layer_source s = {
		.fd = fd, .length = strlen(text), .raw_size = (int64_t)strlen(text)};

	sha256_hex(text, strlen(text), s.raw_hex);
	return s;
}

/* Brings an image with the layer TEXT in under NAME; its id. FD < 0: nothing may be read. */
static int bring(const struct fixture *f, const char *text, const char *author, const char *name,
		 int fd, char ret_id[static DIGEST_HEX_LEN + 1], struct err *err)
{
	cleanup_incoming struct incoming *in = NULL;
	cleanup_free char *config = config_of(text, author);
	const struct layer_source source = source_of(fd, text);

	if (incoming_begin(f->store, &in, err) < 0 ||
	    incoming_set_config(in, config, strlen(config), err) < 0 ||
	    incoming_add_layers(in, &source, 1, NULL, NULL, NULL, err) < 0)
		return -err->code;
	incoming_add_name(in, name);
	if (incoming_commit(in, err) < 0)
		return -err->code;
	memcpy(ret_id, incoming_get_id(in), DIGEST_HEX_LEN + 1);
	return 0;
}

#define NAME_A "docker.io/library/a:latest"
#define NAME_B "docker.io/library/b:latest"

static void known_layers_are_not_read(void **state)
{
	const struct fixture *f = *state;
	cleanup_close int fd = archive_of(f, "some layer");
	cleanup_free struct layer_info *infos = NULL;
	char a[DIGEST_HEX_LEN + 1], b[DIGEST_HEX_LEN + 1];
	struct err err = ERR_INIT;
	size_t n = 0;

	if (bring(f, "some layer", "one", NAME_A, fd, a, &err) < 0)
		fail_msg("%s", err.msg);
	if (bring(f, "some layer", "two", NAME_B, -1, b, &err) < 0)
		fail_msg("%s", err.msg);
	assert_string_not_equal(a, b);
	/* Two configurations and one layer. */
	assert_int_equal(count_blobs(f), 3);
	assert_int_equal(layer_info_list(f->store, b, &infos, &n, &err), 0);
	assert_int_equal(n, 1);
	assert_int_equal(infos[0].plain_size, 10);

	/* A blob that went is made again from what is offered; the files stay as they are. */
	cleanup_free char *path = str_printf("%s/blobs/sha256/%s", f->root, infos[0].blob_hex);

	assert_int_equal(unlink(path), 0);
	assert_true(bring(f, "some layer", "two", NAME_B, -1, b, &err) < 0);
	if (bring(f, "some layer", "two", NAME_B, fd, b, &err) < 0)
		fail_msg("%s", err.msg);
	assert_int_equal(access(path, F_OK), 0);
}

static void promises_are_kept(void **state)
{
	const struct fixture *f = *state;
	cleanup_close int fd = archive_of(f, "some layer");
	char id[DIGEST_HEX_LEN + 1];
	struct err err = ERR_INIT;

	/* The file has other bytes of the same length than the manifest and configuration say. */
	assert_int_equal(bring(f, "SOME layer", "x", NAME_A, fd, id, &err), -ERR_INVALID);
	assert_string_equal(err.msg, "layer 0 is damaged: its digest is another");
	assert_int_equal(count_blobs(f), 0);
}

static void other_layers_than_configured(void **state)
{
	const struct fixture *f = *state;
	cleanup_incoming struct incoming *in = NULL;
	cleanup_close int fd = archive_of(f, "some layer");
	cleanup_free char *config = config_of("another", "x");
	struct layer_source sources[2] = {source_of(fd, "some layer"), source_of(fd, "some layer")};
	struct err err = ERR_INIT;

	assert_int_equal(incoming_begin(f->store, &in, &err), 0);
	assert_int_equal(incoming_set_config(in, config, strlen(config), &err), 0);
	assert_int_equal(incoming_add_layers(in, sources, 2, NULL, NULL, NULL, &err), -ERR_INVALID);
	assert_string_equal(err.msg, "manifest and configuration name different layers");
	incoming_free(in);
	in = NULL;
	assert_int_equal(incoming_begin(f->store, &in, &err), 0);
	assert_int_equal(incoming_set_config(in, config, strlen(config), &err), 0);
	assert_int_equal(incoming_add_layers(in, sources, 1, NULL, NULL, NULL, &err), -ERR_INVALID);
	assert_string_equal(err.msg, "layer 0 is not the one of the configuration");
}

/* The configuration names a layer that the store has; the manifest names other bytes for it. */
static void known_layers_under_another_digest(void **state)
{
	const struct fixture *f = *state;
	cleanup_incoming struct incoming *in = NULL;
	cleanup_close int fd = archive_of(f, "some layer");
	cleanup_free char *config = config_of("some layer", "two");
	char id[DIGEST_HEX_LEN + 1];
	struct err err = ERR_INIT;

	if (bring(f, "some layer", "one", NAME_A, fd, id, &err) < 0)
		fail_msg("%s", err.msg);

	cleanup_close int other_fd = archive_of(f, "another layer");
	const struct layer_source source = source_of(other_fd, "another layer");

	assert_int_equal(incoming_begin(f->store, &in, &err), 0);
	assert_int_equal(incoming_set_config(in, config, strlen(config), &err), 0);
	assert_int_equal(incoming_add_layers(in, &source, 1, NULL, NULL, NULL, &err), -ERR_INVALID);
	assert_string_equal(err.msg, "layer 0 is not the one of the configuration");
}

/* Brings image a in with a target of two documents. */
static void bring_with_target(const struct fixture *f, const char *manifest, const char *more)
{
	cleanup_incoming struct incoming *in = NULL;
	cleanup_close int fd = archive_of(f, "some layer");
	cleanup_free char *config = config_of("some layer", "x");
	const struct layer_source source = source_of(fd, "some layer");
	char manifest_hex[DIGEST_HEX_LEN + 1], more_hex[DIGEST_HEX_LEN + 1];
	struct err err = ERR_INIT;

	sha256_hex(manifest, strlen(manifest), manifest_hex);
	sha256_hex(more, strlen(more), more_hex);
	assert_int_equal(incoming_begin(f->store, &in, &err), 0);
	assert_int_equal(incoming_set_config(in, config, strlen(config), &err), 0);
	assert_int_equal(incoming_add_layers(in, &source, 1, NULL, NULL, NULL, &err), 0);
	assert_int_equal(incoming_add_document(in, manifest_hex, "x", 1, &err), -ERR_INVALID);
	assert_int_equal(incoming_add_document(in, manifest_hex, manifest, strlen(manifest), &err),
			 0);
	assert_int_equal(incoming_add_document(in, more_hex, more, strlen(more), &err), 0);
	incoming_set_target(in, manifest_hex, "application/vnd.oci.image.manifest.v1+json");
	incoming_add_name(in, NAME_A);
	assert_int_equal(incoming_commit(in, &err), 0);
}

static void targets_live_with_their_names(void **state)
{
	const struct fixture *f = *state;
	cleanup_str struct str names = STR_INIT;
	cleanup_strv struct strv lines = STRV_INIT;
	struct err err = ERR_INIT;

	bring_with_target(f, "{\"first\":1}", "one");
	assert_int_equal(count_blobs(f), 4);
	assert_int_equal(image_tag(f->store, "a", "b", &err), 0);
	/* The name moves to another manifest of the same image; b still has the first. */
	bring_with_target(f, "{\"second\":1}", "two");
	assert_int_equal(count_blobs(f), 6);
	assert_int_equal(names_format(f->store, &names, &err), 0);
	assert_non_null(strstr(names.buf, NAME_A));
	assert_non_null(strstr(names.buf, "application/vnd.oci.image.manifest.v1+json"));
	assert_int_equal(image_remove(f->store, "b", &plainly, &lines, &err), 0);
	assert_int_equal(count_blobs(f), 4);
	assert_int_equal(image_remove(f->store, "a", &plainly, &lines, &err), 0);
	assert_int_equal(count_blobs(f), 0);
}

/* While one imports, another's removal leaves its files to be removed at the import's end. */
static void removal_beside_an_import(void **state)
{
	const struct fixture *f = *state;
	cleanup_incoming struct incoming *in = NULL;
	cleanup_store struct store *other = NULL;
	char id[DIGEST_HEX_LEN + 1];
	struct err err = ERR_INIT;

	import_image(f, "some layer", "a", NULL, id);
	assert_int_equal(storage_open(f->root, "/run/x", f->path, &other, &err), 0);
	assert_int_equal(incoming_begin(f->store, &in, &err), 0);
	assert_int_equal(image_remove(other, "a", &plainly, NULL, &err), 0);
	assert_int_equal(count_blobs(f), 2);
	assert_true(storage_has_leftovers(f->store));
	incoming_free(in);
	in = NULL;
	assert_int_equal(count_blobs(f), 0);
	assert_false(storage_has_leftovers(f->store));
}

/* Who reads an image has all of it until it lets go. */
static void removal_beside_a_reader(void **state)
{
	const struct fixture *f = *state;
	cleanup_store struct store *other = NULL;
	char id[DIGEST_HEX_LEN + 1];
	struct err err = ERR_INIT;
	int fd = -1;

	import_image(f, "some layer", "a", NULL, id);
	assert_int_equal(storage_open(f->root, "/run/x", f->path, &other, &err), 0);
	fd = storage_hold(f->store, &err);
	assert_true(fd >= 0);
	assert_int_equal(image_remove(other, "a", &plainly, NULL, &err), 0);
	assert_int_equal(count_blobs(f), 2);
	storage_release(f->store, &fd);
	assert_int_equal(fd, -1);
	assert_int_equal(count_blobs(f), 0);
	storage_release(f->store, &fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(known_layers_are_not_read, set_up, tear_down),
		cmocka_unit_test_setup_teardown(promises_are_kept, set_up, tear_down),
		cmocka_unit_test_setup_teardown(other_layers_than_configured, set_up, tear_down),
		cmocka_unit_test_setup_teardown(known_layers_under_another_digest, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(targets_live_with_their_names, set_up, tear_down),
		cmocka_unit_test_setup_teardown(removal_beside_an_import, set_up, tear_down),
		cmocka_unit_test_setup_teardown(removal_beside_a_reader, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
