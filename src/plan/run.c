/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The state that a run of a plan carries from step to step.
 */
#include "plan/steps.h"

#include "base/fd.h"
#include "base/mem.h"
#include "plan/net_steps.h"
#include "sys/mount.h"

void plan_run_init(struct plan_run *run)
{
	*run = (struct plan_run){
		.dir_fd = -1,
		.root_fd = -1,
		.dev_fd = -1,
		.proc_fd = -1,
		.null_fd = -1,
		.empty_fd = -1,
		.tty_fd = -1,
		.stdio = {-1, -1, -1},
		.report_fd = -1,
		.parent_fd = -1,
		.net_fd = {-1, -1},
	};
}

void plan_run_done(struct plan_run *run)
{
	int *const fds[] = {&run->dir_fd,   &run->root_fd,  &run->dev_fd,    &run->proc_fd,
			    &run->null_fd,  &run->empty_fd, &run->tty_fd,    &run->stdio[0],
			    &run->stdio[1], &run->stdio[2], &run->report_fd, &run->parent_fd};

	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		fd_cleanup_close(fds[i]);
	for (size_t i = 0; i < run->n_sources; i++)
		fd_cleanup_close(&run->sources[i]);
	free(run->sources);
	strv_done(&run->env);
	plan_net_done(run);
	plan_run_init(run);
}

int plan_run_proc(struct plan_run *run)
{
	if (run->proc_fd < 0)
		run->proc_fd = mount_new("proc", "proc", NULL, 0);
	return run->proc_fd;
}

int plan_run_set_source(struct plan_run *run, size_t index, int fd)
{
	if (index >= run->n_sources) {
		run->sources = mem_realloc_array(run->sources, index + 1, sizeof(*run->sources));
		for (size_t i = run->n_sources; i <= index; i++)
			run->sources[i] = -1;
		run->n_sources = index + 1;
	}
	fd_cleanup_close(&run->sources[index]);
	run->sources[index] = fd;
	return 0;
}
