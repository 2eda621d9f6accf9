#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The same with containers: the image's layer is the lower one, each container writes to its own upper.
set -eu
tare=${TARE:-tare}
trap '"$tare" rm -f example-one example-two >/dev/null 2>&1 || :' EXIT

# One container deletes a file of the image and changes another ...
"$tare" run --name example-one --network none busybox \
	sh -c 'test -e /etc/shadow && echo first || echo again; rm -f /etc/shadow; echo changed >/etc/group'
[ "$("$tare" start -a example-one)" = again ] # started again, it finds its own layer as it left it

# ... another one, from the same image, sees neither: what is shared is never written to.
"$tare" run --name example-two --network none busybox sh -c 'test -e /etc/shadow && ! grep -q changed /etc/group'
"$tare" run --rm --explain --network none busybox true 2>&1 | grep -F overlay
echo ok
