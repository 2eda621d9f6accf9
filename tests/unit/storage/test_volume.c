/* SPDX-License-Identifier: Apache-2.0 */
/* Volumes: names, rows and directories, who uses them, and what a death in between leaves. */
#include "../unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"
#include "storage/container.h"
#include "storage/db.h"
#include "storage/store.h"
#include "storage/volume.h"

#define ID_A "1111111111111111111111111111111111111111111111111111111111111111"
#define ID_B "2222222222222222222222222222222222222222222222222222222222222222"
#define ANON "3333333333333333333333333333333333333333333333333333333333333333"

struct fixture {
	char path[64];
	struct store *store;
};

static int set_up(void **state)
{
	struct fixture *f = mem_zalloc(sizeof(*f));
	struct err err = ERR_INIT;

	snprintf(f->path, sizeof(f->path), "/tmp/tare-volume-XXXXXX");
	assert_non_null(mkdtemp(f->path));
	assert_int_equal(storage_open(f->path, "/run/x", NULL, &f->store, &err), 0);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	storage_close(f->store);
	fd_remove_tree_at(AT_FDCWD, f->path);
	free(f);
	return 0;
}

static bool exists(const struct fixture *f, const char *leaf)
{
	cleanup_free char *path = str_printf("%s/volumes/%s", f->path, leaf);

	return access(path, F_OK) == 0;
}

static void write_file(const struct fixture *f, const char *leaf)
{
	cleanup_free char *path = str_printf("%s/volumes/%s", f->path, leaf);

	assert_int_equal(fd_write_file_at(AT_FDCWD, path, "x", 1, 0600), 0);
}

static void ensure(const struct fixture *f, const char *name, int expected)
{
	struct err err = ERR_INIT;

	assert_int_equal(volume_ensure(f->store, name, "{\"a\":\"1\"}", "null", &err), expected);
}

static int insert(const struct fixture *f, const char *id, const char *name,
		  const struct container_use *uses, size_t n, struct err *err)
{
	char holder[ID_LEN + 1];
	const struct container_row row = {.id = id,
					  .name = name,
					  .image_id = "",
					  .image_ref = "",
					  .command = "",
					  .labels = "{}",
					  .network_mode = "none",
					  .mounts = "",
					  .config = "{}",
					  .host = "{}",
					  .extra = "{}",
					  .uses = uses,
					  .n_uses = n};

	return container_insert(f->store, &row, holder, err);
}

static void names_are_checked(void **state)
{
	static const struct {
		const char *name;
		bool good;
	} rows[] = {
		{"ab", true},	{"a.b-c_d", true}, {"0x", true},   {"a", false},   {"", false},
		{".a", false},	{"-a", false},	   {"a/b", false}, {"a b", false}, {"../x", false},
		{"a\n", false}, {"..", false},	   {"a:b", false},
	};
	struct err err = ERR_INIT;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		err_clear(&err);
		assert_int_equal(volume_check_name(rows[i].name, &err) == 0, rows[i].good);
	}
	volume_check_name("a", &err);
	assert_string_equal(err.msg, "create a: volume name is too short, names should be at least "
				     "two alphanumeric characters");
}

static void made_once(void **state)
{
	const struct fixture *f = *state;
	cleanup_volume struct volume volume = VOLUME_INIT;
	struct err err = ERR_INIT;

	ensure(f, "data", 1);
	ensure(f, "data", 0);
	assert_true(exists(f, "data/_data") && exists(f, "data/volume.json"));
	assert_int_equal(volume_find(f->store, "data", &volume, &err), 0);
	assert_string_equal(volume.labels, "{\"a\":\"1\"}");
	assert_int_equal(volume_remove(f->store, "data", &err), 0);
	assert_false(exists(f, "data"));
	assert_int_equal(volume_remove(f->store, "data", &err), -ERR_NOT_FOUND);
	assert_string_equal(err.msg, "get data: no such volume");
}

