#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# What cgroup v2 must do with the limits a user types: each is read back from its file and felt inside.
# Job for run-vm.sh; prints "ok WHAT" and "not ok WHAT", and its status is 1 when a check failed.
#
#	run-vm.sh -b BUILD tests/vm/limits.sh
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
up() { # NAME OPTION...: a container that is up
	name=$1
	shift
	"$tare" run -d --network none --name "$name" "$@" busybox sleep 1000 >/dev/null
}

check "the controllers are on v2 alone" 0 "$(grep -c '^cgroup ' /proc/mounts)"
check "a container runs" hi "$("$tare" run --rm --network none busybox echo hi 2>/dev/null)"

up limits -m 64m --memory-swap 96m --memory-reservation 32m --cpus 0.5 --cpu-shares 512 --pids-limit 50 --cpuset-cpus 0
dir=$(group limits)
while read -r file wanted; do
	check "v2 $file" "$wanted" "$(cat "$dir/$file" 2>&1)"
done <<FILES
memory.max 67108864
memory.swap.max 33554432
memory.low 33554432
cpu.max 50000 100000
cpu.weight 50
pids.max 50
cpuset.cpus 0
FILES
"$tare" update -m 128m --memory-swap 160m --cpus 0.25 --pids-limit -1 --cpuset-cpus 0 limits >/dev/null
while read -r file wanted; do
	check "updated $file" "$wanted" "$(cat "$dir/$file" 2>&1)"
done <<FILES
memory.max 134217728
memory.swap.max 33554432
memory.low 33554432
cpu.max 25000 100000
cpu.weight 50
pids.max max
cpuset.cpus 0
FILES
"$tare" update -m 64m --memory-swap 64m limits >/dev/null
check "updated downwards" "67108864 0" "$(cat "$dir/memory.max") $(cat "$dir/memory.swap.max")"
check "seen from inside" 67108864 "$("$tare" exec limits cat /sys/fs/cgroup/memory.max)"
"$tare" pause limits >/dev/null
check "pause" "frozen 1" "$(grep frozen "$dir/cgroup.events")"
"$tare" unpause limits >/dev/null
check "unpause" "frozen 0" "$(grep frozen "$dir/cgroup.events")"
"$tare" rm -f limits >/dev/null
check "the group is gone" gone "$([ -d "$dir" ] || echo gone)"

up below --cgroup-parent /outer/inner -m 64m
dir=$(group below)
check "--cgroup-parent" /sys/fs/cgroup/outer/inner "${dir%/*}"
check "its limit, and none on its parent" "67108864 max" "$(cat "$dir/memory.max" "${dir%/*}/memory.max" | xargs)"
"$tare" debug below true
check "debug" 0 $?
"$tare" rm -f below >/dev/null
check "gone from its parent" gone "$([ -d "$dir" ] || echo gone)"
rmdir /sys/fs/cgroup/outer/inner /sys/fs/cgroup/outer

up plain
dir=$(group plain)
"$tare" update --cpu-shares 512 --cpuset-cpus 0 plain >/dev/null
check "a controller that it had not" "50 0" "$(cat "$dir/cpu.weight") $(cat "$dir/cpuset.cpus")"
"$tare" rm -f plain >/dev/null

up shares --cpu-shares 20
check "20 shares, rounded so that 20:80 stays 20:80" 2 "$(cat "$(group shares)/cpu.weight")"
"$tare" rm -f shares >/dev/null
up shares --cpu-shares 1024
check "1024 shares are the kernel's 100" 100 "$(cat "$(group shares)/cpu.weight")"
"$tare" rm -f shares >/dev/null

# Block devices: the guest's disk of zeros.
disk=
for d in /dev/vd[a-z] /dev/sd[a-z]; do [ -b "$d" ] && disk=$d; done
[ -b "$disk" ] || { mknod /dev/vm-disk b 254 0; disk=/dev/vm-disk; }
up io --device-read-bps "$disk:2mb" --device-write-bps "$disk:3mb" --device-read-iops "$disk:120" \
	--device-write-iops "$disk:130"
check "io.max" "rbps=2097152 wbps=3145728 riops=120 wiops=130" "$(sed 's/^[0-9:]* //' "$(group io)/io.max" 2>&1)"
"$tare" rm -f io >/dev/null
mems=$(cat /sys/fs/cgroup/cpuset.mems.effective)
up mems --cpuset-mems "$mems"
check "cpuset.mems" "$mems" "$(cat "$(group mems)/cpuset.mems")"
"$tare" rm -f mems >/dev/null
# A weight needs a scheduler that the host may not have; then the option stops the container (R9).
if [ -e /sys/fs/cgroup/tare/io.weight ] || [ -e /sys/fs/cgroup/tare/io.bfq.weight ]; then
	up weight --blkio-weight 300
	# io.weight counts from 1 to 10000 where the option counts from 10 to 1000; bfq's does not.
	check "io weight" 1 "$(cat "$(group weight)"/io*.weight | grep -c -e '^default 300$' -e '^default 2930$' -e '^300$')"
	"$tare" rm -f weight >/dev/null
else
	"$tare" run --rm --network none --blkio-weight 300 busybox true 2>/tmp/weight.err
	check "no io weight here: status" 125 $?
	check "no io weight here: the option is named" 1 "$(grep -c -e '^tare: .*--blkio-weight' /tmp/weight.err)"
fi
"$tare" run --rm --network none -m 64m --memory-swappiness 10 busybox true 2>/tmp/swappiness.err
check "swappiness has no v2 file: status" 125 $?
check "swappiness has no v2 file: the option is named" 1 "$(grep -c -e '^tare: .*--memory-swappiness' /tmp/swappiness.err)"

"$tare" run --name oom --network none -m 16m --memory-swap 16m busybox \
	sh -c 'dd if=/dev/zero of=/dev/null bs=200M count=1' >/dev/null 2>&1
check "over the limit: status" 137 $?
check "over the limit: flag" true "$("$tare" inspect -f '{{.State.OOMKilled}}' oom)"
"$tare" rm oom >/dev/null

check "fork bomb stops at the limit" stopped "$("$tare" run --rm --network none --pids-limit 20 busybox sh -c '
	i=0; while [ $i -lt 40 ]; do sleep 5 & i=$((i + 1)); done' 2>/dev/null || echo stopped)"

check "a device that is not allowed" refused "$("$tare" run --rm --network none --cap-add MKNOD busybox sh -c '
	mknod /tmp/mem c 1 1; head -c 1 /tmp/mem >/dev/null 2>&1 && echo read || echo refused')"
check "a device that is allowed" 1 "$("$tare" run --rm --network none busybox sh -c 'head -c 1 /dev/zero | wc -c')"

up low --cpu-shares 20 --cpuset-cpus 0
up high --cpu-shares 80 --cpuset-cpus 0
for c in low high; do "$tare" exec -d "$c" sh -c 'while :; do :; done'; done
usage() { sed -n 's/^usage_usec //p' "$(group "$1")/cpu.stat"; }
low0=$(usage low) high0=$(usage high)
sleep 4 # the length of the measurement
low1=$(usage low) high1=$(usage high)
share=$((100 * (low1 - low0) / (low1 - low0 + high1 - high0)))
check "20:80 (low got $share %)" yes "$([ $share -ge 15 ] && [ $share -le 25 ] && echo yes)"
"$tare" rm -f low high >/dev/null
check "nothing left" 0 "$(find /sys/fs/cgroup -mindepth 1 -type d -path '*tare/*' | wc -l)"
exit $failed
