/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Users from a root file system that an enemy may have written: what a number is, what a name is,
 * and files that are links, pipes, huge or full of nonsense.
 */
#include "../unit.h"

#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/str.h"
#include "sys/users.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char passwd_text[] = "root:x:0:0:root:/root:/bin/sh\n"
				  "daemon:x:1:1::/usr/sbin:/bin/false\n"
				  "alice:x:1000:100:Alice:/home/alice:/bin/sh\n"
				  "1000:x:0:0:a name that is a number:/root:/bin/sh\n"
				  "short:x:7\n"
				  "\n"
				  ":::::::\n"
				  "minus:x:-1:0::/:\n"
				  "all:x:4294967295:0::/:\n"
				  "wrapped:x:4294967296:0::/:\n"
				  "hex:x:0x0:0::/:\n"
				  "float:x:1e3:0::/:\n"
				  "plus:x:+0:0::/:\n"
				  "blank:x: 0:0::/:\n"
				  "nothing:x::0::/:\n"
				  "badgroup:x:8:-1::/:\n"
				  "alice:x:0:0:too late:/root:/bin/sh\n"
				  "last:x:9:9::/last:/bin/sh";
static const char group_text[] = "root:x:0:\n"
				 "wheel:x:10:alice,root\n"
				 "users:x:100:bob\n"
				 "audio:x:29:bob,alice\n"
				 "minus:x:-1:alice\n"
				 "all:x:4294967295:alice\n"
				 "short:x\n"
				 "55:x:0:1000\n"
				 "tail:x:77:alice,";

struct fixture {
	char path[64];
	int fd;
};

static void put(const struct fixture *f, const char *name, const char *text, size_t len)
{
	unlinkat(f->fd, name, 0);
	assert_int_equal(fd_write_file_at(f->fd, name, text, len, 0644), 0);
}

static int set_up(void **state)
{
	struct fixture *f = mem_zalloc(sizeof(*f));

	snprintf(f->path, sizeof(f->path), "/tmp/tare-users-XXXXXX");
	if (!mkdtemp(f->path))
		return -1;
	f->fd = open(f->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (f->fd < 0 || mkdirat(f->fd, "etc", 0755) < 0)
		return -1;
	put(f, "etc/passwd", passwd_text, strlen(passwd_text));
	put(f, "etc/group", group_text, strlen(group_text));
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	close(f->fd);
	fd_remove_tree_at(AT_FDCWD, f->path);
	free(f);
	return 0;
}

/* "uid:gid:group,group:home", or "!" and the message. */
static char *resolve(const struct fixture *f, const char *spec, const char *extra)
{
	cleanup_strv struct strv groups = STRV_INIT;
	cleanup_str struct str out = STR_INIT;
	struct err err = ERR_INIT;
	struct user user;

	if (extra)
		strv_split(&groups, extra, ',');
	if (users_resolve(f->fd, spec, &groups, &user, &err) < 0)
		return str_printf("!%s", err.msg);
	str_addf(&out, "%u:%u:", user.uid, user.gid);
	for (size_t i = 0; i < user.n_groups; i++)
		str_addf(&out, "%s%u", i ? "," : "", user.groups[i]);
	str_addf(&out, ":%s", user.home);
	return str_take(&out);
}

#define NO_USER	 "!unable to find user %s: no matching entries in passwd file"
#define NO_GROUP "!unable to find group %s: no matching entries in group file"
#define RANGE	 "!uids and gids must be in range 0-2147483647"

static const struct {
	const char *spec, *extra, *want, *name; /* NAME takes the place of %s; NULL: the spec */
} rows[] = {
	{"", NULL, "0:0:0,10:/root", NULL},
	{"root", NULL, "0:0:0,10:/root", NULL},
	{"0", NULL, "0:0:0,10:/root", NULL},
	{"alice", NULL, "1000:100:100,10,29,77:/home/alice", NULL},
	{"last", NULL, "9:9:9:/last", NULL},
	/* An explicit group replaces the memberships. */
	{"alice:29", NULL, "1000:29:29:/home/alice", NULL},
	{"alice:wheel", NULL, "1000:10:10:/home/alice", NULL},
	{"alice:wheel", "audio,5,10", "1000:10:10,29,5:/home/alice", NULL},
	{"alice", "nobody", NO_GROUP, "nobody"},
	/* A number is never a name, of a user nor of a group. */
	{"1000", NULL, "1000:100:100,10,29,77:/home/alice", NULL},
	{"12:55", NULL, "12:55:55:", NULL},
	{"12", NULL, "12:0:0:", NULL},
	{"2147483647:2147483647", NULL, "2147483647:2147483647:2147483647:", NULL},
	/* What is not quite a number. */
	{"-1", NULL, NO_USER, NULL},
	{"2147483648", NULL, RANGE, NULL},
	{"4294967295", NULL, RANGE, NULL},
	{"4294967296", NULL, RANGE, NULL},
	{"18446744073709551616", NULL, RANGE, NULL},
	{"0x0", NULL, NO_USER, NULL},
	{"1e3", NULL, NO_USER, NULL},
	{"00", NULL, "0:0:0,10:/root", NULL},
	{"1:", NULL, "1:1:1:/usr/sbin", NULL},
	{"root:x", NULL, NO_GROUP, "x"},
	{":", NULL, "0:0:0,10:/root", NULL},
	{"+1", NULL, NO_USER, NULL},
	{" 1", NULL, NO_USER, NULL},
	{"0:-1", NULL, NO_GROUP, "-1"},
	{"0:4294967295", NULL, RANGE, NULL},
	{"0:+1", NULL, NO_GROUP, "+1"},
	{"0", "4294967296", RANGE, NULL},
	/* Lines that are not of the form do not exist. */
	{"short", NULL, NO_USER, NULL},
	{"minus", NULL, NO_USER, NULL},
	{"all", NULL, NO_USER, NULL},
	{"wrapped", NULL, NO_USER, NULL},
	{"hex", NULL, NO_USER, NULL},
	{"float", NULL, NO_USER, NULL},
	{"plus", NULL, NO_USER, NULL},
	{"blank", NULL, NO_USER, NULL},
	{"nothing", NULL, NO_USER, NULL},
	{"badgroup", NULL, NO_USER, NULL},
	{"0:minus", NULL, NO_GROUP, "minus"},
	{"0:all", NULL, NO_GROUP, "all"},
	{"0:short", NULL, NO_GROUP, "short"},
};

static void numbers_and_names(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		cleanup_free char *got = resolve(*state, rows[i].spec, rows[i].extra);
		const char *mark = strstr(rows[i].want, "%s");
		const char *name = rows[i].name ? rows[i].name : rows[i].spec;
		cleanup_free char *want = mark ? str_printf("%.*s%s%s", (int)(mark - rows[i].want),
							    rows[i].want, name, mark + 2)
					       : str_dup(rows[i].want);

		if (strcmp(got, want) != 0)
			fail_msg("user \"%s\": got %s, want %s", rows[i].spec, got, want);
	}
}

