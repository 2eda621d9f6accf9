/* SPDX-License-Identifier: Apache-2.0 */
/*
 * start and attach.
 */
#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "cli/command.h"
#include "cli/session.h"
#include "cli/verbs.h"
#include "engine/event.h"
#include "engine/lifecycle.h"
#include "engine/pending.h"
#include "engine/restart.h"
#include "engine/start.h"
#include "monitor/client.h"
#include "plan/plan.h"

#include <stdio.h>
#include <unistd.h>

struct connection {
	int client_fd, stdin_fd;
	unsigned streams;
	bool tty, sig_proxy, force_redraw;
	bool tells_detach; /* attach: it is told, and is exit status 1 */
	const char *detach_keys;
	const struct engine *engine;
	const char *id;
};

static int relay(struct connection *c, struct err *err)
{
	struct session_config config = {
		.in_fd = c->streams & CLIENT_STDIN ? STDIN_FILENO : -1,
		.out_fd = c->streams & CLIENT_STDOUT ? STDOUT_FILENO : -1,
		.err_fd = c->streams & CLIENT_STDERR ? STDERR_FILENO : -1,
		.tty = c->tty,
		.sig_proxy = c->sig_proxy,
		.force_redraw = c->force_redraw,
		.detach_keys = c->detach_keys,
	};
	struct session_result result = {};
	int rc = monitor_client_run(c->client_fd, take_fd(c->stdin_fd), &config, &result, err);

	if (rc == 0 && result.outcome == SESSION_DETACHED)
		event_container_id(c->engine, c->id, "detach", NULL);
	if (rc == 0 && result.outcome == SESSION_DETACHED && c->tells_detach) {
		fputs("read escape sequence\n", stderr);
		return 1;
	}
	return rc < 0 ? rc : cli_session_status(&result, err);
}

/* ---- a container that runs ---- */

static int set_stopped(struct err *err)
{
	return err_set(err, ERR_CONFLICT,
		       "You cannot attach to a stopped container, start it first");
}

/* C says which streams are wanted; its descriptors are filled here. */
static int attach_running(struct engine *engine, const char *id, struct connection *c,
			  struct err *err)
{
	cleanup_close int dir = engine_open_run_dir(engine, id, false);
	cleanup_close int client = dir < 0 ? dir : monitor_client_connect(dir, c->streams, err);
	struct monitor_started started = {.stdin_fd = -1};
	int rc = 0;

	if (client < 0)
		return set_stopped(err);
	rc = monitor_client_wait_started(client, &started, err);
	if (rc < 0 || started.has_exited)
		return rc < 0 ? rc : started.exit_code;
	c->client_fd = client;
	c->stdin_fd = started.stdin_fd;
	c->force_redraw = c->tty;
	c->engine = engine;
	c->id = id;
	event_container_id(engine, id, "attach", NULL);
	return relay(c, err);
}

/* ---- start ---- */

static int session_after_start(const struct engine *engine, struct container_start *start,
			       const struct start_options *o, const struct container_made *made,
			       unsigned streams, struct err *err)
{
	struct connection c = {
		.engine = engine,
		.id = made->id,
		.client_fd = start->client_fd,
		.stdin_fd = take_fd(start->stdin_fd),
		.streams = streams,
		.tty = made->config.terminal,
		.sig_proxy = !made->config.terminal,
		.detach_keys = o->detach_keys,
	};

	if (start->has_exited)
		return start->exit_code;
	return relay(&c, err);
}

/* What -a and -i connect. */
static unsigned streams_of(const struct start_options *o, const struct container_made *made)
{
	unsigned streams = 0;

	if (o->attach || o->interactive)
		streams = CLIENT_STDOUT | CLIENT_STDERR;
	if (o->interactive && oci_annotation(&made->config, OCI_NOTE_STDIN))
		streams |= CLIENT_STDIN;
	return streams;
}

/* -a and -i on one that runs already: as attach, but detaching is no failure. */
static int attach_started(struct engine *engine, const struct container_made *made,
			  const struct start_options *o, struct err *err)
{
	struct connection c = {
		.streams = streams_of(o, made),
		.tty = made->config.terminal,
		.sig_proxy = !made->config.terminal,
		.detach_keys = o->detach_keys,
	};

	return c.streams ? attach_running(engine, made->id, &c, err) : 0;
}

/* After the wait for its entry: 0 when container ID is there and does not run, 1 when it runs. */
static int check_again(struct engine *engine, const char *id, struct err *err)
{
	cleanup_container struct container_record record = {};
	struct container_state state;
	int rc = container_lookup_by_ref(engine->store, id, &record, err);

	if (rc < 0)
		return rc;
	container_state_read(engine, id, &state);
	return container_is_running(&state);
}

/* After a session: a container that goes at its end, or whose monitor was killed. */
static void settle_after(struct engine *engine, const char *id, bool auto_remove)
{
	struct container_state state;
	struct err ignored = ERR_INIT;

	container_state_read(engine, id, &state);
	if (container_is_overdue(&state, auto_remove))
		engine_settle(engine, id, auto_remove, &ignored);
}

static int start_loaded(struct engine *engine, const struct container_made *made,
			const struct start_options *o, bool auto_remove, uint64_t began,
			struct err *err)
{
	cleanup_start struct container_start start = CONTAINER_START_INIT;
	unsigned streams = streams_of(o, made);
	struct start_request request = {};
	int pending = -1;
	int rc = 0;

