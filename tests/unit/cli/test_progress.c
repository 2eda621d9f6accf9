/* SPDX-License-Identifier: Apache-2.0 */
/* Progress lines, as a terminal shows them: what is written is played on a small screen. */
#include "base/mem.h"
#include "base/num.h"
#include "base/str.h"
#include "cli/progress.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../unit.h"

#define ROWS	6
#define COLUMNS 80

struct screen {
	char cells[ROWS][COLUMNS + 1];
	size_t row, column;
};

static void screen_line_feed(struct screen *s)
{
	s->column = 0;
	if (++s->row < ROWS)
		return;
	memmove(s->cells[0], s->cells[1], sizeof(s->cells[0]) * (ROWS - 1));
	memset(s->cells[ROWS - 1], 0, sizeof(s->cells[0]));
	s->row = ROWS - 1;
}

/* One of the sequences that progress.c knows; returns what follows it. */
static const char *screen_escape(struct screen *s, const char *at)
{
	const char *end = at + strspn(at, "0123456789");
	cleanup_free char *digits = str_ndup(at, (size_t)(end - at));
	uint64_t n = 0;

	if (*digits)
		assert_int_equal(num_parse_u64(digits, &n), 0);
	switch (*end) {
	case 'A':
		s->row = n < s->row ? s->row - n : 0;
		break;
	case 'B':
		s->row = s->row + n < ROWS ? s->row + n : ROWS - 1;
		break;
	case 'K':
		memset(s->cells[s->row], 0, sizeof(s->cells[0]));
		break;
	case 'J':
		for (size_t i = s->row; i < ROWS; i++)
			memset(s->cells[i], 0, sizeof(s->cells[0]));
		break;
	default:
		fail_msg("unknown sequence %s", at);
	}
	return end + 1;
}

static void screen_play(struct screen *s, const char *text)
{
	while (*text) {
		if (text[0] == '\033') {
			assert_int_equal(text[1], '[');
			text = screen_escape(s, text + 2);
			continue;
		}
		if (*text == '\n') {
			screen_line_feed(s);
		} else if (*text == '\r') {
			s->column = 0;
		} else {
			/* A line that is full would wrap. */
			assert_true(s->column < COLUMNS - 1);
			s->cells[s->row][s->column++] = *text;
		}
		text++;
	}
}

struct shown {
	struct progress progress;
	struct screen screen;
	off_t played;
};

static void shown_init(struct shown *s, unsigned columns, unsigned rows)
{
	*s = (struct shown){};
	progress_init(&s->progress, memfd_create("terminal", MFD_CLOEXEC));
	assert_int_equal(s->progress.columns, 0);
	s->progress.columns = columns;
	s->progress.rows = rows;
}

static void shown_play(struct shown *s)
{
	char text[4096];
	ssize_t n = pread(s->progress.fd, text, sizeof(text) - 1, s->played);

	assert_true(n >= 0 && n < (ssize_t)sizeof(text) - 1);
	text[n] = '\0';
	s->played += n;
	screen_play(&s->screen, text);
}

static void shown_done(struct shown *s)
{
	close(s->progress.fd);
	progress_done(&s->progress);
}

static void several_lines(void **state)
{
	struct shown s;
	struct progress_item *a, *b;

	shown_init(&s, COLUMNS, ROWS);
	a = progress_add(&s.progress, "aaaaaaaaaaaa", "Loading layer", 1000);
	b = progress_add(&s.progress, "bbbbbbbbbbbb", "Loading layer", 2000);
	shown_play(&s);
	assert_string_equal(s.screen.cells[0], "");
	progress_count(500, a);
	progress_count(10, b);
	shown_play(&s);
	assert_string_equal(s.screen.cells[0],
			    "aaaaaaaaaaaa: Loading layer [=================>                  ] "
			    "    500B/1kB");
	assert_string_equal(s.screen.cells[1],
			    "bbbbbbbbbbbb: Loading layer [>                                   ] "
			    "     10B/2kB");
	assert_int_equal(s.screen.row, 2);
	assert_int_equal(s.screen.column, 0);
	progress_finish(b);
	progress_say(a, "Already exists");
	shown_play(&s);
	assert_string_equal(s.screen.cells[0], "aaaaaaaaaaaa: Already exists");
	assert_string_equal(s.screen.cells[1],
			    "bbbbbbbbbbbb: Loading layer [===================================>] "
			    "     2kB/2kB");
	assert_int_equal(s.screen.row, 2);
	shown_done(&s);
}

