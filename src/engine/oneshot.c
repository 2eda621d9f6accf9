/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Containers without a row. The order is that of create and start together: the entry in pending/
 * first, so that whatever is made afterwards is found by the next command if this process dies.
 */
/* lint file: the engine's own directories below its runroot */
#include "engine/oneshot.h"

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "engine/configure.h"
#include "engine/host_files.h"
#include "engine/pending.h"
#include "engine/seccomp_profile.h"
#include "engine/skeleton.h"
#include "storage/store.h"
#include "sys/cgroup_live.h"
#include "sys/seccomp.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#define KILL_TIMEOUT_NS (5000 * 1000000ULL)

/* ---- what it will be ---- */

static bool is_default_group(const struct oneshot *o)
{
	return str_has_prefix(o->config.cgroup, "tare/");
}

/* For who takes it away and knows its id alone: the same link that a container of record has. */
static int note_cgroup(struct oneshot *o, struct err *err)
{
	cleanup_free char *dir = store_container_path(o->engine->store, o->id, "");
	cleanup_free char *path = NULL;
	int rc = 0;

	if (is_default_group(o))
		return 0;
	rc = fd_mkdir_p(dir, 0700);
	if (rc < 0)
		return err_sys(err, -rc, "create %s", dir);
	path = str_printf("%s/" CONTAINER_CGROUP_LINK, dir);
	return symlink(o->config.cgroup, path) < 0 ? err_sys(err, errno, "create %s", path) : 0;
}

/* A profile of the user's is compiled to a file beside the container. */
static int store_profile(struct oneshot *o, const struct oneshot_request *r, struct err *err)
{
	cleanup_free char *dir = NULL;
	int rc = 0;

	if (!str_is_equal(oci_annotation(&o->config, OCI_NOTE_SECCOMP), "file"))
		return 0;
	dir = store_container_path(o->engine->store, o->id, "");
	rc = fd_mkdir_p(dir, 0700);
	if (rc < 0)
		return err_sys(err, -rc, "create %s", dir);
	return seccomp_profile_store(o->engine, r->spec, dir, o->config.capabilities, err);
}

/* DIR holds the files with its names. */
static int configure(struct oneshot *o, const struct oneshot_request *r, const char *dir,
		     bool dry_run, struct err *err)
{
	cleanup_mount_points struct mount_points points = MOUNT_POINTS_INIT;
	int rc = 0;

	if (r->spec->n_mounts)
		rc = mount_points_resolve(o->engine, r->spec, r->run, dry_run, &points, err);
	if (rc == 0)
		rc = configure_oci(r->spec, r->run, &points, o->id, dir, &o->config,
				   &o->start.warnings, err);
	if (rc < 0)
		return rc;
	/* Not that of a container: nothing in it tells where or when it ran. */
	strv_done(&o->config.env);
	strv_add_all(&o->config.env, r->env);
	oci_annotate(&o->config, OCI_NOTE_VOLATILE, "true");
	o->network_mode = str_dup(spec_network_mode(r->spec));
	o->requests = spec_networks_format(r->spec);
	strv_add_all(&o->lowers, r->lowers);
	return skeleton_add(o->engine, &o->lowers, err);
}

/* ---- the plan ---- */

static int prepare_networks(struct oneshot *o, const char *script_dir, struct err *err)
{
	const struct network_subject subject = {
		.id = o->id,
		.name = o->id,
		.mode = o->network_mode,
		.requests = o->requests,
		.config = &o->config,
		.state_dir = o->state_fd,
		.container_dir = o->state_fd,
		.dir = script_dir,
		.ports = &o->ports,
		.exposed = &o->exposed,
		.is_new = true,
		.has_no_server = true,
	};

	o->networks = start_networks_new(&o->start.plan);
	return start_networks_prepare(o->networks, o->engine, &subject, err);
}

static int add_plan(struct oneshot *o, const struct oneshot_request *r, bool script,
		    struct err *err)
{
	struct container_start *start = &o->start;
	struct runtime_place place = {
		.dir = r->dir,
		.lowers = &o->lowers,
		.cgroups = engine_get_cgroups(o->engine),
		.add_mounts = r->add_mounts,
		.mounts_ctx = r->mounts_ctx,
		.rows = r->rows,
		.columns = r->columns,
		.script = script,
	};
	const struct cgroup_limits *limits = &o->config.limits;
	int rc = seccomp_profile_load(o->engine, &o->config, o->id, o->config.capabilities,
				      &start->seccomp, &place.seccomp_name, err);

	if (rc < 0)
		return rc;
	place.seccomp = start->seccomp.len ? &start->seccomp : NULL;
	rc = start_networks_bring_up(o->networks, &start->plan, err);
	if (rc < 0)
		return rc;
	start_networks_place(o->networks, &place);
	rc = runtime_plan_start(&o->config, &place, &start->info, &start->plan, &start->warnings,
				err);
	start_networks_plan_end(o->networks, &start->plan);
	if (rc == 0)
		runtime_plan_teardown(place.cgroups, o->config.cgroup,
				      limits->cpuset_cpus || limits->cpuset_mems, &start->plan);
	return rc;
}

