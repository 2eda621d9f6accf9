/* SPDX-License-Identifier: Apache-2.0 */
/* The model of the live view and its frames: order, filter, selection, and every size of screen. */
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/view_draw.h"
#include "storage/container.h"
#include "json/rune.h"

#include <stdio.h>
#include <string.h>

#include "../unit.h"

static void add_state(struct view_model *m, char digit, const char *name,
		      const struct container_state *state, const struct usage *usage)
{
	char id[ID_LEN + 1];
	struct container_row row = {
		.id = id, .name = name, .image_ref = "busybox", .image_is_current = true};

	memset(id, digit, ID_LEN);
	id[ID_LEN] = '\0';
	view_model_add(m, &row, state, usage);
}

static void add(struct view_model *m, char digit, const char *name, enum container_status status,
		struct usage usage)
{
	const struct container_state state = {.status = status, .exit_code = 137};

	add_state(m, digit, name, &state, &usage);
}

/* Two readings, a second apart: web uses half a CPU, db a quarter, old has ended. */
static void read_twice(struct view_model *m)
{
	for (uint64_t i = 0; i < 2; i++) {
		m->host = (struct usage_host){2000 * (i + 1), 4 << 20, 2};
		view_model_begin(m);
		add(m, 'a', "web", STATUS_RUNNING,
		    (struct usage){.cpu_ns = 1 + 500 * i,
				   .host_cpu_ns = m->host.cpu_ns,
				   .memory = 1 << 20,
				   .memory_limit = 4 << 20,
				   .received = 1,
				   .written = 7,
				   .pids = 3});
		add(m, 'b', "old", STATUS_EXITED, (struct usage){});
		add(m, 'c', "db", STATUS_RUNNING,
		    (struct usage){.cpu_ns = 1 + 250 * i,
				   .host_cpu_ns = m->host.cpu_ns,
				   .memory = 3 << 20,
				   .memory_limit = 4 << 20,
				   .received = 5,
				   .written = 2,
				   .pids = 12});
		view_model_end(m);
	}
}

static char *names(const struct view_model *m)
{
	cleanup_strv struct strv all = STRV_INIT;

	for (size_t i = 0; i < m->n_shown; i++)
		strv_add(&all, m->shown[i]->name);
	return strv_join(&all, " ");
}

static void assert_names(struct view_model *m, const char *expected)
{
	cleanup_free char *got = NULL;

	view_model_arrange(m);
	got = names(m);
	assert_string_equal(got, expected);
}

static void order_and_filter(void **state)
{
	static const char *const orders[N_VIEW_SORTS] = {"db web old", "web db old", "db web old",
							 "db web old", "web db old"};
	static const char *const filters[][2] = {{"w", "web"},
						 {"BUSY", "db web old"},
						 {"CCC", "db"},
						 {"zz", ""},
						 {"", "db web old"}};
	struct view_model m = {};

	read_twice(&m);
	for (int i = 0; i < N_VIEW_SORTS; i++) {
		m.sort = (enum view_sort)i;
		assert_names(&m, orders[i]);
	}
	m.sort = VIEW_SORT_NAME;
	for (size_t i = 0; i < ARRAY_LEN(filters); i++) {
		str_truncate(&m.filter, 0);
		str_add(&m.filter, filters[i][0]);
		assert_names(&m, filters[i][1]);
	}
	m.only_running = true;
	assert_names(&m, "db web");
	view_model_done(&m);
}

