#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2317 # cleanup is called by the trap
#
# Runs a job in a virtual machine with Debian's kernel: what this host cannot show (cgroup v2 alone,
# another kernel, other modules) becomes an ordinary test. Needs root, no /dev/kvm and no network once
# the kernel has been fetched. An empty job takes about 5 seconds.
#
#	run-vm.sh [-b BUILD] [-c CACHE] [-m MODULES] [-t SECONDS] JOB [ARG...]
#
# JOB is a shell script. In the guest it sees this host's whole file system at the same paths, with
# its own writable layer over it that is thrown away, TARE_BUILD set to BUILD (absolute), and is root
# on a kernel of its own. Its output is this program's output, its exit status (0-125) the exit
# status; 126 means that the machine itself failed, and what it said on its console follows on stderr.
#
# How: the kernel (a package, downloaded but not installed) boots an initrd of busybox, a few modules
# and guest-init.sh; virtiofsd serves the host's "/" read-only; guest-init.sh lays a tmpfs over it and
# runs the job; the output leaves by a virtio port, the status by qemu's debug-exit device.
set -eu

# Debian packages that must be installed, and the one whose dependency is the kernel to fetch.
PACKAGES="qemu-system-x86 qemu-system-common busybox-static cpio gzip kmod gcc libc6-dev"
KERNEL_PACKAGE=linux-image-cloud-amd64
# Modules of the guest, besides what these depend on. virtio_blk is for a disk that holds zeros.
MODULES="virtio_pci virtiofs overlay virtio_console virtio_blk"

here=$(cd "$(dirname "$0")" && pwd)
build=$PWD
cache=
seconds=600
work=
virtiofsd_pid=

fail()
{
	echo "run-vm.sh: $*" >&2
	exit 126
}

usage()
{
	fail "usage: run-vm.sh [-b BUILD] [-c CACHE] [-m MODULES] [-t SECONDS] JOB [ARG...]"
}

while getopts b:c:m:t: option; do
	case $option in
	b) build=$OPTARG ;;
	c) cache=$OPTARG ;;
	m) MODULES="$MODULES $OPTARG" ;;
	t) seconds=$OPTARG ;;
	*) usage ;;
	esac
