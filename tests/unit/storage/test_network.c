/* SPDX-License-Identifier: Apache-2.0 */
/* Networks: rows, the records beside them, and what a death in between leaves. */
#include "../unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/str.h"
#include "storage/db.h"
#include "storage/network.h"
#include "storage/store.h"

#define ID_A "1111111111111111111111111111111111111111111111111111111111111111"
#define ID_B "1222222222222222222222222222222222222222222222222222222222222222"
#define ID_C "3333333333333333333333333333333333333333333333333333333333333333"

struct fixture {
	char path[64];
	struct store *store;
};

static int set_up(void **state)
{
	struct fixture *f = mem_zalloc(sizeof(*f));
	struct err err = ERR_INIT;

	snprintf(f->path, sizeof(f->path), "/tmp/tare-network-XXXXXX");
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

static bool has_record(const struct fixture *f, const char *id)
{
	cleanup_free char *path = str_printf("%s/networks/%s.json", f->path, id);

	return access(path, F_OK) == 0;
}

static int insert(const struct fixture *f, const char *id, const char *name, struct err *err)
{
	const struct network_row row = {.id = id,
					.name = name,
					.driver = "bridge",
					.config = "{\"Link\":\"br7\"}",
					.created_ns = 7};
	const struct network_insertion in = {.rows = &row, .n = 1, .has_record = true};

	return network_insert(f->store, &in, err);
}

static int note_name(const struct network_row *row, void *data, struct err *err)
{
	str_addf(data, "%s ", row->name);
	assert_string_equal(row->driver, "bridge");
	assert_string_equal(row->config, "{\"Link\":\"br7\"}");
	assert_int_equal(row->created_ns, 7);
	return 0;
}

static void expect_lookup(const struct fixture *f, const char *ref, const char *want)
{
	cleanup_str struct str got = STR_INIT;
	struct err err = ERR_INIT;

	assert_int_equal(network_lookup(f->store, ref, note_name, &got, &err), *want != '\0');
	assert_string_equal(str_get(&got), want);
}

static void found_by_docker_s_rule(void **state)
{
	const struct fixture *f = *state;
	cleanup_str struct str got = STR_INIT;
	struct err err = ERR_INIT;

	assert_int_equal(insert(f, ID_A, "shop", &err), 0);
	assert_int_equal(insert(f, ID_B, "31", &err), 0);
	/* A name that is the beginning of another's id is the name. */
	assert_int_equal(insert(f, ID_C, "11", &err), 0);
	expect_lookup(f, "shop", "shop ");
	expect_lookup(f, ID_B, "31 ");
	expect_lookup(f, "11", "11 ");
	expect_lookup(f, "111", "shop ");
	expect_lookup(f, "12", "31 ");
	expect_lookup(f, "4", "");
	expect_lookup(f, "sho", "");
	expect_lookup(f, "", "");
	assert_int_equal(network_lookup(f->store, "1", note_name, &got, &err), -ERR_INVALID);
	assert_string_equal(err.msg, "network 1 is ambiguous (2 matches found based on ID prefix)");
	assert_int_equal(network_list(f->store, note_name, &got, &err), 0);
	assert_string_equal(str_get(&got), "11 31 shop ");
}

static void names_are_unique(void **state)
{
	const struct fixture *f = *state;
	struct err err = ERR_INIT;

	assert_int_equal(insert(f, ID_A, "shop", &err), 0);
	assert_int_equal(insert(f, ID_B, "shop", &err), -ERR_CONFLICT);
	assert_string_equal(err.msg, "network with name shop already exists");
	assert_true(has_record(f, ID_A));
	assert_false(has_record(f, ID_B));
}

static void record_goes_with_its_row(void **state)
{
	const struct fixture *f = *state;
	struct err err = ERR_INIT;

	assert_int_equal(insert(f, ID_A, "shop", &err), 0);
	assert_int_equal(network_delete(f->store, ID_A, &err), 1);
	assert_false(has_record(f, ID_A));
	assert_int_equal(network_delete(f->store, ID_A, &err), 0);
}

static void sweep_takes_what_has_no_row(void **state)
{
	const struct fixture *f = *state;
	const struct network_row stray = {
		.id = ID_B, .name = "dead", .driver = "bridge", .config = "{}"};
	struct err err = ERR_INIT;

	assert_int_equal(insert(f, ID_A, "shop", &err), 0);
	assert_int_equal(network_write_record(f->store, &stray, &err), 0);
	assert_true(has_record(f, ID_B));
	network_sweep(f->store);
	assert_false(has_record(f, ID_B));
	assert_true(has_record(f, ID_A));
}

static int refuse(void *data, struct err *err)
{
	return err_set(err, ERR_UNAVAILABLE, "none left");
}

static void nothing_is_left_of_what_failed(void **state)
{
	const struct fixture *f = *state;
	const struct network_row rows[] = {{ID_A, "a", "bridge", "{}", 7},
					   {ID_B, "b", "bridge", "{}", 7}};
	const struct network_row twins[] = {{ID_A, "a", "bridge", "{}", 7},
					    {ID_A, "b", "bridge", "{}", 7}};
	const struct network_insertion refused = {
		.rows = rows, .n = 2, .has_record = true, .choose = refuse};
	const struct network_insertion clash = {.rows = twins, .n = 2, .has_record = true};
	struct err err = ERR_INIT;

	assert_int_equal(network_insert(f->store, &refused, &err), -ERR_UNAVAILABLE);
	assert_int_equal(network_insert(f->store, &clash, &err), -ERR_CONFLICT);
	expect_lookup(f, "a", "");
	expect_lookup(f, "b", "");
	assert_false(has_record(f, ID_A));
	assert_false(has_record(f, ID_B));
}

static int count(const struct network_row *row, void *data, struct err *err)
{
	(*(int *)data)++;
	return 0;
}

struct numbering {
	int seen;
	char config[32];
	struct network_row row;
};

static int choose_number(void *data, struct err *err)
{
	struct numbering *n = data;

	snprintf(n->config, sizeof(n->config), "{\"n\":%d}", n->seen);
	return 0;
}

static int see(const struct network_row *row, void *data, struct err *err)
{
	((struct numbering *)data)->seen++;
	return 0;
}

static void insert_numbered(const struct fixture *f, char digit)
{
	struct numbering n = {};
	char id[ID_LEN + 1];
	char name[2] = {digit};
	const struct network_insertion in = {
		.rows = &n.row, .n = 1, .see = see, .choose = choose_number, .data = &n};
	struct err err = ERR_INIT;

	memset(id, digit, ID_LEN);
	id[ID_LEN] = '\0';
	n.row = (struct network_row){
		.id = id, .name = name, .driver = "bridge", .config = n.config};
	if (network_insert(f->store, &in, &err) < 0)
		_exit(1);
}

static int check_number(const struct network_row *row, void *data, struct err *err)
{
	bool *numbers = data;
	int number = -1;

	assert_int_equal(sscanf(row->config, "{\"n\":%d}", &number), 1);
	assert_in_range(number, 0, 15);
	assert_false(numbers[number]);
	numbers[number] = true;
	return 0;
}

/* Sixteen processes choose a number by what is there: none chooses another's. */
static void choices_do_not_meet(void **state)
{
	const struct fixture *f = *state;
	bool numbers[16] = {};
	struct err err = ERR_INIT;
	int n = 0;
	int status = 0;

	/* The index is there before they are. */
	assert_int_equal(network_list(f->store, count, &n, &err), 0);
	for (int i = 0; i < 16; i++) {
		pid_t pid = fork();
		struct fixture own = *f;

		if (pid > 0)
			continue;
		if (storage_open(f->path, "/run/x", NULL, &own.store, &err) < 0)
			_exit(1);
		insert_numbered(&own, "0123456789abcdef"[i]);
		storage_close(own.store);
		_exit(0);
	}
	for (int i = 0; i < 16; i++) {
		assert_true(wait(&status) > 0);
		assert_int_equal(status, 0);
	}
	assert_int_equal(network_list(f->store, check_number, numbers, &err), 0);
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
		assert_true(numbers[i]);
}

static int restore(const struct network_row *row, void *data, struct err *err)
{
	return network_restore_row(data, row, err);
}

static void row_is_made_from_its_record(void **state)
{
	const struct fixture *f = *state;
	struct err err = ERR_INIT;

	assert_int_equal(insert(f, ID_A, "shop", &err), 0);
	assert_int_equal(db_run(f->store, &err, "DELETE FROM network", ""), 1);
	expect_lookup(f, "shop", "");
	assert_int_equal(network_read_record(f->store, ID_A ".json", restore, f->store, &err), 1);
	expect_lookup(f, "shop", "shop ");
	assert_int_equal(network_read_record(f->store, ID_B ".json", restore, f->store, &err), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(found_by_docker_s_rule, set_up, tear_down),
		cmocka_unit_test_setup_teardown(names_are_unique, set_up, tear_down),
		cmocka_unit_test_setup_teardown(record_goes_with_its_row, set_up, tear_down),
		cmocka_unit_test_setup_teardown(sweep_takes_what_has_no_row, set_up, tear_down),
		cmocka_unit_test_setup_teardown(nothing_is_left_of_what_failed, set_up, tear_down),
		cmocka_unit_test_setup_teardown(choices_do_not_meet, set_up, tear_down),
		cmocka_unit_test_setup_teardown(row_is_made_from_its_record, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
