#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Every job of the virtual machine, one "ok" or "not ok" line for each besides those it prints itself.
#
#	all.sh [BUILD]            BUILD (build) is a finished build directory
set -u
cd "$(dirname "$0")/../.." || exit 2
build=${1:-build}
failed=0
for job in cgroup2 health limits network platform stats; do
	status=0
	# what it needs beside the modules of all jobs, in a line of its own
	modules=$(sed -n 's/^# modules: //p' "tests/vm/$job.sh")
	# what it wants to find in BUILD, made while there is a network
	before=$(sed -n 's/^# before: //p' "tests/vm/$job.sh")
	[ -z "$before" ] || "$before" "$build" || status=$?
	out=$(tests/vm/run-vm.sh -b "$build" ${modules:+-m "$modules"} "tests/vm/$job.sh" 2>&1) || status=$?
	printf '%s\n' "$out"
	if [ $status = 0 ]; then
		echo "ok vm/$job"
	else
		echo "not ok vm/$job: exit status $status"
		failed=1
	fi
done
exit $failed
