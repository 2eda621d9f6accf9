/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What somebody looks at a step with: a shell where its command has failed, and its plan as a
 * script.
 *
 * The namespaces of a command end with it. The shell gets new ones, made by the same plan from the
 * same configuration, around the very layer that the command has written to.
 */
#include "build/run_private.h"

#include "base/fd.h"
#include "base/mem.h"
#include "engine/streams.h"
#include "monitor/relay.h"

#include <errno.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define DEFAULT_SHELL "/bin/sh"

/* ---- the shell ---- */

/* That of the step, if it was run by one. */
static const char *choose_shell(const struct build_run *run)
{
	static const char *const shells[] = {"sh", "bash", "ash", "dash", "zsh", "ksh"};
	const struct strv *argv = &run->input.op->argv;
	const char *slash = argv->n ? strrchr(argv->items[0], '/') : NULL;

	for (size_t i = 0; slash && i < ARRAY_LEN(shells); i++)
		if (strcmp(slash + 1, shells[i]) == 0)
			return argv->items[0];
	return DEFAULT_SHELL;
}

static bool has_variable(const struct strv *env, const char *prefix)
{
	strv_foreach (i, env)
		if (str_has_prefix(env->items[i], prefix))
			return true;
	return false;
}

/* The request of the step becomes that of the shell. */
static void change_request(struct build_run *run, bool tty)
{
	struct winsize size = {};

	strv_done(&run->image.cmd);
	strv_add(&run->image.cmd, choose_shell(run));
	run->spec.tty = tty;
	if (tty && !has_variable(&run->env, "TERM="))
		strv_add(&run->env, "TERM=xterm");
	if (tty && ioctl(STDIN_FILENO, TIOCGWINSZ, &size) == 0) {
		run->request.rows = size.ws_row;
		run->request.columns = size.ws_col;
	}
}

static int start_shell(struct build_run *run, bool tty, struct relay_process *ret, struct err *err)
{
	const struct streams_wish wish = {.tty = tty, .interactive = true};
	struct streams streams = STREAMS_INIT;
	struct plan_run streams_run;
	pid_t pid = 0;
	int rc = streams_open(&wish, &streams, err);

	if (rc == 0) {
		plan_run_init(&streams_run);
		strv_add_all(&streams_run.env, &run->secret_env);
		strv_add_all(&streams_run.env, &run->oneshot.config.env);
		rc = streams_start(&streams, &run->oneshot.start.plan, &streams_run, false, ret,
				   &pid, err);
	}
	run_mounts_release(run);
	streams_done(&streams);
	return rc;
}

static int relay_shell(const struct relay_process *process, bool tty, struct err *err)
{
	const struct session_config config = {
		.in_fd = STDIN_FILENO,
		.out_fd = STDOUT_FILENO,
		.err_fd = STDERR_FILENO,
		.tty = tty,
		.sig_proxy = true,
		.no_detach = true, /* the step is taken down behind it */
	};
	struct session_result result = {};

	return relay_run(process, &config, &result, err);
}

int build_run_shell(struct build_run *run, struct err *err)
{
	bool tty = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
	struct relay_process process = {-1, -1, -1, -1, -1};
	int rc = run_end(run, err);

	if (rc == 0)
		rc = oneshot_open(run->engine, run->input.place.id, &run->oneshot, err);
	if (rc == 0)
		rc = run_mounts_renew(run, err);
	if (rc < 0)
		return rc;
	change_request(run, tty);
	rc = oneshot_prepare(&run->oneshot, &run->request, err);
	if (rc == 0)
		rc = start_shell(run, tty, &process, err);
	if (rc == 0)
		rc = relay_shell(&process, tty, err);
	oneshot_end(&run->oneshot, NULL);
	return rc;
}

/* ---- the plan ---- */

int build_run_explain(struct engine *engine, const struct build_run_input *input, struct str *ret,
		      struct err *err)
{
	cleanup_free char *dir = str_printf("/run/tare-script.%.12s", input->place.id);
	struct build_run_input copy = *input;
	struct build_run *run = NULL;
	int rc = 0;

	copy.place.dir = dir;
	run = run_new(engine, &copy);
	rc = run_spec_fill(run, err);
	if (rc == 0)
		rc = run_mounts_prepare(run, true, err);
	if (rc == 0)
		rc = oneshot_plan(engine, input->place.id, &run->request, &run->oneshot, err);
	if (rc == 0)
		plan_script(&run->oneshot.start.plan, ret);
	run_free(run);
	return rc;
}
