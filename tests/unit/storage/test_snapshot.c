/* SPDX-License-Identifier: Apache-2.0 */
/* The build cache: what is found and what is not, who is waited for, what a crash leaves. */
#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "oci/digest.h"
#include "storage/collect.h"
#include "storage/db.h"
#include "storage/snapshot.h"
#include "storage/store_private.h"
#include "store_fixture.h"

#define EPOCH 1577836800

static void key_of(const char *text, char ret[static DIGEST_HEX_LEN + 1])
{
	sha256_hex(text, strlen(text), ret);
}

static int set_up_cache(void **state)
{
	struct fixture *f = NULL;

	assert_int_equal(set_up(state), 0);
	f = *state;
	free(f->store->runroot);
	f->store->runroot = str_printf("%s/run", f->path);
	return 0;
}

/* Publishes a snapshot with the file NAME (NULL: an empty one) under the key of TEXT. */
static void publish(const struct fixture *f, const char *text, const char *name, bool replaces)
{
	cleanup_staging struct staging staging = STAGING_INIT;
	struct snapshot_info info = {.kind = SNAPSHOT_RUN, .replaces = replaces, .epoch_s = EPOCH};
	cleanup_free char *path = str_printf("step/upper/%s", name ? name : "");
	struct err err = ERR_INIT;

	info.description = str_dup("[2/2] RUN make");
	key_of(text, info.key);
	assert_int_equal(staging_create(f->store, &staging, &err), 0);
	assert_int_equal(mkdirat(staging.fd, "step", 0700), 0);
	assert_int_equal(mkdirat(staging.fd, "step/upper", 0755), 0);
	assert_int_equal(fchmodat(staging.fd, "step/upper", 0755, 0), 0);
	if (name)
		assert_int_equal(fd_write_file_at(staging.fd, path, "12345", 5, 0644), 0);
	if (snapshot_publish(f->store, &staging, "step", &info, &err) < 0)
		fail_msg("%s", err.msg);
	snapshot_info_done(&info);
}

static int open_key(const struct fixture *f, const char *text, struct snapshot *ret)
{
	char key[DIGEST_HEX_LEN + 1];
	struct err err = ERR_INIT;

	key_of(text, key);
	return snapshot_open(f->store, key, ret, &err);
}

static bool has_file(const struct snapshot *s, const char *name)
{
	cleanup_free char *path = str_printf("%s/%s", s->dir, name);

	return access(path, F_OK) == 0;
}

static int count_dirs(const struct fixture *f)
{
	cleanup_free char *path = str_printf("%s/snapshots", f->root);
	DIR *d = opendir(path);
	int n = 0;

	for (const struct dirent *e = d ? readdir(d) : NULL; e; e = readdir(d))
		n += e->d_name[0] != '.';
	if (d)
		closedir(d);
	return n;
}

static void a_key_is_found_when_it_was_published(void **state)
{
	const struct fixture *f = *state;
	struct snapshot s = SNAPSHOT_INIT;
	struct stat st;
	struct err err = ERR_INIT;

	assert_int_equal(open_key(f, "a", &s), 0);
	publish(f, "a", "file", false);
	assert_int_equal(open_key(f, "a", &s), 1);
	assert_string_equal(s.info.description, "[2/2] RUN make");
	assert_string_equal(s.info.result, s.info.key);
	assert_false(s.info.is_empty);
	assert_true(s.info.size > 0);
	assert_true(has_file(&s, "file"));
	assert_int_equal(stat(s.dir, &st), 0);
	assert_int_equal(st.st_mtim.tv_sec, EPOCH);
	assert_int_equal(snapshot_locate(f->store, &s, &err), 0);
	assert_true(has_file(&s, "file"));
	snapshot_done(&s);
	/* The first one stays. */
	publish(f, "a", "other", false);
	assert_int_equal(open_key(f, "a", &s), 1);
	assert_true(has_file(&s, "file"));
	assert_int_equal(count_dirs(f), 1);
	snapshot_done(&s);
}

static void a_step_that_changed_nothing_has_no_directory(void **state)
{
	const struct fixture *f = *state;
	struct snapshot s = SNAPSHOT_INIT;

	publish(f, "a", NULL, false);
	assert_int_equal(open_key(f, "a", &s), 1);
	assert_true(s.info.is_empty);
	assert_null(s.dir);
	assert_int_equal(count_dirs(f), 0);
	snapshot_done(&s);
}

