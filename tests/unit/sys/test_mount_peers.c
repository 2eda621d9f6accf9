/* SPDX-License-Identifier: Apache-2.0 */
/* What mountinfo says of peer groups. */
#include "../unit.h"

#include "sys/mount.h"

#include <errno.h>
#include <stdlib.h>

static const char text[] =
	"21 1 254:0 / / rw,relatime - ext4 /dev/vda rw\n"
	"22 21 0:5 / /dev rw,nosuid shared:2 - devtmpfs udev rw,mode=755\n"
	"23 21 0:6 / /a\\040b\\134c\\0 rw master:3 propagate_from:2 - tmpfs x rw\n"
	"24 21 0:7 / /both rw shared:7 master:3 - tmpfs shared:9 rw\n"
	"25 21 0:8 / /none rw unbindable - tmpfs shared:9 rw\n"
	"26 21 cut";

static void check(uint64_t id, const char *point, bool is_shared, bool is_slave)
{
	struct mount_peers peers = {};

	assert_int_equal(mount_parse_peers(text, id, &peers), 0);
	assert_string_equal(peers.mount_point, point);
	assert_int_equal(peers.is_shared, is_shared);
	assert_int_equal(peers.is_slave, is_slave);
	free(peers.mount_point);
}

static void peers_are_read(void **state)
{
	check(21, "/", false, false);
	check(22, "/dev", true, false);
	check(23, "/a b\\c\\0", false, true);
	check(24, "/both", true, true);
	check(25, "/none", false, false);
}

static void others_are_not_there(void **state)
{
	struct mount_peers peers = {};

	assert_int_equal(mount_parse_peers(text, 2, &peers), -ENOENT);
	assert_int_equal(mount_parse_peers(text, 26, &peers), -ENOENT);
	assert_int_equal(mount_parse_peers("", 1, &peers), -ENOENT);
	assert_null(peers.mount_point);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(peers_are_read),
		cmocka_unit_test(others_are_not_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
