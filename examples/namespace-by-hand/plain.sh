#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# New namespaces with unshare(1): the command is process 1, has its own host name and its own mounts.
set -eu
before=$(hostname)
seen=$(unshare --mount --pid --fork --uts --ipc --net sh -c '
	mount -t proc proc /proc        # /proc shows the processes of the namespace it was mounted in
	hostname example-inside
	mount -t tmpfs tmpfs /mnt
	echo "$$ $(hostname) $(ls -d /proc/[0-9]* | wc -l) $(ip -o link | wc -l)"')
echo "pid, host name, processes, links inside: $seen"
# shellcheck disable=SC2086 # four words
set -- $seen
[ "$1" = 1 ]              # it is process 1
[ "$2" = example-inside ] # with its own host name
[ "$3" -le 5 ]            # among a handful of processes
[ "$4" -ge 1 ]            # and at least a loopback device of its own
[ "$(hostname)" = "$before" ]
! grep -q ' /mnt tmpfs .*example' /proc/self/mounts # and nothing of it is seen from here
echo ok