static void selection_stays_with_its_container(void **state)
{
	struct view_model m = {};

	assert_null(view_model_selected(&m));
	view_model_move(&m, 1);
	read_twice(&m);
	assert_string_equal(view_model_selected(&m)->name, "db");
	view_model_move(&m, 1);
	assert_string_equal(view_model_selected(&m)->name, "web");
	m.sort = VIEW_SORT_CPU;
	view_model_arrange(&m);
	assert_string_equal(view_model_selected(&m)->name, "web");
	assert_int_equal(m.index, 0);
	view_model_move(&m, 100);
	assert_string_equal(view_model_selected(&m)->name, "old");
	view_model_move(&m, -100);
	assert_string_equal(view_model_selected(&m)->name, "web");
	/* it goes away: the line stays selected */
	view_model_begin(&m);
	add(&m, 'c', "db", STATUS_RUNNING, (struct usage){});
	view_model_end(&m);
	assert_int_equal(m.n, 1);
	assert_string_equal(view_model_selected(&m)->name, "db");
	view_model_begin(&m);
	view_model_end(&m);
	assert_null(view_model_selected(&m));
	view_model_done(&m);
}

static char *row_text(const struct grid *g, size_t row)
{
	cleanup_str struct str out = STR_INIT;
	size_t len = 0;

	for (size_t i = 0; i < g->columns; i++)
		if (g->cells[row * g->columns + i].rune)
			str_add_rune(&out, g->cells[row * g->columns + i].rune);
	for (len = out.len; len && out.buf[len - 1] == ' ';)
		len--;
	return str_ndup(str_get(&out), len);
}

static void assert_row(const struct grid *g, size_t row, const char *expected)
{
	cleanup_free char *got = row_text(g, row);

	assert_string_equal(got, expected);
}

static void the_list_on_80_by_24(void **state)
{
	static struct view_text log;
	struct view_model m = {};
	struct view_screen s = {.model = &m, .text = &log, .text_name = "db", .message = ""};
	struct grid g = {.is_utf8 = true};

	read_twice(&m);
	view_text_add(&log, "one\ntwo\033[2J\nthree", 17);
	grid_resize(&g, 24, 80);
	view_draw(&g, &s);
	assert_row(&g, 0, "2 of 3 running   cpu 75.0% of 200   memory 4MiB of 4MiB   by name");
	assert_row(
		&g, 1,
		"NAME                 STATE       CPU %   MEMORY                    NET I/O PIDS");
	assert_row(
		&g, 2,
		"db                   running      25.0     3MiB [||||||  ]           5B/0B   12");
	assert_row(
		&g, 3,
		"web                  running      50.0     1MiB [||      ]           1B/0B    3");
	assert_row(&g, 4, "old                  exit 137");
	assert_row(
		&g, 15,
		"-- log of db -------------------------------------------------------------------");
	assert_row(&g, 16, "one");
	assert_row(&g, 17, "two");
	assert_row(&g, 18, "three");
	assert_true(g.cells[2 * 80].look & LOOK_REVERSE);
	assert_false(g.cells[3 * 80].look & LOOK_REVERSE);
	s.prompt = "remove db? [y/N] ";
	view_draw(&g, &s);
	assert_row(&g, 23, "remove db? [y/N]");
	grid_done(&g);
	view_text_clear(&log);
	view_model_done(&m);
}

static void health_where_there_is_room(void **state)
{
	struct view_model m = {};
	struct view_screen s = {.model = &m, .message = ""};
	struct grid g = {};

	view_model_begin(&m);
	add(&m, 'a', "plain", STATUS_RUNNING, (struct usage){});
	add_state(&m, 'b', "sick",
		  &(struct container_state){.status = STATUS_RUNNING, .health = HEALTH_UNHEALTHY},
		  &(struct usage){});
	add(&m, 'c', "old", STATUS_EXITED, (struct usage){});
	view_model_end(&m);
	view_model_arrange(&m);
	for (size_t columns = 115; columns <= 116; columns++) {
		const size_t rows[] = {1, 3};
		const char *const texts[] = {"HEALTH", "unhealthy"};

		grid_resize(&g, 10, columns);
		view_draw(&g, &s);
		for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
			cleanup_free char *text = row_text(&g, rows[i]);

			assert_int_equal(strstr(text, texts[i]) != NULL, columns == 116);
		}
	}
	grid_done(&g);
	view_model_done(&m);
}

