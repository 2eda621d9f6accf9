/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A signal and the wait for what comes of it, as steps of a plan, so that --explain can print them.
 */
#include "engine/stop_steps.h"

#include "base/fd.h"
#include "base/mem.h"
#include "base/str.h"
#include "engine/lifecycle.h"
#include "monitor/client.h"
#include "plan/steps.h"
#include "sys/cgroup_live.h"
#include "sys/process.h"

#include <errno.h>
#include <signal.h>

#define FREEZE_TIMEOUT_NS (10000 * 1000000ULL)
#define THAW_AFTER_MS	  200

static int run_signal(struct plan_run *run, const struct step *step, struct err *err)
{
	int rc = process_signal((int)step->number[0], (int)step->number[1]);

	if (rc < 0 && rc != -ESRCH)
		return err_sys(err, -rc, "send signal %d", (int)step->number[1]);
	return 0;
}

static void explain_signal(const struct step *step, enum step_text mode, struct str *out)
{
	const char *name = signal_name((int)step->number[1]);

	if (name)
		str_addf(out, "kill -%s %s", name, step->text);
	else
		str_addf(out, "kill -%d %s", (int)step->number[1], step->text);
}

static const struct step_op step_signal = {"signal", run_signal, explain_signal};

struct wait_data {
	struct engine *engine;
	const char *id;
	int timeout_ms;
	bool is_killed;
	int result;
};

static int run_wait(struct plan_run *run, const struct step *step, struct err *err)
{
	struct wait_data *wait = (struct wait_data *)(uintptr_t)step->number[0];

	wait->result = wait->is_killed
			       ? container_wait_killed(wait->engine, wait->id)
			       : container_wait_exit(wait->engine, wait->id, wait->timeout_ms);
	return 0;
}

static void explain_wait(const struct step *step, enum step_text mode, struct str *out)
{
	str_addf(out,
		 "timeout %s tail --pid=%s -f /dev/null   # until its monitor has it on record",
		 step->path, step->text);
}

static const struct step_op step_wait = {"wait", run_wait, explain_wait};

static void add_signal(struct plan *plan, int pidfd, pid_t pid, int number)
{
	struct step *step = plan_add(plan, &step_signal, STEP_HOST);

	step->text = str_printf("%d", pid);
	step->number[0] = (uint64_t)pidfd;
	step->number[1] = (uint64_t)number;
}

static void add_wait(struct plan *plan, struct wait_data *wait, pid_t pid)
{
	struct step *step = plan_add(plan, &step_wait, STEP_HOST);

	step->text = str_printf("%d", pid);
	step->path = wait->timeout_ms < 0 ? str_dup("infinity")
					  : str_printf("%.1f", wait->timeout_ms / 1000.0);
	step->number[0] = (uint64_t)(uintptr_t)wait;
}

int container_signal_and_wait(struct engine *engine, const char *id,
			      const struct container_state *state, int number, int timeout_ms,
			      struct plan *plan, struct err *err)
{
	cleanup_close int pidfd = process_open(state->pid, state->start_time);
	struct wait_data wait = {.engine = engine,
				 .id = id,
				 .timeout_ms = timeout_ms,
				 .is_killed = number == SIGKILL};
	struct plan_run run;
	size_t first = plan->n;
	int rc = 0;

	if (pidfd < 0)
		return container_wait_exit(engine, id, KILL_TIMEOUT_MS);
	plan_run_init(&run);
	add_signal(plan, pidfd, state->pid, number);
	add_wait(plan, &wait, state->pid);
	rc = plan_execute_from(plan, first, STEP_HOST, &run, err);
	return rc < 0 ? rc : wait.result;
}

int container_wait_killed(struct engine *engine, const char *id)
{
	int rc = -ETIMEDOUT;

	for (int waited = 0; rc == -ETIMEDOUT && waited < KILL_TIMEOUT_MS;
	     waited += THAW_AFTER_MS) {
		cleanup_free char *cgroup = NULL;

		rc = container_wait_exit(engine, id, THAW_AFTER_MS);
		if (rc != -ETIMEDOUT)
			break;
		/* Nothing that is frozen dies: somebody paused it between our look and the signal.
		 */
		cgroup = container_cgroup_name(engine, id);
		if (cgroup_freeze(engine_get_cgroups(engine), cgroup, false, FREEZE_TIMEOUT_NS) < 0)
			continue; /* its group has gone, and so will it */
	}
	return rc;
}

int container_thaw(struct engine *engine, const char *id, struct err *err)
{
	cleanup_free char *cgroup = container_cgroup_name(engine, id);
	cleanup_close int dir = engine_open_run_dir(engine, id, false);
	int rc = cgroup_freeze(engine_get_cgroups(engine), cgroup, false, FREEZE_TIMEOUT_NS);

	/* The group has gone with what was in it. */
	if (rc == -ENOENT || rc == -ENODEV)
		return 0;
	if (rc < 0)
		return err_sys(err, -rc, "thaw container %.12s", id);
	if (dir >= 0 && monitor_client_set_paused(dir, false, err) < 0)
		err_clear(err);
	return 0;
}
