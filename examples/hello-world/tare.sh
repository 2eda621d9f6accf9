#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The same with an image: the first run brings it, `images` lists it, `ps -a` keeps what has run.
set -eu
tare=${TARE:-tare}
trap '"$tare" rm -f example-hello >/dev/null 2>&1 || :' EXIT

"$tare" run --name example-hello hello-world | grep "Hello from tare"
"$tare" images | grep hello-world
[ "$("$tare" inspect -f '{{.State.Status}} {{.State.ExitCode}}' example-hello)" = "exited 0" ]
"$tare" ps -a --filter name=example-hello --format '{{.Image}} {{.Status}}'
echo ok