static void used_ones_stay(void **state)
{
	const struct fixture *f = *state;
	const struct container_use use = {.volume = "data", .target = "/d"};
	struct err err = ERR_INIT;

	assert_int_equal(insert(f, ID_A, "none", &use, 1, &err), -ERR_NOT_FOUND);
	ensure(f, "data", 1);
	assert_int_equal(insert(f, ID_A, "one", &use, 1, &err), 0);
	assert_int_equal(insert(f, ID_B, "two", &use, 1, &err), 0);
	assert_int_equal(volume_remove(f->store, "data", &err), -ERR_CONFLICT);
	assert_string_equal(err.msg, "remove data: volume is in use - [" ID_A ", " ID_B "]");
	assert_int_equal(volume_rename(f->store, "data", "other", &err), -ERR_CONFLICT);
	assert_int_equal(container_delete(f->store, ID_A, true, NULL, &err), 1);
	assert_int_equal(container_delete(f->store, ID_B, true, NULL, &err), 1);
	/* One with a name never goes with its containers. */
	assert_true(exists(f, "data/_data"));
	assert_int_equal(volume_remove(f->store, "data", &err), 0);
}

static void anonymous_ones_go_with_the_last(void **state)
{
	const struct fixture *f = *state;
	const struct container_use first = {
		.volume = ANON, .target = "/d", .is_anonymous = true, .is_new = true};
	const struct container_use from = {.volume = ANON, .target = "/d", .is_anonymous = true};
	cleanup_strv struct strv gone = STRV_INIT;
	cleanup_volume struct volume volume = VOLUME_INIT;
	struct err err = ERR_INIT;

	assert_int_equal(insert(f, ID_A, "one", &first, 1, &err), 0);
	assert_int_equal(insert(f, ID_B, "two", &from, 1, &err), 0);
	/* Its files come with the row: a sweep never sees them without. */
	assert_true(exists(f, ANON "/_data"));
	assert_int_equal(container_delete(f->store, ID_A, true, &gone, &err), 1);
	assert_int_equal(gone.n, 0);
	assert_int_equal(volume_lookup(f->store, ANON, &volume, &err), 1);
	assert_true(volume_is_anonymous(&volume));
	assert_int_equal(container_delete(f->store, ID_B, true, &gone, &err), 1);
	assert_int_equal(gone.n, 1);
	assert_string_equal(gone.items[0], ANON);
	assert_false(exists(f, ANON));
	volume_done(&volume);
	assert_int_equal(volume_lookup(f->store, ANON, &volume, &err), 0);
}

static void renamed(void **state)
{
	const struct fixture *f = *state;
	struct err err = ERR_INIT;

	ensure(f, "data", 1);
	ensure(f, "taken", 1);
	write_file(f, "data/_data/f");
	assert_int_equal(volume_rename(f->store, "data", "taken", &err), -ERR_CONFLICT);
	assert_int_equal(volume_rename(f->store, "data", "a b", &err), -ERR_INVALID);
	assert_int_equal(volume_rename(f->store, "data", "new", &err), 0);
	assert_true(exists(f, "new/_data/f") && !exists(f, "data"));
}

static int count_one(const struct volume *volume, void *data, struct err *err)
{
	++*(size_t *)data;
	return 0;
}

static size_t count(const struct fixture *f)
{
	struct err err = ERR_INIT;
	size_t n = 0;

	assert_int_equal(volume_list(f->store, count_one, &n, &err), 0);
	return n;
}

