/* SPDX-License-Identifier: Apache-2.0 */
/* A control group of a test: made by the code under test, entered the way a container enters. */
#include "cgroup_box.h"

#include "../unit/unit.h"

#include "base/fd.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define BOX_TIMEOUT_NS 10000000000ULL

void box_init(struct box *box, const char *name)
{
	*box = (struct box){};
	cgroup_detect(&box->layout);
	snprintf(box->name, sizeof(box->name), "tare-test-%d/%s", (int)getpid(), name);
}

int box_make(struct box *box, struct err *err)
{
	int rc = cgroup_plan(&box->layout, box->name, &box->limits, &box->actions, err);

	for (size_t i = 0; i < box->actions.n && rc >= 0; i++) {
		rc = cgroup_action_run(&box->actions, i, err);
		if (rc > 0)
			print_message("not applied: %s\n", err->msg);
	}
	return rc < 0 ? rc : 0;
}

static int join_dirs(const struct box *box)
{
	strv_foreach (i, &box->actions.dirs) {
		cleanup_free char *path = str_printf("%s/cgroup.procs", box->actions.dirs.items[i]);
		cleanup_close int fd = open(path, O_WRONLY | O_CLOEXEC);

		if (fd < 0 || fd_write_full(fd, "0", 1) < 0)
			return -errno;
	}
	return 0;
}

static pid_t clone_into(const struct box *box)
{
	cleanup_close int fd = open(box->actions.dirs.items[0], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct clone_args args = {
		.flags = CLONE_INTO_CGROUP,
		.exit_signal = SIGCHLD,
		.cgroup = (uint64_t)fd,
	};

	return fd < 0 ? -1 : (pid_t)syscall(SYS_clone3, &args, sizeof(args));
}

pid_t box_spawn(struct box *box, int (*fn)(void *arg), void *arg)
{
	pid_t pid = box->actions.join_by_clone ? clone_into(box) : fork();

	assert_true(pid >= 0);
	if (pid > 0)
		return pid;
	if (!box->actions.join_by_clone && join_dirs(box) < 0)
		_exit(99);
	_exit(fn(arg));
}

int box_wait(pid_t pid)
{
	int status = -1;

	while (waitpid(pid, &status, 0) < 0)
		assert_int_equal(errno, EINTR);
	return status;
}

const char *box_read(const struct box *box, enum cgroup_controller c, const char *file)
{
	static char line[512];
	cleanup_free char *dir = cgroup_dir(&box->layout, c, box->name);
	cleanup_free char *path = str_printf("%s/%s", dir ? dir : "", file);
	cleanup_str struct str text = STR_INIT;

	if (fd_read_kernel_file(path, sizeof(line) - 1, &text) < 0)
		return "?";
	snprintf(line, sizeof(line), "%.*s", (int)strcspn(str_get(&text), "\n"), str_get(&text));
	return line;
}

void box_done(struct box *box)
{
	char *slash = NULL;

	assert_int_equal(cgroup_kill(&box->layout, box->name, BOX_TIMEOUT_NS), 0);
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
	assert_int_equal(cgroup_remove(&box->layout, box->name, BOX_TIMEOUT_NS), 0);
	strv_foreach (i, &box->actions.dirs)
		assert_int_equal(access(box->actions.dirs.items[i], F_OK), -1);
	slash = strchr(box->name, '/');
	*slash = '\0';
	/* the parent may be shared with another box of the same test */
	cgroup_remove(&box->layout, box->name, 0);
	cgroup_actions_done(&box->actions);
	cgroup_limits_done(&box->limits);
}
