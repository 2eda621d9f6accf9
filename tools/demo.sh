#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Shows in half a minute what tare does: hello-world, a command, a limit being hit, the steps.
#
#   tools/demo.sh TARE           the program; needs root, no network
#
# Everything is kept in directories of its own that are removed at the end. Exits non-zero when a
# step does not do what its line says.
set -eu
tare=$(realpath "${1:?the program}")
[ "$(id -u)" = 0 ] || {
	echo "make demo makes containers and needs root" >&2
	exit 1
}
dir=$(mktemp -d /tmp/tare-demo.XXXXXX)
export TARE_ROOT="$dir/root" TARE_RUNROOT="$dir/run"
cleanup() {
	ids=$("$tare" ps -aq 2>/dev/null) || ids=
	# shellcheck disable=SC2086 # the ids are words
	[ -z "$ids" ] || "$tare" rm -f $ids >/dev/null 2>&1 || :
	rm -rf --one-file-system "$dir"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

say() { printf '\n\033[1m# %s\033[0m\n\033[1m$ %s\033[0m\n' "$1" "$2"; }

say "a first container, from the image that comes with tare" "tare run --rm hello-world"
"$tare" run --rm hello-world

say "a command in a small userland" "tare run --rm busybox sh -c 'id; hostname; ps'"
"$tare" run --rm busybox sh -c 'id; hostname; ps'

say "a limit: 32 MiB of memory for a program that wants 256" \
	"tare run --name greedy -m 32m busybox sh -c 'dd if=/dev/zero of=/dev/null bs=256M count=1'"
rc=0
"$tare" run --name greedy -m 32m --memory-swap 32m busybox \
	sh -c 'dd if=/dev/zero of=/dev/null bs=256M count=1' || rc=$?
echo "exit status $rc, OOMKilled $("$tare" inspect -f '{{.State.OOMKilled}}' greedy)"
[ "$rc" = 137 ]

say "what tare did, step by step, as the commands that would do the same" \
	"tare run --explain --rm busybox echo hi"
"$tare" run --explain --rm busybox echo hi
