/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Processes: identity that survives the reuse of pids, and a program file that a container cannot
 * write to.
 */
#include "sys/process.h"

#include "base/fd.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/str.h"
#include "sys/mount.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Carries the name of the program's file across process_seal. */
#define EXE_VARIABLE "TARE_INTERNAL_EXE"

int process_get_starttime(pid_t pid, uint64_t *ret_ticks, char *ret_state)
{
	char path[32];
	char buf[1024];
	cleanup_close int fd = -1;
	ssize_t n = 0;
	char *p = NULL;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	n = read(fd, buf, sizeof(buf) - 1);
	if (n <= 0)
		return -ESRCH;
	buf[n] = '\0';
	/* Field 2 is the command in parentheses and may hold anything: count from the last ")". */
	p = strrchr(buf, ')');
	if (!p || p[1] != ' ')
		return -EINVAL;
	p += 2;
	if (ret_state)
		*ret_state = *p;
	for (int field = 3; field < 22; field++) {
		p = strchr(p, ' ');
		if (!p)
			return -EINVAL;
		p++;
	}
	p[strcspn(p, " \n")] = '\0';
	return num_parse_u64(p, ret_ticks);
}

bool process_is_alive(pid_t pid, uint64_t ticks)
{
	uint64_t now = 0;
	char state = 0;

	if (pid <= 0 || process_get_starttime(pid, &now, &state) < 0)
		return false;
	return now == ticks && state != 'Z' && state != 'X';
}

int process_open(pid_t pid, uint64_t ticks)
{
	cleanup_close int fd = -1;

	if (pid <= 0)
		return -ESRCH;
	fd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (fd < 0)
		return -errno;
	/* Looked at after the pidfd is held: from now on the pid cannot be another process. */
	return process_is_alive(pid, ticks) ? take_fd(fd) : -ESRCH;
}

int process_signal(int pidfd, int signal)
{
	return syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0) < 0 ? -errno : 0;
}

int process_wait_gone(int pidfd, int timeout_ms)
{
	struct pollfd p = {.fd = pidfd, .events = POLLIN};
	int rc = 0;

	do
		rc = poll(&p, 1, timeout_ms);
	while (rc < 0 && errno == EINTR);
	return rc > 0 ? 0 : -ETIMEDOUT;
}

const char *process_boot_id(void)
{
	static char id[BOOT_ID_LEN];

	if (!id[0]) {
		cleanup_close int fd = open("/proc/sys/kernel/random/boot_id",
					    O_RDONLY | O_CLOEXEC);

		if (fd < 0 || fd_read_full(fd, id, sizeof(id) - 1) != sizeof(id) - 1)
			id[0] = '\0';
	}
	return id;
}

bool process_is_sealed(void)
{
	cleanup_close int fd = -1;
	struct statvfs fs;

	if (!getenv(EXE_VARIABLE))
		return false;
	fd = open("/proc/self/exe", O_PATH | O_CLOEXEC);
	if (fd < 0)
		return false;
	if (fcntl(fd, F_GETFL) < 0 || fstatvfs(fd, &fs) < 0)
		return false;
	if (fs.f_flag & ST_RDONLY)
		return true;
	cleanup_close int readable = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

	return readable >= 0 && fcntl(readable, F_GET_SEALS) > 0 &&
	       (fcntl(readable, F_GET_SEALS) & F_SEAL_WRITE);
}

const char *process_exe(void)
{
	static char path[PATH_MAX];

	if (!path[0]) {
		const char *known = getenv(EXE_VARIABLE);
		ssize_t n = 0;

		if (known && process_is_sealed()) {
			snprintf(path, sizeof(path), "%s", known);
			return path;
		}
		n = readlink("/proc/self/exe", path, sizeof(path) - 1);
		path[n > 0 ? n : 0] = '\0';
	}
	return path;
}

static int open_readonly_mount(int exe_fd)
{
	cleanup_close int fd = mount_clone(exe_fd, false);
	int rc = fd;

	if (rc >= 0)
		rc = mount_change(fd, MOUNT_ATTR_RDONLY, 0, 0, false);
	return rc < 0 ? rc : take_fd(fd);
}

static int open_sealed_copy(int exe_fd)
{
	cleanup_close int fd = memfd_create("tare", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	struct stat st;

	if (fd < 0 || fstat(exe_fd, &st) < 0)
		return -errno;
	for (off_t left = st.st_size; left > 0;) {
		ssize_t n = sendfile(fd, exe_fd, NULL, (size_t)left);

		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		left -= n;
	}
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0)
		return -errno;
	return take_fd(fd);
}

int process_seal(char *const *argv)
{
	const char *exe = process_exe();
	cleanup_close int exe_fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	cleanup_close int sealed = -1;

	if (exe_fd < 0)
		return -errno;
	sealed = open_readonly_mount(exe_fd);
	if (sealed < 0)
		sealed = open_sealed_copy(exe_fd);
	if (sealed < 0)
		return sealed;
	if (setenv(EXE_VARIABLE, exe, 1) < 0)
		return -errno;
	syscall(SYS_execveat, sealed, "", argv, environ, AT_EMPTY_PATH);
	return -errno;
}
