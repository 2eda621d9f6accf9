/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exec: a child of this very command enters the container. There is no session to keep, no daemon
 * to ask, and when this command is killed the kernel tells the child.
 */
#include "engine/exec.h"

#include "base/fd.h"
#include "base/mem.h"
#include "engine/create.h"
#include "engine/lifecycle.h"
#include "engine/seccomp_profile.h"
#include "runtime/cgroup_steps.h"
#include "runtime/exec_plan.h"
#include "runtime/start.h"
#include "sys/caps.h"
#include "sys/process.h"
#include "sys/pty.h"
#include "sys/seccomp.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

/* Both ends of up to three pipes, or of the socket that the terminal's master comes over. */
struct streams {
	int child[3], parent[3];
	int report[2];
};

#define STREAMS_INIT                                                                \
	{                                                                           \
		.child = {-1, -1, -1}, .parent = {-1, -1, -1}, .report = { -1, -1 } \
	}

static void streams_done(struct streams *s)
{
	for (int i = 0; i < 3; i++) {
		fd_cleanup_close(&s->child[i]);
		fd_cleanup_close(&s->parent[i]);
	}
	fd_cleanup_close(&s->report[0]);
	fd_cleanup_close(&s->report[1]);
}

static int open_pipe(struct streams *s, int i)
{
	int pair[2];

	if (pipe2(pair, O_CLOEXEC) < 0)
		return -errno;
	s->child[i] = pair[i == 0 ? 0 : 1];
	s->parent[i] = pair[i == 0 ? 1 : 0];
	return 0;
}

/* The caller's own descriptors never enter: through /proc a process inside could open them again,
 * for more than they were opened for. */
static int open_streams(const struct exec_request *request, struct streams *s, struct err *err)
{
	int rc = 0;

	if (request->tty) {
		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, s->report) < 0)
			return err_sys(err, errno, "make a socket pair");
		return 0;
	}
	for (int i = 0; rc == 0 && i < 3; i++) {
		bool wanted = !request->detach && (i != 0 || request->interactive);

		if (wanted) {
			rc = open_pipe(s, i);
		} else {
			/* lint: the host's null device, before any namespace is entered */
			s->child[i] = open("/dev/null", (i == 0 ? O_RDONLY : O_WRONLY) | O_CLOEXEC);
			rc = s->child[i] < 0 ? -errno : 0;
		}
	}
	return rc < 0 ? err_sys(err, -rc, "make pipes") : 0;
}

/* "K=V" replaces or adds; a bare "K", which the caller's host does not know, removes. */
static void set_env(struct strv *env, const char *text)
{
	bool removes = !strchr(text, '=');
	size_t len = strcspn(text, "=");

	strv_foreach (i, env) {
		if (strncmp(env->items[i], text, len) != 0 || env->items[i][len] != '=')
			continue;
		if (removes)
			strv_remove(env, i);
		else
			str_replace(&env->items[i], text);
		return;
	}
	if (!removes)
		strv_add(env, text);
}

static void collect_env(const struct oci_runtime_config *config, const struct exec_request *request,
			struct strv *env)
{
	strv_add_all(env, &config->env);
	if (request->tty)
		set_env(env, "TERM=xterm");
	strv_foreach (i, &request->env)
		set_env(env, request->env.items[i]);
}

/* The directories of the container's control groups. */
static void collect_cgroups(struct engine *engine, const struct oci_runtime_config *config,
			    struct strv *ret)
{
	const struct cgroup_layout *layout = engine_get_cgroups(engine);

	for (size_t i = 0; i < layout->n; i++) {
		char *dir = str_printf("%s/%s", layout->hierarchies[i].root, config->cgroup);

		/* lint: a directory of the host's cgroupfs */
		if (access(dir, F_OK) == 0)
			strv_add_take(ret, dir);
		else
			free(dir);
	}
}

struct exec_ctx {
	struct engine *engine;
	const struct exec_request *request;
	struct container_made made;
	struct container_state state;
	struct strv cgroups, groups;
	struct sock_fprog seccomp;
	struct plan_exec_info info;
	struct streams streams;
	int pidfd;
};