	request.client_flags = streams ? streams | CLIENT_SETTLES : 0U;
	request.began_ns = o->explain != EXPLAIN_NO ? began : 0;
	if (made->config.terminal)
		cli_terminal_size(&request.rows, &request.columns);
	/* Two starts at once: the second waits for this entry, and finds the container running. */
	pending = pending_wait(engine, made->id, err);
	if (pending < 0)
		return pending;
	rc = check_again(engine, made->id, err);
	if (rc != 0) {
		pending_close(engine, made->id, pending);
		return rc < 0 ? rc : attach_started(engine, made, o, err);
	}
	rc = container_start(engine, made, &request, &start, err);
	pending_close(engine, made->id, pending);
	cli_print_warnings(&start.warnings);
	cli_explain(&start.plan, o->explain, 1U << STEP_HOST | 1U << STEP_INSIDE);
	if (rc < 0)
		return rc;
	cli_explain_total(&start.plan, o->explain, start.plan.marks[PLAN_RUNNING] - began);
	if (!streams)
		return 0;
	rc = session_after_start(engine, &start, o, made, streams, err);
	if (rc >= 0)
		cli_explain(&start.plan, o->explain, 1U << STEP_TEARDOWN);
	settle_after(engine, made->id, auto_remove);
	return rc;
}

static int start_one(struct engine *engine, const char *ref, const struct start_options *o,
		     struct err *err)
{
	cleanup_container struct container_record record = {};
	cleanup_made struct container_made made = {.pending_fd = -1};
	struct container_state state;
	uint64_t began = clock_mono_ns();
	int rc = container_find(engine, ref, &record, &state, err);

	if (rc < 0)
		return rc;
	if (state.status == STATUS_PAUSED)
		return err_set(err, ERR_CONFLICT,
			       "cannot start a paused container, try unpause instead");
	if (container_is_running(&state) && !o->attach && !o->interactive)
		return 0;
	rc = engine_load(engine, record.row.id, &made, err);
	if (rc < 0)
		return rc;
	if (container_is_running(&state))
		return attach_started(engine, &made, o, err);
	made.restart = restart_rule_read(&record.row);
	if (container_needs_seal(&made.config))
		rc = cli_seal(err);
	return rc < 0 ? rc : start_loaded(engine, &made, o, record.row.auto_remove, began, err);
}

static int start_each(struct cli *cli, struct engine *engine, const struct start_options *o,
		      struct err *err)
{
	cleanup_strv struct strv failed = STRV_INIT;

	strv_foreach (i, &cli->args) {
		err_clear(err);
		if (start_one(engine, cli->args.items[i], o, err) < 0) {
			cli_print_error(err);
			strv_add(&failed, cli->args.items[i]);
		} else {
			printf("%s\n", cli->args.items[i]);
		}
	}
	if (!failed.n)
		return 0;
	cleanup_free char *names = strv_join(&failed, ", ");

	return err_set(err, ERR_CONFLICT, "failed to start containers: %s", names);
}

int cmd_start(struct cli *cli, union verb_options *options, struct err *err)
{
	struct start_options o = options->start; /* a view, with the keys that count */
	cleanup_engine struct engine engine = {};
	const char *keys = NULL;
	bool attach = o.attach || o.interactive;
	int rc = 0;

	if (attach && cli->args.n > 1) {
		cli->exit_status = 1;
		return err_set(err, ERR_INVALID,
			       "you cannot start and attach multiple containers at once");
	}
	if (attach)
		rc = cli_find_detach_keys(cli, o.detach_keys, true, "detach", &keys, err);
	o.detach_keys = keys;
	if (rc == 0)
		rc = engine_open(&engine, cli->root, cli->runroot, err);
	if (rc < 0)
		return rc;
	pending_sweep(&engine);
	return attach ? start_one(&engine, cli->args.items[0], &o, err)
		      : start_each(cli, &engine, &o, err);
}

/* ---- attach ---- */

static int check_attachable(const struct container_state *state, struct err *err)
{
	if (state->status == STATUS_PAUSED)
		return err_set(err, ERR_CONFLICT,
			       "You cannot attach to a paused container, unpause it first");
	if (state->status == STATUS_RESTARTING)
		return err_set(err, ERR_CONFLICT,
			       "You cannot attach to a restarting container, wait until it is "
			       "running");
	return container_is_running(state) ? 0 : set_stopped(err);
}

int cmd_attach(struct cli *cli, union verb_options *options, struct err *err)
{
	const struct attach_options *o = &options->attach;
	cleanup_engine struct engine engine = {};
	cleanup_container struct container_record record = {};
	cleanup_made struct container_made made = {.pending_fd = -1};
	struct connection c = {.streams = CLIENT_STDOUT | CLIENT_STDERR, .tells_detach = true};
	struct container_state state;
	int rc = engine_open(&engine, cli->root, cli->runroot, err);

	if (rc == 0)
		rc = container_find(&engine, cli->args.items[0], &record, &state, err);
	if (rc == 0)
		rc = check_attachable(&state, err);
	if (rc == 0)
		rc = engine_load(&engine, record.row.id, &made, err);
	if (rc < 0)
		return rc;
	c.tty = made.config.terminal;
	c.sig_proxy = o->sig_proxy && !c.tty;
	if (c.tty && !o->no_stdin && !isatty(STDIN_FILENO))
		return err_set(err, ERR_INVALID, "the input device is not a TTY");
	if (!o->no_stdin && oci_annotation(&made.config, OCI_NOTE_STDIN))
		c.streams |= CLIENT_STDIN;
	rc = cli_find_detach_keys(cli, o->detach_keys, true, "detach", &c.detach_keys, err);
	if (rc < 0)
		return rc;
	return attach_running(&engine, record.row.id, &c, err);
}
