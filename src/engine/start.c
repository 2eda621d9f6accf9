/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Starting containers. The command builds the plan in memory, forks the monitor, and the monitor
 * runs it: so the container's parent is the process that stays with it.
 */
#include "engine/start.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/num.h"
#include "engine/event.h"
#include "engine/exec.h"
#include "engine/health.h"
#include "engine/pending.h"
#include "engine/publish_live.h"
#include "engine/seccomp_profile.h"
#include "engine/start_private.h"
#include "engine/volume_shared.h"
#include "monitor/client.h"
#include "monitor/state.h"
#include "runtime/container_plan.h"
#include "runtime/start.h"
#include "storage/container.h"
#include "storage/store.h"
#include "sys/cgroup_live.h"
#include "sys/process.h"
#include "sys/pty.h"
#include "sys/seccomp.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define KILL_TIMEOUT_NS (5000 * 1000000ULL)
#define EXIT_UNKNOWN	255

void container_start_done(struct container_start *start)
{
	fd_cleanup_close(&start->client_fd);
	fd_cleanup_close(&start->stdin_fd);
	plan_done(&start->plan);
	seccomp_done(&start->seccomp);
	strv_done(&start->warnings);
}

/* What the user mounts, and the /dev/shm of the host or of another container. */
static bool is_shared_mount(const struct oci_mount *m)
{
	if (strcmp(m->type, "bind") == 0)
		return m->flag || strcmp(m->destination, "/dev/shm") == 0;
	return strcmp(m->type, "shared") == 0 || m->volume;
}

bool container_needs_seal(const struct oci_runtime_config *config)
{
	const struct oci_namespace *pid = oci_find_namespace(config, CLONE_NEWPID);

	if (!pid || pid->path)
		return true;
	for (size_t i = 0; i < config->n_mounts; i++)
		if (is_shared_mount(&config->mounts[i]))
			return true;
	return false;
}

/* ---- in the monitor ---- */

static int run_plan(struct start_ctx *c, struct plan_run *run, struct monitor_process *ret,
		    struct err *err)
{
	struct runtime_process process = RUNTIME_PROCESS_INIT;
	int rc = runtime_start(&c->start->plan, run, &process, err);

	if (rc < 0)
		return rc;
	ret->pid = process.pid;
	ret->pid_fd = process.pidfd;
	ret->start_time = process.starttime;
	return 0;
}

static int receive_console(int socket_fd, int *ret, struct err *err)
{
	int fds[PTY_FDS_MAX];
	char byte = 0;
	ssize_t n = pty_recv_fds(socket_fd, &byte, 1, fds, MSG_DONTWAIT);

	if (n <= 0)
		return err_sys(err, n < 0 ? (int)-n : EPIPE, "receive the terminal");
	*ret = fds[0];
	return 0;
}

/* What somebody has set stays. */
static void add_link_variables(struct strv *env, const struct strv *links)
{
	size_t n = env->n;

	strv_foreach (i, links) {
		size_t len = strcspn(links->items[i], "=") + 1;
		bool is_set = false;

		for (size_t k = 0; k < n; k++)
			is_set |= strncmp(env->items[k], links->items[i], len) == 0;
		if (!is_set)
			strv_add(env, links->items[i]);
	}
}

static int on_start(void *ctx, const struct monitor_stdio *stdio, struct monitor_process *ret,
		    struct err *err)
{
	struct start_ctx *c = ctx;
	cleanup_close int console = -1;
	struct plan_run run;
	int pair[2] = {-1, -1};
	int rc = 0;

