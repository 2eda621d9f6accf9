#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A network namespace joined to the host by a pair of links, a server in it, and its way out by
# masquerade. Somebody outside is played by a second namespace, which knows no way back to 10.1.1.0/24.
set -eu
inside=''
outside=''
server=''
listener=''
was_forwarding=$(cat /proc/sys/net/ipv4/ip_forward)
# shellcheck disable=SC2317 # called by trap
cleanup() {
	for pid in $server $listener $inside $outside; do
		kill -KILL "$pid" || :
		wait "$pid" || :
	done
	ip link delete "ex$$" || :
	ip link delete "exo$$" || :
	nft delete table ip "example_$$" || :
	echo "$was_forwarding" >/proc/sys/net/ipv4/ip_forward
}
trap 'cleanup 2>/dev/null' EXIT

# A namespace lives as long as a process is in it.
unshare --net sleep 1000 &
inside=$!
unshare --net sleep 1000 &
outside=$!
until [ "$(readlink "/proc/$inside/ns/net")" != "$(readlink /proc/self/ns/net)" ]; do :; done
until [ "$(readlink "/proc/$outside/ns/net")" != "$(readlink /proc/self/ns/net)" ]; do :; done
at() { nsenter --net --target "$@"; }

# The pair: one end stays here, the other one is born inside and is called eth0 there.
ip link add "ex$$" type veth peer name eth0 netns "$inside"
ip addr add 10.1.1.1/24 dev "ex$$"
ip link set "ex$$" up
at "$inside" ip link set lo up
at "$inside" ip addr add 10.1.1.2/24 dev eth0
at "$inside" ip link set eth0 up

# nc -l 8000 inside, reached from the host.
nsenter --net --target "$inside" busybox nc -l -p 8000 -e echo "hello from inside" &
server=$!
until said=$(busybox nc 10.1.1.2 8000 </dev/null 2>/dev/null) && [ -n "$said" ]; do kill -0 $server; done
echo "$said"
[ "$said" = "hello from inside" ]

# The way out: a default route inside; forwarding and masquerade here.
ip link add "exo$$" type veth peer name eth0 netns "$outside"
ip addr add 192.0.2.1/30 dev "exo$$"
ip link set "exo$$" up
at "$outside" ip addr add 192.0.2.2/30 dev eth0
at "$outside" ip link set eth0 up
at "$inside" ip route add default via 10.1.1.1
echo 1 >/proc/sys/net/ipv4/ip_forward
nft -f - <<-END
	table ip example_$$ {
		chain postrouting {
			type nat hook postrouting priority srcnat
			ip saddr 10.1.1.0/24 oifname != "ex$$" masquerade
		}
	}
END
nsenter --net --target "$outside" busybox nc -ll -p 9000 -e busybox netstat -tn &
listener=$!
until seen=$(at "$inside" busybox nc 192.0.2.2 9000 </dev/null 2>/dev/null) && [ -n "$seen" ]; do kill -0 "$listener"; done
echo "$seen"
echo "$seen" | grep -q '192.0.2.2:9000 .*192.0.2.1:' # outside sees the host's address
echo ok
