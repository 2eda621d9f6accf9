#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# OverlayFS with two read-only layers: the upper one of them wins, and a deletion is a mark, not a loss.
set -eu
dir=$(mktemp -d /tmp/example-overlay.XXXXXX)
trap 'umount "$dir/merged" 2>/dev/null || :; umount "$dir" 2>/dev/null || :; rm -rf "$dir"' EXIT
mount -t tmpfs tmpfs "$dir" # overlay's upper directory may not itself lie on an overlay
mkdir "$dir/lower1" "$dir/lower2" "$dir/upper" "$dir/work" "$dir/merged"

echo "from lower1" >"$dir/lower1/only1"
echo "from lower1" >"$dir/lower1/both"
echo "from lower2" >"$dir/lower2/both"
echo "from lower2" >"$dir/lower2/doomed"
# lower2 stands left of lower1, so it lies above it
mount -t overlay overlay -o "lowerdir=$dir/lower2:$dir/lower1,upperdir=$dir/upper,workdir=$dir/work" "$dir/merged"

[ "$(cat "$dir/merged/only1")" = "from lower1" ]
[ "$(cat "$dir/merged/both")" = "from lower2" ]
rm "$dir/merged/doomed"
echo "written later" >"$dir/merged/both"
ls -l "$dir/merged" "$dir/upper"

[ ! -e "$dir/merged/doomed" ]                                # gone for who looks at the whole,
[ "$(cat "$dir/lower2/doomed")" = "from lower2" ]            # untouched below,
[ "$(stat -c '%F %t,%T' "$dir/upper/doomed")" = "character special file 0,0" ] # a whiteout above
[ "$(cat "$dir/lower2/both")" = "from lower2" ]              # and a write was copied up first
[ "$(cat "$dir/upper/both")" = "written later" ]
echo ok
