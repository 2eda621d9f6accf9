/* SPDX-License-Identifier: Apache-2.0 */
/* A process in the empty world, and one under Landlock, each in a child. Skipped where the kernel
 * has neither. */
#include "../unit.h"

#include "base/fd.h"
#include "base/mem.h"
#include "sys/landlock.h"
#include "sys/userns.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* Runs FN in a child; its status. */
static int in_child(int (*fn)(const void *arg), const void *arg)
{
	pid_t pid = fork();
	int status = 0;

	if (pid == 0)
		_exit(fn(arg));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* Each check has a number, so that a failure says which one it was. */
static int look_around(const void *arg)
{
	uid_t before = getuid();
	const struct dirent *e = NULL;
	DIR *dir = NULL;
	int n = 0;

	if (userns_enter(arg) < 0)
		return 1;
	if (getuid() != before)
		return 2;
	dir = opendir("/");
	if (!dir)
		return 3;
	while ((e = readdir(dir)))
		n += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
	closedir(dir);
	if (n != 0)
		return 4;
	if (mkdir("/made", 0755) == 0 || errno != EROFS)
		return 5;
	return 0;
}

static void empty_world(void **state)
{
	cleanup_userns struct userns ns = USERNS_INIT;
	struct stat ours, theirs;

	if (geteuid() != 0 || userns_create(&ns) < 0)
		skip();
	assert_int_equal(fstat(ns.user_fd, &theirs), 0);
	assert_int_equal(stat("/proc/self/ns/user", &ours), 0);
	assert_int_not_equal(ours.st_ino, theirs.st_ino);
	assert_true(ns.mount_fd >= 0);
	/* As many as want to. */
	assert_int_equal(in_child(look_around, &ns), 0);
	assert_int_equal(in_child(look_around, &ns), 0);
	/* No child was left, and nothing happened to us. */
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(access("/proc/self/ns/user", F_OK), 0);
}

static int try_files(const void *arg)
{
	int dir_fd = *(const int *)arg;
	cleanup_close int fd = -1;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || landlock_confine(dir_fd, false) < 0)
		return 1;
	fd = openat(dir_fd, "made", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, "x", 1) != 1)
		return 2;
	if (mkdirat(dir_fd, "sub", 0700) < 0 || linkat(dir_fd, "made", dir_fd, "sub/link", 0) < 0)
		return 3;
	if (openat(dir_fd, "made", O_RDONLY | O_CLOEXEC) >= 0 || errno != EACCES)
		return 4; /* what it wrote it need not read */
	if (openat(dir_fd, "../outside", O_WRONLY | O_CREAT | O_CLOEXEC, 0600) >= 0)
		return 5;
	if (open("/etc/passwd", O_RDONLY | O_CLOEXEC) >= 0 || errno != EACCES)
		return 6;
	if (mknodat(dir_fd, "block", S_IFBLK | 0600, 0) == 0 || errno != EACCES)
		return 7;
	if (mknodat(dir_fd, "socket", S_IFSOCK | 0600, 0) == 0 || errno != EACCES)
		return 8;
	return unlinkat(dir_fd, "made", 0) < 0 ? 9 : 0;
}

static void one_directory(void **state)
{
	char outer[] = "/tmp/tare-landlock-XXXXXX";
	cleanup_close int outer_fd = -1, dir_fd = -1;

	if (landlock_abi() < 2)
		skip();
	assert_non_null(mkdtemp(outer));
	outer_fd = open(outer, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(mkdirat(outer_fd, "dir", 0700), 0);
	dir_fd = openat(outer_fd, "dir", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(in_child(try_files, &dir_fd), 0);
	fd_remove_tree_at(AT_FDCWD, outer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(empty_world),
		cmocka_unit_test(one_directory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
