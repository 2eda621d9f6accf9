/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run and create.
 */
#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "cli/command.h"
#include "cli/docker_config.h"
#include "cli/session.h"
#include "cli/verbs.h"
#include "engine/create.h"
#include "engine/event.h"
#include "engine/lifecycle.h"
#include "engine/pending.h"
#include "engine/script.h"
#include "engine/start.h"
#include "engine/volume_populate.h"
#include "monitor/client.h"
#include "plan/plan.h"
#include "sys/ip.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define STATUS_RUN_FAILED 125

struct run_ctx {
	struct cli *cli;
	struct run_request *request;
	struct engine engine;
	struct container_made made;
	struct container_start start;
	struct strv warnings;
	const char *detach_keys;
	uint64_t began_ns;
};

static void print_notice(const char *text)
{
	fprintf(stderr, "%s\n", text);
}

/* ---- the id in a file ---- */

static int check_cidfile(const char *path, struct err *err)
{
	struct stat st;

	if (!path || stat(path, &st) < 0) /* lint: path chosen by the caller */
		return 0;
	return err_set(
		err, ERR_INVALID,
		"container ID file found, make sure the other container isn't running or delete %s",
		path);
}

static int write_cidfile(const char *path, const char *id, struct err *err)
{
	cleanup_close int fd = -1;
	int rc = 0;

	if (!path || !*path)
		return 0;
	/* lint: named by the user of the command line, on the host */
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	rc = fd < 0 ? -errno : fd_write_full(fd, id, strlen(id));
	return rc < 0 ? err_sys(err, -rc, "failed to create the container ID file: open %s", path)
		      : 0;
}

/* In the container's namespace there is nobody at the host's loopback address. */
static void warn_of_local_dns(const struct container_spec *spec)
{
	struct ip_addr addr;

	strv_foreach (i, &spec->dns)
		if (ip_parse(spec->dns.items[i], &addr) == 0 && ip_is_loopback(&addr)) {
			fprintf(stderr, "WARNING: Localhost DNS (%s) may fail in containers.\n",
				spec->dns.items[i]);
			return;
		}
}

static int make(struct run_ctx *c, struct err *err)
{
	struct container_spec *spec = &c->request->spec;
	int rc = 0;

	warn_of_local_dns(spec);
	rc = engine_create(&c->engine, spec, print_notice, &c->made, &c->warnings, err);

	if (rc < 0)
		return rc;
	cli_print_warnings(&c->warnings);
	rc = write_cidfile(spec->cidfile, c->made.id, err);
	if (rc < 0) {
		struct err ignored = ERR_INIT;

		container_made_release(&c->engine, &c->made);
		engine_settle_ended(&c->engine, c->made.id, &ignored);
	}
	return rc;
}

/* Nothing is left of a container whose volumes could not be filled. */
static int populate(struct run_ctx *c, struct err *err)
{
	struct err ignored = ERR_INIT;
	int rc = container_populate(&c->engine, &c->made, err);

	if (rc < 0) {
		container_made_release(&c->engine, &c->made);
		engine_settle_ended(&c->engine, c->made.id, &ignored);
	}
	return rc;
}

static void done(struct run_ctx *c)
{
	container_start_done(&c->start);
	if (c->made.pending_fd >= 0)
		container_made_release(&c->engine, &c->made);
	container_made_done(&c->made);
	strv_done(&c->warnings);
	engine_close(&c->engine);
}

/* ENGINE_STATUS: the exit status when the engine refuses, 0 for what the message says (126, 127,
 * 125). What the command line itself refuses is 125, and 1 for -d with -a. */
static int begin(struct run_ctx *c, int engine_status, struct err *err)
{
	const struct container_spec *spec = &c->request->spec;
	int rc = 0;

	docker_config_add_proxies(c->cli, &c->request->env);
	rc = run_request_finish(c->request, &c->cli->args, err);

	if (c->request->is_usable)
		c->cli->exit_status = engine_status;
	else
		c->cli->exit_status = spec->detach && spec->attach ? 1 : STATUS_RUN_FAILED;
	if (rc == 0)
		rc = check_cidfile(spec->cidfile, err);
	if (rc < 0)
		return rc;
	if (c->request->dry_run)
		return engine_open_unchanged(&c->engine, c->cli->root, c->cli->runroot, err);
	return engine_open(&c->engine, c->cli->root, c->cli->runroot, err);
}

