/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Steps that enter a running container: for exec.
 */
#include "plan/steps.h"

#include "base/fd.h"
#include "base/mem.h"
#include "sys/path.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <unistd.h>

#define ENTER_FLAGS (CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWCGROUP)

static int run_enter(struct plan_run *run, const struct step *step, struct err *err)
{
	/* One call for all, by pidfd: either the very process that was looked up, or nothing. */
	if (setns((int)step->number[0], ENTER_FLAGS) < 0)
		return err_sys(err, errno, "enter the container of process %s", step->text);
	/* lint: the root itself, to pin it; there is nothing to resolve */
	run->root_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (run->root_fd < 0)
		return err_sys(err, errno, "open the container's root");
	run->dev_fd = path_open_in_root(run->root_fd, "/dev", O_PATH | O_DIRECTORY, 0);
	return 0;
}

static void explain_enter(const struct step *step, enum step_text mode, struct str *out)
{
	str_addf(out, "nsenter --target %s --mount --uts --ipc --net --cgroup …", step->text);
}

static const struct step_op step_enter = {"enter", run_enter, explain_enter};

void plan_enter(struct plan *plan, int pidfd, pid_t pid)
{
	struct step *step = plan_add(plan, &step_enter, STEP_INSIDE);

	step->text = str_printf("%d", pid);
	step->number[0] = (uint64_t)pidfd;
}

static int run_enter_pid(struct plan_run *run, const struct step *step, struct err *err)
{
	if (setns((int)step->number[0], CLONE_NEWPID) < 0)
		return err_sys(err, errno, "enter the pid namespace of process %s", step->text);
	return 0;
}

static void explain_enter_pid(const struct step *step, enum step_text mode, struct str *out)
{
	str_addf(out, "nsenter --target %s --pid …", step->text);
}

static const struct step_op step_enter_pid = {"enter pid", run_enter_pid, explain_enter_pid};

void plan_enter_pid(struct plan *plan, int pidfd, pid_t pid)
{
	struct step *step = plan_add(plan, &step_enter_pid, STEP_HOST);

	step->text = str_printf("%d", pid);
	step->number[0] = (uint64_t)pidfd;
}
