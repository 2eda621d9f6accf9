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
#include "cli/view_child.h"
#include "cli/view_draw.h"
#include "cli/view_keys.h"
#include "cli/view_term.h"
#include "engine/engine.h"
#include "event/loop.h"
#include "json/rune.h"

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
#define MAX_FILTER	 64
#define STATUS_OF_SIGNAL 128
#define CANNOT_RUN	 125 /* and above: exec itself failed */

enum asking { ASK_NOTHING, ASK_FILTER, ASK_REMOVE };

struct view {
	struct cli *cli;
	struct engine engine;
	struct view_model model;
	struct view_text log, page;
	struct view_screen screen;
	struct grid grid;
	struct loop loop;
	struct loop_source keys, output;
	struct loop_signals signals;
	struct view_jobs jobs;
	struct view_follow follow;
	char followed[ID_LEN + 1]; /* whose log is in log; "" */
	char followed_name[256];
	int64_t followed_start_ns; /* the run it was opened in */
	size_t n_log_bytes;	   /* read since the last refresh */
	enum asking asking;
	char asked_id[ID_LEN + 1];
	bool asked_force;
	struct str prompt, message;
	uint64_t message_until;
	uint64_t refresh_at, drawn_at, follow_at;
	bool is_dirty, is_over;
	int status;
};

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

static void say(struct view *v, bool is_error, const char *text)
{
	str_truncate(&v->message, 0);
	str_add(&v->message, text);
	v->screen.is_error = is_error;
	v->message_until = clock_mono_ns() + MESSAGE_NS;
	v->is_dirty = true;
}

