/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SYS_PTY_H
#define SYS_PTY_H
/*
 * Pseudo-terminals, the mode of a real terminal, and descriptors that cross a Unix socket.
 *
 * A container's terminal belongs to the container's own devpts instance. The child opens the
 * instance's ptmx, opens the peer from the master by ioctl (TIOCGPTPEER, since Linux 4.13), never
 * by the name /dev/pts/N, which the container could have replaced (CVE-2025-52565), and hands the
 * master to the monitor with pty_send_fds. All calls return >= 0 or -errno and are safe after
 * clone(2): no allocation.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <termios.h>

/* Opens and unlocks a new master: PATH ("ptmx") below DIRFD, or an absolute PATH. The file must be
 * the multiplexer of a devpts (character device 5:2 on devpts), else -ENOTTY; no final symlink is
 * followed. Blocking, O_CLOEXEC, never the controlling terminal. */
int pty_open_master(int dirfd, const char *path);
/* Opens the other side of MASTER_FD; works in any mount namespace. */
int pty_open_peer(int master_fd);
/* Makes PEER_FD the controlling terminal of a new session and standard input, output and error;
 * closes PEER_FD when it is above 2. For the child, before exec. */
int pty_make_controlling(int peer_fd);

/* Window size in characters; 0 x 0 means unknown. */
int pty_set_size(int fd, uint16_t rows, uint16_t columns);
int pty_get_size(int fd, uint16_t *ret_rows, uint16_t *ret_columns);

/* The mode of a terminal that was made raw and must be given back on every path. */
struct tty_mode {
	int fd; /* borrowed; -1 when there is nothing to restore */
	struct termios saved;
};

#define TTY_MODE_INIT    \
	{                \
		.fd = -1 \
	}

/* Saves FD's mode in MODE and makes it raw (cfmakeraw(3) with output processing off too). */
int tty_set_raw(struct tty_mode *mode, int fd);
/* Gives the saved mode back, once; keeps errno. Works from a background process group. Also a
 * cleanup function: `cleanup_tty struct tty_mode mode = TTY_MODE_INIT;`. */
void tty_restore(struct tty_mode *mode);
#define cleanup_tty __attribute__((cleanup(tty_restore)))

#define PTY_FDS_MAX 4

/* Sends LEN >= 1 bytes of DATA with N <= PTY_FDS_MAX descriptors in one sendmsg(2). Returns the
 * count of bytes sent or -errno; never raises SIGPIPE. FLAGS as sendmsg(2). */
ssize_t pty_send_fds(int socket_fd, const void *data, size_t len, const int *fds, size_t n,
		     int flags);
/* Receives up to LEN bytes and up to PTY_FDS_MAX descriptors (O_CLOEXEC, the caller's). RET_FDS has
 * room for PTY_FDS_MAX and is filled up with -1. Returns the count of bytes (0: end), or -errno.
 * FLAGS as recvmsg(2). */
ssize_t pty_recv_fds(int socket_fd, void *data, size_t len, int ret_fds[static PTY_FDS_MAX],
		     int flags);

#endif