/* Without files there is root, and there are numbers. */
static void check_no_files(const struct fixture *f)
{
	cleanup_free char *root = resolve(f, "root", NULL);
	cleanup_free char *number = resolve(f, "5:6", NULL);
	cleanup_free char *alice = resolve(f, "alice", NULL);

	assert_string_equal(root, "0:0:0:");
	assert_string_equal(number, "5:6:6:");
	assert_int_equal(alice[0], '!');
}

static void no_files(void **state)
{
	const struct fixture *f = *state;

	assert_int_equal(unlinkat(f->fd, "etc/passwd", 0), 0);
	assert_int_equal(unlinkat(f->fd, "etc/group", 0), 0);
	check_no_files(f);
}

/* A link is followed inside the root; this one would say that alice is root on the host's file. */
static void links_stay_inside(void **state)
{
	const struct fixture *f = *state;
	cleanup_free char *outside = str_printf("%s.outside", f->path);
	cleanup_free char *up = str_printf("../..%s", outside);
	static const char text[] = "alice:x:0:0::/root:/bin/sh\n";

	assert_int_equal(fd_write_file_at(AT_FDCWD, outside, text, strlen(text), 0644), 0);
	unlinkat(f->fd, "etc/passwd", 0);
	unlinkat(f->fd, "etc/group", 0);
	assert_int_equal(symlinkat(outside, f->fd, "etc/passwd"), 0);
	check_no_files(f);
	unlinkat(f->fd, "etc/passwd", 0);
	assert_int_equal(symlinkat(up, f->fd, "etc/passwd"), 0);
	check_no_files(f);
	assert_int_equal(unlink(outside), 0);
}

static void pipes_and_huge_files(void **state)
{
	const struct fixture *f = *state;
	size_t len = (1 << 20) + 1;
	cleanup_free char *huge = mem_alloc(len);

	/* A reader that waited for a writer would hang here. */
	unlinkat(f->fd, "etc/passwd", 0);
	unlinkat(f->fd, "etc/group", 0);
	assert_int_equal(mkfifoat(f->fd, "etc/passwd", 0644), 0);
	check_no_files(f);
	memset(huge, '\n', len);
	memcpy(huge, passwd_text, strlen(passwd_text));
	put(f, "etc/passwd", huge, len);
	check_no_files(f);
}

/* More groups than there is room for: refused, since a group may take rights away as well as give
 * them; and nothing is written behind the array. */
static void many_groups(void **state)
{
	const struct fixture *f = *state;
	cleanup_str struct str text = STR_INIT;
	struct err err = ERR_INIT;
	struct user user;

	for (int i = 0; i < 2 * USERS_MAX_GROUPS; i++)
		str_addf(&text, "g%d:x:%d:alice\n", i, 5000 + i);
	put(f, "etc/group", str_get(&text), text.len);
	assert_int_equal(users_resolve(f->fd, "alice", NULL, &user, &err), -ERR_UNSUPPORTED);
	assert_string_equal(err.msg, "more than 128 groups");
	assert_int_equal(user.n_groups, USERS_MAX_GROUPS);
}

/* A NUL ends what is read, an endless line and an endless home are only long. */
static void odd_bytes(void **state)
{
	const struct fixture *f = *state;
	static const char nul[] = "x:x:3:3::/x:\n\0alice:x:0:0::/root:\n";
	cleanup_str struct str text = STR_INIT;
	cleanup_free char *cut = NULL;
	struct err err = ERR_INIT;
	struct user user;

	put(f, "etc/passwd", nul, sizeof(nul) - 1);
	cut = resolve(f, "alice", NULL);
	assert_int_equal(cut[0], '!');
	str_add(&text, "alice:x:1000:100::/");
	for (int i = 0; i < 100000; i++)
		str_add_char(&text, i % 2 ? 'h' : ',');
	put(f, "etc/passwd", str_get(&text), text.len);
	assert_int_equal(users_resolve(f->fd, "alice", NULL, &user, &err), 0);
	assert_int_equal(strlen(user.home), sizeof(user.home) - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(numbers_and_names, set_up, tear_down),
		cmocka_unit_test_setup_teardown(no_files, set_up, tear_down),
		cmocka_unit_test_setup_teardown(links_stay_inside, set_up, tear_down),
		cmocka_unit_test_setup_teardown(pipes_and_huge_files, set_up, tear_down),
		cmocka_unit_test_setup_teardown(many_groups, set_up, tear_down),
		cmocka_unit_test_setup_teardown(odd_bytes, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