int cmd_create(struct cli *cli, union verb_options *o, struct err *err)
{
	struct run_ctx c = {.cli = cli,
			    .request = &o->run,
			    .made = {.pending_fd = -1},
			    .start = CONTAINER_START_INIT};
	int rc = begin(&c, 1, err);

	if (rc == 0)
		rc = make(&c, err);
	if (rc == 0)
		rc = populate(&c, err);
	if (rc == 0)
		printf("%s\n", c.made.id);
	done(&c);
	return rc;
}

/* ---- run ---- */

/* What the session connects: -a if it was given; else output, and input with -i. */
static unsigned attached(const struct container_spec *spec)
{
	unsigned streams = spec->attach;

	if (!streams)
		streams = ATTACH_STDOUT | ATTACH_STDERR | (spec->open_stdin ? ATTACH_STDIN : 0U);
	return (streams & ATTACH_STDIN && spec->open_stdin ? CLIENT_STDIN : 0U) |
	       (streams & ATTACH_STDOUT ? CLIENT_STDOUT : 0U) |
	       (streams & ATTACH_STDERR ? CLIENT_STDERR : 0U);
}

static int check_terminal(const struct container_spec *spec, struct cli *cli, struct err *err)
{
	bool wants_input = spec->open_stdin && !spec->detach &&
			   (!spec->attach || spec->attach & ATTACH_STDIN);

	if (!spec->tty || !wants_input || isatty(STDIN_FILENO))
		return 0;
	cli->exit_status = 1;
	return err_set(err, ERR_INVALID, "the input device is not a TTY");
}

static int find_detach_keys(struct run_ctx *c, struct err *err)
{
	const struct container_spec *spec = &c->request->spec;
	int rc = spec->detach ? 0
			      : cli_find_detach_keys(c->cli, spec->detach_keys, spec->tty, "detach",
						     &c->detach_keys, err);

	if (rc < 0)
		c->cli->exit_status = 1;
	return rc;
}

static struct session_config session_of(const struct run_ctx *c, unsigned streams)
{
	const struct container_spec *spec = &c->request->spec;

	return (struct session_config){
		.in_fd = streams & CLIENT_STDIN ? STDIN_FILENO : -1,
		.out_fd = streams & CLIENT_STDOUT ? STDOUT_FILENO : -1,
		.err_fd = streams & CLIENT_STDERR ? STDERR_FILENO : -1,
		.tty = spec->tty,
		.sig_proxy = spec->sig_proxy,
		.detach_keys = c->detach_keys,
	};
}

static int session(struct run_ctx *c, unsigned streams, struct session_result *result,
		   struct err *err)
{
	struct session_config config = session_of(c, streams);

	if (c->start.has_exited) {
		*result = (struct session_result){.outcome = SESSION_EXITED,
						  .exit_code = c->start.exit_code,
						  .oom_killed = c->start.oom_killed};
		return 0;
	}
	return monitor_client_run(c->start.client_fd, take_fd(c->start.stdin_fd), &config, result,
				  err);
}

/* A container that did not start: with --rm it goes; a reader finds the reason otherwise. */
static int start_failed(struct run_ctx *c, int rc)
{
	struct err ignored = ERR_INIT;

	container_made_release(&c->engine, &c->made);
	if (c->request->spec.auto_remove)
		engine_settle_ended(&c->engine, c->made.id, &ignored);
	return rc;
}

