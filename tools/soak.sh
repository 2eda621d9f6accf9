#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Many short containers, 32 at a time: every one must print its number, and nothing may be left.
#
#   tools/soak.sh TARE [COUNT]        COUNT (500) containers; needs root
set -eu
tare=$(realpath "${1:?the program}")
count=${2:-500}
dir=$(mktemp -d /tmp/tare-soak.XXXXXX)
export TARE_ROOT="$dir/root" TARE_RUNROOT="$dir/run"
trap 'rm -rf --one-file-system "$dir"' EXIT

"$tare" run --rm busybox true 2>/dev/null # unpacks the image
mounts=$(wc -l </proc/self/mounts)
cgroups=$(find /sys/fs/cgroup -type d -path '*tare*' 2>/dev/null | wc -l)

seq "$count" | xargs -P 32 -I N sh -c \
	'out=$("$0" run --rm busybox echo N) && [ "$out" = N ] || { echo "container N: $? ${out:-}" >&2; exit 1; }' "$tare"

fail=0
expect() { # WHAT WANTED GOT
	[ "$2" = "$3" ] || {
		echo "left behind: $1: $2 before, $3 after" >&2
		fail=1
	}
}
expect mounts "$mounts" "$(wc -l </proc/self/mounts)"
expect cgroups "$cgroups" "$(find /sys/fs/cgroup -type d -path '*tare*' 2>/dev/null | wc -l)"
expect containers 0 "$("$tare" ps -aq | wc -l)"
expect directories 0 "$(find "$dir"/root/containers "$dir"/run/containers -mindepth 1 -maxdepth 1 2>/dev/null | wc -l)"
expect processes 0 "$(pgrep -fc "$dir/run" || :)"
[ $fail = 0 ] && echo "$count containers, nothing left"
exit $fail
