/* SPDX-License-Identifier: Apache-2.0 */
/*
 * debug. Where the container has no place of its own for the tools: every sysfs has empty
 * directories that exist to be mounted on, and the container's is mounted read-only. The first that
 * this kernel has serves.
 *
 * For a container that does not run, its config.json is changed in memory into that of the command,
 * and the plan of a start is run here, in the command's own process: there is no monitor, no log
 * and no exit on record, and the container is what it was before, but for its files.
 */
#include "engine/debug.h"

#include "base/fd.h"
#include "base/mem.h"
#include "engine/lifecycle.h"
#include "engine/pending.h"
#include "engine/seccomp_profile.h"
#include "engine/streams.h"
#include "engine/view.h"
#include "oci/image_config.h"
#include "runtime/container_plan.h"
#include "storage/store.h"
#include "sys/caps.h"
#include "sys/seccomp.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#define DEFAULT_IMAGE "busybox"
#define DEFAULT_PATH  "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define ROOT_USER     "0:0"

struct tools {
	int fd;		  /* a detached mount */
	const char *path; /* where it will be */
	char *search;	  /* owned: its part of PATH */
};

static void tools_done(struct tools *tools)
{
	fd_cleanup_close(&tools->fd);
	free(tools->search);
}

/* ---- the tools ---- */

static const char *find_place(void)
{
	static const char *const places[] = {"/sys/kernel/debug", "/sys/kernel/tracing",
					     "/sys/kernel/security", "/sys/fs/pstore"};

	for (size_t i = 0; i < ARRAY_LEN(places); i++)
		if (access(places[i], F_OK) == 0) /* lint: the host's own sysfs */
			return places[i];
	return NULL;
}

/* The directories of the image's PATH as they will be found. */
static char *make_search(const struct image_run *run, const char *place)
{
	cleanup_strv struct strv dirs = STRV_INIT;
	struct str out = STR_INIT;
	const char *path = DEFAULT_PATH;

	strv_foreach (i, &run->env)
		if (str_has_prefix(run->env.items[i], "PATH="))
			path = run->env.items[i] + strlen("PATH=");
	strv_split(&dirs, path, ':');
	strv_foreach (i, &dirs)
		if (*dirs.items[i] == '/')
			str_addf(&out, "%s%s%s", out.len ? ":" : "", place, dirs.items[i]);
	return str_take(&out);
}

static int open_tools(struct engine *engine, const char *ref, engine_notice_fn notice,
		      struct tools *ret, struct err *err)
{
	cleanup_image struct image image = IMAGE_INIT;
	cleanup_image_config struct image_config config = IMAGE_CONFIG_INIT;
	cleanup_strv struct strv lowers = STRV_INIT;
	int rc = engine_find_image(engine, ref ? ref : DEFAULT_IMAGE, PULL_MISSING, notice, &image,
				   err);

	if (rc == 0)
		rc = image_config_parse(image.config, strlen(image.config), &config, err);
	if (rc < 0)
		return rc;
	ret->path = find_place();
	if (!ret->path)
		return err_set(err, ERR_UNSUPPORTED,
			       "this kernel's sysfs has no directory to mount the tools on");
	image_get_lower_dirs(engine->store, &image, &lowers);
	if (!lowers.n)
		return err_set(err, ERR_INVALID, "image %s is empty: there are no tools in it",
			       ref ? ref : DEFAULT_IMAGE);
	ret->search = make_search(&config.run, ret->path);
	ret->fd = view_mount_image(engine, &lowers, err);
	return ret->fd < 0 ? -err->code : 0;
}

static void add_args(const struct debug_request *request, struct strv *args)
{
	strv_add_all(args, &request->args);
	if (!args->n)
		strv_add(args, "sh");
}

/* ---- in a container that runs ---- */

