#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Health checks where cgroup v2 is alone: the group of a check is made below the container's, what is
# in it is killed, and it goes with the container's.
# Job for run-vm.sh; prints "ok WHAT" and "not ok WHAT", and its status is 1 when a check failed.
#
#	run-vm.sh -b BUILD tests/vm/health.sh
tare=$TARE_BUILD/tare
failed=0
export TARE_ROOT=/run/vm/tare TARE_RUNROOT=/run/tare
check() { # WHAT WANTED GOT
	if [ "$2" = "$3" ]; then
		echo "ok $1"
	else
		echo "# $1: wanted '$2', got '$3'"
		echo "not ok $1"
		failed=1
	fi
}
wait_for() { # STATUS: of container c1
	tries=0
	until [ "$("$tare" inspect -f '{{.State.Health.Status}}' c1)" = "$1" ] || [ $tries -gt 200 ]; do
		tries=$((tries + 1))
		sleep 0.1
	done
	"$tare" inspect -f '{{.State.Health.Status}}' c1
}

"$tare" run -d --network none --name c1 --health-cmd \
	'test -f /quick || setsid sleep 7654399 & test -f /quick || sleep 7654399; cat /proc/self/cgroup' \
	--health-interval 200ms --health-timeout 500ms --health-retries 1 busybox sleep 1000 >/dev/null
dir=/sys/fs/cgroup$(sed -n 's/^0:://p' "/proc/$("$tare" inspect -f '{{.State.Pid}}' c1)/cgroup")
check "a check that takes too long" unhealthy "$(wait_for unhealthy)"
check "its exit code" -1 "$("$tare" inspect -f '{{(index .State.Health.Log 0).ExitCode}}' c1)"
"$tare" exec c1 touch /quick
check "one that does not" healthy "$(wait_for healthy)"
check "its group" /tare-health \
	"$("$tare" inspect -f '{{range .State.Health.Log}}{{println .Output}}{{end}}' c1 | sed -n 's/^0:://p' | tail -n 1)"
check "nothing is left of the others" "" "$(pgrep -x -f 'sleep 7654399')"
"$tare" pause c1 >/dev/null
check "a pause" unhealthy "$(wait_for unhealthy)"
"$tare" unpause c1 >/dev/null
check "after it" healthy "$(wait_for healthy)"
"$tare" rm -f c1 >/dev/null
check "the group is gone" no "$([ -d "$dir" ] && echo yes || echo no)"
exit $failed
