#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The same by `tare run`, which makes all of these namespaces by default and its own root besides.
set -eu
tare=${TARE:-tare}
before=$(hostname)
seen=$("$tare" run --rm --network none --hostname example-inside busybox sh -c '
	echo "$$ $(hostname) $(ls -d /proc/[0-9]* | wc -l) $(ip -o link | wc -l)"')
echo "pid, host name, processes, links inside: $seen"
# shellcheck disable=SC2086 # four words
set -- $seen
[ "$1" = 1 ]
[ "$2" = example-inside ]
[ "$3" -le 5 ]
[ "$4" -ge 1 ]
[ "$(hostname)" = "$before" ]

# Each namespace can be shared with the host instead: then it has the host's name again.
[ "$("$tare" run --rm --network none --uts host busybox hostname)" = "$before" ]
echo ok
