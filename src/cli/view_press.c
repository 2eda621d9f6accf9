/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the keys of the live view do. Verbs run as children in the background, so that the view goes
 * on; only a shell takes the terminal.
 */
#include "cli/view_private.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "cli/view_keys.h"
#include "cli/view_term.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define MAX_FILTER 64
#define CANNOT_RUN 125		 /* to 127: exec itself failed */
#define AT_ONCE_NS 1000000000ULL /* so soon, status 1 is the engine's error */

/* ---- verbs ---- */

static void start_job(struct view *v, const char *verb, const char *option)
{
	const struct view_item *item = view_model_selected(&v->model);
	struct err err = ERR_INIT;

	if (!item)
		return;
	if (view_jobs_start(&v->jobs, v->cli, verb, option, item->id, item->name, &err) < 0) {
		view_say(v, true, err.msg);
		return;
	}
	cleanup_free char *text = str_printf("%s %s...", verb, item->name);

	view_say(v, false, text);
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

/* A shell has the terminal for itself. When it could not even begin, its
 * message is read first. */
static void do_shell(struct view *v)
{
	const struct view_item *item = view_model_selected(&v->model);
	uint64_t began = clock_mono_ns();
	int status = 0;
	char key = 0;

	if (!item)
		return;
	view_term_leave();
	status = view_run_shell(v->cli, item->id);
	if (status >= CANNOT_RUN || (status == 1 && clock_mono_ns() - began < AT_ONCE_NS)) {
		fprintf(stderr, "the shell ended with status %d; press Enter\n", status);
		while (read(STDIN_FILENO, &key, 1) == 1 && key != '\n')
			;
	}
	if (view_show(v) < 0)
		view_end(v, 1);
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
		view_say(v, true, err.msg);
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

static void do_quit(struct view *v)
{
	view_end(v, 0);
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
	{VIEW_KEY_CTRL_Z, view_suspend},
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

	if (v->screen.mode == VIEW_HELP || key == 'q' || key == VIEW_KEY_ESCAPE) {
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
		view_say(v, true, "the container is not there any more");
		return;
	}
	start_job(v, "rm", v->asked_force ? "--force" : NULL);
}

void view_press(struct view *v, int key)
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
