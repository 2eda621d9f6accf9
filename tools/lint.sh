#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Every check of the text: the source checker, layout, clang-tidy, cppcheck, shellcheck.
#
#   tools/lint.sh BUILD          BUILD is a configured build directory (compile_commands.json)
#
# Each check prints one line "ok NAME" or "not ok NAME"; what failed says why above its line. Runs
# all of them whatever the first says; exit status 1 if any failed. JOBS (2) bounds clang-tidy.
set -u
build=$(cd "${1:?build directory}" && pwd) || exit 2
cd "$(dirname "$0")/.." || exit 2
failed=0

check() { # NAME COMMAND...: its output is shown only when it fails
	name=$1
	shift
	if out=$("$@" 2>&1); then
		echo "ok $name"
	else
		printf '%s\nnot ok %s\n' "$out" "$name"
		failed=1
	fi
}

c_files() { find src tests images bench tools -name '*.[ch]' -type f | sort; }

layout() { c_files | xargs clang-format --dry-run -Werror; }

tidy() {
	# Only our own translation units: not the tests, whose macros belong to cmocka.
	run-clang-tidy -quiet -p "$build" -j "${JOBS:-2}" "$PWD/src/.*\\.c$" >"$build/clang-tidy.log" 2>&1
	status=$?
	# Its own progress and the source lines between are not wanted, the findings and their paths are.
	sed 's/\x1b\[[0-9;]*m//g' "$build/clang-tidy.log" | grep -E ': (error|warning): ' | sort -u
	return $status
}

cpp() {
	# Macros come from a file: a ";" in a -D ends it, and what follows hides most of the source.
	cppcheck --quiet --std=c11 --library=posix,gnu --library=tools/cppcheck.cfg \
		--enable=warning,performance,portability --inline-suppr --force --max-configs=2 \
		--error-exitcode=1 --suppressions-list=tools/cppcheck.supp -D_GNU_SOURCE -D__x86_64__ \
		-Isrc -j "${JOBS:-2}" src
}

# Jobs of the virtual machine have no first line of their own; all of them are for a plain sh.
shells() { find tools tests bench examples contrib .ci -type f \( -name '*.sh' -o -name '*.init.in' -o -name run \) -exec shellcheck -s dash -S warning -e SC2148,SC2187 {} +; }

check source-checker tools/check-source.py
check clang-format layout
check shellcheck shells
check cppcheck cpp
check clang-tidy tidy
exit $failed
