/* SPDX-License-Identifier: Apache-2.0 */
/* The relay: a child of ours on pipes and on a terminal. */
#include "../unit.h"

#include "fixture.h"

#include "base/err.h"
#include "base/num.h"
#include "base/str.h"
#include "monitor/relay.h"
#include "sys/pty.h"

#include <errno.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* Starts `sh -c SCRIPT` on three pipes, or on a terminal. */
static struct relay_process spawn(const char *script, bool tty)
{
	struct relay_process p = {-1, -1, -1, -1, -1};
	int in[2] = {-1, -1};
	int out[2] = {-1, -1};
	int errors[2] = {-1, -1};
	int peer = -1;
	pid_t pid = -1;

	if (tty) {
		p.console_fd = pty_open_master(AT_FDCWD, "/dev/ptmx");
		peer = pty_open_peer(p.console_fd);
		assert_true(peer >= 0);
	} else {
		assert_int_equal(
			pipe2(in, O_CLOEXEC) + pipe2(out, O_CLOEXEC) + pipe2(errors, O_CLOEXEC), 0);
		p.stdin_fd = in[1];
		p.stdout_fd = out[0];
		p.stderr_fd = errors[0];
	}
	pid = fork();
	if (pid == 0) {
		sigset_t none;

		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		if (tty)
			pty_make_controlling(peer);
		else if (dup2(in[0], 0) < 0 || dup2(out[1], 1) < 0 || dup2(errors[1], 2) < 0)
			_exit(99);
		execl("/bin/sh", "sh", "-c", script, NULL);
		_exit(98);
	}
	fd_cleanup_close(&in[0]);
	fd_cleanup_close(&out[1]);
	fd_cleanup_close(&errors[1]);
	fd_cleanup_close(&peer);
	p.pid_fd = (int)syscall(SYS_pidfd_open, pid, 0);
	return p;
}