static int debug_running(struct engine *engine, const struct debug_request *request,
			 const struct tools *tools, struct debug_session *ret, struct err *err)
{
	struct exec_request exec = {
		.ref = request->ref,
		.user = request->user ? request->user : ROOT_USER,
		.workdir = request->workdir,
		.privileged = request->privileged,
		.tty = request->tty,
		.interactive = true,
		.rows = request->rows,
		.columns = request->columns,
		.tools_path = tools->path,
		.tools_search = tools->search,
		.tools_fd = tools->fd,
		.dies_with_caller = true,
	};
	int rc = plan_init(&ret->start.plan, err);

	add_args(request, &exec.args);
	strv_add_all(&exec.env, &request->env);
	if (rc == 0)
		rc = engine_exec(engine, &exec, &ret->start.plan, &ret->started, err);
	strv_done(&exec.args);
	strv_done(&exec.env);
	return rc;
}

/* ---- in one that does not ---- */

/* Nobody to join: what it shared with others when it ran, it has for itself now. */
static void separate(struct oci_runtime_config *config)
{
	for (size_t i = 0; i < config->n_namespaces; i++) {
		free(config->namespaces[i].path);
		config->namespaces[i].path = NULL;
	}
	for (size_t i = 0; i < config->n_mounts; i++) {
		struct oci_mount *m = &config->mounts[i];

		if (strcmp(m->type, "shared") != 0)
			continue;
		str_replace(&m->type, "tmpfs");
		str_replace(&m->source, "shm");
	}
}

static void drop_mount(struct oci_runtime_config *config, size_t index)
{
	struct oci_mount *m = &config->mounts[index];

	free(m->destination);
	free(m->type);
	free(m->source);
	free(m->flag);
	strv_done(&m->options);
	config->n_mounts--;
	memmove(m, m + 1, (config->n_mounts - index) * sizeof(*m));
}

/* A source that is gone may be why the container does not start: no reason not to look. */
static void drop_missing(struct oci_runtime_config *config, struct strv *warnings)
{
	for (size_t i = config->n_mounts; i-- > 0;) {
		const struct oci_mount *m = &config->mounts[i];

		/* lint: named by the user of the command line, on the host, when it was created */
		if (strcmp(m->type, "bind") != 0 || access(m->source, F_OK) == 0)
			continue;
		strv_addf(warnings, "%s is not mounted: %s does not exist", m->destination,
			  m->source);
		drop_mount(config, i);
	}
}

/* CONFIG becomes that of the command. */
static void adapt(const struct debug_request *request, struct oci_runtime_config *config)
{
	separate(config);
	strv_done(&config->args);
	add_args(request, &config->args);
	config->terminal = request->tty;
	if (request->workdir)
		str_replace(&config->cwd, request->workdir);
	if (request->privileged)
		config->capabilities = CAPS_ALL & caps_get_bounding();
	oci_annotate(config, OCI_NOTE_USER, request->user ? request->user : ROOT_USER);
	/* Its files stay. */
	oci_annotate(config, OCI_NOTE_VOLATILE, "false");
}

static int build_plan(struct engine *engine, const struct debug_request *request,
		      const struct tools *tools, const char *dir, struct debug_session *s,
		      struct strv *warnings, struct err *err)
{
	struct oci_runtime_config *config = &s->made.config;
	struct runtime_place place = {
		.dir = dir,
		.lowers = &s->made.lowers,
		.cgroups = engine_get_cgroups(engine),
		.rows = request->rows,
		.columns = request->columns,
		.tools_path = tools->path,
		.tools_fd = tools->fd,
	};
	int rc = plan_init(&s->start.plan, err);

	if (rc == 0 && !request->privileged)
		rc = seccomp_profile_load(engine, config, s->made.id, config->capabilities,
					  &s->start.seccomp, &place.seccomp_name, err);
	if (rc < 0)
		return rc;
	place.seccomp = s->start.seccomp.len ? &s->start.seccomp : NULL;
	rc = runtime_plan_start(config, &place, &s->start.info, &s->start.plan, warnings, err);
	if (rc == 0)
		runtime_plan_teardown(place.cgroups, config->cgroup,
				      config->limits.cpuset_cpus || config->limits.cpuset_mems,
				      &s->start.plan);
	return rc;
}