static void a_replacement_is_another_result(void **state)
{
	const struct fixture *f = *state;
	struct snapshot old = SNAPSHOT_INIT, new = SNAPSHOT_INIT;
	struct err err = ERR_INIT;

	publish(f, "a", "one", false);
	assert_int_equal(open_key(f, "a", &old), 1);
	publish(f, "a", "two", true);
	assert_int_equal(open_key(f, "a", &new), 1);
	assert_true(has_file(&new, "two"));
	assert_string_not_equal(new.info.result, new.info.key);
	/* Who uses the old one keeps it; with the last use it goes. */
	storage_collect(f->store);
	assert_true(has_file(&old, "one"));
	assert_int_equal(snapshot_locate(f->store, &old, &err), 0);
	assert_true(has_file(&old, "one"));
	assert_int_equal(count_dirs(f), 2);
	snapshot_done(&old);
	storage_sweep(f->store);
	assert_int_equal(count_dirs(f), 1);
	snapshot_done(&new);
}

static void an_alias_leads_to_its_target(void **state)
{
	const struct fixture *f = *state;
	char key[DIGEST_HEX_LEN + 1], other[DIGEST_HEX_LEN + 1];
	struct snapshot s = SNAPSHOT_INIT;
	struct err err = ERR_INIT;

	publish(f, "a", "one", false);
	key_of("a", key);
	key_of("b", other);
	assert_int_equal(snapshot_add_alias(f->store, other, key, &err), 0);
	assert_int_equal(open_key(f, "b", &s), 1);
	assert_string_equal(s.info.key, key);
	assert_true(has_file(&s, "one"));
	snapshot_done(&s);
	assert_int_equal(snapshot_touch(f->store, (const char *const[]){other, key}, 2, &err), 0);
	assert_int_equal(open_key(f, "a", &s), 1);
	assert_int_equal(s.info.n_uses, 3);
	assert_true(s.info.used_ns > s.info.created_ns);
	snapshot_done(&s);
}

/* A row whose files went, of another boot that did not reach the disk, and files without a row. */
static void what_cannot_be_believed_is_not_there(void **state)
{
	const struct fixture *f = *state;
	cleanup_free char *stray = str_printf("%s/snapshots/%032d", f->root, 1);
	struct snapshot s = SNAPSHOT_INIT;
	struct err err = ERR_INIT;

	publish(f, "a", "one", false);
	assert_int_equal(db_run(f->store, &err, "UPDATE snapshot SET boot='before'", ""), 1);
	assert_int_equal(open_key(f, "a", &s), 0);
	publish(f, "a", "two", false);
	assert_int_equal(open_key(f, "a", &s), 1);
	assert_true(has_file(&s, "two"));
	snapshot_done(&s);
	publish(f, "b", "one", false);
	assert_int_equal(
		db_run(f->store, &err, "UPDATE snapshot SET boot='before' WHERE key<>''", ""), 2);
	assert_int_equal(mkdir(stray, 0700), 0);
	assert_int_equal(count_dirs(f), 3);
	storage_collect(f->store);
	assert_int_equal(count_dirs(f), 0);
	assert_int_equal(db_run(f->store, &err, "DELETE FROM snapshot", ""), 0);
	assert_int_equal(db_run(f->store, &err, "DELETE FROM snapshot_use", ""), 0);
	publish(f, "a", "one", false);
	assert_int_equal(open_key(f, "a", &s), 1);
	fd_remove_tree_at(AT_FDCWD, s.dir);
	*strrchr(s.dir, '/') = '\0';
	fd_remove_tree_at(AT_FDCWD, s.dir);
	snapshot_done(&s);
	assert_int_equal(open_key(f, "a", &s), 0);
	storage_collect(f->store);
	assert_int_equal(db_run(f->store, &err, "DELETE FROM snapshot", ""), 0);
}

static void one_makes_a_key_at_a_time(void **state)
{
	const struct fixture *f = *state;
	cleanup_free char *path = NULL;
	char key[DIGEST_HEX_LEN + 1];
	struct err err = ERR_INIT;
	int ours = -1, theirs = -1;

	key_of("a", key);
	path = str_printf("%s/claims/%s", f->store->runroot, key);
	assert_int_equal(snapshot_claim(f->store, key, &ours, &err), 1);
	assert_int_equal(snapshot_claim(f->store, key, &theirs, &err), 0);
	assert_true(flock(theirs, LOCK_EX | LOCK_NB) < 0);
	snapshot_unclaim(f->store, key, &ours);
	assert_int_equal(flock(theirs, LOCK_EX | LOCK_NB), 0);
	assert_int_equal(access(path, F_OK), -1);
	/* What waited has a lock of something that nobody asks for any more. */
	assert_int_equal(snapshot_claim(f->store, key, &ours, &err), 1);
	close(theirs);
	fd_cleanup_close(&ours);
	assert_int_equal(access(path, F_OK), 0);
	storage_collect(f->store);
	assert_int_equal(access(path, F_OK), -1);
}

