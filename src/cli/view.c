/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The live view. One loop waits for keys, signals, the followed log and the next second; whatever
 * happened makes the frame dirty, and it is drawn at most every FRAME_NS. Without anything new it
 * sleeps a whole second.
 */
#include "cli/view.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/command.h"
#include "cli/view_keys.h"
#include "cli/view_private.h"
#include "cli/view_term.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define MS		 1000000ULL
#define REFRESH_NS	 (1000 * MS)
#define FRAME_NS	 (40 * MS)
#define SETTLE_NS	 (150 * MS) /* before the log of a newly selected container is opened */
#define MESSAGE_NS	 (5000 * MS)
#define TAIL		 500
#define TAIL_OF_FLOOD	 50
#define LOG_BYTES	 ((size_t)4 << 20) /* that are read of a log in a second */
#define STATUS_OF_SIGNAL 128

static void view_done(struct view *v)
{
	loop_remove(&v->loop, &v->output);
	loop_remove(&v->loop, &v->keys);
	view_follow_stop(&v->follow);
	view_jobs_done(&v->jobs);
	view_model_done(&v->model);
	view_text_clear(&v->log);
	view_text_clear(&v->page);
	grid_done(&v->grid);
	str_done(&v->prompt);
	str_done(&v->message);
	engine_close(&v->engine);
}

void view_say(struct view *v, bool is_error, const char *text)
{
	str_truncate(&v->message, 0);
	str_add(&v->message, text);
	v->screen.is_error = is_error;
	v->message_until = clock_mono_ns() + MESSAGE_NS;
	v->is_dirty = true;
}

void view_end(struct view *v, int status)
{
	v->is_over = true;
	v->status = status;
}

static void resize(struct view *v)
{
	uint16_t rows = 0, columns = 0;

	view_term_size(&rows, &columns);
	grid_resize(&v->grid, rows, columns);
	v->is_dirty = true;
}

int view_show(struct view *v)
{
	int rc = view_term_enter();

	resize(v);
	return rc;
}

void view_suspend(struct view *v)
{
	if (view_term_suspend() < 0 || view_show(v) < 0)
		view_end(v, 1);
}

/* ---- the followed log ---- */

static void stop_following(struct view *v)
{
	loop_remove(&v->loop, &v->output);
	view_follow_stop(&v->follow);
}

static int on_output(void *data, uint32_t events)
{
	struct view *v = data;
	char buf[65536];
	ssize_t n = read(v->follow.fd, buf, sizeof(buf));

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n <= 0) {
		stop_following(v);
		return 0;
	}
	view_text_add(&v->log, buf, (size_t)n);
	v->is_dirty = true;
	v->n_log_bytes += (size_t)n;
	/* It goes on at the next refresh, from the end of the log. */
	if (v->n_log_bytes > LOG_BYTES)
		stop_following(v);
	return 0;
}

static void follow(struct view *v, const struct view_item *item, unsigned tail)
{
	struct err err = ERR_INIT;

	stop_following(v);
	view_text_clear(&v->log);
	memcpy(v->followed, item->id, sizeof(v->followed));
	snprintf(v->followed_name, sizeof(v->followed_name), "%s", item->name);
	v->followed_start_ns = item->state.started_ns;
	v->n_log_bytes = 0;
	v->is_dirty = true;
	if (view_follow_start(&v->follow, v->cli, item->id, tail, &err) < 0) {
		view_say(v, true, err.msg);
		return;
	}
	loop_add(&v->loop, &v->output, v->follow.fd, EPOLLIN, on_output, v);
}

/* Keeps the log that of the selected container. */
static void check_follow(struct view *v, uint64_t now)
{
	const struct view_item *item = view_model_selected(&v->model);

	if (v->screen.mode != VIEW_LIST && v->screen.mode != VIEW_LOGS)
		return;
	if (!item) {
		stop_following(v);
		view_text_clear(&v->log);
		v->followed[0] = '\0';
		return;
	}
	if (strcmp(item->id, v->followed) == 0)
		return;
	if (!v->follow_at)
		v->follow_at = now + (*v->followed ? SETTLE_NS : 0);
	if (now >= v->follow_at) {
		follow(v, item, TAIL);
		v->follow_at = 0;
	}
}

/* Once a second: a log that came too fast, and one whose container was started again. */
static void renew_follow(struct view *v)
{
	const struct view_item *item = view_model_selected(&v->model);
	bool was_flooded = v->n_log_bytes > LOG_BYTES;

	v->n_log_bytes = 0;
	if (!item || v->follow.pid || strcmp(item->id, v->followed) != 0)
		return;
	if (was_flooded || item->state.started_ns != v->followed_start_ns)
		follow(v, item, was_flooded ? TAIL_OF_FLOOD : TAIL);
}

static int on_keys(void *data, uint32_t events)
{
	struct view *v = data;
	char buf[256];
	ssize_t n = read(STDIN_FILENO, buf, sizeof(buf));

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return 0;
	/* the terminal is gone */
	if (n <= 0)
		view_end(v, STATUS_OF_SIGNAL + SIGHUP);
	for (ssize_t i = 0; i < n && !v->is_over;) {
		int key = 0;

		i += (ssize_t)view_key_next(buf + i, (size_t)(n - i), &key);
		view_press(v, key);
	}
	return 0;
}

