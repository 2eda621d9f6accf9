#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# What stats and top say where cgroup v2 is alone, against the files of the group.
# Job for run-vm.sh; prints "ok WHAT" and "not ok WHAT", and its status is 1 when a check failed.
#
#	run-vm.sh -b BUILD tests/vm/stats.sh
tare=$TARE_BUILD/tare
failed=0
export TARE_ROOT=/run/vm/tare TARE_RUNROOT=/run/tare
group() { # of container NAME
	echo "/sys/fs/cgroup$(sed -n 's/^0:://p' "/proc/$("$tare" inspect -f '{{.State.Pid}}' "$1")/cgroup")"
}
check() { # WHAT WANTED GOT
	if [ "$2" = "$3" ]; then
		echo "ok $1"
	else
		echo "# $1: wanted '$2', got '$3'"
		echo "not ok $1"
		failed=1
	fi
}
stats() { # NAME FIELD
	"$tare" stats --no-stream --format "{{.$2}}" "$1"
}

disk=
[ -b /dev/vda ] && disk=--device=/dev/vda
# shellcheck disable=SC2086 # no disk, no option
"$tare" run -d --network none --name full -m 128m --tmpfs /t:size=64m $disk busybox sh -c '
	dd if=/dev/zero of=/t/f bs=1M count=40 status=none
	[ -b /dev/vda ] && dd if=/dev/vda of=/dev/null bs=1M count=4 status=none
	sleep 1000 & echo ready; sleep 1000' >/dev/null
tries=0
until "$tare" logs full | grep -q ready || [ $tries -gt 100 ]; do
	tries=$((tries + 1))
	sleep 0.1
done
"$tare" pause full >/dev/null
dir=$(group full)
used=$(($(cat "$dir/memory.current") - $(sed -n 's/^inactive_file //p' "$dir/memory.stat")))
check "memory" "$(awk "BEGIN { printf \"%.4gMiB / 128MiB\", $used / 1048576 }")" "$(stats full MemUsage)"
check "memory, per cent" "$(awk "BEGIN { printf \"%.2f%%\", $used / 134217728 * 100 }")" "$(stats full MemPerc)"
check "processes" 2 "$(stats full PIDs)"
check "a frozen one uses no CPU" "0.00%" "$(stats full CPUPerc)"
check "no network" "0B / 0B" "$(stats full NetIO)"
read=$(awk '{ for (i = 2; i <= NF; i++) if (sub(/^rbytes=/, "", $i)) n += $i } END { print n + 0 }' "$dir/io.stat")
[ -z "$disk" ] || check "the disk was read" yes "$([ "$read" -ge 4194304 ] && echo yes)"
check "block I/O" "$(awk "BEGIN { n = $read; u = \"B\"
	if (n >= 1e6) { n /= 1e6; u = \"MB\" } else if (n >= 1e3) { n /= 1e3; u = \"kB\" }
	printf \"%.3g%s\", n, u }")" "$(stats full BlockIO | sed 's, / .*,,')"
check "top" 3 "$("$tare" top full | wc -l)"
"$tare" unpause full >/dev/null
"$tare" rm -f full >/dev/null

"$tare" run -d --network none --name half --cpus 0.5 busybox sh -c 'while :; do :; done' >/dev/null
share=$(stats half CPUPerc)
share=${share%.*}
check "half a CPU (it got $share %)" yes "$([ "$share" -ge 35 ] && [ "$share" -le 65 ] && echo yes)"
"$tare" stop -t 0 half >/dev/null
check "one that has ended" "0.00% 0B / 0B 0" "$("$tare" stats --no-stream --format '{{.CPUPerc}} {{.MemUsage}} {{.PIDs}}' half)"
"$tare" rm half >/dev/null
exit $failed