/* Which epochs find the times that are there: the same one; a later one when nothing was changed
 * for this one; an earlier one when nothing would be. */
static void times_fit_epochs(void **state)
{
	static const struct {
		int64_t epoch_s;
		enum snapshot_late late;
		int64_t latest_s, wanted_s;
		bool is_empty, fits;
	} cases[] = {
		{100, SNAPSHOT_LATE_NOTED, 100, 100, false, true},
		{100, SNAPSHOT_LATE_NOTED, 100, 101, false, false},
		{100, SNAPSHOT_LATE_NOTED, 100, 99, false, false},
		{100, SNAPSHOT_LATE_UNKNOWN, 100, 100, false, true},
		{100, SNAPSHOT_LATE_UNKNOWN, 100, 101, false, false},
		{100, SNAPSHOT_LATE_NONE, 50, 101, false, true},
		{100, SNAPSHOT_LATE_NONE, 50, 50, false, true},
		{100, SNAPSHOT_LATE_NONE, 50, 49, false, false},
		{0, SNAPSHOT_LATE_NOTED, 0, 0, false, true},
		{SNAPSHOT_NO_EPOCH, SNAPSHOT_LATE_UNKNOWN, 0, 100, false, false},
		{SNAPSHOT_NO_EPOCH, SNAPSHOT_LATE_UNKNOWN, 0, 100, true, true},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct snapshot_info info = {.epoch_s = cases[i].epoch_s,
						   .late = cases[i].late,
						   .latest_s = cases[i].latest_s,
						   .is_empty = cases[i].is_empty};

		if (snapshot_fits(&info, cases[i].wanted_s) != cases[i].fits)
			fail_msg("case %zu", i);
	}
}

/* No archive can hold a socket: what it hid stays hidden. */
static void a_socket_becomes_what_hides(void **state)
{
	const struct fixture *f = *state;
	cleanup_staging struct staging staging = STAGING_INIT;
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct snapshot_info info = {.kind = SNAPSHOT_RUN, .epoch_s = EPOCH};
	cleanup_free char *path = NULL;
	struct snapshot s = SNAPSHOT_INIT;
	struct err err = ERR_INIT;
	struct stat st;
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	key_of("s", info.key);
	assert_int_equal(staging_create(f->store, &staging, &err), 0);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/sock", f->path);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(mkdirat(staging.fd, "step", 0700), 0);
	assert_int_equal(mkdirat(staging.fd, "step/upper", 0755), 0);
	assert_int_equal(renameat(AT_FDCWD, address.sun_path, staging.fd, "step/upper/sock"), 0);
	if (snapshot_publish(f->store, &staging, "step", &info, &err) < 0)
		fail_msg("%s", err.msg);
	assert_int_equal(open_key(f, "s", &s), 1);
	path = str_printf("%s/sock", s.dir);
	assert_int_equal(lstat(path, &st), 0);
	assert_true(S_ISCHR(st.st_mode) && st.st_rdev == 0);
	assert_int_equal(stat(s.dir, &st), 0);
	assert_int_equal(st.st_mtim.tv_sec, EPOCH);
	snapshot_done(&s);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_key_is_found_when_it_was_published, set_up_cache,
						tear_down),
		cmocka_unit_test_setup_teardown(a_step_that_changed_nothing_has_no_directory,
						set_up_cache, tear_down),
		cmocka_unit_test_setup_teardown(a_replacement_is_another_result, set_up_cache,
						tear_down),
		cmocka_unit_test_setup_teardown(an_alias_leads_to_its_target, set_up_cache,
						tear_down),
		cmocka_unit_test_setup_teardown(what_cannot_be_believed_is_not_there, set_up_cache,
						tear_down),
		cmocka_unit_test_setup_teardown(one_makes_a_key_at_a_time, set_up_cache, tear_down),
		cmocka_unit_test(times_fit_epochs),
		cmocka_unit_test_setup_teardown(a_socket_becomes_what_hides, set_up_cache,
						tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