done
shift $((OPTIND - 1))
[ $# -ge 1 ] || usage

cleanup()
{
	[ -z "$virtiofsd_pid" ] || kill "$virtiofsd_pid" 2>/dev/null || :
	[ -z "$work" ] || rm -rf "$work"
}

check_host()
{
	[ "$(id -u)" = 0 ] || fail "needs root, to serve this host's files to the guest"
	for program in qemu-system-x86_64 busybox cpio depmod cc dpkg-deb timeout; do
		command -v $program >/dev/null || fail "$program is missing: apt-get install $PACKAGES"
	done
	[ -x /usr/lib/qemu/virtiofsd ] || fail "virtiofsd is missing: apt-get install $PACKAGES"
}

# The kernel, its modules and a list of what depends on what, once, in $cache/kernel.
fetch_kernel()
{
	[ ! -e "$cache/kernel/done" ] || return 0
	package=$(apt-cache depends "$KERNEL_PACKAGE" |
		sed -n 's/^ *Depends: \(linux-image-[0-9].*\)/\1/p' | head -n 1)
	[ -n "$package" ] || fail "apt does not know $KERNEL_PACKAGE: apt-get update"
	rm -rf "$cache/kernel"
	mkdir -p "$cache/kernel"
	(cd "$cache/kernel" && apt-get download -q "$package" >apt.log 2>&1) ||
		fail "cannot download $package (see $cache/kernel/apt.log)"
	dpkg-deb -x "$cache/kernel"/*.deb "$cache/kernel/root"
	rm -f "$cache/kernel"/*.deb
	version=$(ls "$cache/kernel/root/lib/modules")
	depmod -b "$cache/kernel/root" "$version"
	cp "$cache/kernel/root/boot/vmlinuz-$version" "$cache/kernel/vmlinuz"
	echo "$version" >"$cache/kernel/done"
}

# Paths of the .ko files of MODULES and their dependencies, in the order to load them.
list_modules()
{
	version=$(cat "$cache/kernel/done")
	for module in $MODULES; do
		modprobe -d "$cache/kernel/root" -S "$version" --show-depends "$module" ||
			fail "no module $module in the guest's kernel"
	done | sed -n 's/^insmod \([^ ]*\).*/\1/p' | awk '!seen[$0]++'
}

# Built again when the init, the list of modules or the kernel changed.
build_initrd()
{
	stamp=$(cat "$here/guest-init.sh" "$here/guest-exit.c" "$cache/kernel/done" |
		cksum | cut -d' ' -f1)-$(echo "$MODULES" | tr ' ' '.')
	initrd=$cache/initrd-$stamp.gz
	[ ! -e "$initrd" ] || return 0
	mkdir -p "$work/ir/modules"
	cp "$(command -v busybox)" "$work/ir/busybox"
	cp "$here/guest-init.sh" "$work/ir/init"
	chmod 755 "$work/ir/init"
	cc -static -Os -s -o "$work/ir/guest-exit" "$here/guest-exit.c"
	list_modules >"$work/modules"
	number=100
	while read -r file; do
		cp "$file" "$work/ir/modules/$number-$(basename "$file")"
		number=$((number + 1))
	done <"$work/modules"
	(cd "$work/ir" && find . | cpio -o -H newc --quiet | gzip -1) >"$work/initrd.gz"
	mv "$work/initrd.gz" "$initrd"
}

start_virtiofsd()
{
	/usr/lib/qemu/virtiofsd --socket-path="$work/vfs.sock" -o source=/ -o cache=always \
		-o sandbox=chroot >"$work/virtiofsd.log" 2>&1 &
	virtiofsd_pid=$!
	tries=0
	until [ -S "$work/vfs.sock" ]; do
		tries=$((tries + 1))
		if [ $tries -ge 500 ] || ! kill -0 "$virtiofsd_pid" 2>/dev/null; then
			fail "virtiofsd did not start: $(cat "$work/virtiofsd.log")"
		fi
		sleep 0.02
	done
}

# norandmaps keeps addresses equal between programs, so that translated code is used again: 4x faster.
# "qemu64" and one CPU are faster than more of either under emulation.
run_qemu()
{
	timeout "$seconds" qemu-system-x86_64 -nodefaults -no-user-config -display none -no-reboot \
		-M pc,memory-backend=mem -accel tcg -cpu qemu64 -smp 1 -m 1024 \
		-object memory-backend-memfd,id=mem,size=1024M,share=on \
		-chardev "socket,id=vfs,path=$work/vfs.sock" \
		-device vhost-user-fs-pci,chardev=vfs,tag=root \
		-chardev "file,id=console,path=$work/console.txt" -serial chardev:console \
		-chardev "file,id=output,path=$work/output.fifo" \
		-device virtio-serial-pci -device virtserialport,chardev=output,name=tare.output \
		-blockdev driver=null-co,node-name=zeros,size=67108864,read-zeroes=on \
		-device virtio-blk-pci,drive=zeros \
		-device isa-debug-exit,iobase=0x501,iosize=1 \
		-kernel "$cache/kernel/vmlinuz" -initrd "$initrd" \
		-append "console=ttyS0 panic=-1 quiet norandmaps vm_build=$build vm_dir=$PWD vm_job=$job"
}

# Words of the job, separated by commas: the kernel's command line has no quotes to speak of.
encode_job()
{
	job=$(readlink -f "$1") || fail "no such job: $1"
	[ -r "$job" ] || fail "no such job: $1"
	shift
	for word in "$@"; do
		job=$job,$word
	done
	case "$job$build$PWD" in
	*[!A-Za-z0-9_./,:=+@%-]*) fail "only plain characters in the job's words and paths, please" ;;
	esac
}

build=$(cd "$build" && pwd)
cache=${cache:-$build/vm-cache}
check_host
trap cleanup EXIT
trap 'exit 126' INT TERM HUP
mkdir -p "$cache"
cache=$(cd "$cache" && pwd)
work=$(mktemp -d "$cache/run.XXXXXX")
encode_job "$@"
fetch_kernel
build_initrd
start_virtiofsd
# The output is passed on while it is written.
mkfifo "$work/output.fifo"
cat "$work/output.fifo" &
cat_pid=$!
status=0
run_qemu <&- >"$work/qemu.log" 2>&1 || status=$?
if [ $((status % 2)) = 1 ]; then
	wait $cat_pid || :
	exit $((status / 2))
fi
kill $cat_pid 2>/dev/null || :
cat "$work/console.txt" "$work/qemu.log" >&2 || :
fail "the machine failed (qemu status $status; 124 is the time limit of $seconds s)"
