#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2317 # the checks are called by name
#
# Job for run-vm.sh: control groups where v2 is alone. Each check is a function named test_*, listed at
# the end, and says what is wrong on stderr; all of them run, the first failure decides the status.
#
#	run-vm.sh -b BUILD tests/vm/cgroup2.sh
set -u

failed=0

fail()
{
	echo "FAIL $current: $*" >&2
	failed=1
}

# The guest is what this job assumes: otherwise the other checks say nothing.
test_guest_has_v2_alone()
{
	[ "$(stat -f -c %T /sys/fs/cgroup)" = cgroup2fs ] || fail "no cgroup2 at /sys/fs/cgroup"
	grep -q ' cgroup ' /proc/mounts && fail "a v1 hierarchy is mounted"
	for controller in cpuset cpu io memory pids; do
		grep -qw "$controller" /sys/fs/cgroup/cgroup.controllers || fail "no $controller"
	done
}

# Every limit from its file, devices, OOM, freezing, killing, 20:80: the component test of the module.
test_module()
{
	"$TARE_BUILD/tests/component/tare-cgroup-test" || fail "tare-cgroup-test: status $?"
}

# The test left nothing behind.
test_nothing_is_left()
{
	left=$(find /sys/fs/cgroup -mindepth 1 -type d)
	[ -z "$left" ] || fail "left: $left"
}

for current in test_guest_has_v2_alone test_module test_nothing_is_left; do
	$current
done
exit $failed
