/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log driver: the writer, the sender, and the helper that compresses complete parts.
 *
 * The helper is a child with its own name in ps, at the lowest priority. There is one at a time; it
 * goes on until no plain part is left, and is started again when another part became complete while
 * it ran. The monitor never waits for it.
 */
#include "monitor/log_driver.h"

#include "base/err.h"
#include "base/fd.h"
#include "monitor/log_remote.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void on_entry(void *ctx, const struct log_line *line)
{
	struct log_driver *d = ctx;

	log_remote_send(d->remote, line);
}

/* ---- compression ---- */

static void start_helper(struct log_driver *d);

static void forget_helper(struct log_driver *d)
{
	siginfo_t info;

	if (d->helper_fd < 0)
		return;
	loop_remove(d->loop, &d->helper);
	waitid(P_PIDFD, (id_t)d->helper_fd, &info, WEXITED);
	fd_cleanup_close(&d->helper_fd);
}

static int on_helper_end(void *data, uint32_t events)
{
	struct log_driver *d = data;

	forget_helper(d);
	if (d->is_due)
		start_helper(d);
	return 0;
}

/* Without it the parts stay plain: they are still bounded, and read all the same. */
static void start_helper(struct log_driver *d)
{
	char *argv[] = {(char *)(uintptr_t)d->config.unpacker, (char[]){"compress"}, NULL};
	posix_spawn_file_actions_t actions;
	pid_t pid = 0;
	int rc = 0;

	d->is_due = false;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, d->writer.dir_fd, STDIN_FILENO);
	rc = posix_spawn(&pid, argv[0], &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	if (rc != 0)
		return;
	d->helper_fd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (d->helper_fd < 0)
		return;
	if (loop_add(d->loop, &d->helper, d->helper_fd, EPOLLIN, on_helper_end, d) < 0)
		forget_helper(d);
}

static void on_rotated(void *ctx)
{
	struct log_driver *d = ctx;

	d->is_due = true;
	if (d->helper_fd < 0 && d->writer.dir_fd >= 0)
		start_helper(d);
}

/* ---- the driver ---- */

static int open_remote(struct log_driver *d, struct err *err)
{
	struct err why = ERR_INIT;

	if (d->config.kind != LOG_TO_SYSLOG && d->config.kind != LOG_TO_JOURNALD)
		return 0;
	d->remote = log_remote_open(&d->config, d->loop, &why);
	if (d->remote)
		return 0;
	err_set(err, why.code, "failed to initialize logging driver: %s", why.msg);
	return -why.code;
}

int log_driver_open(struct log_driver *driver, const struct log_driver_config *config,
		    int container_dir_fd, struct loop *loop, struct err *err)
{
	struct log_driver *d = driver;
	struct log_writer_config files = {
		.max_size = config->max_size,
		.max_files = config->max_files,
		.attrs = config->attrs,
		.has_no_file = config->has_no_files,
		.ctx = d,
	};
	int rc = 0;

	d->config = *config;
	d->loop = loop;
	d->is_due = false;
	if (config->kind == LOG_TO_NONE)
		return 0;
	rc = open_remote(d, err);
	if (rc < 0)
		return rc;
	if (d->remote)
		files.entry = on_entry;
	if (config->compress && config->unpacker)
		files.rotated = on_rotated;
	rc = log_writer_open(&d->writer, container_dir_fd, &files);
	return rc < 0 ? err_sys(err, -rc, "open log") : 0;
}

void log_driver_add(struct log_driver *driver, enum log_stream stream, const void *data, size_t len,
		    int64_t now_ns)
{
	log_writer_add(&driver->writer, stream, data, len, now_ns);
}

void log_driver_flush(struct log_driver *driver)
{
	log_writer_flush(&driver->writer);
}

void log_driver_close(struct log_driver *driver, int64_t now_ns)
{
	log_writer_close(&driver->writer, now_ns);
	log_remote_close(driver->remote);
	driver->remote = NULL;
	/* The helper goes on, and may outlive us. */
	driver->is_due = false;
}

void log_driver_stop_helper(struct log_driver *driver)
{
	if (driver->helper_fd < 0)
		return;
	syscall(SYS_pidfd_send_signal, driver->helper_fd, SIGKILL, NULL, 0);
	forget_helper(driver);
}

void log_driver_linger(struct log_driver *driver)
{
	for (int ms = 0; ms < LOG_LINGER_MS && log_writer_is_behind(&driver->writer); ms += 20)
		poll(NULL, 0, 20);
	log_writer_release(&driver->writer);
}

void log_driver_trim(struct log_driver *driver)
{
	log_writer_trim(&driver->writer);
}

int log_driver_fd(const struct log_driver *driver)
{
	return driver->remote ? log_remote_fd(driver->remote) : -1;
}
