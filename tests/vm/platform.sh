#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Images for another machine. What is registered with binfmt_misc is registered for a whole machine,
# so it needs one of its own: RUN for arm64 without an emulator, and with Debian's qemu-user.
# Job for run-vm.sh; prints "ok WHAT" and "not ok WHAT", and its status is 1 when a check failed.
#
#	run-vm.sh -b BUILD -m binfmt_misc tests/vm/platform.sh
#
# modules: binfmt_misc
# before: tests/vm/prepare-platform.sh
tare=$TARE_BUILD/tare
files=$TARE_BUILD/vm-cache/platform
binfmt=/proc/sys/fs/binfmt_misc
failed=0
export TARE_ROOT=/run/vm/tare TARE_RUNROOT=/run/tare
check() { # WHAT WANTED GOT
	if [ "$2" = "$3" ]; then
		echo "ok $1"
	else
		echo "# $1: wanted '$2', got '$3'"
		echo "not ok $1"
		failed=1
	fi
}
build() { # PLATFORMS OPTION...
	platforms=$1
	shift
	"$tare" build --progress=plain --network none -t both --platform "$platforms" "$@" /run/vm/context
}

mkdir -p /run/vm/context
cat >/run/vm/context/Dockerfile <<'END'
ARG TARGETARCH
FROM base-$TARGETARCH
ARG TARGETARCH
RUN echo "$TARGETARCH $(busybox uname -m)" >/machine
CMD ["busybox", "cat", "/machine"]
END
"$tare" import --platform linux/arm64 -c 'ENV PATH=/bin' "$files/busybox-arm64.tar" base-arm64 >/dev/null
"$tare" tag busybox base-amd64 2>/dev/null || { "$tare" pull -q busybox >/dev/null && "$tare" tag busybox base-amd64; }

out=$(build linux/arm64 2>&1)
check "without an emulator: the status" 1 $?
check "without an emulator: one line" \
	"ERROR: failed to build: failed to solve: this host cannot run programs for linux/arm64: no emulator is registered with binfmt_misc" \
	"$(echo "$out" | grep '^ERROR')"

mount -t binfmt_misc binfmt_misc $binfmt || exit 1
# As the package registers it: P keeps the name a program was called by, F opens the emulator now, so that no image needs to have it.
magic='\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00'
mask='\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff'
printf '%s' ":qemu-aarch64:M::$magic:$mask:$files/qemu-aarch64-static:POCF" >$binfmt/register
check "buildx inspect tells the platform" "linux/amd64, linux/arm64" \
	"$("$tare" buildx inspect | sed -n 's/^Platforms: *//p')"

out=$(build linux/amd64,linux/arm64 2>&1) || echo "$out" | sed 's/^/# /'
check "the host's of the two runs" "amd64 x86_64" "$("$tare" run --rm --network none both)"
check "the other one runs as well" "arm64 aarch64" \
	"$("$tare" run --rm --network none --platform linux/arm64 both)"
"$tare" image copy tare:both oci:/run/vm/layout >/dev/null 2>&1
check "an index of both" "amd64 arm64" \
	"$(cat /run/vm/layout/blobs/sha256/* /run/vm/layout/index.json | grep -ao '"architecture":"[a-z0-9]*"' |
		cut -d'"' -f4 | sort -u | tr '\n' ' ' | sed 's/ $//')"
out=$(build linux/amd64,linux/arm64 2>&1)
check "everything is in the cache" "2" "$(echo "$out" | grep -c 'RUN echo')"
check "nothing is made again" "" "$(echo "$out" | grep -A1 'RUN echo' | grep DONE)"
out=$(build linux/amd64,linux/arm64 -o type=oci,dest=/run/vm/both.oci --no-cache 2>&1) || echo "$out" | sed 's/^/# /'
mkdir /run/vm/oci
tar -C /run/vm/oci -xf /run/vm/both.oci
check "made again: the same images" "$(cd /run/vm/layout/blobs/sha256 && grep -l '"rootfs"' ./* | sort)" \
	"$(cd /run/vm/oci/blobs/sha256 && grep -l '"rootfs"' ./* | sort)"
exit $failed
