#!/busybox sh
# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=dash
#
# The first process of the guest (see run-vm.sh), twice: from the initrd it loads the modules and makes
# a root of the host's files under a layer of its own; in that root it runs the job and ends the
# machine with the job's status. switch_root and not chroot: in a chroot `unshare -U` is refused.
bb=/busybox

fail()
{
	echo "guest-init: $*" >/dev/console
	$bb sleep 1
	/guest-exit 126 2>/dev/null || /run/vm/guest-exit 126
}

# The value of $1 on the kernel's command line.
parameter()
{
	$bb sed -n "s/.*[ ^]$1=\([^ ]*\).*/\1/p" /proc/cmdline
}

first_stage()
{
	$bb mkdir -p /proc /sys /dev /ro /rw /new
	$bb mount -t devtmpfs dev /dev
	for module in /modules/*.ko; do
		# one that is only for another processor is refused; what is missing, the job finds
		$bb insmod "$module" || echo "guest-init: insmod $module" >/dev/console
	done
	$bb mount -t virtiofs -o ro root /ro || fail "mount the host's files"
	$bb mount -t tmpfs tmpfs /rw
	$bb mkdir /rw/upper /rw/work
	$bb mount -t overlay overlay -o lowerdir=/ro,upperdir=/rw/upper,workdir=/rw/work /new ||
		fail "mount the root"
	$bb mount -t proc proc /new/proc
	$bb mount -t sysfs sys /new/sys
	$bb mount -t tmpfs -o mode=755 tmpfs /new/run
	$bb mkdir /new/run/vm
	$bb cp /busybox /guest-exit /init /new/run/vm/
	$bb mount --move /dev /new/dev
	exec $bb switch_root /new /run/vm/busybox sh /run/vm/init second
}

second_stage()
{
	bb=/run/vm/busybox
	$bb mkdir -p /dev/pts /dev/shm
	$bb mount -t devpts -o gid=5,mode=620,ptmxmode=666 devpts /dev/pts
	$bb mount -t tmpfs -o mode=1777 tmpfs /dev/shm
	$bb mount -t cgroup2 cgroup2 /sys/fs/cgroup || fail "mount cgroup2"
	$bb ln -s /proc/self/fd /dev/fd
	$bb ln -s fd/0 /dev/stdin
	$bb ln -s fd/1 /dev/stdout
	$bb ln -s fd/2 /dev/stderr
	$bb ip link set lo up
	$bb hostname guest
	for port in /sys/class/virtio-ports/*; do
		[ "$($bb cat "$port/name")" != tare.output ] || output=/dev/${port##*/}
	done
	job=$(parameter vm_job)
	export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TERM=dumb
	TARE_BUILD=$(parameter vm_build)
	export TARE_BUILD
	cd "$(parameter vm_dir)" || fail "no working directory"
	IFS=,
	# shellcheck disable=SC2086 # the words of the job
	/bin/sh $job >"$output" 2>&1 </dev/null
	/run/vm/guest-exit $?
}

if [ "${1:-}" = second ]; then
	second_stage
else
	first_stage
fi
