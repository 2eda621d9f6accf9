#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Two busy programs on one processor with weights 20 and 80 get a fifth and four fifths of it.
set -eu
a=''
b=''
groups=''
undo=''
# shellcheck disable=SC2317 # called by trap
cleanup() {
	# Only while they are our children: a pid is not forgotten before wait.
	[ -z "$a" ] || { kill -KILL "$a" && wait "$a"; } 2>/dev/null || :
	[ -z "$b" ] || { kill -KILL "$b" && wait "$b"; } 2>/dev/null || :
	for g in $groups; do rmdir "$g"; done
	[ -z "$undo" ] || echo -cpu >"$undo"
}
trap cleanup EXIT

if [ -e /sys/fs/cgroup/cpu/cpu.shares ]; then # v1, also in a hybrid set-up
	root=/sys/fs/cgroup/cpu
	weigh() { echo "$2" >"$1/cpu.shares"; }
else # v2: the kernel's 100 stands where v1 has 1024, and only the ratio matters
	root=/sys/fs/cgroup
	if ! grep -qw cpu $root/cgroup.subtree_control; then
		echo +cpu >$root/cgroup.subtree_control
		undo=$root/cgroup.subtree_control
	fi
	weigh() { echo "$2" >"$1/cpu.weight"; }
fi
low=$root/example-low.$$ high=$root/example-high.$$
mkdir "$low" && groups=$low
mkdir "$high" && groups="$low $high"
weigh "$low" 20
weigh "$high" 80

busy() { exec sh -c 'echo $$ >"$0/cgroup.procs"; exec taskset -c 0 sha256sum /dev/zero' "$1" >/dev/null; }
busy "$low" &
a=$!
busy "$high" &
b=$!
ticks() { sed 's/.*) //' "/proc/$1/stat" | awk '{ print $12 + $13 }'; } # utime + stime, proc(5)
until [ "$(ticks "$a")" -gt 0 ] && [ "$(ticks "$b")" -gt 0 ]; do :; done
low0=$(ticks "$a") high0=$(ticks "$b")
sleep 3 # the length of the measurement
low1=$(ticks "$a") high1=$(ticks "$b")
share=$((100 * (low1 - low0) / (low1 - low0 + high1 - high0)))
echo "the one with 20 of 100 shares got $share %"
[ $share -ge 14 ] && [ $share -le 26 ]
echo ok
