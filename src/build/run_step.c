/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The life of a RUN: made by the builder, waited for by it, taken down by it.
 */
#include "build/run_step.h"

#include "base/fd.h"
#include "base/mem.h"
#include "build/run_platform.h"
#include "build/run_private.h"
#include "sys/process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

void run_free(struct build_run *run)
{
	/* Its processes have files in the directory of the other. */
	run_mounts_done(run);
	oneshot_end(&run->oneshot, NULL);
	fd_cleanup_close(&run->process.pidfd);
	spec_done(&run->spec);
	image_run_done(&run->image);
	strv_done(&run->env);
	strv_done(&run->lowers);
	free(run);
}

struct build_run *run_new(struct engine *engine, const struct build_run_input *input)
{
	struct build_run *run = mem_zalloc(sizeof(*run));

	run->engine = engine;
	run->input = *input;
	run->oneshot = (struct oneshot)ONESHOT_INIT;
	run->process = (struct runtime_process)RUNTIME_PROCESS_INIT;
	run->request = (struct oneshot_request){
		.spec = &run->spec,
		.run = &run->image,
		.env = &run->env,
		.lowers = input->place.lowers,
		.dir = input->place.dir,
	};
	return run;
}

/* ---- the start ---- */

/* One pipe for both streams, so that their order is kept; nothing to read. */
static int open_streams(struct plan_run *streams, int *ret_log_fd, struct err *err)
{
	int pair[2];

	/* lint: the host's null device, before any namespace is entered */
	streams->stdio[0] = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (streams->stdio[0] < 0)
		return err_sys(err, errno, "open /dev/null");
	if (pipe2(pair, O_CLOEXEC) < 0)
		return err_sys(err, errno, "make a pipe");
	streams->stdio[1] = pair[1];
	*ret_log_fd = pair[0];
	streams->stdio[2] = fcntl(pair[1], F_DUPFD_CLOEXEC, 3);
	if (streams->stdio[2] < 0 || fcntl(pair[0], F_SETFL, O_NONBLOCK) < 0)
		return err_sys(err, errno, "set up a pipe");
	return 0;
}

static int start(struct build_run *run, int *ret_log_fd, struct err *err)
{
	cleanup_close int log_fd = -1;
	int stdio[3];
	struct plan_run streams;
	int rc = 0;

	plan_run_init(&streams);
	strv_add_all(&streams.env, &run->secret_env);
	rc = open_streams(&streams, &log_fd, err);
	memcpy(stdio, streams.stdio, sizeof(stdio));
	if (rc == 0)
		rc = oneshot_start(&run->oneshot, &streams, &run->process, err);
	else
		plan_run_done(&streams);
	run_mounts_release(run);
	/* Those of the command alone: the pipe ends with it. */
	for (int i = 0; i < 3; i++)
		fd_cleanup_close(&stdio[i]);
	if (rc == 0)
		*ret_log_fd = take_fd(log_fd);
	return rc;
}

int build_run_start(struct engine *engine, const struct build_run_input *input,
		    struct build_run **ret, int *ret_log_fd, struct err *err)
{
	struct build_run *run = run_new(engine, input);
	int rc = run_platform_check(input->place.platform, input->place.lowers, err);

	if (rc == 0)
		rc = run_spec_fill(run, err);
	if (rc == 0)
		rc = oneshot_open(engine, input->place.id, &run->oneshot, err);
	if (rc == 0)
		rc = run_mounts_prepare(run, false, err);
	if (rc == 0)
		rc = oneshot_prepare(&run->oneshot, &run->request, err);
	if (rc == 0)
		rc = start(run, ret_log_fd, err);
	if (rc != 0) {
		run_free(run);
		return rc;
	}
	*ret = run;
	return 0;
}

/* ---- the end ---- */

int build_run_pidfd(const struct build_run *run)
{
	return run->process.pidfd;
}

void build_run_kill(struct build_run *run)
{
	if (!run->has_ended)
		process_signal(run->process.pidfd, SIGKILL);
}

static int reap(struct build_run *run, struct err *err)
{
	siginfo_t info = {};
	int rc = 0;

	if (run->has_ended)
		return 0;
	do
		rc = waitid(P_PIDFD, (id_t)run->process.pidfd, &info, WEXITED);
	while (rc < 0 && errno == EINTR);
	if (rc < 0)
		return err_sys(err, errno, "wait for the command");
	run->has_ended = true;
	run->code = info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status;
	return 0;
}

int run_end(struct build_run *run, struct err *err)
{
	int rc = reap(run, err);

	oneshot_end(&run->oneshot, &run->oom);
	return rc;
}

int build_run_finish(struct build_run *run, int *ret_code, bool *ret_oom, struct err *err)
{
	int rc = run->has_ended ? 0 : run_end(run, err);

	*ret_code = run->code;
	*ret_oom = run->oom;
	run_free(run);
	return rc;
}
