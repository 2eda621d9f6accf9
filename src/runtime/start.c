/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The clone. Theory of operation:
 *
 * The child is made with CLONE_VM | CLONE_VFORK: it runs in the parent's memory on a stack of its
 * own while the parent sleeps, and lets go at exec. Nothing is copied for a process that lives two
 * milliseconds; an error of the child and the time of each of its steps are simply there when the
 * parent wakes. Descriptors, working directory, signal handlers and credentials are the child's own.
 * What it must not do is change memory that the parent relies on, other than RUN and ERR.
 *
 * From its first instruction the child cannot be dumped or traced (CVE-2016-9962), and dies with its
 * parent.
 */
#include "runtime/start.h"

#include "base/fd.h"
#include "base/mem.h"
#include "sys/process.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define STACK_SIZE (256 * 1024)

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
	/* A copy: descriptors that the child opens mean nothing to the parent, who would close them. */
	struct plan_run run = *call->run;

	plan_mark(call->plan, PLAN_CLONED);
	run.env = (struct strv)STRV_INIT;
	strv_add_all(&run.env, &call->run->env);
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0) {
		err_sys(call->err, errno, "protect the new process");
	} else if (plan_execute(call->plan, STEP_INSIDE, &run, call->err) >= 0) {
		err_set(call->err, ERR_SYSTEM, "the plan has no last step");
	}
	call->failed = true;
	_exit(127);
}

static int clone_child(struct clone_call *call, uint64_t flags)
{
	char *stack = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK | MAP_NORESERVE, -1, 0);
	sigset_t all;
	sigset_t saved;
	int pidfd = -1;
	pid_t pid = 0;
	int rc = 0;

	if (stack == MAP_FAILED)
		return -errno;
	/* No handler of the parent's may run on the child's stack. */
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &saved);
	pid = clone(child_main, stack + STACK_SIZE,
		    (int)flags | CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD, call, &pidfd);
	rc = pid < 0 ? -errno : 0;
	sigprocmask(SIG_SETMASK, &saved, NULL);
	munmap(stack, STACK_SIZE);
	call->process->pid = pid;
	call->process->pidfd = pidfd;
	return rc;
}

static int run_clone(struct plan_run *run, const struct step *step, struct err *err)
{
	struct clone_call *call = run->clone_arg;
	int rc = 0;

	call->err = err;
	rc = clone_child(call, step->number[0]);
	if (rc < 0)
		return err_sys(err, -rc, "create the container's first process");
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
