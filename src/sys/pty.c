/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pseudo-terminals by descriptor, terminal modes, SCM_RIGHTS.
 */
#include "sys/pty.h"

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

/* Device number of the pty multiplexer, Documentation/admin-guide/devices.txt. */
#define PTMX_MAJOR 5
#define PTMX_MINOR 2

/* Whether FD is /dev/ptmx itself or the ptmx of a devpts instance, not what an image put there. */
static bool is_multiplexer(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISCHR(st.st_mode) &&
	       st.st_rdev == makedev(PTMX_MAJOR, PTMX_MINOR);
}

int pty_open_master(int dirfd, const char *path)
{
	cleanup_close int where = openat(dirfd, path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	cleanup_close int fd = -1;
	struct statfs sfs;
	int unlocked = 0;

	if (where < 0)
		return -errno;
	/* Opening a device has effects: look at it by O_PATH first. */
	if (!is_multiplexer(where))
		return -ENOTTY;
	fd = openat(dirfd, path, O_RDWR | O_NOCTTY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (!is_multiplexer(fd) || fstatfs(fd, &sfs) < 0)
		return -ENOTTY;
	if (path[0] != '/' && (unsigned long)sfs.f_type != DEVPTS_SUPER_MAGIC)
		return -ENOTTY;
	if (ioctl(fd, TIOCSPTLCK, &unlocked) < 0)
		return -errno;
	return take_fd(fd);
}

int pty_open_peer(int master_fd)
{
	int fd = ioctl(master_fd, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

int pty_make_controlling(int peer_fd)
{
	if (setsid() < 0 && errno != EPERM)
		return -errno;
	if (ioctl(peer_fd, TIOCSCTTY, 0) < 0)
		return -errno;
	for (int fd = 0; fd <= 2; fd++) {
		/* dup2 onto itself would leave O_CLOEXEC set. */
		if (peer_fd == fd && fcntl(fd, F_SETFD, 0) < 0)
			return -errno;
		if (peer_fd != fd && dup2(peer_fd, fd) < 0)
			return -errno;
	}
	if (peer_fd > 2)
		close(peer_fd);
	return 0;
}

int pty_set_size(int fd, uint16_t rows, uint16_t columns)
{
	struct winsize size = {.ws_row = rows, .ws_col = columns};

	return ioctl(fd, TIOCSWINSZ, &size) < 0 ? -errno : 0;
}

int pty_get_size(int fd, uint16_t *ret_rows, uint16_t *ret_columns)
{
	struct winsize size;

	if (ioctl(fd, TIOCGWINSZ, &size) < 0)
		return -errno;
	*ret_rows = size.ws_row;
	*ret_columns = size.ws_col;
	return 0;
}

int tty_set_raw(struct tty_mode *mode, int fd)
{
	struct termios saved;
	struct termios raw;

	if (tcgetattr(fd, &saved) < 0)
		return -errno;
	raw = saved;
	cfmakeraw(&raw);
	raw.c_cc[VMIN] = 1;
	raw.c_cc[VTIME] = 0;
	if (tcsetattr(fd, TCSADRAIN, &raw) < 0)
		return -errno;
	mode->fd = fd;
	mode->saved = saved;
	return 0;
}

void tty_restore(struct tty_mode *mode)
{
	sigset_t set;
	sigset_t old;
	int saved = errno;

	if (mode->fd < 0)
		return;
	/* A background process that sets a mode is stopped by SIGTTOU unless it blocks it. */
	sigemptyset(&set);
	sigaddset(&set, SIGTTOU);
	sigprocmask(SIG_BLOCK, &set, &old);
	tcsetattr(mode->fd, TCSADRAIN, &mode->saved);
	sigprocmask(SIG_SETMASK, &old, NULL);
	mode->fd = -1;
	errno = saved;
}

union fds_message {
	struct cmsghdr align;
	char buf[CMSG_SPACE(PTY_FDS_MAX * sizeof(int))];
};

ssize_t pty_send_fds(int socket_fd, const void *data, size_t len, const int *fds, size_t n,
		     int flags)
{
	struct iovec iov = {.iov_base = (void *)(uintptr_t)data, .iov_len = len};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	union fds_message control;

	if (n > PTY_FDS_MAX || len == 0)
		return -EINVAL;
	memset(&control, 0, sizeof(control));
	if (n > 0) {
		msg.msg_control = control.buf;
		msg.msg_controllen = CMSG_SPACE(n * sizeof(int));
		struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(n * sizeof(int));
		memcpy(CMSG_DATA(cmsg), fds, n * sizeof(int));
	}
	for (;;) {
		ssize_t sent = sendmsg(socket_fd, &msg, flags | MSG_NOSIGNAL);

		if (sent >= 0)
			return sent;
		if (errno != EINTR)
			return -errno;
	}
}

ssize_t pty_recv_fds(int socket_fd, void *data, size_t len, int ret_fds[static PTY_FDS_MAX],
		     int flags)
{
	struct iovec iov = {.iov_base = data, .iov_len = len};
	union fds_message control;
	struct msghdr msg = {.msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = control.buf,
			     .msg_controllen = sizeof(control.buf)};
	ssize_t n = 0;

	for (size_t i = 0; i < PTY_FDS_MAX; i++)
		ret_fds[i] = -1;
	do {
		n = recvmsg(socket_fd, &msg, flags | MSG_CMSG_CLOEXEC);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c)) {
		/* The kernel never delivers more descriptors than the buffer has room for. */
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
			memcpy(ret_fds, CMSG_DATA(c), c->cmsg_len - CMSG_LEN(0));
	}
	return n;
}
