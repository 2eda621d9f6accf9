/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A whole monitor around a plain child process: output, exit, log, clients, standard input,
 * terminal, failure to start. No root, no namespaces.
 */
#include "../unit.h"

#include "fixture.h"

#include "base/err.h"
#include "base/str.h"
#include "monitor/client.h"
#include "monitor/fanout.h"
#include "monitor/forward.h"
#include "monitor/log_reader.h"
#include "monitor/monitor.h"
#include "monitor/state.h"
#include "sys/path.h"
#include "sys/pty.h"

#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* A container that is a plain process, its directories, and its monitor. */
struct box {
	struct fixture *f;
	int state_fd;
	int container_fd;
	const char *const *argv;
	struct monitor_config config;
	int client_fd;
	pid_t monitor;
	bool oom; /* what finish will say */
	struct monitor_started started;
};

static int start_child(void *ctx, const struct monitor_stdio *stdio, struct monitor_process *ret,
		       struct err *err)
{
	struct box *b = ctx;
	cleanup_close int peer = -1;
	cleanup_close int execed = -1;
	int sync[2];
	char byte = 0;
	pid_t pid = -1;

	if (!b->argv)
		return err_set(err, ERR_NO_COMMAND, "exec: no such thing");
	if (b->config.tty) {
		ret->console_fd = pty_open_master(AT_FDCWD, "/dev/ptmx");
		peer = ret->console_fd < 0 ? -1 : pty_open_peer(ret->console_fd);
		if (peer < 0)
			return err_sys(err, -peer, "open pty");
	}
	if (pipe2(sync, O_CLOEXEC) < 0)
		return err_sys(err, errno, "create pipe");
	pid = fork();
	if (pid == 0) {
		if (b->config.tty) {
			if (pty_make_controlling(peer) < 0)
				_exit(99);
		} else {
			dup2(stdio->in_fd, 0);
			dup2(stdio->out_fd, 1);
			dup2(stdio->err_fd, 2);
		}
		execvp(b->argv[0], (char *const *)(uintptr_t)b->argv);
		_exit(98);
	}
	ret->pid = pid;
	ret->pid_fd = (int)syscall(SYS_pidfd_open, pid, 0);
	/* Closed by the exec: from then on the child's signals are its own. */
	close(sync[1]);
	execed = sync[0];
	return read(execed, &byte, 1) == 0 ? 0 : err_set(err, ERR_SYSTEM, "no exec");
}

static void finish_child(void *ctx, int exit_code, bool *ret_oom)
{
	struct box *b = ctx;

	*ret_oom = b->oom;
}

