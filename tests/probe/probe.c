/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tare-probe: looks at the sandbox that it runs in and prints what it sees as `name value` lines.
 *
 *	tare-probe [status] [fds] [paths] [dev] [mounts] [cgroup] [cases] [calls [NAME...]]
 *
 * Everything when no section is named; `calls` takes what follows as names of system calls. Static
 * and without dependencies, so that it runs in an empty root. It changes nothing.
 */
#include "probe.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define N(a) (sizeof(a) / sizeof((a)[0]))

const char *probe_errno(int e)
{
	const char *name = strerrorname_np(e);

	return e == 0 ? "ok" : name ? name : "E?";
}

/* The lines of FILE, each after PREFIX; only those that start with one of the N STARTS, if any. */
static void print_lines(const char *prefix, const char *file, const char *const *starts, size_t n)
{
	FILE *f = fopen(file, "re");
	char line[4096];

	if (!f) {
		printf("%s%s %s\n", prefix, file, probe_errno(errno));
		return;
	}
	while (fgets(line, sizeof(line), f)) {
		size_t i = 0;

		while (i < n && strncmp(line, starts[i], strlen(starts[i])) != 0)
			i++;
		if (n == 0)
			printf("%s%s", prefix, line);
		else if (i < n)
			printf("%s%s %s", prefix, starts[i],
			       line + strlen(starts[i]) + strspn(line + strlen(starts[i]), ":\t "));
	}
	fclose(f);
}

static void print_status(void)
{
	static const char *const keys[] = {"CapInh", "CapPrm",	   "CapEff",	      "CapBnd",
					   "CapAmb", "NoNewPrivs", "Seccomp_filters", "Seccomp",
					   "Uid",    "Gid",	   "Groups"};

	print_lines("status.", "/proc/self/status", keys, N(keys));
}

static void print_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	const struct dirent *entry = NULL;
	char own[16] = "";

	if (dir)
		snprintf(own, sizeof(own), "%d", dirfd(dir));
	while (dir && (entry = readdir(dir)) != NULL) {
		char target[512] = "";

		if (entry->d_name[0] == '.' || strcmp(entry->d_name, own) == 0)
			continue;
		if (readlinkat(dirfd(dir), entry->d_name, target, sizeof(target) - 1) < 0)
			continue;
		printf("fd.%s %s\n", entry->d_name, target);
	}
	if (dir)
		closedir(dir);
}

/* What there is to read: "empty", "data", an errno; for a directory "dir" and how many are in it.
 */
static void format_content(int fd, char *buf, size_t len)
{
	char byte = 0;
	struct stat st;
	int entries = 0;
	ssize_t n = 0;

	if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode)) {
		DIR *dir = fdopendir(dup(fd));

		while (dir && readdir(dir))
			entries++;
		if (dir)
			closedir(dir);
		snprintf(buf, len, "dir:%d", entries > 2 ? entries - 2 : 0);
		return;
	}
	n = read(fd, &byte, 1);
	snprintf(buf, len, "%s", n < 0 ? probe_errno(errno) : n == 0 ? "empty" : "data");
}

/* `path./proc/kcore read=empty write=EROFS fs=ro` */
static void print_path(const char *path)
{
	char content[32] = "";
	struct statvfs fs;
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC), e = errno;

	if (fd < 0 && e == ENOENT)
		return;
	if (fd >= 0)
		format_content(fd, content, sizeof(content));
	else
		snprintf(content, sizeof(content), "%s", probe_errno(e));
	if (fd >= 0)
		close(fd);
	fd = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
	e = fd < 0 ? errno : 0;
	if (fd >= 0)
		close(fd);
	printf("path.%s read=%s write=%s fs=%s\n", path, content, probe_errno(e),
	       statvfs(path, &fs) < 0  ? "?"
	       : fs.f_flag & ST_RDONLY ? "ro"
				       : "rw");
}

static void print_paths(void)
{
	static const char *const paths[] = {
		/* masked */
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
		"/sys/devices/system/cpu/cpu0/thermal_throttle",
		/* read-only */
		"/proc/bus",
		"/proc/fs",
		"/proc/irq",
		"/proc/sys",
		"/proc/sysrq-trigger",
		"/sys",
		"/sys/fs/cgroup",
		"/proc/sys/kernel/core_pattern",
		"/proc/sys/kernel/modprobe",
		"/proc/sys/kernel/hostname",
		"/sys/kernel/uevent_helper",
		/* for comparison */
		"/",
		"/proc",
		"/dev",
		"/dev/shm",
		"/dev/mqueue",
		"/tmp",
		"/proc/self/oom_score_adj",
	};

	for (size_t i = 0; i < N(paths); i++)
		print_path(paths[i]);
}

/* `dev.null c 1:3 0666`, `dev.fd l /proc/self/fd` */
static void print_device(int dir_fd, const char *name)
{
	char target[256] = "";
	struct stat st;

	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return;
	if (S_ISLNK(st.st_mode) && readlinkat(dir_fd, name, target, sizeof(target) - 1) > 0)
		printf("dev.%s l %s\n", name, target);
	else if (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode))
		printf("dev.%s %c %u:%u %04o\n", name, S_ISCHR(st.st_mode) ? 'c' : 'b',
		       major(st.st_rdev), minor(st.st_rdev), st.st_mode & 07777);
	else
		printf("dev.%s %c %04o\n", name, S_ISDIR(st.st_mode) ? 'd' : '-',
		       st.st_mode & 07777);
}

static void print_dev(void)
{
	struct dirent **entries = NULL;
	int fd = open("/dev", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int n = fd < 0 ? -1 : scandir("/dev", &entries, NULL, alphasort);

	for (int i = 0; i < n; i++) {
		if (strcmp(entries[i]->d_name, ".") != 0 && strcmp(entries[i]->d_name, "..") != 0)
			print_device(fd, entries[i]->d_name);
		free(entries[i]);
	}
	free(entries);
	if (fd >= 0)
		close(fd);
}

static void print_mounts(void)
{
	print_lines("mount ", "/proc/self/mountinfo", NULL, 0);
}

static void print_cgroup(void)
{
	print_lines("cgroup ", "/proc/self/cgroup", NULL, 0);
}

static void print_calls(void)
{
	probe_calls(NULL, 0);
}

static const struct {
	const char *name;
	void (*print)(void);
} sections[] = {
	{"status", print_status}, {"fds", print_fds},	    {"paths", print_paths},
	{"dev", print_dev},	  {"mounts", print_mounts}, {"cgroup", print_cgroup},
	{"cases", probe_cases},	  {"calls", print_calls},
};

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		size_t s = 0;

		if (strcmp(argv[i], "calls") == 0) {
			probe_calls(argv + i + 1, (size_t)(argc - i - 1));
			return 0;
		}
		while (s < N(sections) && strcmp(sections[s].name, argv[i]) != 0)
			s++;
		if (s == N(sections)) {
			fprintf(stderr, "tare-probe: no such section: %s\n", argv[i]);
			return 2;
		}
		sections[s].print();
	}
	for (size_t s = 0; argc == 1 && s < N(sections); s++)
		sections[s].print();
	return 0;
}