/* A row that a power cut took comes back from the record, with the content. */
static void lost_rows_come_back(void **state)
{
	const struct fixture *f = *state;
	cleanup_volume struct volume volume = VOLUME_INIT;
	struct err err = ERR_INIT;

	ensure(f, "data", 1);
	write_file(f, "data/_data/f");
	db_run(f->store, &err, "DELETE FROM volume", "");
	assert_int_equal(count(f), 0);
	volume_sweep(f->store);
	assert_int_equal(volume_find(f->store, "data", &volume, &err), 0);
	assert_string_equal(volume.labels, "{\"a\":\"1\"}");
	assert_true(exists(f, "data/_data/f"));
	/* And so it is for who asks for a new one of that name. */
	db_run(f->store, &err, "DELETE FROM volume", "");
	ensure(f, "data", 1);
	assert_true(exists(f, "data/_data/f"));
}

/* A removal that died after its row went is finished, not undone. */
static void removals_are_finished(void **state)
{
	const struct fixture *f = *state;
	cleanup_free char *from = str_printf("%s/volumes/data/volume.json", f->path);
	cleanup_free char *to = str_printf("%s/volumes/data/removed.json", f->path);
	struct err err = ERR_INIT;

	ensure(f, "data", 1);
	write_file(f, "data/_data/f");
	assert_int_equal(rename(from, to), 0);
	db_run(f->store, &err, "DELETE FROM volume", "");
	volume_sweep(f->store);
	assert_false(exists(f, "data"));
	assert_int_equal(count(f), 0);
	/* One that died before that has changed nothing. */
	ensure(f, "data", 1);
	assert_int_equal(rename(from, to), 0);
	volume_sweep(f->store);
	assert_true(exists(f, "data/_data"));
	assert_int_equal(volume_remove(f->store, "data", &err), 0);
	assert_false(exists(f, "data"));
}

/* The directory has the new name, the row still the old one. */
static void renames_are_finished(void **state)
{
	const struct fixture *f = *state;
	cleanup_volume struct volume volume = VOLUME_INIT;
	struct err err = ERR_INIT;

	ensure(f, "data", 1);
	write_file(f, "data/_data/f");
	assert_int_equal(volume_rename(f->store, "data", "new", &err), 0);
	db_run(f->store, &err, "UPDATE volume SET name='data'", "");
	volume_sweep(f->store);
	assert_int_equal(volume_find(f->store, "new", &volume, &err), 0);
	assert_int_equal(count(f), 1);
	assert_true(exists(f, "new/_data/f"));
}

static void half_made_ones_go(void **state)
{
	const struct fixture *f = *state;
	cleanup_free char *path = str_printf("%s/volumes/.0011", f->path);

	ensure(f, "data", 1);
	assert_int_equal(mkdir(path, 0700), 0);
	write_file(f, ".0011/x");
	volume_sweep(f->store);
	assert_false(exists(f, ".0011"));
	assert_true(exists(f, "data/_data"));
}

/* Who got out of a container might put a link in the place of the content. */
static void links_are_refused(void **state)
{
	const struct fixture *f = *state;
	cleanup_free char *data = str_printf("%s/volumes/data/_data", f->path);
	struct err err = ERR_INIT;
	int fd = -1;

	ensure(f, "data", 1);
	fd = volume_open(f->store, "data", &err);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(rmdir(data), 0);
	assert_int_equal(symlink("/etc", data), 0);
	assert_int_equal(volume_open(f->store, "data", &err), -ERR_DENIED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_checked),
		cmocka_unit_test_setup_teardown(made_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(used_ones_stay, set_up, tear_down),
		cmocka_unit_test_setup_teardown(anonymous_ones_go_with_the_last, set_up, tear_down),
		cmocka_unit_test_setup_teardown(renamed, set_up, tear_down),
		cmocka_unit_test_setup_teardown(lost_rows_come_back, set_up, tear_down),
		cmocka_unit_test_setup_teardown(removals_are_finished, set_up, tear_down),
		cmocka_unit_test_setup_teardown(renames_are_finished, set_up, tear_down),
		cmocka_unit_test_setup_teardown(half_made_ones_go, set_up, tear_down),
		cmocka_unit_test_setup_teardown(links_are_refused, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
