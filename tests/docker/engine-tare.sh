#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# tare with its own storage under $DIFF_STATE. TARE names the binary when it is not on PATH.
state=${DIFF_STATE:?run.py sets it}/tare
[ -d "$state" ] || mkdir -p "$state/root" "$state/run"
exec "${TARE:-tare}" --root "$state/root" --runroot "$state/run" "$@"
