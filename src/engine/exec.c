/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exec: a child of this very command enters the container. There is no session to keep, no daemon
 * to ask, and when this command is killed the kernel tells the child.
 */
#include "engine/exec.h"

#include "base/fd.h"
#include "base/mem.h"
#include "engine/create.h"
#include "engine/event.h"
#include "engine/lifecycle.h"
#include "engine/seccomp_profile.h"
#include "engine/streams.h"
#include "runtime/cgroup_steps.h"
#include "runtime/exec_plan.h"
#include "runtime/start.h"
#include "sys/caps.h"
#include "sys/cgroup_live.h"
#include "sys/process.h"
#include "sys/seccomp.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

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

/* SEARCH before what PATH is. */
static void add_search(struct strv *env, const char *search)
{
	strv_foreach (i, env) {
		cleanup_free char *before = NULL;

		if (!str_has_prefix(env->items[i], "PATH="))
			continue;
		before = env->items[i];
		env->items[i] = str_printf("PATH=%s%s%s", search, before[5] ? ":" : "", before + 5);
		return;
	}
	strv_addf(env, "PATH=%s", search);
}

/* By these an image would have the shell or the linker of the tools run files of the container. */
static void drop_hooks(struct strv *env)
{
	static const char *const names[] = {"BASH_ENV=", "ENV=", "LD_",	 "PROMPT_COMMAND=", "PS0=",
					    "PS1=",	 "PS2=", "PS4=", "SHELLOPTS="};

	for (size_t i = env->n; i-- > 0;)
		for (size_t k = 0; k < ARRAY_LEN(names); k++)
			if (str_has_prefix(env->items[i], names[k])) {
				strv_remove(env, i);
				break;
			}
}

void exec_make_env(const struct oci_runtime_config *config, bool tty, const char *search,
		   const struct strv *typed, struct strv *ret)
{
	strv_add_all(ret, &config->env);
	if (tty)
		set_env(ret, "TERM=xterm");
	if (search) {
		drop_hooks(ret);
		add_search(ret, search);
	}
	strv_foreach (i, typed)
		set_env(ret, typed->items[i]);
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
	struct container_record record;
	int pidfd;
};

static int find_container(struct exec_ctx *c, struct err *err)
{
	const char *groups = NULL;
	int rc = container_find(c->engine, c->request->ref, &c->record, &c->state, err);

	if (rc < 0)
		return rc;
	if (!container_is_running(&c->state))
		return err_set(err, ERR_CONFLICT, "container %s is not running", c->record.row.id);
	if (c->state.status == STATUS_RESTARTING)
		return err_set(err, ERR_CONFLICT,
			       "Container %s is restarting, wait until the container is running",
			       c->record.row.id);
	if (c->state.status == STATUS_PAUSED)
		return err_set(err, ERR_CONFLICT,
			       "Container %s is paused, unpause the container before exec",
			       c->request->ref);
	c->pidfd = process_open(c->state.pid, c->state.start_time);
	if (c->pidfd < 0)
		return err_set(err, ERR_CONFLICT, "container %s is not running", c->record.row.id);
	rc = engine_load(c->engine, c->record.row.id, &c->made, err);
	if (rc < 0)
		return rc;
	groups = oci_annotation(&c->made.config, OCI_NOTE_GROUPS);
	if (groups)
		strv_split(&c->groups, groups, ',');
	return 0;
}

/* Exchanges the container's group for the one below it in the hierarchy that lists processes. */
static int enter_group(struct exec_ctx *c, struct err *err)
{
	cleanup_free char *outer = NULL;
	cleanup_free char *inner = NULL;

	if (!c->request->group)
		return 0;
	outer = cgroup_process_dir(engine_get_cgroups(c->engine), c->made.config.cgroup);
	if (!outer)
		return 0;
	inner = str_printf("%s/%s", outer, c->request->group);
	/* lint: a directory of the host's cgroupfs */
	if (mkdir(inner, 0755) < 0 && errno != EEXIST)
		return err_sys(err, errno, "create %s", inner);
	strv_foreach (i, &c->cgroups)
		if (strcmp(c->cgroups.items[i], outer) == 0)
			str_replace(&c->cgroups.items[i], inner);
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
		.tools_path = r->tools_path,
		.tools_fd = r->tools_fd,
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
	rc = enter_group(c, err);
	if (rc < 0)
		return rc;
	runtime_plan_exec(config, &exec, &c->info, plan);
	return 0;
}

static int run_plan(struct exec_ctx *c, struct plan *plan, struct exec_started *ret,
		    struct err *err)
{
	bool outlives = (c->request->detach || c->request->tty) && !c->request->dies_with_caller;
	struct plan_run run;

	plan_run_init(&run);
	exec_make_env(&c->made.config, c->request->tty, c->request->tools_search, &c->request->env,
		      &run.env);
	/* A command that nobody waits for outlives this one; with a terminal one may detach from
	 * it, and the terminal's hang-up tells it of our death. */
	return streams_start(&c->streams, plan, &run, outlives, &ret->process, &ret->pid, err);
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
		rc = streams_open(&(struct streams_wish){.tty = request->tty,
							 .interactive = request->interactive,
							 .detach = request->detach},
				  &c.streams, err);
	if (rc == 0)
		rc = build_plan(&c, plan, err);
	if (rc == 0) {
		rand_hex(ID_LEN / 2, ret->exec_id);
		memcpy(ret->container_id, c.made.id, sizeof(ret->container_id));
		event_exec(engine, &c.record.row, &request->args, ret->exec_id);
		rc = run_plan(&c, plan, ret, err);
	}
	streams_done(&c.streams);
	fd_cleanup_close(&c.pidfd);
	container_made_done(&c.made);
	container_record_done(&c.record);
	strv_done(&c.cgroups);
	strv_done(&c.groups);
	seccomp_done(&c.seccomp);
	return rc;
}
