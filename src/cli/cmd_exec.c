/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exec and logs.
 */
#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/num.h"
#include "cli/command.h"
#include "cli/session.h"
#include "cli/verbs.h"
#include "engine/create.h"
#include "engine/exec.h"
#include "engine/lifecycle.h"
#include "monitor/log_reader.h"
#include "plan/plan.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- exec ---- */

static void fill_request(const struct exec_options *o, const struct strv *args,
			 struct exec_request *r)
{
	r->ref = args->items[0];
	for (size_t i = 1; i < args->n; i++)
		strv_add(&r->args, args->items[i]);
	r->user = o->user;
	r->workdir = o->workdir;
	r->privileged = o->privileged;
	r->tty = o->tty;
	r->interactive = o->interactive;
	r->detach = o->detach;
	if (o->tty)
		cli_terminal_size(&r->rows, &r->columns);
}

static int run_session(const struct exec_options *o, const struct exec_started *started,
		       const char *detach_keys, struct err *err)
{
	struct session_config config = {
		.in_fd = o->interactive ? STDIN_FILENO : -1,
		.out_fd = STDOUT_FILENO,
		.err_fd = STDERR_FILENO,
		.tty = o->tty,
		.sig_proxy = true,
		.detach_keys = detach_keys,
	};
	struct session_result result = {};
	int rc = relay_run(&started->process, &config, &result, err);

	if (rc == 0 && result.outcome == SESSION_DETACHED) {
		fputs("read escape sequence\n", stderr);
		return 1;
	}
	return rc < 0 ? rc : cli_session_status(&result, err);
}

static int check_exec(struct engine *engine, const struct exec_options *o, const char *ref,
		      struct err *err)
{
	cleanup_container struct container_record record = {};
	struct container_state state;
	int rc = container_find(engine, ref, &record, &state, err);

	/* docker looks for the container first: a missing one wins over a missing terminal. */
	if (rc == 0 && o->tty && o->interactive && !o->detach && !isatty(STDIN_FILENO))
		return err_set(err, ERR_INVALID, "the input device is not a TTY");
	return rc;
}

/* A command that could not be started is 126 unless it is missing (127); with -d there is no
 * process whose status it could be. */
static int failed_status(const struct exec_options *o, const struct err *err)
{
	if (o->detach)
		return 1;
	return err->code == ERR_NO_COMMAND ? 127 : 126;
}

int cmd_exec(struct cli *cli, union verb_options *options, struct err *err)
{
	const struct exec_options *o = &options->exec;
	cleanup_engine struct engine engine = {};
	struct exec_started started = {};
	struct exec_request request = {};
	uint64_t began = clock_mono_ns();
	struct plan plan = {};
	const char *detach_keys = NULL;
	int rc = cli_seal(err);

	if (rc == 0)
		rc = exec_collect_env(o, &request.env, err);
	if (rc == 0)
		rc = engine_open(&engine, cli->root, cli->runroot, err);
	if (rc == 0)
		rc = check_exec(&engine, o, cli->args.items[0], err);
	if (rc == 0 && !o->detach)
		rc = cli_find_detach_keys(cli, o->detach_keys, o->tty, "escape", &detach_keys, err);
	if (rc == 0)
		rc = plan_init(&plan, err);
	if (rc == 0) {
		fill_request(o, &cli->args, &request);
		rc = engine_exec(&engine, &request, &plan, &started, err);
		if (rc < 0 && started.is_entered)
			cli->exit_status = failed_status(o, err);
		cli_explain(&plan, o->explain, 1U << STEP_HOST | 1U << STEP_INSIDE);
	}
	if (rc == 0) {
		cli_explain_total(&plan, o->explain, plan.marks[PLAN_RUNNING] - began);
		rc = o->detach ? 0 : run_session(o, &started, detach_keys, err);
	}
	plan_done(&plan);
	strv_done(&request.args);
	strv_done(&request.env);
	return rc;
}

/* ---- logs ---- */

struct follow {
	struct engine *engine;
	const char *id;
};

static bool is_over(void *ctx)
{
	struct follow *f = ctx;
	struct container_state state;

	container_state_read(f->engine, f->id, &state);
	return state.status == STATUS_EXITED;
}

static int emit(void *ctx, enum log_stream stream, const void *data, size_t len)
{
	FILE *to = stream == LOG_STDERR ? stderr : stdout;

	return fwrite(data, 1, len, to) == len ? 0 : -EPIPE;
}

/* docker's time argument: RFC 3339, a duration before now, or seconds since 1970 with a fraction.
 */
static int parse_time(const char *text, int64_t *ret, struct err *err)
{
	double seconds = 0;
	int64_t ago = 0;

	if (!text || !*text)
		return 0;
	if (num_parse_duration(text, &ago) == 0 && strcmp(text, "0") != 0) {
		*ret = clock_real_ns() - ago;
		return 0;
	}
	if (clock_parse_rfc3339(text, ret) == 0)
		return 0;
	if (num_parse_double(text, &seconds) == 0) {
		*ret = (int64_t)(seconds * 1e9);
		return 0;
	}
	return err_set(err, ERR_INVALID, "failed to parse value as time or duration: \"%s\"", text);
}

static int read_logs(struct engine *engine, const char *id, const struct logs_options *o,
		     struct err *err)
{
	cleanup_close int dir = engine_open_container_dir(engine, id);
	struct follow follow = {.engine = engine, .id = id};
	struct log_read read = {
		.tail = -1,
		.timestamps = o->timestamps,
		.follow = o->follow,
		.is_over = is_over,
		.emit = emit,
		.ctx = &follow,
	};
	int64_t n = 0;
	int rc = 0;

	if (dir < 0)
		return err_sys(err, -dir, "open the log of container %.12s", id);
	if (o->tail && num_parse_i64(o->tail, &n) == 0)
		read.tail = n;
	rc = parse_time(o->since, &read.since_ns, err);
	if (rc == 0)
		rc = parse_time(o->until, &read.until_ns, err);
	/* A person who follows wants each line now. */
	if (o->follow)
		setvbuf(stdout, NULL, _IOLBF, 0);
	if (rc == 0)
		rc = log_read_run(&read, dir, err);
	return rc == -EPIPE ? 1 : rc;
}

int cmd_logs(struct cli *cli, union verb_options *options, struct err *err)
{
	cleanup_engine struct engine engine = {};
	cleanup_container struct container_record record = {};
	cleanup_made struct container_made made = {.pending_fd = -1};
	struct container_state state;
	const char *driver = NULL;
	int rc = engine_open(&engine, cli->root, cli->runroot, err);

	if (rc == 0)
		rc = container_find(&engine, cli->args.items[0], &record, &state, err);
	if (rc == 0)
		rc = engine_load(&engine, record.row.id, &made, err);
	if (rc < 0)
		return rc;
	driver = oci_annotation(&made.config, OCI_NOTE_LOG);
	if (driver && strcmp(driver, "none") == 0)
		return err_set(err, ERR_UNSUPPORTED,
			       "configured logging driver does not support reading");
	return read_logs(&engine, record.row.id, &options->logs, err);
}
