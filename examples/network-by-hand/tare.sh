#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The same with tare: a network with that subnet, a container with that address. Somebody outside is
# again a namespace of its own.
set -eu
tare=${TARE:-tare}
outside=''
listener=''
# shellcheck disable=SC2317 # called by trap
cleanup() {
	for pid in $listener $outside; do
		kill -KILL "$pid" || :
		wait "$pid" || :
	done
	ip link delete "exo$$" || :
	"$tare" rm -f example-inside || :
	"$tare" network rm example-lecture || :
}
trap 'cleanup >/dev/null 2>&1' EXIT

# The pair of links, the addresses, the default route, forwarding and masquerade.
"$tare" network create --subnet 10.1.1.0/24 --gateway 10.1.1.1 example-lecture
"$tare" run -d --name example-inside --network example-lecture --ip 10.1.1.2 busybox \
	nc -ll -p 8000 -e echo "hello from inside"
"$tare" exec example-inside ip -o addr show eth0 | grep -o 'inet 10\.1\.1\.2/24'

# nc -l 8000 inside, reached from the host.
until said=$(busybox nc 10.1.1.2 8000 </dev/null 2>/dev/null) && [ -n "$said" ]; do
	[ "$("$tare" inspect -f '{{.State.Running}}' example-inside)" = true ]
done
echo "$said"
[ "$said" = "hello from inside" ]

# The way out.
unshare --net sleep 1000 &
outside=$!
until [ "$(readlink "/proc/$outside/ns/net")" != "$(readlink /proc/self/ns/net)" ]; do :; done
ip link add "exo$$" type veth peer name eth0 netns "$outside"
ip addr add 192.0.2.1/30 dev "exo$$"
ip link set "exo$$" up
nsenter --net --target "$outside" ip addr add 192.0.2.2/30 dev eth0
nsenter --net --target "$outside" ip link set eth0 up
nsenter --net --target "$outside" busybox nc -ll -p 9000 -e busybox netstat -tn &
listener=$!
until seen=$("$tare" exec example-inside nc 192.0.2.2 9000 </dev/null 2>/dev/null) && [ -n "$seen" ]; do kill -0 "$listener"; done
echo "$seen"
echo "$seen" | grep -q '192.0.2.2:9000 .*192.0.2.1:' # outside sees the host's address
"$tare" network audit example-inside
echo ok