	plan_run_init(&run);
	ret->console_fd = -1;
	if (c->made->config.terminal &&
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return err_sys(err, errno, "make a socket pair");
	console = pair[0];
	run.report_fd = pair[1];
	run.stdio[0] = stdio->in_fd;
	run.stdio[1] = stdio->out_fd;
	run.stdio[2] = stdio->err_fd;
	run.pdeath_signal = SIGKILL;
	strv_add_all(&run.env, &c->made->config.env);
	add_link_variables(&run.env, &c->networks->env);
	rc = run_plan(c, &run, ret, err);
	shared_volumes_unlock(&c->shared);
	if (rc == 0)
		rc = start_networks_keep(c->networks, stdio->monitor, err);
	if (rc == 0 && console >= 0)
		rc = receive_console(console, &ret->console_fd, err);
	/* The pipes are the monitor's. */
	run.stdio[0] = run.stdio[1] = run.stdio[2] = -1;
	plan_run_done(&run);
	if (rc < 0) {
		struct err ignored = ERR_INIT;

		plan_execute(&c->start->plan, STEP_TEARDOWN, &run, &ignored);
	}
	return rc;
}

/* A set of processors that an update gave: the plan of the start knows nothing of its place. */
static void remove_late_cpuset(const struct start_ctx *c)
{
	const struct cgroup_limits *limits = &c->made->config.limits;
	const struct cgroup_hierarchy *h = cgroup_find(&c->engine->cgroups, CGROUP_CPUSET);
	cleanup_free char *dir = NULL;

	if (limits->cpuset_cpus || limits->cpuset_mems || !h ||
	    h->controllers != 1U << CGROUP_CPUSET)
		return;
	dir = str_printf("%s/%s", h->root, c->made->config.cgroup);
	/* lint: a directory of the host's cgroupfs */
	if (rmdir(dir) < 0 && errno != ENOENT)
		log_debug("remove %s: %m", dir);
}

/* Where it is not empty yet, it goes with the container's. */
static void remove_health_group(const struct start_ctx *c)
{
	cleanup_free char *group = NULL;

	if (!c->has_health)
		return;
	group = str_printf("%s/" EXEC_HEALTH_GROUP, c->made->config.cgroup);
	cgroup_remove(&c->engine->cgroups, group, 0);
}

static void on_finish(void *ctx, int exit_code, bool *ret_oom)
{
	struct start_ctx *c = ctx;
	const struct cgroup_layout *cgroups = &c->engine->cgroups;
	const char *name = c->made->config.cgroup;
	struct err err = ERR_INIT;
	struct plan_run run;
	uint64_t oom_kills = 0;

	plan_mark(&c->start->plan, PLAN_ENDED);
	plan_run_init(&run);
	remove_health_group(c);
	if (c->has_changed_ports)
		engine_withdraw_ports(c->engine, c->made->id);
	if (cgroup_read_oom_kills(cgroups, name, &oom_kills) == 0)
		*ret_oom = oom_kills > 0;
	/* With a pid namespace of another's, processes may be left that nobody ended. */
	if (!oci_find_namespace(&c->made->config, CLONE_NEWPID) ||
	    oci_find_namespace(&c->made->config, CLONE_NEWPID)->path)
		cgroup_kill(cgroups, name, KILL_TIMEOUT_NS);
	start_networks_refresh(c->networks);
	if (plan_execute(&c->start->plan, STEP_TEARDOWN, &run, &err) < 0) {
		/* The container may have made groups of its own below. */
		int rc = cgroup_remove(cgroups, name, KILL_TIMEOUT_NS);

		if (rc < 0)
			log_debug("%s", err.msg);
	}
	remove_late_cpuset(c);
	plan_run_done(&run);
}

static void on_late(void *ctx)
{
	const struct start_ctx *c = ctx;
	struct err err = ERR_INIT;
	struct plan_run run;

	plan_run_init(&run);
	if (plan_execute(&c->start->plan, STEP_LATE, &run, &err) < 0)
		log_debug("%s", err.msg);
	plan_run_done(&run);
}

static void add_network_events(void *ctx, bool is_started, struct str *text)
{
	const struct start_ctx *c = ctx;

	start_networks_tell(c->networks, is_started ? "connect" : "disconnect", text);
}

static void on_adopted(void *ctx, enum companion_kind kind)
{
	struct start_ctx *c = ctx;

	c->has_changed_ports |= kind == COMPANION_PORT;
}

/* Half of a removal, beside the command's own half in the index. */
static void on_leave(void *ctx)
{
	const struct start_ctx *c = ctx;
	int rc = fd_remove_tree_at(AT_FDCWD, c->dir);

	/* The command looks again, and says so. */
	if (rc < 0)
		log_debug("remove %s: %s", c->dir, strerrordesc_np(-rc));
}

/* ---- in the command ---- */

/* The kernel refuses a volatile layer that was not unmounted cleanly; it is known to be ours. */
static void forget_volatile(struct start_ctx *c)
{
	/* lint: the store's own directory of this container */
	cleanup_close int dir = open(c->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (dir >= 0)
		fd_remove_tree_at(dir, "work/work/incompat");
}

static int build_plan(struct start_ctx *c, const struct start_request *request, bool script,
		      struct err *err)
{
	const struct oci_runtime_config *config = &c->made->config;
	struct container_start *start = c->start;
	struct runtime_place place = {
		.dir = c->dir,
		.lowers = &c->made->lowers,
		.cgroups = engine_get_cgroups(c->engine),
		.joins = c->joins.items,
		.n_joins = c->joins.n,
		.shared = c->shared.items,
		.n_shared = c->shared.n,
		.rows = request->rows,
		.columns = request->columns,
		.script = script,
	};
	int rc = 0;

	c->layers = str_printf("%s/layers", c->engine->root);
	place.layers = c->layers;
	rc = seccomp_profile_load(c->engine, config, c->made->id, config->capabilities,
				  &start->seccomp, &place.seccomp_name, err);

	if (rc < 0)
		return rc;
	if (start->seccomp.len)
		place.seccomp = &start->seccomp;
	if (oci_annotation(config, OCI_NOTE_INIT))
		c->init = engine_helper_path(c->engine, "tare-init");
	place.init_path = c->init;
	rc = start_networks_bring_up(c->networks, &start->plan, err);
	if (rc < 0)
		return rc;
	start_networks_place(c->networks, &place);
	rc = runtime_plan_start(config, &place, &start->info, &start->plan, &start->warnings, err);
	start_networks_plan_end(c->networks, &start->plan);
	if (rc == 0)
		runtime_plan_teardown(place.cgroups, config->cgroup,
				      config->limits.cpuset_cpus || config->limits.cpuset_mems,
				      &start->plan);
	return rc;
}

static bool note_is(const struct container_made *made, const char *key, const char *value)
{
	const char *found = oci_annotation(&made->config, key);

	return found && strcmp(found, value) == 0;
}

int start_write_record(int container_dir, const struct restart_history *history, unsigned marks,
		       struct err *err)
{
	const struct monitor_exit unknown = {.code = EXIT_UNKNOWN,
					     .started_ns = clock_real_ns(),
					     .history = *history,
					     .marks = marks};
	int rc = monitor_exit_write(container_dir, &unknown);

	return rc < 0 ? err_sys(err, -rc, "write down the start") : 0;
}

int start_ctx_plan(struct start_ctx *c, const struct start_request *request, struct err *err)
{
	int rc = build_plan(c, request, false, err);

	if (rc == 0 && note_is(c->made, OCI_NOTE_VOLATILE, "true"))
		forget_volatile(c);
	if (rc == 0)
		rc = log_setup_load(c->engine, c->made, &c->log, err);
	if (rc == 0)
		rc = health_load(&c->made->config, &c->health.rule, NULL, err);
	c->has_health = rc > 0;
	return rc < 0 ? rc : 0;
}

/* execv takes what it does not change as if it did. */
static char *word(const char *text)
{
	return (char *)(uintptr_t)text;
}

/* Appends WORDS (up to a NULL) to ARGV. */
static void append(char *argv[static START_ARGV_MAX], char *const *words)
{
	size_t n = 0;

	while (argv[n])
		n++;
	for (; *words && n + 1 < START_ARGV_MAX; words++)
		argv[n++] = *words;
}

void start_ctx_fill_commands(struct start_ctx *c, const char *id)
{
	const struct engine *e = c->engine;
	char *const program[] = {e->exe,     word("--root"),	word(e->root), word("--runroot"),
				 e->runroot, word("container"), NULL};

	c->id = str_dup(id);
	c->guard_path = engine_helper_path(e, "tare-guard");
	append(c->guard, (char *[]){c->guard_path, word(""), NULL});
	append(c->settle, program);
	append(c->resume, program);
	append(c->guard, program);
	append(c->settle, (char *[]){word("settle"), c->id, NULL});
	append(c->resume, (char *[]){word("resume"), c->id, NULL});
	append(c->guard, (char *[]){word("resume"), word("--lost"), c->id, NULL});
}

static void fill_health_commands(struct start_ctx *c)
{
	const struct engine *e = c->engine;
	const struct {
		char **argv;
		const char *verb;
	} commands[] = {{c->check, "health-check"}, {c->stop, "stop"}, {c->restart, "restart"}};

	if (!c->has_health)
		return;
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		append(commands[i].argv,
		       (char *[]){e->exe, word("--root"), word(e->root), word("--runroot"),
				  e->runroot, word("container"), word(commands[i].verb), c->id,
				  NULL});
	c->health.check_argv = c->check;
	c->health.stop_argv = c->stop;
	c->health.restart_argv = c->restart;
}

struct monitor_config start_ctx_config(struct start_ctx *c, const struct start_request *request,
				       int state_dir, int container_dir)
{
	const struct container_made *made = c->made;

	fill_health_commands(c);
	return (struct monitor_config){
		.id = made->id,
		.bundle = c->dir,
		.state_dir_fd = state_dir,
		.container_dir_fd = container_dir,
		.tty = made->config.terminal,
		.open_stdin = oci_annotation(&made->config, OCI_NOTE_STDIN) != NULL,
		.stdin_once = note_is(made, OCI_NOTE_STDIN, "once"),
		.auto_remove = note_is(made, OCI_NOTE_AUTO_REMOVE, "true"),
		.log = c->log.config,
		.client_flags = request->client_flags,
		.settle_argv = c->settle,
		.health = c->has_health ? &c->health : NULL,
		.restart = made->restart,
		.resume_argv = c->resume,
		.guard_argv = c->guard,
		.journal = &c->journal,
		.container = &c->subject,
		.volumes = c->volumes,
		.n_volumes = c->n_volumes,
		.start = on_start,
		.finish = on_finish,
		.leave = on_leave,
		.late = on_late,
		.adopted = on_adopted,
		.add_events = add_network_events,
		.ctx = c,
	};
}

static int spawn(struct start_ctx *c, const struct start_request *request, int state_dir,
		 int container_dir, struct err *err)
{
	const struct restart_history none = {};
	struct monitor_config config = {};
	int rc = 0;

	start_ctx_fill_commands(c, c->made->id);
	config = start_ctx_config(c, request, state_dir, container_dir);
	rc = config.auto_remove ? 0 : start_write_record(container_dir, &none, 0, err);
	return rc < 0 ? rc : monitor_spawn(&config, &c->start->client_fd, NULL, err);
}

/* What was done before the plan, so that an explanation adds up to what a person waited for. */
static void add_notes(struct start_ctx *c, uint64_t began_ns)
{
	static const char *const texts[] = {
		[MADE_BEGAN] = "options, and the state directories",
		[MADE_IMAGE] = "the image, found in the index",
		[MADE_CONFIGURED] = "what the container will be: its OCI configuration",
		[MADE_WRITTEN] =
			"mkdir upper work; config.json, hosts, hostname, resolv.conf written",
		[MADE_INDEXED] = "its name and its record in the index",
	};
	struct plan *plan = &c->start->plan;
	uint64_t before = began_ns;

	plan_group(plan, "tare itself, before the kernel is asked for anything");
	for (int i = 0; i < MADE_N_LAPS; i++) {
		uint64_t lap = c->made->laps[i];

		if (!lap)
			continue;
		plan_note(plan, STEP_HOST, texts[i], lap - before);
		before = lap;
	}
	c->start->fork_note = plan_note(plan, STEP_HOST, "this plan, and the fork of the monitor",
					0);
	c->start->before_plan_ns = before;
}

static int wait_started(struct container_start *start, struct err *err)
{
	struct monitor_started started = {.stdin_fd = -1};
	int rc = monitor_client_wait_started(start->client_fd, &started, err);

	if (start->before_plan_ns && start->plan.marks[PLAN_STARTED] > start->before_plan_ns)
		start->plan.results[start->fork_note].ns = start->plan.marks[PLAN_STARTED] -
							   start->before_plan_ns;

	if (rc < 0)
		return rc;
	start->stdin_fd = started.stdin_fd;
	start->has_exited = started.has_exited;
	start->exit_code = started.exit_code;
	start->oom_killed = started.oom_killed;
	return 0;
}

static void collect_volumes(struct start_ctx *c)
{
	const struct oci_runtime_config *config = &c->made->config;

	c->n_volumes = 0;
	for (size_t i = 0; i < config->n_mounts; i++) {
		const struct oci_mount *m = &config->mounts[i];

		if (!m->volume)
			continue;
		c->volumes = mem_realloc_array(c->volumes, c->n_volumes + 1, sizeof(*c->volumes));
		c->volumes[c->n_volumes++] = (struct monitor_volume){
			.name = m->volume,
			.destination = m->destination,
			.is_read_only = strv_has(&m->options, "ro") ||
					strv_has(&m->options, "rro")};
	}
}

/* What the monitor says of the container in its events. */
static int prepare_events(struct start_ctx *c, struct err *err)
{
	const struct container_made *made = c->made;

	event_journal(c->engine, c->journal_dir, &c->journal);
	collect_volumes(c);
	c->subject = (struct journal_container){
		.id = made->id, .name = made->name, .image = made->image, .labels = made->labels};
	if (made->name)
		return 0;
	if (container_lookup_by_ref(c->engine->store, made->id, &c->record, err) < 0)
		return -err->code;
	c->subject = event_subject(&c->record.row);
	return 0;
}

static int prepare_networks(struct start_ctx *c, int state_dir, int container_dir, struct err *err)
{
	const struct container_made *made = c->made;
	const struct container_row *row = &c->record.row;
	const struct network_subject subject = {
		.id = made->id,
		.name = c->subject.name,
		.mode = made->name ? made->network_mode : c->record.row.network_mode,
		.requests = made->name ? made->networks : c->record.row.networks,
		.config = &made->config,
		.state_dir = state_dir,
		.container_dir = container_dir,
		.ports = made->name ? &made->ports : &c->ports,
		.exposed = made->name ? &made->exposed : &c->exposed,
		.is_new = made->name != NULL,
	};

	c->networks = start_networks_new(&c->start->plan);
	if (!made->name && port_list_read(&c->ports, row->host, row->config, &c->exposed, err) < 0)
		return -err->code;
	return start_networks_prepare(c->networks, c->engine, &subject, err);
}

int start_ctx_prepare(struct start_ctx *c, int state_dir, int container_dir, struct err *err)
{
	int rc = plan_init(&c->start->plan, err);

	if (rc == 0)
		rc = prepare_events(c, err);

	c->dir = store_container_path(c->engine->store, c->made->id, "");
	/* Stores end paths of directories without a slash; options of overlayfs need it so. */
	if (str_has_suffix(c->dir, "/"))
		c->dir[strlen(c->dir) - 1] = '\0';
	if (rc == 0)
		rc = joins_open(c->engine, &c->made->config, &c->joins, err);
	if (rc == 0)
		rc = shared_volumes_open(c->engine, &c->made->config, c->made->id, &c->shared, err);
	return rc == 0 ? prepare_networks(c, state_dir, container_dir, err) : rc;
}

void start_ctx_done(struct start_ctx *c)
{
	joins_done(&c->joins);
	shared_volumes_done(&c->shared);
	port_list_done(&c->ports);
	strv_done(&c->exposed);
	free(c->dir);
	free(c->layers);
	free(c->init);
	container_record_done(&c->record);
	free(c->volumes);
	log_setup_done(&c->log);
	free(c->id);
	free(c->guard_path);
}

int container_plan(struct engine *engine, const struct container_made *made,
		   const struct start_request *request, const char *dir,
		   struct container_start *ret, struct err *err)
{
	struct start_ctx c = {.engine = engine, .made = made, .start = ret, .dir = str_dup(dir)};
	const struct network_subject subject = {.id = made->id,
						.name = made->id,
						.mode = made->network_mode,
						.requests = made->networks,
						.config = &made->config,
						.state_dir = -1,
						.container_dir = -1,
						.dir = dir,
						.ports = &made->ports,
						.exposed = &made->exposed,
						.is_new = true};
	int rc = joins_open(engine, &made->config, &c.joins, err);

	c.networks = start_networks_new(&ret->plan);
	if (rc == 0)
		rc = start_networks_prepare(c.networks, engine, &subject, err);
	if (rc == 0)
		rc = build_plan(&c, request, true, err);
	start_ctx_done(&c);
	return rc;
}

int container_start(struct engine *engine, const struct container_made *made,
		    const struct start_request *request, struct container_start *ret,
		    struct err *err)
{
	struct start_ctx c = {.engine = engine, .made = made, .start = ret};
	cleanup_close int state_dir = engine_open_run_dir(engine, made->id, true);
	cleanup_close int container_dir = engine_open_container_dir(engine, made->id);
	int rc = 0;

	*ret = (struct container_start)CONTAINER_START_INIT;
	if (state_dir < 0 || container_dir < 0)
		return err_sys(err, state_dir < 0 ? -state_dir : -container_dir,
			       "open the directories of container %.12s", made->id);
	rc = start_ctx_prepare(&c, state_dir, container_dir, err);
	if (rc == 0 && request->began_ns)
		add_notes(&c, request->began_ns);
	if (rc == 0)
		rc = start_ctx_plan(&c, request, err);
	if (rc == 0)
		rc = spawn(&c, request, state_dir, container_dir, err);
	if (rc == 0)
		rc = wait_started(ret, err);
	start_ctx_done(&c);
	if (rc < 0) {
		struct err ignored = ERR_INIT;

		/* A monitor that was killed in between has left what nobody else would find. */
		engine_settle_held(engine, made->id, false, &ignored);
	}
	return rc;
}
