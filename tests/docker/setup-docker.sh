#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Private dockerd for the differential test.
#   setup-docker.sh start DIR   start it; DIR gets docker.sock, docker.pid, dockerd.log
#   setup-docker.sh stop DIR    stop it by its pid and remove DIR
# The daemon lives in its own mount and network namespace, so no mount, address, route or
# firewall rule of the host changes. Clients that must reach published ports enter that
# network namespace (run.py does: nsenter -t $(cat DIR/docker.pid) -n -m).
set -u
usage() { echo "usage: $0 start|stop DIR" >&2; exit 2; }
[ $# -eq 2 ] || usage
action=$1
dir=$2
cgroup_parent=docker-diff

alive() { [ -n "$1" ] && [ -d "/proc/$1" ] && ! grep -q '^State:[[:space:]]*Z' "/proc/$1/status" 2>/dev/null; }

case $action in
start)
    [ "$(id -u)" = 0 ] || { echo "$0: needs root" >&2; exit 2; }
    command -v dockerd >/dev/null || { echo "$0: dockerd is not installed" >&2; exit 2; }
    mkdir -p "$dir" || exit 2
    dir=$(cd "$dir" && pwd)
    # Without CAP_SYS_RESOURCE a container cannot get the daemon's own (high) limits: hand it
    # limits that are certainly below the current hard ones.
    setsid unshare --mount --net --propagation private sh -c '
        ip link set lo up
        echo 1 >/proc/sys/net/ipv4/ip_forward
        exec dockerd --data-root "$1/data" --exec-root "$1/exec" -H "unix://$1/docker.sock" \
            --pidfile "$1/docker.pid" --exec-opt native.cgroupdriver=cgroupfs \
            --cgroup-parent "/$2" --default-ulimit nofile=1024:1024 --shutdown-timeout 2 --log-level warn
        ' sh "$dir" "$cgroup_parent" </dev/null >"$dir/dockerd.log" 2>&1 &
    tries=0
    until DOCKER_HOST="unix://$dir/docker.sock" docker version >/dev/null 2>&1; do
        tries=$((tries + 1))
        if [ $tries -gt 150 ]; then
            echo "$0: dockerd did not come up:" >&2
            tail -n 20 "$dir/dockerd.log" >&2
            exit 1
        fi
        sleep 0.2
    done
    ;;
stop)
    pid=$(cat "$dir/docker.pid" 2>/dev/null)
    if alive "$pid"; then
        kill -TERM "$pid"
        tries=0
        while alive "$pid" && [ $tries -lt 150 ]; do tries=$((tries + 1)); sleep 0.2; done
        alive "$pid" && kill -KILL "$pid"
    fi
    # Only our own, now empty, cgroups: rmdir refuses anything else.
    for c in /sys/fs/cgroup/*/"$cgroup_parent"/* /sys/fs/cgroup/*/"$cgroup_parent"; do
        [ -d "$c" ] && rmdir "$c" 2>/dev/null
    done
    [ -f "$dir/dockerd.log" ] && rm -rf "$dir"
    ;;
*) usage ;;
esac
exit 0
