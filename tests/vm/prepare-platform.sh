#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# For platform.sh, before the machine starts: qemu-user for arm64 and busybox for arm64, of Debian's packages,
# once, in BUILD/vm-cache/platform. Nothing is installed.
#
#	prepare-platform.sh BUILD
set -eu
cache=$1/vm-cache/platform
[ ! -e "$cache/finished" ] || exit 0
rm -rf "$cache"
mkdir -p "$cache"
cd "$cache"
if ! { apt-get download -q qemu-user-static &&
	dpkg-deb --fsys-tarfile qemu-user-static_*.deb | tar -x ./usr/bin/qemu-aarch64-static &&
	mmdebstrap --variant=extract --mode=root --architectures=arm64 --include=busybox-static \
		--aptopt='Acquire::Check-Valid-Until "false"' --aptopt='Acquire::Check-Date "false"' \
		bookworm tree; } >log 2>&1; then
	tail -n 20 log >&2
	exit 1
fi
mkdir -p root/bin root/tmp root/etc
cp tree/bin/busybox root/bin/busybox
ln -s busybox root/bin/sh
tar -C root -cf busybox-arm64.tar .
mv usr/bin/qemu-aarch64-static .
rm -rf tree root usr qemu-user-static_*.deb
touch finished
