#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A container's least form: a directory becomes the root of one program. No limits, no namespaces.
set -eu
dir=$(mktemp -d /tmp/example-hello.XXXXXX)
trap 'rm -rf "$dir"' EXIT

mkdir "$dir/bin"
cp "$(command -v busybox)" "$dir/bin/busybox" # a static program brings all it needs
said=$(chroot "$dir" /bin/busybox echo "Hello from $(basename "$dir" | cut -d. -f1)")
echo "$said"
[ "$said" = "Hello from example-hello" ]
[ "$(chroot "$dir" /bin/busybox ls /)" = bin ] # it sees nothing but its own root
echo ok