static void relays(void **state)
{
	struct fixture *f = *state;
	static const struct {
		const char *script, *in, *out, *errors;
		bool tty;
		int code;
	} cases[] = {
		{"echo a; echo b >&2; exit 5", "", "a\n", "b\n", false, 5},
		{"cat; echo end", "input\n", "input\nend\n", "", false, 0},
		{"kill -9 $$", "", "", "", false, 137},
		{"exec 0<&-; echo x", "never read", "x\n", "", false, 0},
		{"exec >&- 2>&-; exit 1", "", "", "", false, 1},
		{"stty -opost; echo a; echo b >&2; exit 2", "", "a\nb\n", "", true, 2},
		{"sleep 1000 & echo left; kill $! ", "", "left\n", "", false, 0},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct relay_process p = spawn(cases[i].script, cases[i].tty);
		cleanup_str struct str out = STR_INIT;
		cleanup_str struct str errors = STR_INIT;
		struct session_result r = {};
		struct err err = ERR_INIT;
		struct session_config c = {.tty = cases[i].tty};

		assert_int_equal(
			fd_write_file_at(f->fd, "in", cases[i].in, strlen(cases[i].in), 0600), 0);
		c.in_fd = openat(f->fd, "in", O_RDONLY | O_CLOEXEC);
		c.out_fd = openat(f->fd, "out", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
		c.err_fd = openat(f->fd, "err", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
		assert_int_equal(relay_run(&p, &c, &r, &err), 0);
		assert_int_equal(r.outcome, SESSION_EXITED);
		assert_int_equal(r.exit_code, cases[i].code);
		assert_int_equal(fd_read_file_at(f->fd, "out", 4096, &out), 0);
		assert_int_equal(fd_read_file_at(f->fd, "err", 4096, &errors), 0);
		assert_string_equal(str_get(&out), cases[i].out);
		assert_string_equal(str_get(&errors), cases[i].errors);
		close(c.in_fd);
		close(c.out_fd);
		close(c.err_fd);
	}
}

/* A process left behind holds the pipe; the command's end is not held up by it. */
static void does_not_wait_for_what_is_left_behind(void **state)
{
	struct relay_process p = spawn("sleep 1000 & echo $!", false);
	struct session_result r = {};
	struct err err = ERR_INIT;
	int out[2];
	int pid = 0;
	char text[32] = "";
	const struct session_config c = {.in_fd = -1, .out_fd = -1, .err_fd = -1};
	struct session_config config = c;

	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	config.out_fd = out[1];
	assert_int_equal(relay_run(&p, &config, &r, &err), 0);
	assert_int_equal(r.outcome, SESSION_EXITED);
	assert_true(read(out[0], text, sizeof(text) - 1) > 1);
	text[strcspn(text, "\n")] = '\0';
	assert_int_equal(num_parse_int(text, &pid), 0);
	assert_int_equal(kill(pid, SIGKILL), 0);
	close(out[0]);
	close(out[1]);
}

/* The pipeline's reader is slow and closes: all is delivered, then the pipe breaks. */
static void a_broken_pipe_ends_it(void **state)
{
	struct relay_process p = spawn("while :; do echo y; done", false);
	struct session_result r = {};
	struct err err = ERR_INIT;
	int out[2];
	char text[2];

	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	pid_t reader = fork();

	if (reader == 0)
		_exit(read(out[0], text, 2) != 2);
	close(out[0]);
	const struct session_config c = {.in_fd = -1, .out_fd = out[1], .err_fd = -1};

	assert_int_equal(relay_run(&p, &c, &r, &err), 0);
	assert_int_equal(r.outcome, SESSION_BROKEN_PIPE);
	/* Its own pipe is closed with the relay: it dies of SIGPIPE. */
	assert_int_equal(waitpid(reader, NULL, 0), reader);
	assert_true(waitpid(-1, NULL, 0) > 0);
	close(out[1]);
}

static void passes_signals_on(void **state)
{
	static const struct {
		bool proxy;
		enum session_outcome outcome;
		int code, signal;
	} cases[] = {
		{true, SESSION_EXITED, 9, 0},
		{false, SESSION_SIGNALLED, 0, SIGHUP},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		/* The shell says that its trap is set, and the signal is sent by the shell itself.
		 * Not a `read`, which would sleep on when the signal comes just before it. */
		struct relay_process p = spawn("trap 'exit 9' HUP; kill -HUP $PPID;"
					       "for i in 1 2 3 4 5 6 7 8 9; do sleep 0.5; done",
					       false);
		struct session_result r = {};
		struct err err = ERR_INIT;
		const struct session_config c = {
			.in_fd = -1, .out_fd = -1, .err_fd = -1, .sig_proxy = cases[i].proxy};

		assert_int_equal(relay_run(&p, &c, &r, &err), 0);
		assert_int_equal(r.outcome, cases[i].outcome);
		assert_int_equal(r.exit_code, cases[i].code);
		assert_int_equal(r.signal, cases[i].signal);
	}
}

/* docker's command ignores two of them also where it passes none on. */
static void ignores_two_without_proxy(void **state)
{
	struct relay_process p = spawn("kill -TERM $PPID; kill -INT $PPID; sleep 0.01; exit 3",
				       false);
	struct session_result r = {};
	struct err err = ERR_INIT;
	const struct session_config c = {.in_fd = -1, .out_fd = -1, .err_fd = -1};

	assert_int_equal(relay_run(&p, &c, &r, &err), 0);
	assert_int_equal(r.outcome, SESSION_EXITED);
	assert_int_equal(r.exit_code, 3);
}

/* Three terminations end the command whatever the process thinks of them. */
static void gives_up_at_the_third(void **state)
{
	/* Each signal that reaches the shell makes it send the next one. */
	struct relay_process p = spawn("trap 'kill -INT $PPID' TERM; trap 'kill -TERM $PPID' INT;"
				       "kill -TERM $PPID; while :; do read x; done",
				       false);
	cleanup_close int pid_fd = fcntl(p.pid_fd, F_DUPFD_CLOEXEC, 3);
	struct session_result r = {};
	struct err err = ERR_INIT;
	const struct session_config c = {
		.in_fd = -1, .out_fd = -1, .err_fd = -1, .sig_proxy = true};

	assert_int_equal(relay_run(&p, &c, &r, &err), 0);
	assert_int_equal(r.outcome, SESSION_FORCED);
	assert_int_equal(syscall(SYS_pidfd_send_signal, pid_fd, SIGKILL, NULL, 0), 0);
	assert_int_equal(waitid(P_PIDFD, (id_t)pid_fd, &(siginfo_t){}, WEXITED), 0);
}

static void refuses_bad_keys(void **state)
{
	struct relay_process p = {-1, -1, -1, -1, -1};
	struct session_result r = {};
	struct err err = ERR_INIT;
	const struct session_config c = {
		.in_fd = -1, .out_fd = -1, .err_fd = -1, .detach_keys = "ctrl-P"};

	assert_int_equal(relay_run(&p, &c, &r, &err), -ERR_INVALID);
	assert_string_equal(err.msg, "Invalid detach keys (ctrl-P) provided");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(relays, set_up, tear_down),
		cmocka_unit_test(does_not_wait_for_what_is_left_behind),
		cmocka_unit_test(a_broken_pipe_ends_it),
		cmocka_unit_test(passes_signals_on),
		cmocka_unit_test(ignores_two_without_proxy),
		cmocka_unit_test(gives_up_at_the_third),
		cmocka_unit_test(refuses_bad_keys),
	};
	sigset_t set;

	/* What a command does before it starts the process: no signal gets lost in between. */
	const struct session_config c = {.sig_proxy = true};

	session_get_signals(&c, &set);
	sigdelset(&set, SIGALRM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	alarm(60);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
