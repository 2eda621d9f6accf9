#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Installs what a part of the work needs from Debian's packages, by name and only what is missing.
#
#   tools/deps.sh build        to compile tare and its unit tests
#   tools/deps.sh test         the above and what the tests and the lint use
#   tools/deps.sh bench        the above (build) and the engines tare is compared with
#
# When nothing is missing it costs one dpkg-query (about 20 ms) and touches no network. Installing
# needs root; without it the missing names are printed and the exit status is 1.
set -eu

build="gcc libc6-dev make meson ninja-build pkg-config python3 busybox-static
	libjansson-dev libsqlite3-dev libisal-dev zlib1g-dev libzstd-dev liblzma-dev libbz2-dev libssl-dev libseccomp-dev libcmocka-dev
	libcurl4-openssl-dev"
run="iproute2 util-linux git"
test="clang clang-format clang-tidy cppcheck libclang-rt-14-dev python3-pytest python3-pytest-xdist python3-pyte
	openssh-client shellcheck zsh fish mandoc strace tmux xfsprogs e2fsprogs mmdebstrap zstd xz-utils procps
	qemu-system-x86 qemu-system-common cpio kmod
	podman docker.io skopeo buildah umoci runc crun libcap2-bin
	nftables iptables bind9-dnsutils netcat-openbsd iperf3 containernetworking-plugins"
bench="crun runc podman docker.io bubblewrap containernetworking-plugins mmdebstrap iptables iperf3"

case ${1:-} in
build) wanted="$build $run" ;;
test) wanted="$build $run $test" ;;
bench) wanted="$build $run $bench" ;;
*)
	echo "usage: $0 build|test|bench" >&2
	exit 2
	;;
esac

# A name counts as present when dpkg says "install ok installed".
# shellcheck disable=SC2086 # the list is words
present=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' $wanted 2>/dev/null |
	sed -n 's/^installed //p') || true
missing=
for name in $wanted; do
	case "
$present
" in
	*"
$name
"*) ;;
	*) missing="$missing $name" ;;
	esac
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" != 0 ]; then
	echo "missing packages:$missing" >&2
	echo "as root: apt-get install$missing" >&2
	exit 1
fi
echo "installing:$missing"
# RUNLEVEL=1: a package with a service (docker.io) is installed, its service is not started.
export DEBIAN_FRONTEND=noninteractive RUNLEVEL=1
log=$(mktemp)
trap 'rm -f "$log"' EXIT
# shellcheck disable=SC2086
if ! { apt-get -q update && apt-get -q -y install --no-install-recommends $missing; } >"$log" 2>&1; then
	tail -n 30 "$log" >&2
	echo "$0: could not install:$missing" >&2
	exit 1
fi