/* ---- what else happens ---- */

static void reap_jobs(struct view *v)
{
	for (;;) {
		cleanup_str struct str line = STR_INIT;
		bool failed = false;

		if (!view_jobs_reap(&v->jobs, &line, &failed))
			return;
		view_say(v, failed, str_get(&line));
		v->refresh_at = 0;
	}
}

static int on_signals(void *data, uint32_t events)
{
	struct view *v = data;

	for (;;) {
		int signal = loop_signals_next(&v->signals);

		switch (signal) {
		case SIGWINCH:
			resize(v);
			break;
		case SIGCONT: /* after a stop that nobody told us of */
			if (view_show(v) < 0)
				view_end(v, 1);
			break;
		case SIGTSTP:
			view_suspend(v);
			break;
		case SIGCHLD:
			reap_jobs(v);
			break;
		case SIGINT:
		case SIGTERM:
		case SIGHUP:
		case SIGQUIT:
			view_end(v, STATUS_OF_SIGNAL + signal);
			break;
		default:
			return signal < 0 ? signal : 0;
		}
	}
}

static void refresh(struct view *v, uint64_t now)
{
	struct err err = ERR_INIT;

	if (view_model_read(&v->model, &v->engine, &err) < 0)
		view_say(v, true, err.msg);
	renew_follow(v);
	v->refresh_at = now + REFRESH_NS;
	v->is_dirty = true;
	if (v->message_until && now > v->message_until) {
		v->message_until = 0;
		str_truncate(&v->message, 0);
	}
}

static int draw(struct view *v, uint64_t now)
{
	cleanup_str struct str out = STR_INIT;

	v->screen.model = &v->model;
	v->screen.text = v->screen.mode == VIEW_INSPECT ? &v->page : &v->log;
	v->screen.text_name = *v->followed ? v->followed_name : NULL;
	v->screen.prompt = v->asking == ASK_NOTHING ? NULL : str_get(&v->prompt);
	v->screen.message = v->message_until ? str_get(&v->message) : "";
	view_draw(&v->grid, &v->screen);
	grid_emit(&v->grid, &out);
	v->drawn_at = now;
	v->is_dirty = false;
	return fd_write_full(STDOUT_FILENO, str_get(&out), out.len);
}

/* How long there is nothing to do, in milliseconds, rounded up. */
static int time_left(const struct view *v, uint64_t now)
{
	uint64_t next = v->refresh_at;

	if (v->follow_at && v->follow_at < next)
		next = v->follow_at;
	if (v->is_dirty && v->drawn_at + FRAME_NS < next)
		next = v->drawn_at + FRAME_NS;
	return next <= now ? 0 : (int)((next - now + MS - 1) / MS);
}

static int run(struct view *v)
{
	int rc = 0;

	while (rc >= 0 && !v->is_over) {
		uint64_t now = clock_mono_ns();

		if (now >= v->refresh_at)
			refresh(v, now);
		check_follow(v, now);
		if (v->is_dirty && now >= v->drawn_at + FRAME_NS)
			rc = draw(v, now);
		if (rc >= 0)
			rc = loop_run_once(&v->loop, time_left(v, now));
	}
	return rc;
}

static int add_sources(struct view *v)
{
	static const int watched[] = {SIGINT,  SIGTERM, SIGHUP,	 SIGQUIT,
				      SIGCHLD, SIGTSTP, SIGCONT, SIGWINCH};
	sigset_t set;
	int rc = 0;

	sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_LEN(watched); i++)
		sigaddset(&set, watched[i]);
	rc = loop_signals_add(&v->loop, &v->signals, &set, on_signals, v);
	if (rc >= 0)
		rc = loop_add(&v->loop, &v->keys, STDIN_FILENO, EPOLLIN, on_keys, v);
	return rc;
}

int view_run(struct cli *cli, struct err *err)
{
	cleanup_free struct view *v = mem_zalloc(sizeof(*v));
	const char *no_colour = getenv("NO_COLOR");
	int rc = view_term_check(err);

	if (rc == 0)
		rc = engine_open(&v->engine, cli->root, cli->runroot, err);
	if (rc < 0)
		return rc;
	v->cli = cli;
	v->follow.fd = -1;
	v->keys = v->output = (struct loop_source)LOOP_SOURCE_INIT;
	v->signals.source = (struct loop_source)LOOP_SOURCE_INIT;
	v->grid.has_colour = !no_colour || !*no_colour;
	v->grid.is_utf8 = view_term_is_utf8();
	rc = loop_init(&v->loop);
	if (rc >= 0)
		rc = add_sources(v);
	if (rc >= 0)
		rc = view_show(v);
	if (rc >= 0)
		rc = run(v);
	view_term_leave();
	view_done(v);
	loop_signals_remove(&v->loop, &v->signals);
	loop_done(&v->loop);
	return rc < 0 ? err_sys(err, -rc, "show the live view") : v->status;
}
