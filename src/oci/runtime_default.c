/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The default tables. Masked and read-only paths are the union of what docker and podman hide; each
 * row of the masked ones is there because it told something about the host or drove it: kernel
 * addresses, keys, timers, power readings (side channels), firmware.
 */
#include "oci/runtime_default.h"

#include "base/mem.h"

#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define CPU_DIR "/sys/devices/system/cpu"

static const char *const masked_paths[] = {
	"/proc/acpi",
	"/proc/asound",
	"/proc/interrupts",
	"/proc/kcore",
	"/proc/keys",
	"/proc/latency_stats",
	"/proc/sched_debug",
	"/proc/scsi",
	"/proc/timer_list",
	"/proc/timer_stats",
	"/sys/devices/virtual/powercap",
	"/sys/firmware",
	"/sys/fs/selinux",
};

static const char *const readonly_paths[] = {
	"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger",
};

static const struct {
	const char *destination, *type, *source, *options;
} default_mounts[] = {
	{"/proc", "proc", "proc", "nosuid,noexec,nodev"},
	{"/dev", "tmpfs", "tmpfs", "nosuid,noexec,strictatime,mode=755,size=65536k"},
	{"/dev/pts", "devpts", "devpts", "nosuid,noexec,newinstance,ptmxmode=0666,mode=0620,gid=5"},
	{"/sys", "sysfs", "sysfs", "nosuid,noexec,nodev,ro"},
	{"/sys/fs/cgroup", "cgroup", "cgroup", "nosuid,noexec,nodev,ro"},
	{"/dev/mqueue", "mqueue", "mqueue", "nosuid,noexec,nodev"},
};

const struct default_device oci_default_devices[] = {
	{"/dev/null", 1, 3},	{"/dev/zero", 1, 5}, {"/dev/full", 1, 7}, {"/dev/random", 1, 8},
	{"/dev/urandom", 1, 9}, {"/dev/tty", 5, 0},  {NULL, 0, 0},
};

const char *const oci_default_links[][2] = {
	{"/proc/self/fd", "/dev/fd"},	    {"/proc/self/fd/0", "/dev/stdin"},
	{"/proc/self/fd/1", "/dev/stdout"}, {"/proc/self/fd/2", "/dev/stderr"},
	{"pts/ptmx", "/dev/ptmx"},	    {NULL, NULL},
};

/* How often each processor was too hot tells what the neighbours do. Most virtual machines have
 * none. */
static void mask_throttling(struct oci_runtime_config *config)
{
	/* lint: the host's own sysfs */
	long n = access(CPU_DIR "/cpu0/thermal_throttle", F_OK) == 0 ? sysconf(_SC_NPROCESSORS_CONF)
								     : 0;

	for (long i = 0; i < n; i++)
		strv_addf(&config->masked_paths, CPU_DIR "/cpu%ld/thermal_throttle", i);
}

void oci_config_set_defaults(struct oci_runtime_config *config, int64_t shm_size, bool privileged)
{
	char shm[64];

	for (size_t i = 0; i < ARRAY_LEN(default_mounts); i++) {
		const char *options = default_mounts[i].options;
		size_t len = strlen(options);

		/* A privileged container may change kernel parameters and control groups. */
		if (privileged && str_has_suffix(options, ",ro"))
			len -= 3;
		cleanup_free char *words = str_ndup(options, len);

		oci_add_mount(config, default_mounts[i].destination, default_mounts[i].type,
			      default_mounts[i].source, words);
	}
	snprintf(shm, sizeof(shm), "nosuid,noexec,nodev,mode=1777,size=%lld", (long long)shm_size);
	oci_add_mount(config, "/dev/shm", "tmpfs", "shm", shm);
	for (const struct default_device *d = oci_default_devices; d->path; d++)
		oci_add_device(config, d->path, S_IFCHR | 0666, makedev(d->major, d->minor), 0, 0);
	if (privileged)
		return;
	for (size_t i = 0; i < ARRAY_LEN(masked_paths); i++)
		strv_add(&config->masked_paths, masked_paths[i]);
	mask_throttling(config);
	for (size_t i = 0; i < ARRAY_LEN(readonly_paths); i++)
		strv_add(&config->readonly_paths, readonly_paths[i]);
}
