/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of containers: lookup by docker's rule, uniqueness, listing, concurrent writers. */
#include <string.h>
#include <sys/wait.h>

#include "storage/container.h"
#include "store_fixture.h"

#define ID_A "aa00000000000000000000000000000000000000000000000000000000000001"
#define ID_B "aa00000000000000000000000000000000000000000000000000000000000002"
#define ID_C "bb00000000000000000000000000000000000000000000000000000000000003"

static int insert(struct store *store, const char *id, const char *name, char *ret_holder,
		  struct err *err)
{
	const struct container_row row = {
		.id = id,
		.name = name,
		.image_ref = "busybox",
		.command = "\"sh\"",
		.labels = "{}",
		.network_mode = "none",
		.mounts = "",
		.config = "{\"a\":1}",
		.host = "{\"b\":2}",
		.extra = "{}",
		.created_ns = 5,
		.auto_remove = true,
	};

	return container_insert(store, &row, ret_holder, err);
}

static void add(struct store *store, const char *id, const char *name)
{
	char holder[ID_LEN + 1];
	struct err err = ERR_INIT;

	if (insert(store, id, name, holder, &err) < 0)
		fail_msg("insert: %s", err.msg);
}

static void looks_up(void **state)
{
	static const struct {
		const char *ref;
		const char *id; /* NULL: the message */
		const char *message;
	} rows[] = {
		{ID_A, ID_A, NULL},
		{"one", ID_A, NULL},
		{"/one", ID_A, NULL},
		{"bb", ID_B, NULL}, /* a name before a prefix */
		{"b", ID_C, NULL},
		{"bb0", ID_C, NULL},
		{"bb0000000000", ID_C, NULL},
		{"aa", NULL, "multiple IDs found with provided prefix: aa"},
		{"a", NULL, "multiple IDs found with provided prefix: a"},
		{"aa00000000000000000000000000000000000000000000000000000000000002", ID_B, NULL},
		{"aa0000000000000000000000000000000000000000000000000000000000000", NULL,
		 "multiple IDs found with provided prefix: "
		 "aa0000000000000000000000000000000000000000000000000000000000000"},
		{"cc", NULL, "No such container: cc"},
		{"BB", NULL, "No such container: BB"},
		{"", NULL, "invalid container name or ID: value is empty"},
		{"/", NULL, "No such container: /"},
		{"ones", NULL, "No such container: ones"},
		{"%", NULL, "No such container: %"},
		{"b%", NULL, "No such container: b%"},
		{ID_A "0", NULL, "No such container: " ID_A "0"},
	};
	struct fixture *f = *state;

	add(f->store, ID_A, "one");
	add(f->store, ID_B, "bb");
	add(f->store, ID_C, "three");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		cleanup_container struct container_record record = {};
		struct err err = ERR_INIT;
		int rc = container_lookup_by_ref(f->store, rows[i].ref, &record, &err);

		if (rows[i].id) {
			assert_int_equal(rc, 1);
			assert_string_equal(record.row.id, rows[i].id);
			assert_string_equal(record.row.config, "{\"a\":1}");
		} else {
			assert_true(rc < 0);
			assert_string_equal(err.msg, rows[i].message);
		}
	}
}

static void keeps_names_and_ids_unique(void **state)
{
	struct fixture *f = *state;
	char holder[ID_LEN + 1];
	struct err err = ERR_INIT;

	add(f->store, ID_A, "one");
	assert_int_equal(insert(f->store, ID_B, "one", holder, &err), -ERR_CONFLICT);
	assert_string_equal(holder, ID_A);
	assert_string_equal(
		err.msg, "Conflict. The container name \"/one\" is already in use by container "
			 "\"" ID_A "\". You have to remove (or rename) that container to be able "
			 "to reuse that name.");
	assert_int_equal(insert(f->store, ID_A, "two", holder, &err), -ERR_CONFLICT);
	assert_string_equal(holder, "");
	add(f->store, ID_B, "two");
	assert_int_equal(container_rename(f->store, ID_B, "one", holder, &err), -ERR_CONFLICT);
	assert_string_equal(holder, ID_A);
	assert_int_equal(container_rename(f->store, ID_C, "new", holder, &err), -ERR_NOT_FOUND);
	assert_int_equal(container_rename(f->store, ID_A, "free", holder, &err), 0);
	assert_int_equal(container_rename(f->store, ID_B, "one", holder, &err), 0);
	assert_int_equal(container_delete(f->store, ID_A, false, NULL, &err), 1);
	assert_int_equal(container_delete(f->store, ID_A, false, NULL, &err), 0);
	add(f->store, ID_C, "free");
}

