/* SPDX-License-Identifier: Apache-2.0 */
/* Pseudo-terminals, raw mode, and descriptors over a socket. */
#include "../unit.h"

#include "base/fd.h"
#include "base/mem.h"
#include "sys/pty.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static void opens_both_sides(void **state)
{
	cleanup_close int master = pty_open_master(AT_FDCWD, "/dev/ptmx");
	cleanup_close int peer = -1;
	char buf[8];
	uint16_t rows = 0;
	uint16_t columns = 0;

	assert_true(master >= 0);
	peer = pty_open_peer(master);
	assert_true(peer >= 0);
	assert_true(fcntl(master, F_GETFD) & FD_CLOEXEC);
	assert_true(fcntl(peer, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(pty_set_size(master, 12, 34), 0);
	assert_int_equal(pty_get_size(peer, &rows, &columns), 0);
	assert_int_equal(rows * 100 + columns, 1234);
	assert_int_equal(write(master, "hi\n", 3), 3);
	assert_int_equal(read(peer, buf, sizeof(buf)), 3);
}

static void refuses_what_is_no_multiplexer(void **state)
{
	char dir[] = "/tmp/tare-unit-XXXXXX";
	cleanup_close int fd = -1;

	assert_non_null(mkdtemp(dir));
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	/* CVE-2025-52565: what stands where the terminal should be may be anything. */
	assert_int_equal(symlinkat("/dev/ptmx", fd, "link"), 0);
	assert_int_equal(mkfifoat(fd, "fifo", 0600), 0);
	assert_int_equal(fd_write_file_at(fd, "file", "", 0, 0600), 0);
	assert_int_equal(pty_open_master(fd, "link"), -ENOTTY);
	assert_int_equal(pty_open_master(fd, "fifo"), -ENOTTY);
	assert_int_equal(pty_open_master(fd, "file"), -ENOTTY);
	assert_int_equal(pty_open_master(fd, "none"), -ENOENT);
	assert_int_equal(pty_open_master(AT_FDCWD, "/dev/null"), -ENOTTY);
	assert_int_equal(fd_remove_tree_at(AT_FDCWD, dir), 0);
}

static void raw_mode_is_given_back(void **state)
{
	cleanup_close int master = pty_open_master(AT_FDCWD, "/dev/ptmx");
	cleanup_close int peer = pty_open_peer(master);
	struct termios before;
	struct termios now;

	assert_int_equal(tcgetattr(peer, &before), 0);
	assert_true(before.c_lflag & ICANON);
	{
		cleanup_tty struct tty_mode mode = TTY_MODE_INIT;

		assert_int_equal(tty_set_raw(&mode, peer), 0);
		assert_int_equal(tcgetattr(peer, &now), 0);
		assert_false(now.c_lflag & (ICANON | ECHO | ISIG));
		assert_false(now.c_oflag & OPOST);
	}
	assert_int_equal(tcgetattr(peer, &now), 0);
	assert_int_equal(now.c_lflag, before.c_lflag);
	assert_int_equal(now.c_oflag, before.c_oflag);

	struct tty_mode none = TTY_MODE_INIT;
	cleanup_close int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	assert_int_equal(tty_set_raw(&none, null_fd), -ENOTTY);
	assert_int_equal(none.fd, -1);
	tty_restore(&none);
}

static void descriptors_cross_a_socket(void **state)
{
	int s[2];
	int fds[PTY_FDS_MAX];
	char buf[8] = "";
	const int sent[] = {0, 1, 2, 0, 1};

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, s), 0);
	for (size_t n = 0; n <= PTY_FDS_MAX; n++) {
		assert_int_equal(pty_send_fds(s[0], "ab", 2, sent, n, 0), 2);
		assert_int_equal(pty_recv_fds(s[1], buf, sizeof(buf), fds, 0), 2);
		assert_memory_equal(buf, "ab", 2);
		for (size_t i = 0; i < PTY_FDS_MAX; i++) {
			assert_int_equal(fds[i] >= 0, i < n);
			if (fds[i] < 0)
				continue;
			assert_true(fcntl(fds[i], F_GETFD) & FD_CLOEXEC);
			close(fds[i]);
		}
	}
	assert_int_equal(pty_send_fds(s[0], "ab", 2, sent, PTY_FDS_MAX + 1, 0), -EINVAL);
	close(s[0]);
	assert_int_equal(pty_recv_fds(s[1], buf, sizeof(buf), fds, 0), 0);
	assert_int_equal(pty_send_fds(s[1], "a", 1, NULL, 0, 0), -EPIPE);
	close(s[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(opens_both_sides),
		cmocka_unit_test(refuses_what_is_no_multiplexer),
		cmocka_unit_test(raw_mode_is_given_back),
		cmocka_unit_test(descriptors_cross_a_socket),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