static int foreground(struct run_ctx *c, struct err *err)
{
	const struct container_spec *spec = &c->request->spec;
	unsigned streams = attached(spec);
	struct start_request start = {
		.client_flags = streams | CLIENT_SETTLES,
		.began_ns = c->request->explain != EXPLAIN_NO ? c->began_ns : 0,
	};
	struct session_result result = {};
	int rc = 0;

	struct session_config config = session_of(c, streams);
	sigset_t held;

	if (spec->tty)
		cli_terminal_size(&start.rows, &start.columns);
	/* A signal that comes while the container starts waits for the session, which passes it on.
	 */
	session_get_signals(&config, &held);
	sigprocmask(SIG_BLOCK, &held, NULL);
	rc = container_start(&c->engine, &c->made, &start, &c->start, err);
	cli_print_warnings(&c->start.warnings);
	cli_explain(&c->start.plan, c->request->explain, 1U << STEP_HOST | 1U << STEP_INSIDE);
	if (rc < 0)
		return start_failed(c, rc);
	cli_explain_total(&c->start.plan, c->request->explain,
			  c->start.plan.marks[PLAN_RUNNING] - c->began_ns);
	container_made_release(&c->engine, &c->made);
	rc = session(c, streams, &result, err);
	if (rc == 0 && result.outcome == SESSION_EXITED) {
		struct err ignored = ERR_INIT;

		uint64_t ended = c->start.plan.marks[PLAN_ENDED];
		uint64_t removing = clock_mono_ns();

		cli_explain_note(c->request->explain, "the command ran",
				 ended - c->start.plan.marks[PLAN_RUNNING]);
		cli_explain(&c->start.plan, c->request->explain, 1U << STEP_TEARDOWN);
		if (spec->auto_remove) {
			engine_settle_beside(&c->engine, c->made.id, c->start.client_fd, &ignored);
			cli_explain_note(c->request->explain, "its record and its files removed",
					 clock_mono_ns() - removing);
		}
	} else if (rc == 0 && result.outcome == SESSION_DETACHED) {
		event_container_id(&c->engine, c->made.id, "detach", NULL);
	} else if (rc == 0 && result.outcome == SESSION_LOST) {
		struct err ignored = ERR_INIT;

		engine_settle(&c->engine, c->made.id, spec->auto_remove, &ignored);
	}
	return rc < 0 ? rc : cli_session_status(&result, err);
}

static int detached(struct run_ctx *c, struct err *err)
{
	struct start_request start = {
		.began_ns = c->request->explain != EXPLAIN_NO ? c->began_ns : 0,
	};
	int rc = container_start(&c->engine, &c->made, &start, &c->start, err);

	cli_print_warnings(&c->start.warnings);
	cli_explain(&c->start.plan, c->request->explain, 1U << STEP_HOST | 1U << STEP_INSIDE);
	/* As docker: what was made has an id, though it may not have started. */
	printf("%s\n", c->made.id);
	if (rc < 0)
		return start_failed(c, rc);
	cli_explain_total(&c->start.plan, c->request->explain,
			  c->start.plan.marks[PLAN_RUNNING] - c->began_ns);
	container_made_release(&c->engine, &c->made);
	return 0;
}

/* A shared directory or pid namespace: others could change what is executed while it is checked. */
static bool may_need_seal(const struct run_request *request)
{
	const struct container_spec *spec = &request->spec;

	if (request->dry_run)
		return false;
	if (request->volumes.n || spec->volumes_from.n)
		return true;
	if (spec->pid_mode && *spec->pid_mode)
		return true;
	if (spec->ipc_mode &&
	    (strcmp(spec->ipc_mode, "host") == 0 || strncmp(spec->ipc_mode, "container:", 10) == 0))
		return true;
	for (size_t i = 0; i < spec->n_mounts; i++)
		if (spec->mounts[i].type == MOUNT_BIND || spec->mounts[i].type == MOUNT_VOLUME)
			return true;
	return false;
}

static int print_script(struct run_ctx *c, struct err *err)
{
	cleanup_str struct str script = STR_INIT;
	int rc = engine_script(&c->engine, &c->request->spec, print_notice, &script, err);

	if (rc == 0)
		fputs(str_get(&script), stdout);
	return rc;
}

int cmd_run(struct cli *cli, union verb_options *o, struct err *err)
{
	struct run_ctx c = {.cli = cli,
			    .request = &o->run,
			    .made = {.pending_fd = -1},
			    .start = CONTAINER_START_INIT,
			    .began_ns = clock_mono_ns()};
	/* Before files that options name are read: a pipe among them can be read only once. */
	int rc = may_need_seal(&o->run) ? cli_seal(err) : 0;

	cli_drop_inherited();
	if (rc == 0)
		rc = begin(&c, 0, err);
	if (rc == 0 && o->run.dry_run) {
		rc = print_script(&c, err);
		done(&c);
		return rc;
	}
	if (rc == 0)
		rc = check_terminal(&o->run.spec, cli, err);
	if (rc == 0)
		rc = find_detach_keys(&c, err);
	if (rc == 0)
		rc = make(&c, err);
	if (rc == 0)
		rc = o->run.spec.detach ? detached(&c, err) : foreground(&c, err);
	done(&c);
	return rc;
}
