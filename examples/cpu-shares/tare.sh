#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The same with two containers. tare makes the groups, also where the cgroups are v2.
set -eu
tare=${TARE:-tare}
trap '"$tare" rm -f low_prio high_prio >/dev/null 2>&1 || :' EXIT

"$tare" run -d --network none --name=low_prio --cpuset-cpus=0 --cpu-shares=20 busybox sha256sum /dev/zero >/dev/null
"$tare" run -d --network none --name=high_prio --cpuset-cpus=0 --cpu-shares=80 busybox sha256sum /dev/zero >/dev/null
ticks() { sed 's/.*) //' "/proc/$("$tare" inspect -f '{{.State.Pid}}' "$1")/stat" | awk '{ print $12 + $13 }'; }
low0=$(ticks low_prio) high0=$(ticks high_prio)
sleep 3 # the length of the measurement
low1=$(ticks low_prio) high1=$(ticks high_prio)
share=$((100 * (low1 - low0) / (low1 - low0 + high1 - high0)))
echo "the one with 20 of 100 shares got $share %"
[ $share -ge 14 ] && [ $share -le 26 ]
echo ok