static int start_stopped(const struct debug_request *request, const struct tools *tools,
			 struct debug_session *s, struct err *err)
{
	struct streams streams = STREAMS_INIT;
	struct streams_wish wish = {.tty = request->tty, .interactive = true};
	struct plan_run run;
	int rc = streams_open(&wish, &streams, err);

	if (rc == 0) {
		plan_run_init(&run);
		exec_make_env(&s->made.config, request->tty, tools->search, &request->env,
			      &run.env);
		rc = streams_start(&streams, &s->start.plan, &run, false, &s->started.process,
				   &s->started.pid, err);
	}
	streams_done(&streams);
	return rc;
}

static int debug_stopped(struct engine *engine, const struct debug_request *request,
			 const struct tools *tools, const char *id, struct debug_session *s,
			 struct strv *warnings, struct err *err)
{
	cleanup_free char *dir = store_container_path(engine->store, id, "");
	int rc = engine_load(engine, id, &s->made, err);

	if (rc < 0)
		return rc;
	/* Options of overlayfs need it without a slash. */
	if (str_has_suffix(dir, "/"))
		dir[strlen(dir) - 1] = '\0';
	s->leaves_work = !container_was_started(engine, id);
	adapt(request, &s->made.config);
	drop_missing(&s->made.config, warnings);
	rc = build_plan(engine, request, tools, dir, s, warnings, err);
	if (rc < 0)
		return rc;
	s->started.is_entered = true;
	rc = start_stopped(request, tools, s, err);
	return rc;
}

/* ---- all of it ---- */

/* The entry of a container that does not run: whoever wants to start it waits. 0, also when it runs
 * by now. */
static int hold(struct engine *engine, const char *id, struct container_state *state,
		struct debug_session *s, struct err *err)
{
	cleanup_container struct container_record record = {};

	if (container_is_running(state))
		return 0;
	s->pending_fd = pending_wait(engine, id, err);
	if (s->pending_fd < 0)
		return -err->code;
	memcpy(s->made.id, id, ID_LEN + 1);
	if (container_find(engine, id, &record, state, err) < 0)
		return -err->code;
	if (!container_is_running(state))
		return 0;
	pending_close(engine, id, take_fd(s->pending_fd));
	return 0;
}

int engine_debug(struct engine *engine, const struct debug_request *request,
		 engine_notice_fn notice, struct debug_session *ret, struct strv *warnings,
		 struct err *err)
{
	cleanup_container struct container_record record = {};
	cleanup_with(tools_done) struct tools tools = {.fd = -1};
	struct container_state state;
	int rc = container_find(engine, request->ref, &record, &state, err);

	if (rc == 0)
		rc = open_tools(engine, request->image, notice, &tools, err);
	if (rc == 0)
		rc = hold(engine, record.row.id, &state, ret, err);
	if (rc < 0)
		return rc;
	if (container_is_running(&state))
		return debug_running(engine, request, &tools, ret, err);
	return debug_stopped(engine, request, &tools, record.row.id, ret, warnings, err);
}

void engine_debug_end(struct engine *engine, struct debug_session *s)
{
	char id[ID_LEN + 1];

	memcpy(id, s->made.id, sizeof(id));
	if (s->pending_fd >= 0) {
		/* The same as after a command that was killed: processes, control groups. */
		engine_remove_run(engine, id);
		if (s->leaves_work) {
			cleanup_close int dir = engine_open_container_dir(engine, id);

			fd_remove_tree_at(dir, "work/work");
		}
		pending_close(engine, id, s->pending_fd);
		s->pending_fd = -1;
	}
	container_start_done(&s->start);
	container_made_done(&s->made);
}