static void end(struct view *v, int status)
{
	v->is_over = true;
	v->status = status;
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
		say(v, true, err.msg);
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

/* ---- what keys do ---- */

static void start_job(struct view *v, const char *verb, const char *option)
{
	const struct view_item *item = view_model_selected(&v->model);
	struct err err = ERR_INIT;

	if (!item)
		return;
	if (view_jobs_start(&v->jobs, v->cli, verb, option, item->id, item->name, &err) < 0) {
		say(v, true, err.msg);
		return;
	}
	cleanup_free char *text = str_printf("%s %s...", verb, item->name);

	say(v, false, text);
}

static void do_stop(struct view *v)
{
	const struct view_item *item = view_model_selected(&v->model);

	start_job(v, item && container_is_running(&item->state) ? "stop" : "start", NULL);
}

static void do_restart(struct view *v)
{
	start_job(v, "restart", NULL);
}

static void do_pause(struct view *v)
{
	const struct view_item *item = view_model_selected(&v->model);

	start_job(v, item && item->state.status == STATUS_PAUSED ? "unpause" : "pause", NULL);
}

static void do_remove(struct view *v)
{
	const struct view_item *item = view_model_selected(&v->model);

	if (!item)
		return;
	v->asking = ASK_REMOVE;
	v->asked_force = container_is_running(&item->state);
	memcpy(v->asked_id, item->id, sizeof(v->asked_id));
	str_truncate(&v->prompt, 0);
	str_addf(&v->prompt, "remove %s%s? [y/N] ", item->name,
		 v->asked_force ? ", which is running" : "");
}

static int show_again(struct view *v)
{
	uint16_t rows = 0, columns = 0;
	int rc = view_term_enter();

	view_term_size(&rows, &columns);
	grid_resize(&v->grid, rows, columns);
	v->is_dirty = true;
	return rc;
}

/* A shell has the terminal for itself. When it could not even begin, its message is read first. */
static void do_shell(struct view *v)
{
	const struct view_item *item = view_model_selected(&v->model);
	int status = 0;
	char key = 0;

	if (!item)
		return;
	view_term_leave();
	status = view_run_shell(v->cli, item->id);
	if (status == 1 || status >= CANNOT_RUN) {
		fprintf(stderr, "the shell ended with status %d; press Enter\n", status);
		while (read(STDIN_FILENO, &key, 1) == 1 && key != '\n')
			;
	}
	if (show_again(v) < 0)
		end(v, 1);
	v->refresh_at = 0;
}

static void show_page(struct view *v, enum view_mode mode)
{
	v->screen.mode = mode;
	v->screen.scroll = 0;
	v->message_until = 0;
}

static void do_logs(struct view *v)
{
	if (view_model_selected(&v->model))
		show_page(v, VIEW_LOGS);
}

static void do_inspect(struct view *v)
{
	const struct view_item *item = view_model_selected(&v->model);
	cleanup_str struct str text = STR_INIT;
	struct err err = ERR_INIT;

	if (!item)
		return;
	if (view_read_inspect(v->cli, item->id, &text, &err) < 0) {
		say(v, true, err.msg);
		return;
	}
	view_text_clear(&v->page);
	view_text_add(&v->page, str_get(&text), text.len);
	show_page(v, VIEW_INSPECT);
}

static void do_help(struct view *v)
{
	show_page(v, VIEW_HELP);
}

static void do_all(struct view *v)
{
	v->model.only_running = !v->model.only_running;
	view_model_arrange(&v->model);
}

static void show_filter(struct view *v)
{
	str_truncate(&v->prompt, 0);
	str_addf(&v->prompt, "filter: %s_", str_get(&v->model.filter));
}

static void do_filter(struct view *v)
{
	v->asking = ASK_FILTER;
	show_filter(v);
}

static void do_no_filter(struct view *v)
{
	str_truncate(&v->model.filter, 0);
	view_model_arrange(&v->model);
}

static void do_next_order(struct view *v)
{
	v->model.sort = (v->model.sort + 1) % N_VIEW_SORTS;
	view_model_arrange(&v->model);
}

static void do_redraw(struct view *v)
{
	v->grid.is_unknown = true;
}

static void do_suspend(struct view *v)
{
	if (view_term_suspend() < 0 || show_again(v) < 0)
		end(v, 1);
}

static void do_quit(struct view *v)
{
	end(v, 0);
}

static const struct {
	int key;
	void (*fn)(struct view *v);
} actions[] = {
	{'s', do_stop},
	{'r', do_restart},
	{'p', do_pause},
	{'d', do_remove},
	{'e', do_shell},
	{'l', do_logs},
	{VIEW_KEY_ENTER, do_logs},
	{'i', do_inspect},
	{'?', do_help},
	{'a', do_all},
	{'/', do_filter},
	{VIEW_KEY_ESCAPE, do_no_filter},
	{'o', do_next_order},
	{'q', do_quit},
};

/* Keys that mean the same everywhere. */
static const struct {
	int key;
	void (*fn)(struct view *v);
} always[] = {
	{VIEW_KEY_CTRL_C, do_quit},
	{VIEW_KEY_CTRL_L, do_redraw},
	{VIEW_KEY_CTRL_Z, do_suspend},
};

/* Lines that KEY moves by; 0 for another key. */
static long step_of(int key, long page)
{
	const struct {
		int key;
		long step;
	} steps[] = {
		{VIEW_KEY_UP, -1},
		{'k', -1},
		{VIEW_KEY_DOWN, 1},
		{'j', 1},
		{VIEW_KEY_PAGE_UP, -page},
		{VIEW_KEY_PAGE_DOWN, page},
		{VIEW_KEY_HOME, -INT32_MAX},
		{'g', -INT32_MAX},
		{VIEW_KEY_END, INT32_MAX},
		{'G', INT32_MAX},
		{' ', page},
	};

	for (size_t i = 0; i < ARRAY_LEN(steps); i++)
		if (steps[i].key == key)
			return steps[i].step;
	return 0;
}

static void list_key(struct view *v, int key)
{
	long step = step_of(key, (long)view_page(&v->grid) / 2);

	if (step) {
		view_model_move(&v->model, step);
		v->follow_at = 0;
		return;
	}
	if (key > '0' && key <= '0' + N_VIEW_SORTS) {
		v->model.sort = (enum view_sort)(key - '1');
		view_model_arrange(&v->model);
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(actions); i++)
		if (actions[i].key == key)
			actions[i].fn(v);
}

/* A page of text: the log counts its lines from the end. */
static void page_key(struct view *v, int key)
{
	long step = step_of(key, (long)view_page(&v->grid));
	long scroll = (long)v->screen.scroll;

	if (!step) {
		if (v->screen.mode == VIEW_HELP || key == 'q' || key == VIEW_KEY_ESCAPE)
			v->screen.mode = VIEW_LIST;
		return;
	}
	scroll += v->screen.mode == VIEW_LOGS ? -step : step;
	v->screen.scroll = scroll < 0 ? 0 : (size_t)scroll;
}

static void filter_key(struct view *v, int key)
{
	struct str *filter = &v->model.filter;

	if (key == VIEW_KEY_ENTER || key == VIEW_KEY_ESCAPE)
		v->asking = ASK_NOTHING;
	if (key == VIEW_KEY_ESCAPE || key == VIEW_KEY_CTRL_U)
		str_truncate(filter, 0);
	else if (key == VIEW_KEY_BACKSPACE && filter->len)
		str_truncate(filter, filter->len - 1);
	else if (key >= ' ' && key < VIEW_KEY_UP && filter->len < MAX_FILTER)
		str_add_char(filter, (char)key);
	view_model_arrange(&v->model);
	show_filter(v);
}

/* The container that was asked about, wherever the selection is by now. */
static void remove_key(struct view *v, int key)
{
	v->asking = ASK_NOTHING;
	if (key != 'y' && key != 'Y')
		return;
	if (strcmp(v->model.selected, v->asked_id) != 0) {
		say(v, true, "the container is not there any more");
		return;
	}
	start_job(v, "rm", v->asked_force ? "--force" : NULL);
}

static void press(struct view *v, int key)
{
	v->is_dirty = true;
	for (size_t i = 0; i < ARRAY_LEN(always); i++) {
		if (always[i].key == key) {
			always[i].fn(v);
			return;
		}
	}
	if (v->asking == ASK_FILTER)
		filter_key(v, key);
	else if (v->asking == ASK_REMOVE)
		remove_key(v, key);
	else if (v->screen.mode == VIEW_LIST)
		list_key(v, key);
	else
		page_key(v, key);
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
		end(v, STATUS_OF_SIGNAL + SIGHUP);
	for (ssize_t i = 0; i < n && !v->is_over;) {
		int key = 0;

		i += (ssize_t)view_key_next(buf + i, (size_t)(n - i), &key);
		press(v, key);
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
		say(v, failed, str_get(&line));
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
		case SIGCONT: /* after a stop that nobody told us of */
			if (show_again(v) < 0)
				end(v, 1);
			break;
		case SIGTSTP:
			do_suspend(v);
			break;
		case SIGCHLD:
			reap_jobs(v);
			break;
		case SIGINT:
		case SIGTERM:
		case SIGHUP:
		case SIGQUIT:
			end(v, STATUS_OF_SIGNAL + signal);
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
		say(v, true, err.msg);
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
		rc = show_again(v);
	if (rc >= 0)
		rc = run(v);
	view_term_leave();
	view_done(v);
	loop_signals_remove(&v->loop, &v->signals);
	loop_done(&v->loop);
	return rc < 0 ? err_sys(err, -rc, "show the live view") : v->status;
}