static void the_selected_line_is_in_sight(void **state)
{
	struct view_model m = {};
	struct view_screen s = {.model = &m, .message = ""};
	struct grid g = {};

	view_model_begin(&m);
	for (int i = 0; i < 50; i++) {
		char name[8];

		snprintf(name, sizeof(name), "c%02d", i);
		add(&m, (char)('0' + i), name, STATUS_CREATED, (struct usage){});
	}
	view_model_end(&m);
	grid_resize(&g, 10, 40);
	for (long i = 0; i < 120; i++) {
		bool is_seen = false;

		view_draw(&g, &s);
		for (size_t row = 2; row < 9; row++)
			is_seen |= (g.cells[row * 40].look & LOOK_REVERSE) != 0;
		assert_true(is_seen);
		view_model_move(&m, i < 60 ? 1 : -1);
	}
	assert_int_equal(s.first, 0);
	grid_done(&g);
	view_model_done(&m);
}

static void a_log_is_scrolled_from_its_end(void **state)
{
	static struct view_text log;
	struct view_model m = {};
	struct view_screen s = {
		.mode = VIEW_LOGS, .model = &m, .text = &log, .text_name = "db", .message = ""};
	struct grid g = {};

	for (int i = 0; i < 30; i++) {
		char line[8];

		view_text_add(&log, line, (size_t)snprintf(line, sizeof(line), "%d\n", i));
	}
	grid_resize(&g, 12, 40);
	view_draw(&g, &s);
	assert_row(&g, 1, "20");
	assert_row(&g, 10, "29");
	s.scroll = 5;
	view_draw(&g, &s);
	assert_row(&g, 10, "24");
	s.scroll = 1000;
	view_draw(&g, &s);
	assert_row(&g, 1, "0");
	assert_int_equal(s.scroll, 20);
	s.mode = VIEW_INSPECT;
	s.scroll = 2;
	view_draw(&g, &s);
	assert_row(&g, 1, "2");
	grid_done(&g);
	view_text_clear(&log);
	view_model_done(&m);
}

static void every_size_can_be_drawn(void **state)
{
	static struct view_text log;
	struct view_model m = {};
	struct view_screen s = {.model = &m, .text = &log, .text_name = "db", .message = "hello"};
	struct grid g = {.is_utf8 = true};

	read_twice(&m);
	view_text_add(&log, "a\nb\nc\n", 6);
	for (size_t rows = 0; rows < 40; rows += rows < 14 ? 1 : 5) {
		for (size_t columns = 0; columns < 200; columns += columns < 20 ? 1 : 9) {
			cleanup_str struct str out = STR_INIT;

			grid_resize(&g, rows, columns);
			for (int mode = VIEW_LIST; mode <= VIEW_HELP; mode++) {
				s.mode = (enum view_mode)mode;
				view_draw(&g, &s);
				grid_emit(&g, &out);
			}
			if (rows && columns > 5)
				assert_true(out.len > 0);
		}
	}
	grid_done(&g);
	view_text_clear(&log);
	view_model_done(&m);
}

static void bars(void **state)
{
	const struct {
		double percent;
		const char *bar;
	} cases[] = {
		{0, "        "},    {0.1, "|       "}, {50, "||||    "},
		{99.9, "||||||||"}, {300, "||||||||"}, {-5, "        "},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char bar[9];

		view_bar(cases[i].percent, 8, bar);
		assert_string_equal(bar, cases[i].bar);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(order_and_filter),
		cmocka_unit_test(selection_stays_with_its_container),
		cmocka_unit_test(health_where_there_is_room),
		cmocka_unit_test(the_list_on_80_by_24),
		cmocka_unit_test(the_selected_line_is_in_sight),
		cmocka_unit_test(a_log_is_scrolled_from_its_end),
		cmocka_unit_test(every_size_can_be_drawn),
		cmocka_unit_test(bars),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