static void box_init(struct box *b, struct fixture *f, const char *const *argv)
{
	*b = (struct box){.f = f, .argv = argv, .client_fd = -1};
	b->started.stdin_fd = -1;
	assert_int_equal(mkdirat(f->fd, "run", 0700), 0);
	assert_int_equal(mkdirat(f->fd, "run/c1", 0700), 0);
	assert_int_equal(mkdirat(f->fd, "lib", 0700), 0);
	b->state_fd = openat(f->fd, "run/c1", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	b->container_fd = openat(f->fd, "lib", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	b->config = (struct monitor_config){.id = "c1",
					    .state_dir_fd = b->state_fd,
					    .container_dir_fd = b->container_fd,
					    .log.max_size = MONITOR_LOG_MAX_SIZE,
					    .log.max_files = MONITOR_LOG_MAX_FILES,
					    .client_flags = CLIENT_STDOUT | CLIENT_STDERR,
					    .start = start_child,
					    .finish = finish_child,
					    .ctx = b};
}

static void box_start(struct box *b)
{
	struct err err = ERR_INIT;

	assert_int_equal(monitor_spawn(&b->config, &b->client_fd, &b->monitor, &err), 0);
	assert_int_equal(monitor_client_wait_started(b->client_fd, &b->started, &err), 0);
	assert_true(b->started.pid > 0);
}

/* Waits for the monitor and checks that it has left nothing under run/. */
static void box_end(struct box *b)
{
	int status = 0;
	struct stat st;

	fd_cleanup_close(&b->client_fd);
	assert_int_equal(waitpid(b->monitor, &status, 0), b->monitor);
	assert_int_equal(status, 0);
	assert_int_equal(fstatat(b->f->fd, "run/c1", &st, 0), -1);
	close(b->state_fd);
	close(b->container_fd);
}

/* Reads FD to its end. */
static void read_all(int fd, struct str *ret)
{
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	assert_int_equal(fd_read_all(fd, 1U << 30, ret), 0);
}

static int temp_file(struct box *b, const char *name)
{
	return openat(b->f->fd, name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
}

/* Runs the session with both outputs in files. */
static void run_session(struct box *b, int in_fd, struct session_result *ret, struct str *out,
			struct str *errors)
{
	cleanup_close int out_fd = temp_file(b, "out");
	cleanup_close int err_fd = temp_file(b, "err");
	struct err err = ERR_INIT;
	const struct session_config config = {
		.in_fd = in_fd, .out_fd = out_fd, .err_fd = err_fd, .tty = b->config.tty};
	int rc = monitor_client_run(b->client_fd, b->started.stdin_fd, &config, ret, &err);

	assert_int_equal(rc, 0);
	read_all(out_fd, out);
	read_all(err_fd, errors);
}

static void expect_exit_file(struct box *b, const char *part)
{
	cleanup_str struct str s = STR_INIT;

	assert_int_equal(fd_read_file_at(b->container_fd, MONITOR_EXIT_NAME, 8192, &s), 0);
	assert_non_null(strstr(str_get(&s), part));
}

/* Sleeps until exit.json is there. */
static void wait_for_exit_file(struct box *b)
{
	cleanup_close int fd = inotify_init1(IN_CLOEXEC);
	char path[PATH_FD_LEN];
	char events[4096];

	assert_true(inotify_add_watch(fd, path_of_fd(b->container_fd, path), IN_MOVED_TO) >= 0);
	while (faccessat(b->container_fd, MONITOR_EXIT_NAME, F_OK, 0) < 0)
		assert_true(read(fd, events, sizeof(events)) > 0);
}

static int add_log(void *ctx, struct log_reader *reader, enum log_stream stream, const void *data,
		   size_t len)
{
	str_add_bytes((struct str *)ctx + stream, data, len);
	return 0;
}

static void captures_output_and_exit(void **state)
{
	static const char *const argv[] = {"sh", "-c",
					   "echo out; echo err >&2; printf tail; exit 7", NULL};
	struct box b;
	struct session_result r = {};
	cleanup_str struct str out = STR_INIT;
	cleanup_str struct str errors = STR_INIT;
	struct str logged[2] = {STR_INIT, STR_INIT};
	struct err err = ERR_INIT;
	const struct log_read read = {.tail = -1, .emit = add_log, .ctx = logged};

	box_init(&b, *state, argv);
	b.oom = true;
	box_start(&b);
	run_session(&b, -1, &r, &out, &errors);
	assert_int_equal(r.outcome, SESSION_EXITED);
	assert_int_equal(r.exit_code, 7);
	assert_true(r.oom_killed);
	assert_string_equal(str_get(&out), "out\ntail");
	assert_string_equal(str_get(&errors), "err\n");
	expect_exit_file(&b, "{\"exitCode\":7,\"oomKilled\":true,\"startedAt\":\"2");
	assert_int_equal(log_read_run(&read, b.container_fd, &err), 0);
	assert_string_equal(str_get(&logged[0]), "out\ntail");
	assert_string_equal(str_get(&logged[1]), "err\n");
	str_done(&logged[0]);
	str_done(&logged[1]);
	box_end(&b);
}

static void reports_death_by_signal(void **state)
{
	static const char *const argv[] = {"sleep", "1000", NULL};
	struct box b;
	struct session_result r = {};
	struct err err = ERR_INIT;
	cleanup_str struct str s = STR_INIT;

	box_init(&b, *state, argv);
	box_start(&b);
	assert_int_equal(fd_read_file_at(b.state_fd, MONITOR_STATE_NAME, 8192, &s), 0);
	assert_non_null(strstr(s.buf, "\"status\":\"running\""));
	assert_int_equal(monitor_client_signal(b.client_fd, 0), 0);    /* ignored */
	assert_int_equal(monitor_client_signal(b.client_fd, 9999), 0); /* ignored */
	assert_int_equal(monitor_client_signal(b.client_fd, SIGTERM), 0);
	assert_int_equal(monitor_client_wait_exit(b.client_fd, &r, &err), 0);
	assert_int_equal(r.outcome, SESSION_EXITED);
	assert_int_equal(r.exit_code, 128 + SIGTERM);
	expect_exit_file(&b, "{\"exitCode\":143,\"oomKilled\":false");
	box_end(&b);
}

static void a_failed_start_says_why(void **state)
{
	struct box b;
	struct err err = ERR_INIT;
	struct monitor_started started;

	box_init(&b, *state, NULL);
	assert_int_equal(monitor_spawn(&b.config, &b.client_fd, &b.monitor, &err), 0);
	assert_int_equal(monitor_client_wait_started(b.client_fd, &started, &err), -ERR_NO_COMMAND);
	assert_string_equal(err.msg, "exec: no such thing");
	expect_exit_file(&b, "{\"exitCode\":127,");
	expect_exit_file(&b, "\"error\":\"exec: no such thing\"");
	box_end(&b);
}

#define BIG (100U << 20)

/* The writing half of the pipeline: pseudo-random bytes from a seed. */
static void write_big(int fd)
{
	uint32_t block[16384];
	uint32_t x = 1;

	for (size_t done = 0; done < BIG; done += sizeof(block)) {
		for (size_t i = 0; i < ARRAY_LEN(block); i++)
			block[i] = x = x * 1664525 + 1013904223;
		if (fd_write_full(fd, block, sizeof(block)) < 0)
			_exit(1);
	}
	_exit(0);
}

/* 100 MiB through `cat`, every byte the same. */
static void is_binary_clean(void **state)
{
	static const char *const argv[] = {"cat", NULL};
	struct box b;
	struct session_result r = {};
	cleanup_str struct str out = STR_INIT;
	cleanup_str struct str errors = STR_INIT;
	uint32_t x = 1;
	int in[2];
	int status = 0;
	pid_t writer = -1;

	box_init(&b, *state, argv);
	b.config.open_stdin = true;
	b.config.stdin_once = true;
	b.config.client_flags |= CLIENT_STDIN;
	b.config.log.kind = LOG_TO_NONE;
	box_start(&b);
	assert_true(b.started.stdin_fd >= 0);
	assert_int_equal(pipe2(in, O_CLOEXEC), 0);
	writer = fork();
	if (writer == 0)
		write_big(in[1]);
	close(in[1]);
	run_session(&b, in[0], &r, &out, &errors);
	close(in[0]);
	assert_int_equal(waitpid(writer, &status, 0), writer);
	assert_int_equal(status, 0);
	assert_int_equal(r.outcome, SESSION_EXITED);
	assert_int_equal(r.exit_code, 0);
	assert_int_equal(out.len, BIG);
	for (size_t i = 0; i < BIG / 4; i++) {
		uint32_t got = 0;

		x = x * 1664525 + 1013904223;
		memcpy(&got, out.buf + i * 4, 4);
		if (got != x)
			fail_msg("byte %zu differs", i * 4);
	}
	box_end(&b);
}

/* Three clients see the same; one of them goes away in the middle, another only waits. */
static void fans_out(void **state)
{
	static const char *const argv[] = {"sh", "-c",
					   "read a; seq 1 20000; read b; echo $a $b >&2", NULL};
	struct box b;
	struct err err = ERR_INIT;
	struct monitor_started started[3];
	struct session_result r = {};
	int clients[3];
	cleanup_str struct str out = STR_INIT;
	cleanup_str struct str errors = STR_INIT;
	char buf[1000];

	box_init(&b, *state, argv);
	b.config.open_stdin = true;
	box_start(&b);
	assert_int_equal(b.started.stdin_fd, -1);
	for (int i = 0; i < 3; i++) {
		clients[i] = monitor_client_connect(
			b.state_fd, i == 2 ? 0 : CLIENT_STDIN | CLIENT_STDOUT, &err);
		assert_true(clients[i] >= 0);
		assert_int_equal(monitor_client_wait_started(clients[i], &started[i], &err), 0);
		assert_int_equal(started[i].pid, b.started.pid);
		assert_true(i == 2 ? started[i].stdin_fd < 0 : started[i].stdin_fd >= 0);
	}
	assert_int_equal(write(started[0].stdin_fd, "one\n", 4), 4);
	/* The first reads a little, in the middle of a frame, and vanishes. */
	assert_int_equal(fd_read_full(clients[0], buf, sizeof(buf)), sizeof(buf));
	close(clients[0]);
	close(started[0].stdin_fd);
	assert_int_equal(write(started[1].stdin_fd, "two\n", 4), 4);
	close(started[1].stdin_fd);
	close(clients[1]);
	run_session(&b, -1, &r, &out, &errors);
	assert_int_equal(r.outcome, SESSION_EXITED);
	assert_int_equal(out.len, 108894);
	assert_true(str_has_suffix(out.buf, "\n19999\n20000\n"));
	assert_string_equal(str_get(&errors), "one two\n");
	assert_int_equal(monitor_client_wait_exit(clients[2], &r, &err), 0);
	assert_int_equal(r.outcome, SESSION_EXITED);
	close(clients[2]);
	box_end(&b);
}

/* With stdin_once the first end of input ends it for the container and the other clients. */
static void closes_stdin_once(void **state)
{
	static const char *const argv[] = {"cat", NULL};
	struct box b;
	struct err err = ERR_INIT;
	struct monitor_started other;
	struct session_result r = {};
	cleanup_str struct str out = STR_INIT;
	cleanup_str struct str errors = STR_INIT;
	cleanup_close int null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	int client = -1;
	uint8_t header[FRAME_HEADER_LEN];

	box_init(&b, *state, argv);
	b.config.open_stdin = true;
	b.config.stdin_once = true;
	b.config.client_flags |= CLIENT_STDIN;
	box_start(&b);
	client = monitor_client_connect(b.state_fd, CLIENT_STDIN, &err);
	assert_true(client >= 0);
	assert_int_equal(monitor_client_wait_started(client, &other, &err), 0);
	assert_true(other.stdin_fd >= 0);
	assert_int_equal(write(other.stdin_fd, "mine\n", 5), 5);
	/* The starting command's input ends; the other client is told, and lets go. */
	assert_int_equal(monitor_client_signal(b.client_fd, SIGCONT), 0);
	pid_t pid = fork();

	if (pid == 0) {
		bool ok = fd_read_full(client, header, sizeof(header)) == sizeof(header) &&
			  header[0] == FRAME_STDIN_EOF;
		_exit(!ok);
	}
	close(client);
	close(other.stdin_fd);
	run_session(&b, null_fd, &r, &out, &errors);
	assert_int_equal(r.outcome, SESSION_EXITED);
	assert_string_equal(str_get(&out), "mine\n");
	int status = 0;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	box_end(&b);
}

/* Garbage, half frames, many connections: none of it reaches the container. */
static void stands_hostile_clients(void **state)
{
	static const char *const argv[] = {"sh", "-c", "read a; echo $a", NULL};
	struct box b;
	struct err err = ERR_INIT;
	struct monitor_started started;
	struct session_result r = {};
	cleanup_str struct str out = STR_INIT;
	cleanup_str struct str errors = STR_INIT;
	int idle[100];
	char byte = 0;

	box_init(&b, *state, argv);
	b.config.open_stdin = true;
	box_start(&b);
	for (int i = 0; i < 1000; i++) {
		static const char garbage[] = "\x03\x04\x00\x00\x00GET / HTTP/1.1\r\n\r\n";
		int fd = monitor_client_connect(b.state_fd, i % 2 ? 0 : 0xff, &err);

		assert_true(fd >= 0);
		if (i % 3 == 0)
			send(fd, garbage, (size_t)(i % (int)sizeof(garbage)), MSG_NOSIGNAL);
		close(fd);
	}
	/* More clients that say HELLO than there are slots: the surplus is sent away. */
	for (size_t i = 0; i < ARRAY_LEN(idle); i++) {
		idle[i] = monitor_client_connect(b.state_fd, 0, &err);
		int rc = idle[i] < 0 ? idle[i]
				     : monitor_client_wait_started(idle[i], &started, &err);

		assert_int_equal(rc, i < FANOUT_CLIENTS_MAX - 1 ? 0 : -ERR_UNAVAILABLE);
	}
	for (size_t i = 0; i < ARRAY_LEN(idle); i++)
		fd_cleanup_close(&idle[i]);
	/* A hang-up is handled before a later connection's HELLO is answered only if it was seen:
	 * ask until there is a slot. */
	int fd = -1;

	for (int rc = -1; rc < 0;) {
		fd_cleanup_close(&fd);
		fd = monitor_client_connect(b.state_fd, CLIENT_STDIN, &err);
		rc = fd < 0 ? fd : monitor_client_wait_started(fd, &started, &err);
	}
	/* A client that asks for what it may not is cut off. */
	assert_int_equal(frame_send(fd, FRAME_STDOUT, "x", 1, -1), 0);
	while (read(fd, &byte, 1) > 0)
		;
	close(fd);
	assert_int_equal(write(started.stdin_fd, "still here\n", 11), 11);
	close(started.stdin_fd);
	run_session(&b, -1, &r, &out, &errors);
	assert_string_equal(str_get(&out), "still here\n");
	box_end(&b);
}

/* A client that does not read holds the container back, and gets everything in the end although the
 * exit has been on record meanwhile. */
static void a_slow_client_loses_nothing(void **state)
{
	static const char *const argv[] = {"sh", "-c", "seq 1 40000; exit 3", NULL};
	struct box b;
	struct session_result r = {};
	cleanup_str struct str out = STR_INIT;
	cleanup_str struct str errors = STR_INIT;
	struct stat st;

	box_init(&b, *state, argv);
	box_start(&b);
	/* More than the socket takes, less than socket, frame and pipe together. */
	wait_for_exit_file(&b);
	assert_int_equal(fstatat(b.container_fd, MONITOR_EXIT_NAME, &st, 0), 0);
	run_session(&b, -1, &r, &out, &errors);
	assert_int_equal(r.outcome, SESSION_EXITED);
	assert_int_equal(r.exit_code, 3);
	assert_int_equal(out.len, 228894);
	box_end(&b);
}

static void has_a_terminal(void **state)
{
	static const char *const argv[] = {
		"sh", "-c", "stty -echo; stty size; read a; stty size; echo got $a", NULL};
	struct box b;
	struct err err = ERR_INIT;
	struct session_result r = {};
	cleanup_str struct str out = STR_INIT;
	cleanup_str struct str errors = STR_INIT;
	struct monitor_started started;
	int fd = -1;

	box_init(&b, *state, argv);
	b.config.tty = true;
	b.config.open_stdin = true;
	box_start(&b);
	assert_int_equal(monitor_client_resize(b.client_fd, 33, 99), 0);
	/* A second client answers after the size: frames of one connection are handled in order,
	 * those of two by the time they arrive. */
	assert_int_equal(monitor_client_set_paused(b.state_fd, true, &err), 0);
	cleanup_str struct str s = STR_INIT;

	assert_int_equal(fd_read_file_at(b.state_fd, MONITOR_STATE_NAME, 8192, &s), 0);
	assert_non_null(strstr(s.buf, "\"status\":\"paused\""));
	assert_int_equal(monitor_client_set_paused(b.state_fd, false, &err), 0);
	fd = monitor_client_connect(b.state_fd, CLIENT_STDIN, &err);
	assert_true(fd >= 0);
	assert_int_equal(monitor_client_wait_started(fd, &started, &err), 0);
	assert_int_equal(write(started.stdin_fd, "hello\n", 6), 6);
	close(started.stdin_fd);
	run_session(&b, -1, &r, &out, &errors);
	close(fd);
	assert_int_equal(r.outcome, SESSION_EXITED);
	assert_int_equal(r.exit_code, 0);
	assert_non_null(strstr(str_get(&out), "33 99\r\ngot hello\r\n"));
	assert_string_equal(str_get(&errors), "");
	box_end(&b);
}

/* Detach keys from a terminal of ours: the container goes on, our terminal gets its mode back. */
static void detaches(void **state)
{
	static const char *const argv[] = {"sh", "-c", "stty raw -echo; echo ready; cat", NULL};
	struct box b;
	struct err err = ERR_INIT;
	struct session_result r = {};
	struct termios before;
	struct termios after;
	cleanup_close int master = pty_open_master(AT_FDCWD, "/dev/ptmx");
	cleanup_close int peer = master >= 0 ? pty_open_peer(master) : -1;
	cleanup_close int out_fd = -1;

	assert_true(peer >= 0);
	box_init(&b, *state, argv);
	out_fd = temp_file(&b, "out");
	b.config.tty = true;
	b.config.open_stdin = true;
	b.config.client_flags |= CLIENT_STDIN;
	box_start(&b);
	const struct session_config config = {
		.in_fd = peer, .out_fd = out_fd, .err_fd = -1, .tty = true, .sig_proxy = true};

	/* Without flow control, which would swallow ctrl-q. */
	assert_int_equal(tcgetattr(peer, &before), 0);
	before.c_iflag &= ~(tcflag_t)IXON;
	assert_int_equal(tcsetattr(peer, TCSANOW, &before), 0);
	assert_int_equal(pty_set_size(master, 10, 20), 0);
	/* Typed ahead of raw mode: not a line yet, readable when the mode changes. */
	assert_int_equal(write(master, "x\x10y\x10\x11", 5), 5);
	assert_int_equal(monitor_client_run(b.client_fd, b.started.stdin_fd, &config, &r, &err), 0);
	assert_int_equal(r.outcome, SESSION_DETACHED);
	assert_int_equal(tcgetattr(peer, &after), 0);
	assert_int_equal(before.c_lflag, after.c_lflag);
	assert_int_equal(kill(b.started.pid, 0), 0);
	kill(b.started.pid, SIGKILL);
	assert_int_equal(monitor_client_wait_exit(b.client_fd, &r, &err), 0);
	assert_int_equal(r.exit_code, 137);
	box_end(&b);
}

/* kill -9 of the monitor: the client is told so, and hangs on nothing. */
static void a_killed_monitor_is_noticed(void **state)
{
	static const char *const argv[] = {"sleep", "1000", NULL};
	struct box b;
	struct session_result r = {};
	struct err err = ERR_INIT;
	const struct session_config config = {.in_fd = -1, .out_fd = -1, .err_fd = -1};

	box_init(&b, *state, argv);
	box_start(&b);
	kill(b.monitor, SIGKILL);
	assert_int_equal(monitor_client_run(b.client_fd, -1, &config, &r, &err), 0);
	assert_int_equal(r.outcome, SESSION_LOST);
	assert_int_equal(monitor_client_connect(b.state_fd, 0, &err), -ERR_NOT_FOUND);
	kill(b.started.pid, SIGKILL);
	waitpid(b.monitor, NULL, 0);
	close(b.client_fd);
	close(b.state_fd);
	close(b.container_fd);
}

/* Nobody attached to an --rm container: the monitor settles it; a client that promised keeps it
 * from doing so. */
static void settles_when_nobody_else_does(void **state)
{
	struct fixture *f = *state;
	static const char *const argv[] = {"true", NULL};
	cleanup_free char *mark = str_printf("touch %s/settled", f->path);
	char *settle[] = {(char *)(uintptr_t) "/bin/sh", (char *)(uintptr_t) "-c", mark, NULL};

	for (int promised = 1; promised >= 0; promised--) {
		struct box b;
		struct session_result r = {};
		struct err err = ERR_INIT;
		struct stat st;

		box_init(&b, f, argv);
		b.config.auto_remove = true;
		b.config.settle_argv = settle;
		b.config.client_flags = promised ? CLIENT_SETTLES : 0;
		box_start(&b);
		assert_int_equal(monitor_client_wait_exit(b.client_fd, &r, &err), 0);
		box_end(&b);
		assert_int_equal(fstatat(f->fd, "settled", &st, 0), promised ? -1 : 0);
		assert_int_equal(fd_remove_tree_at(f->fd, "run"), 0);
		assert_int_equal(fd_remove_tree_at(f->fd, "lib"), 0);
	}
}

/* What a person says is on disk before the monitor answers, and holds at the end of the run. */
static void heeds_a_stop_that_was_told(void **state)
{
	static const char *const argv[] = {"sleep", "1000", NULL};
	char *const never[] = {(char[]){"/bin/false"}, NULL};
	struct box b;
	struct session_result r = {};
	struct err err = ERR_INIT;

	box_init(&b, *state, argv);
	b.config.restart.policy = RESTART_ALWAYS;
	b.config.resume_argv = never;
	box_start(&b);
	assert_int_equal(monitor_client_set_stopping(b.state_fd, RESTART_MARKS_ALL + 1, &err),
			 -ERR_UNAVAILABLE);
	err_clear(&err);
	assert_int_equal(monitor_client_set_stopping(
				 b.state_fd, RESTART_MARK_STOPPED | RESTART_MARK_CANCELED, &err),
			 0);
	expect_exit_file(&b, "{\"exitCode\":255,");
	expect_exit_file(&b, "\"stopped\":true,\"canceled\":true");
	assert_int_equal(monitor_client_signal(b.client_fd, SIGKILL), 0);
	assert_int_equal(monitor_client_wait_exit(b.client_fd, &r, &err), 0);
	assert_int_equal(r.exit_code, 137);
	expect_exit_file(&b, "{\"exitCode\":137,");
	expect_exit_file(&b, "\"stopped\":true,\"canceled\":true");
	box_end(&b);
}

/* A policy given while it runs counts; the run is on record, and what is executed has the socket.
 */
/* A socket that is bound, on a port of the kernel's choice, and what the monitor is told of it. */
static int bind_port(uint8_t payload[static FORWARD_PAYLOAD_LEN], struct sockaddr_in *ret)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in addr = {.sin_family = AF_INET,
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct forward_port port = {.proto = IPPROTO_TCP};
	socklen_t len = sizeof(addr);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&addr, &len), 0);
	assert_int_equal(ip_parse("127.0.0.1", &port.host), 0);
	port.host_port = ntohs(addr.sin_port);
	forward_format(&port, payload);
	*ret = addr;
	return fd;
}

static bool is_taken(const struct sockaddr_in *addr)
{
	cleanup_close int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int rc = bind(fd, (const struct sockaddr *)addr, sizeof(*addr));

	assert_true(rc == 0 || errno == EADDRINUSE);
	return rc < 0;
}

/* A descriptor given to a monitor is its own until it is released or the container has ended; what
 * makes no sense is refused and costs nothing. */
static void keeps_what_it_is_given(void **state)
{
	static const char *const argv[] = {"cat", NULL};
	struct box b;
	struct err err = ERR_INIT;
	uint8_t payload[FORWARD_PAYLOAD_LEN], other[FORWARD_PAYLOAD_LEN];
	struct sockaddr_in first, second;
	struct session_result result;

	box_init(&b, *state, argv);
	b.config.open_stdin = true;
	box_start(&b);
	cleanup_close int fd = monitor_client_open(b.state_fd, &err);
	int one = bind_port(payload, &first);
	int two = bind_port(other, &second);

	assert_true(fd >= 0);
	assert_int_equal(
		monitor_client_adopt(fd, COMPANION_PORT, payload, sizeof(payload), NULL, 0, &err),
		-ERR_NOT_FOUND);
	assert_int_equal(
		monitor_client_adopt(fd, COMPANION_PORT, payload, sizeof(payload), &one, 1, &err),
		0);
	assert_int_equal(
		monitor_client_adopt(fd, COMPANION_PORT, other, sizeof(other), &two, 1, &err), 0);
	close(one);
	close(two);
	assert_int_equal(
		monitor_client_adopt(fd, COMPANION_PORT, payload, sizeof(payload), NULL, 0, &err),
		0);
	assert_int_equal(monitor_client_adopt(fd, COMPANION_PORT, payload, sizeof(payload) - 1, &fd,
					      1, &err),
			 -ERR_SYSTEM);
	assert_int_equal(monitor_client_adopt(fd, 77, payload, 1, &fd, 1, &err), -ERR_SYSTEM);
	assert_true(is_taken(&first) && is_taken(&second));
	assert_int_equal(monitor_client_release(fd, COMPANION_PORT, payload, FORWARD_KEY_LEN, &err),
			 0);
	assert_int_equal(monitor_client_release(fd, COMPANION_PORT, payload, FORWARD_KEY_LEN, &err),
			 -ERR_NOT_FOUND);
	assert_true(!is_taken(&first) && is_taken(&second));
	fd_cleanup_close(&fd);
	assert_int_equal(monitor_client_signal(b.client_fd, SIGKILL), 0);
	assert_int_equal(monitor_client_wait_exit(b.client_fd, &result, &err), 0);
	assert_false(is_taken(&second));
	box_end(&b);
}

static void goes_on_to_the_next_run(void **state)
{
	static const char *const argv[] = {"sleep", "1000", NULL};
	struct box b;
	struct session_result r = {};
	struct err err = ERR_INIT;
	cleanup_str struct str s = STR_INIT;
	cleanup_free char *script = NULL;
	int status = 0;

	box_init(&b, *state, argv);
	script = str_printf("test -S /proc/self/fd/%d && echo ok >%s/resumed",
			    MONITOR_RESUME_SOCKET, b.f->path);
	char *const next[] = {(char[]){"/bin/sh"}, (char[]){"-c"}, script, NULL};

	b.config.resume_argv = next;
	box_start(&b);
	assert_int_equal(monitor_client_set_restart(b.state_fd, N_RESTART_POLICIES, 0, &err),
			 -ERR_UNAVAILABLE);
	err_clear(&err);
	assert_int_equal(monitor_client_set_restart(b.state_fd, RESTART_ON_FAILURE, 2, &err), 0);
	assert_int_equal(monitor_client_signal(b.client_fd, SIGTERM), 0);
	assert_int_equal(monitor_client_wait_exit(b.client_fd, &r, &err), 0);
	assert_int_equal(r.exit_code, 143);
	assert_int_equal(waitpid(b.monitor, &status, 0), b.monitor);
	assert_int_equal(fd_read_file_at(b.f->fd, "resumed", 16, &s), 0);
	assert_string_equal(str_get(&s), "ok\n");
	expect_exit_file(&b, "\"restartCount\":1,\"restartDelay\":100000000}");
	str_done(&s);
	assert_int_equal(fd_read_file_at(b.state_fd, MONITOR_STATE_NAME, 8192, &s), 0);
	assert_non_null(strstr(s.buf, "\"status\":\"restarting\",\"pid\":0,"));
	assert_non_null(strstr(s.buf, "\"exitCode\":143,"));
	fd_cleanup_close(&b.client_fd);
	close(b.state_fd);
	close(b.container_fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(captures_output_and_exit, set_up, tear_down),
		cmocka_unit_test_setup_teardown(reports_death_by_signal, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_failed_start_says_why, set_up, tear_down),
		cmocka_unit_test_setup_teardown(is_binary_clean, set_up, tear_down),
		cmocka_unit_test_setup_teardown(fans_out, set_up, tear_down),
		cmocka_unit_test_setup_teardown(closes_stdin_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(stands_hostile_clients, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_slow_client_loses_nothing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(has_a_terminal, set_up, tear_down),
		cmocka_unit_test_setup_teardown(detaches, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_killed_monitor_is_noticed, set_up, tear_down),
		cmocka_unit_test_setup_teardown(settles_when_nobody_else_does, set_up, tear_down),
		cmocka_unit_test_setup_teardown(heeds_a_stop_that_was_told, set_up, tear_down),
		cmocka_unit_test_setup_teardown(keeps_what_it_is_given, set_up, tear_down),
		cmocka_unit_test_setup_teardown(goes_on_to_the_next_run, set_up, tear_down),
	};

	/* Containers of monitors that were killed are ours to reap. */
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	alarm(60);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