static int find_container(struct exec_ctx *c, struct err *err)
{
	cleanup_container struct container_record record = {};
	const char *groups = NULL;
	int rc = container_find(c->engine, c->request->ref, &record, &c->state, err);

	if (rc < 0)
		return rc;
	if (!container_is_running(&c->state))
		return err_set(err, ERR_CONFLICT, "container %s is not running", record.row.id);
	if (c->state.status == STATUS_RESTARTING)
		return err_set(err, ERR_CONFLICT,
			       "Container %s is restarting, wait until the container is running",
			       record.row.id);
	if (c->state.status == STATUS_PAUSED)
		return err_set(err, ERR_CONFLICT,
			       "Container %s is paused, unpause the container before exec",
			       c->request->ref);
	c->pidfd = process_open(c->state.pid, c->state.start_time);
	if (c->pidfd < 0)
		return err_set(err, ERR_CONFLICT, "container %s is not running", record.row.id);
	rc = engine_load(c->engine, record.row.id, &c->made, err);
	if (rc < 0)
		return rc;
	groups = oci_annotation(&c->made.config, OCI_NOTE_GROUPS);
	if (groups)
		strv_split(&c->groups, groups, ',');
	return 0;
}

static int build_plan(struct exec_ctx *c, struct plan *plan, struct err *err)
{
	const struct oci_runtime_config *config = &c->made.config;
	const struct exec_request *r = c->request;
	const char *user = r->user ? r->user : oci_annotation(config, OCI_NOTE_USER);
	uint64_t caps = r->privileged ? CAPS_ALL & caps_get_bounding() : config->capabilities;
	struct runtime_exec exec = {
		.args = &r->args,
		.cwd = r->workdir ? r->workdir : config->cwd,
		.user = user ? user : "",
		.groups = &c->groups,
		.capabilities = caps,
		.no_new_privs = config->no_new_privs,
		.terminal = r->tty,
		.rows = r->rows,
		.columns = r->columns,
		.cgroups = &c->cgroups,
		.cgroups_are_v1 = engine_get_cgroups(c->engine)->mode != CGROUP_V2,
		.pid = c->state.pid,
		.pidfd = c->pidfd,
	};
	int rc = 0;

	if (*exec.cwd != '/')
		return err_set(err, ERR_INVALID, "cwd must be an absolute path");
	if (!r->privileged) {
		rc = seccomp_profile_load(c->engine, config, c->made.id, caps, &c->seccomp,
					  &exec.seccomp_name, err);
		exec.seccomp = c->seccomp.len ? &c->seccomp : NULL;
	}
	if (rc < 0)
		return rc;
	collect_cgroups(c->engine, config, &c->cgroups);
	runtime_plan_exec(config, &exec, &c->info, plan);
	return 0;
}

static int run_plan(struct exec_ctx *c, struct plan *plan, struct exec_started *ret,
		    struct err *err)
{
	struct runtime_process process = RUNTIME_PROCESS_INIT;
	struct streams *s = &c->streams;
	struct plan_run run;
	int rc = 0;

	plan_run_init(&run);
	memcpy(run.stdio, s->child, sizeof(run.stdio));
	run.report_fd = s->report[1];
	/* A command that nobody waits for outlives this one; with a terminal one may detach from
	 * it, and the terminal's hang-up tells it of our death. */
	run.pdeath_signal = c->request->detach || c->request->tty ? 0 : SIGKILL;
	collect_env(&c->made.config, c->request, &run.env);
	rc = runtime_start(plan, &run, &process, err);
	run.stdio[0] = run.stdio[1] = run.stdio[2] = run.report_fd = -1;
	plan_run_done(&run);
	if (rc < 0)
		return rc;
	ret->pid = process.pid;
	ret->process = (struct relay_process){.pid_fd = process.pidfd,
					      .stdin_fd = take_fd(s->parent[0]),
					      .stdout_fd = take_fd(s->parent[1]),
					      .stderr_fd = take_fd(s->parent[2]),
					      .console_fd = -1};
	if (c->request->tty) {
		int fds[PTY_FDS_MAX];
		char byte = 0;
		ssize_t n = pty_recv_fds(s->report[0], &byte, 1, fds, MSG_DONTWAIT);

		if (n <= 0)
			return err_sys(err, n < 0 ? (int)-n : EPIPE, "receive the terminal");
		ret->process.console_fd = fds[0];
	}
	return 0;
}

int engine_exec(struct engine *engine, const struct exec_request *request, struct plan *plan,
		struct exec_started *ret, struct err *err)
{
	struct exec_ctx c = {.engine = engine,
			     .request = request,
			     .made = {.pending_fd = -1},
			     .streams = STREAMS_INIT,
			     .pidfd = -1};
	int rc = find_container(&c, err);

	ret->is_entered = rc == 0;
	if (rc == 0)
		rc = open_streams(request, &c.streams, err);
	if (rc == 0)
		rc = build_plan(&c, plan, err);
	if (rc == 0)
		rc = run_plan(&c, plan, ret, err);
	streams_done(&c.streams);
	fd_cleanup_close(&c.pidfd);
	container_made_done(&c.made);
	strv_done(&c.cgroups);
	strv_done(&c.groups);
	seccomp_done(&c.seccomp);
	return rc;
}
