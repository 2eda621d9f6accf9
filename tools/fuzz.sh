#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Builds the libFuzzer targets of tests/fuzz with clang and runs each for SECONDS (60) on its corpus.
# New inputs stay in build-fuzz/corpus; a crash leaves its input beside the target and ends the run.
set -eu
seconds=${1:-60}
cd "$(dirname "$0")/.."
[ -f build-fuzz/build.ninja ] ||
	CC=clang meson setup -Dfuzz=true -Dstatic=false -Db_sanitize=address,undefined -Db_lundef=false build-fuzz >/dev/null
ninja -C build-fuzz
ran=0
for target in build-fuzz/tests/fuzz/fuzz_*; do
	[ -f "$target" ] && [ -x "$target" ] || continue
	name=${target##*/fuzz_}
	grown=build-fuzz/corpus/$name
	mkdir -p "$grown"
	seed=tests/fuzz/corpus/$name
	[ -d "$seed" ] || seed=
	echo "== $name"
	log=build-fuzz/$name.log
	rc=0
	# shellcheck disable=SC2086 # seed may be empty
	"$target" -max_total_time="$seconds" -rss_limit_mb=1024 -timeout=10 -print_final_stats=1 \
		-artifact_prefix="build-fuzz/crash-$name-" "$grown" $seed >"$log" 2>&1 || rc=$?
	tail -n 12 "$log"
	[ $rc = 0 ] || exit $rc
	ran=$((ran + 1))
done
[ $ran -gt 0 ] || {
	echo "no fuzz target was built" >&2
	exit 1
}