/* The second count of a moment is not drawn; the end always is. */
static void drawn_seldom(void **state)
{
	struct shown s;
	struct progress_item *item;

	shown_init(&s, COLUMNS, ROWS);
	item = progress_add(&s.progress, "", "Importing", 0);
	progress_count(100, item);
	for (uint64_t i = 101; i < 200; i++)
		progress_count(i, item);
	shown_play(&s);
	assert_string_equal(s.screen.cells[0], "Importing     100B");
	progress_finish(item);
	shown_play(&s);
	assert_string_equal(s.screen.cells[0], "Importing     199B");
	progress_clear(&s.progress);
	shown_play(&s);
	assert_string_equal(s.screen.cells[0], "");
	assert_int_equal(s.screen.row, 0);
	shown_done(&s);
}

/* Lines that were scrolled off are left alone, and those still there are hit. */
static void more_lines_than_rows(void **state)
{
	struct progress_item *items[ROWS + 3];
	struct shown s;

	shown_init(&s, COLUMNS, ROWS);
	for (size_t i = 0; i < ARRAY_LEN(items); i++) {
		cleanup_free char *id = str_printf("%zu", i);

		items[i] = progress_add(&s.progress, id, "Loading layer", 100);
		progress_count(1, items[i]);
	}
	for (size_t i = 0; i < ARRAY_LEN(items); i++)
		progress_say(items[i], "done");
	shown_play(&s);
	for (size_t row = 0; row < ROWS - 1; row++) {
		cleanup_free char *line = str_printf("%zu: done",
						     ARRAY_LEN(items) - (ROWS - 1) + row);

		assert_string_equal(s.screen.cells[row], line);
	}
	assert_string_equal(s.screen.cells[ROWS - 1], "");
	shown_done(&s);
}

static void plain_lines_without_a_terminal(void **state)
{
	struct shown s;
	struct progress_item *item;
	char text[100] = "";

	shown_init(&s, 0, 0);
	item = progress_add(&s.progress, "aaaaaaaaaaaa", "Loading layer", 100);
	progress_count(50, item);
	progress_finish(item);
	progress_clear(&s.progress);
	assert_int_equal(pread(s.progress.fd, text, sizeof(text), 0), 0);
	progress_say(item, "Already exists");
	assert_true(pread(s.progress.fd, text, sizeof(text) - 1, 0) > 0);
	assert_string_equal(text, "aaaaaaaaaaaa: Already exists\n");
	shown_done(&s);
}

static void bar_of_any_width(void **state)
{
	static const struct {
		size_t columns;
		uint64_t n, total;
		const char *text;
	} rows[] = {
		{200, 50, 100,
		 "[=========================>                         ]      50B/100B"},
		{40, 50, 100, "[===========>            ]      50B/100B"},
		{20, 50, 100, "     50B/100B"},
		{200, 100, 100,
		 "[==================================================>]     100B/100B"},
		{200, 1500000, 0, "   1.5MB"},
		{200, 150, 100, "    150B"}, /* more than was announced */
		{200, 123456, 98765432,
		 "[>                                                  ]  123.5kB/98.77MB"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		cleanup_str struct str out = STR_INIT;

		progress_format(&out, rows[i].n, rows[i].total, rows[i].columns);
		assert_string_equal(str_get(&out), rows[i].text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(several_lines),
		cmocka_unit_test(drawn_seldom),
		cmocka_unit_test(more_lines_than_rows),
		cmocka_unit_test(plain_lines_without_a_terminal),
		cmocka_unit_test(bar_of_any_width),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
