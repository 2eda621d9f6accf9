/* SPDX-License-Identifier: Apache-2.0 */
/* What trees take on the disk, compared with what du(1) says. */
#include "base/mem.h"
#include "base/num.h"
#include "base/str.h"
#include "storage/disk_usage.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../shell.h"
#include "../unit.h"

#define DEPTH 3000 /* more levels than a process may have descriptors, and longer than PATH_MAX */

static char root[] = "/tmp/tare-usage-XXXXXX";

static int run(const char *command)
{
	return shell_run(root, command, NULL, 0);
}

static int64_t du(const char *name)
{
	cleanup_free char *line = str_printf("du -s --block-size=1 %s | cut -f1 | tr -d '\\n'",
					     name);
	char text[32];
	int64_t bytes = 0;

	assert_int_equal(shell_run(root, line, text, sizeof(text)), 0);
	assert_int_equal(num_parse_i64(text, &bytes), 0);
	return bytes;
}

static int setup(void **state)
{
	return mkdtemp(root) ? 0 : -1;
}

static int teardown(void **state)
{
	return run("rm -rf \"$PWD\"");
}

static int open_root(void)
{
	int fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

static void like_du(void **state)
{
	static const char *const names[] = {"a", "a/b", "a/big", "a/sparse", "."};
	int fd = open_root();

	assert_int_equal(
		run("mkdir -p a/b a/c && head -c 100000 /dev/zero >a/big && echo x >a/b/small &&"
		    " truncate -s 10M a/sparse && ln -s /etc a/link && ln a/big a/b/hard && ln "
		    "a/big"
		    " a/hard2 && for i in $(seq 300); do echo >a/c/$i; ln a/c/$i a/b/l$i; done"),
		0);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		cleanup_disk_usage struct disk_usage usage = DISK_USAGE_INIT;

		assert_int_equal(disk_usage_add(&usage, fd, names[i]), du(names[i]));
	}
	close(fd);
}

/* One file with names in two trees is counted with the first. */
static void links_across_trees(void **state)
{
	cleanup_disk_usage struct disk_usage usage = DISK_USAGE_INIT;
	int fd = open_root();
	int64_t first = 0;
	int64_t second = 0;

	assert_int_equal(run("mkdir x x/one x/two && head -c 50000 /dev/zero >x/one/f && ln "
			     "x/one/f x/two/f"),
			 0);
	first = disk_usage_add(&usage, fd, "x/one");
	second = disk_usage_add(&usage, fd, "x/two");
	assert_true(first > 50000 && second < 50000);
	assert_int_equal(first + second + disk_usage_add_entry(&usage, fd, "x"), du("x"));
	close(fd);
}

static void missing(void **state)
{
	cleanup_disk_usage struct disk_usage usage = DISK_USAGE_INIT;
	int fd = open_root();

	assert_int_equal(disk_usage_add(&usage, fd, "nosuch"), 0);
	close(fd);
}

static void deep(void **state)
{
	cleanup_disk_usage struct disk_usage usage = DISK_USAGE_INIT;
	int fd = open_root();
	int at = -1;

	assert_int_equal(mkdirat(fd, "deep", 0700), 0);
	at = openat(fd, "deep", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (int i = 0; i < DEPTH; i++) {
		int next = -1;

		assert_int_equal(mkdirat(at, "d", 0700), 0);
		next = openat(at, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		close(at);
		at = next;
	}
	close(at);
	assert_int_equal(disk_usage_add(&usage, fd, "deep"), du("deep"));
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(like_du),
		cmocka_unit_test(links_across_trees),
		cmocka_unit_test(missing),
		cmocka_unit_test(deep),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
