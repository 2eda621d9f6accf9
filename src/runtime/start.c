/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The clone. Theory of operation:
 *
 * The child is made with CLONE_VM | CLONE_VFORK: it runs in the parent's memory on a stack of its
 * own while the parent sleeps, and lets go at exec. Nothing is copied for a process that lives two
 * milliseconds; an error of the child and the time of each of its steps are simply there when the
 * parent wakes. Descriptors, working directory, signal handlers and credentials are the child's
 * own. What it must not do is change memory that the parent relies on, other than RUN and ERR.
 *
 * From its first instruction the child cannot be dumped or traced (CVE-2016-9962), and dies with
 * its parent.
 */
#include "runtime/start.h"

#include "base/fd.h"
#include "base/mem.h"
#include "sys/clone.h"
#include "sys/process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

struct clone_call {
	struct plan *plan;
	struct plan_run *run;
	struct runtime_process *process;
	struct err *err;
	bool failed;
};

static int child_main(void *arg)
{
	struct clone_call *call = arg;
	/* A copy: descriptors that the child opens mean nothing to the parent, who would close
	 * them. */
	struct plan_run run = *call->run;

	plan_mark(call->plan, PLAN_CLONED);
	/* docker's, for what is made in the container and for its command; the engine's own is 077.
	 */
	umask(022);
	run.env = (struct strv)STRV_INIT;
	strv_add_all(&run.env, &call->run->env);
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 ||
	    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0) {
		err_sys(call->err, errno, "protect the new process");
	} else if (plan_execute(call->plan, STEP_INSIDE, &run, call->err) >= 0) {
		err_set(call->err, ERR_SYSTEM, "the plan has no last step");
	}
	call->failed = true;
	_exit(127);
}

static int run_clone(struct plan_run *run, const struct step *step, struct err *err)
{
	struct clone_call *call = run->clone_arg;
	cleanup_close int cgroup = -1;
	pid_t pid = 0;

	call->err = err;
	if (step->path) {
		/* lint: a directory of the host's cgroupfs */
		cgroup = open(step->path, O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (cgroup < 0)
			return err_sys(err, errno, "open control group %s", step->path);
	}
	pid = clone_vfork(child_main, call, step->number[0], cgroup, &call->process->pidfd);
	if (pid < 0)
		return err_sys(err, -pid, "create the new process");
	call->process->pid = pid;
	if (!call->failed)
		return 0;
	waitpid(call->process->pid, NULL, 0);
	fd_cleanup_close(&call->process->pidfd);
	call->process->pid = 0;
	return -err->code;
}

int runtime_start(struct plan *plan, struct plan_run *run, struct runtime_process *ret,
		  struct err *err)
{
	struct clone_call call = {.plan = plan, .run = run, .process = ret};
	int rc = 0;

	run->clone = run_clone;
	run->clone_arg = &call;
	run->plan = plan;
	/* The child looks once, before its last step, whether we are still there. */
	if (run->pdeath_signal)
		run->parent_fd = (int)syscall(SYS_pidfd_open, getpid(), 0);
	plan_mark(plan, PLAN_STARTED);
	rc = plan_execute(plan, STEP_HOST, run, err);
	plan_mark(plan, PLAN_RUNNING);
	run->clone_arg = NULL;
	if (rc < 0)
		return rc;
	/* The identity that survives in files: a pid alone may be somebody else's tomorrow. */
	process_get_starttime(ret->pid, &ret->starttime, NULL);
	return 0;
}