static void begin(struct engine *engine, const char *id, struct oneshot *o)
{
	o->engine = engine;
	snprintf(o->id, sizeof(o->id), "%s", id);
	o->dir = str_printf("%s/containers/%s", engine->runroot, id);
}

int oneshot_open(struct engine *engine, const char *id, struct oneshot *ret, struct err *err)
{
	begin(engine, id, ret);
	ret->pending_fd = pending_open(engine, id, err);
	if (ret->pending_fd < 0)
		return -err->code;
	ret->state_fd = engine_open_run_dir(engine, id, true);
	if (ret->state_fd < 0)
		return err_sys(err, -ret->state_fd, "create %s", ret->dir);
	return 0;
}

int oneshot_prepare(struct oneshot *o, const struct oneshot_request *request, struct err *err)
{
	int rc = configure(o, request, o->dir, false, err);

	if (rc == 0)
		rc = note_cgroup(o, err);
	if (rc == 0)
		rc = store_profile(o, request, err);
	if (rc == 0)
		rc = host_files_write(o->state_fd, &o->config, request->spec, err);
	if (rc == 0)
		rc = plan_init(&o->start.plan, err);
	if (rc == 0)
		rc = prepare_networks(o, NULL, err);
	return rc == 0 ? add_plan(o, request, false, err) : rc;
}

int oneshot_plan(struct engine *engine, const char *id, const struct oneshot_request *request,
		 struct oneshot *ret, struct err *err)
{
	static const char *const dirs[] = {"upper", "work", "root"};
	int rc = 0;

	begin(engine, id, ret);
	rc = configure(ret, request, request->dir, true, err);
	if (rc == 0)
		rc = plan_init(&ret->start.plan, err);
	if (rc < 0)
		return rc;
	plan_group(&ret->start.plan, "a directory for this step: a layer to write to, and a place "
				     "for its root");
	for (size_t i = 0; i < ARRAY_LEN(dirs); i++) {
		cleanup_free char *path = str_printf("%s/%s", request->dir, dirs[i]);

		plan_mkdir(&ret->start.plan, STEP_HOST, path, 0755);
	}
	plan_group(&ret->start.plan, "the files with its names");
	host_files_plan(&ret->start.plan, request->dir, &ret->config, request->spec);
	plan_group(&ret->start.plan, NULL);
	rc = prepare_networks(ret, request->dir, err);
	if (rc == 0)
		rc = add_plan(ret, request, true, err);
	if (rc == 0)
		plan_group(&ret->start.plan, "and the directory");
	if (rc == 0)
		plan_remove_tree(&ret->start.plan, request->dir);
	return rc;
}

/* ---- its life ---- */

int oneshot_start(struct oneshot *o, struct plan_run *run, struct runtime_process *ret,
		  struct err *err)
{
	int rc = 0;

	run->pdeath_signal = SIGKILL;
	strv_add_all(&run->env, &o->config.env);
	rc = runtime_start(&o->start.plan, run, ret, err);
	run->stdio[0] = run->stdio[1] = run->stdio[2] = run->report_fd = -1;
	plan_run_done(run);
	return rc;
}

/* What a container may have that its own plan does not know: groups that it made below its own. */
static void remove_rest(struct oneshot *o)
{
	struct err err = ERR_INIT;

	if (engine_remove_traces(o->engine, o->id, &err) < 0)
		log_debug("%s", err.msg);
}

static void run_part(struct oneshot *o, enum step_where part, bool *ret_failed)
{
	struct err err = ERR_INIT;
	struct plan_run run;

	plan_run_init(&run);
	if (plan_execute(&o->start.plan, part, &run, &err) < 0) {
		log_debug("%s", err.msg);
		*ret_failed = true;
	}
	plan_run_done(&run);
}

/* The few files of an ordinary one; a tree that is more than that goes the long way. */
static bool remove_dir(struct oneshot *o)
{
	static const char *const files[] = {"hosts", "hostname", "resolv.conf"};

	for (size_t i = 0; i < ARRAY_LEN(files); i++)
		unlinkat(o->state_fd, files[i], 0);
	return rmdir(o->dir) == 0;
}

void oneshot_end(struct oneshot *o, bool *ret_oom)
{
	bool failed = o->start.plan.n == 0;
	uint64_t oom_kills = 0;

	if (ret_oom)
		*ret_oom = o->config.cgroup && o->engine &&
			   cgroup_read_oom_kills(engine_get_cgroups(o->engine), o->config.cgroup,
						 &oom_kills) == 0 &&
			   oom_kills > 0;
	if (o->pending_fd >= 0) {
		if (!failed)
			run_part(o, STEP_TEARDOWN, &failed);
		if (failed || !remove_dir(o) || !is_default_group(o) ||
		    str_is_equal(oci_annotation(&o->config, OCI_NOTE_SECCOMP), "file"))
			remove_rest(o);
		run_part(o, STEP_LATE, &failed);
		pending_close(o->engine, o->id, take_fd(o->pending_fd));
	}
	container_start_done(&o->start);
	oci_config_done(&o->config);
	strv_done(&o->lowers);
	fd_cleanup_close(&o->state_fd);
	free(o->dir);
	free(o->network_mode);
	free(o->requests);
	*o = (struct oneshot)ONESHOT_INIT;
}