static int collect(const struct container_row *row, void *data, struct err *err)
{
	assert_null(row->config);
	assert_true(row->auto_remove);
	assert_int_equal(row->created_ns, 5);
	str_addf(data, "%s ", row->name);
	return 0;
}

static void lists_newest_first(void **state)
{
	struct fixture *f = *state;
	cleanup_str struct str names = STR_INIT;
	struct err err = ERR_INIT;

	assert_int_equal(container_list(f->store, false, collect, &names, &err), 0);
	assert_string_equal(str_get(&names), "");
	add(f->store, ID_C, "first");
	add(f->store, ID_A, "second");
	add(f->store, ID_B, "third");
	assert_int_equal(container_list(f->store, false, collect, &names, &err), 0);
	assert_string_equal(str_get(&names), "third second first ");
}

static void updates(void **state)
{
	struct fixture *f = *state;
	cleanup_container struct container_record record = {};
	struct err err = ERR_INIT;

	add(f->store, ID_A, "one");
	assert_int_equal(container_update_json(f->store, ID_A, NULL, "{\"c\":3}", NULL, &err), 0);
	assert_int_equal(container_update_json(f->store, ID_B, "x", NULL, NULL, &err),
			 -ERR_NOT_FOUND);
	assert_int_equal(container_lookup(f->store, "one", &record, &err), 1);
	assert_string_equal(record.row.config, "{\"a\":1}");
	assert_string_equal(record.row.host, "{\"c\":3}");
}

/* Eight processes create the database and 20 rows each at the same time, all with one name in
 * common: one of them gets it. */
static void stands_concurrent_writers(void **state)
{
	struct fixture *f = *state;
	pid_t pids[8];
	int n_winners = 0;

	for (int p = 0; p < 8; p++) {
		pids[p] = fork();
		if (pids[p] != 0)
			continue;
		cleanup_store struct store *store = NULL;
		char holder[ID_LEN + 1];
		struct err err = ERR_INIT;
		int failed = storage_open(f->root, "/run/x", NULL, &store, &err) < 0;

		for (int i = 0; i < 20 && !failed; i++) {
			cleanup_free char *id = str_printf("%02x%062x", p, i);

			failed = insert(store, id, id, holder, &err) < 0;
		}
		cleanup_free char *last = str_printf("%02xff%060x", p, 0);

		_exit(failed ? 2 : insert(store, last, "common", holder, &err) < 0);
	}
	for (int p = 0; p < 8; p++) {
		int status = 0;

		assert_int_equal(waitpid(pids[p], &status, 0), pids[p]);
		assert_true(WIFEXITED(status) && WEXITSTATUS(status) < 2);
		n_winners += WEXITSTATUS(status) == 0;
	}
	assert_int_equal(n_winners, 1);

	cleanup_str struct str names = STR_INIT;
	struct err err = ERR_INIT;

	assert_int_equal(container_list(f->store, false, collect, &names, &err), 0);
	assert_int_equal(names.len, 160 * (ID_LEN + 1) + strlen("common "));
}

static void keeps_state_private(void **state)
{
	struct fixture *f = *state;
	static const char *const files[] = {"", "/tare.db", "/tare.db-wal", "/tare.db-shm"};

	add(f->store, ID_A, "one");
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		cleanup_free char *path = str_printf("%s%s", f->root, files[i]);
		struct stat st;

		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(st.st_mode & 077, 0);
	}
}

static void refuses_a_damaged_index(void **state)
{
	struct fixture *f = *state;
	cleanup_free char *path = str_printf("%s/tare.db", f->root);
	cleanup_container struct container_record record = {};
	struct err err = ERR_INIT;

	assert_int_equal(
		fd_write_file_at(AT_FDCWD, path, "this is no database at all......", 32, 0600), 0);
	assert_int_equal(container_lookup(f->store, "x", &record, &err), -ERR_SYSTEM);
	assert_non_null(strstr(err.msg, "is damaged"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(looks_up, set_up, tear_down),
		cmocka_unit_test_setup_teardown(keeps_names_and_ids_unique, set_up, tear_down),
		cmocka_unit_test_setup_teardown(lists_newest_first, set_up, tear_down),
		cmocka_unit_test_setup_teardown(updates, set_up, tear_down),
		cmocka_unit_test_setup_teardown(stands_concurrent_writers, set_up, tear_down),
		cmocka_unit_test_setup_teardown(keeps_state_private, set_up, tear_down),
		cmocka_unit_test_setup_teardown(refuses_a_damaged_index, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
