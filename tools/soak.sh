#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# The endurance tests, whole; what they found is added to docs/soak.md with date and machine.
#
#   tools/soak.sh TARE [COUNT]        COUNT (500) containers in the storm; needs root, strace and xfsprogs
set -eu
TARE=$(realpath "${1:?the program}")
count=${2:-500}
here=$(dirname "$(realpath "$0")")
tests=$here/../tests/soak
SOAK_REPORT=$here/../docs/soak.md
export TARE SOAK_REPORT

for tool in strace:strace mkfs.xfs:xfsprogs nft:nftables ip:iproute2; do
	command -v "${tool%%:*}" >/dev/null || apt-get install -y --no-install-recommends "${tool##*:}" >/dev/null
done
python3 "$tests/harness.py" >>"$SOAK_REPORT"
fail=0
python3 "$tests/storm.py" --count "$count" || fail=1
python3 "$tests/kill_points.py" --points 200 || fail=1
python3 "$tests/network_points.py" || fail=1
python3 "$tests/many_ports.py" --rounds 20 || fail=1
python3 "$tests/exits.py" || fail=1
python3 "$tests/races.py" || fail=1
python3 "$tests/log_flood.py" || fail=1
python3 "$here/../tests/e2e/hostile_driver.py" archives --program "$TARE" --count 5000 || fail=1
python3 "$here/../tests/e2e/hostile_driver.py" images --program "$TARE" --count 2000 || fail=1
python3 "$tests/fault_points.py" || fail=1
python3 "$tests/cache_points.py" || fail=1
python3 "$tests/build_points.py" || fail=1
python3 "$tests/build_hands.py" || fail=1
python3 "$tests/many_hands.py" || fail=1
python3 "$tests/thousand.py" || fail=1
python3 "$tests/cycles.py" || fail=1
python3 "$tests/shared_names.py" || fail=1
# 5,000 copies in each direction, to and from a directory that becomes a link to /, to the canary, and relative to it.
TARE_TEST_SWAPS=15000 /usr/bin/python3 -m pytest -q -p no:cacheprovider "$here/../tests/e2e/test_cp.py" -k race || fail=1
python3 "$tests/full_disk.py" || fail=1
python3 "$tests/full_disk_images.py" || fail=1
python3 "$tests/power_cut.py" || fail=1
python3 "$tests/corrupt.py" || fail=1
python3 "$tests/power_peers.py" || fail=1
exit $fail
