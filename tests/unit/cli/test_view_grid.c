/* SPDX-License-Identifier: Apache-2.0 */
/* The grid: what is put into it, and what of it goes to the terminal. */
#include "base/mem.h"
#include "base/str.h"
#include "cli/view_grid.h"
#include "json/rune.h"

#include <string.h>

#include "../unit.h"

static struct grid make(size_t rows, size_t columns)
{
	struct grid g = {.has_colour = true, .is_utf8 = true};
	cleanup_str struct str out = STR_INIT;

	grid_resize(&g, rows, columns);
	grid_emit(&g, &out); /* the empty frame */
	return g;
}

/* Row ROW as text; "_" for the second half of a wide character. */
static char *row_text(const struct grid *g, size_t row)
{
	struct str out = STR_INIT;

	for (size_t i = 0; i < g->columns; i++) {
		uint32_t rune = g->cells[row * g->columns + i].rune;

		if (rune)
			str_add_rune(&out, rune);
		else
			str_add_char(&out, '_');
	}
	return str_take(&out);
}

static void text_is_cut_and_cleaned(void **state)
{
	const struct {
		const char *text;
		size_t column, width;
		const char *row;
		bool is_ascii;
	} cases[] = {
		{"abc", 0, 8, "abc     ", false},
		{"abcdef", 2, 3, "  abc   ", false},
		{"abcdefghijkl", 4, 100, "    abcd", false},
		{"a\033[1mb\n\r\t", 0, 8, "a?[1mb??", false},
		{"\xff\xfe"
		 "a",
		 0, 8, "??a     ", false},
		{"\xc2\x9b"
		 "31m",
		 0, 8, "?31m    ", false},		 /* CSI in one character */
		{"e\xcc\x81x", 0, 8, "ex      ", false}, /* a combining accent */
		{"a\xe2\x80\xae"
		 "b",
		 0, 8, "ab      ", false}, /* right-to-left override */
		{"\xe6\x97\xa5\xe6\x9c\xac", 0, 8, "\xe6\x97\xa5_\xe6\x9c\xac_    ", false},
		{"\xe6\x97\xa5\xe6\x9c\xac", 0, 3, "\xe6\x97\xa5_      ", false},
		{"\xe6\x97\xa5", 7, 8, "        ", false}, /* no half of it at the edge */
		{"caf\xc3\xa9", 0, 8, "caf?    ", true},
		{"x", 9, 8, "        ", false},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct grid g = make(1, 8);

		g.is_utf8 = !cases[i].is_ascii;
		grid_puts(&g, 0, cases[i].column, cases[i].width, LOOK_PLAIN, cases[i].text);
		cleanup_free char *row = row_text(&g, 0);

		assert_string_equal(row, cases[i].row);
		grid_done(&g);
	}
}

static void half_a_wide_character_does_not_stay(void **state)
{
	struct grid g = make(1, 6);
	cleanup_free char *first = NULL, *second = NULL;

	grid_puts(&g, 0, 0, 6, LOOK_PLAIN, "\xe6\x97\xa5\xe6\x97\xa5");
	grid_puts(&g, 0, 1, 1, LOOK_PLAIN, "x");
	first = row_text(&g, 0);
	assert_string_equal(first, " x\xe6\x97\xa5_  ");
	grid_puts(&g, 0, 2, 1, LOOK_PLAIN, "y");
	second = row_text(&g, 0);
	assert_string_equal(second, " xy   ");
	grid_done(&g);
}

static void right_of_a_column(void **state)
{
	struct grid g = make(1, 8);
	cleanup_free char *row = NULL;

	grid_puts_right(&g, 0, 1, 5, LOOK_PLAIN, "42");
	row = row_text(&g, 0);
	assert_string_equal(row, "    42  ");
	grid_done(&g);
}

static void assert_emits(struct grid *g, const char *bytes)
{
	cleanup_str struct str out = STR_INIT;

	grid_emit(g, &out);
	assert_string_equal(str_get(&out), bytes);
}

static void only_what_differs_is_sent(void **state)
{
	struct grid g = make(3, 10);

	grid_puts(&g, 1, 2, 8, LOOK_PLAIN, "abc");
	assert_emits(&g, "\033[2;3H\033[0mabc\033[0m");
	assert_emits(&g, "");
	grid_puts(&g, 1, 2, 8, LOOK_PLAIN, "aXc");
	assert_emits(&g, "\033[2;4H\033[0mX\033[0m");
	grid_puts(&g, 0, 0, 8, LOOK_BOLD | LOOK_RED, "r");
	grid_puts(&g, 0, 1, 8, LOOK_REVERSE | LOOK_DIM, "d");
	assert_emits(&g, "\033[1;1H\033[0;1;31mr\033[0;2;7md\033[0m");
	/* behind what is not ASCII the cursor is placed anew */
	grid_puts(&g, 2, 0, 10, LOOK_PLAIN, "\xc3\xa9\xe6\x97\xa5z");
	assert_emits(&g, "\033[3;1H\033[0m\xc3\xa9\033[3;2H\xe6\x97\xa5\033[3;4Hz\033[0m");
	grid_done(&g);
}

static void without_colour(void **state)
{
	struct grid g = make(1, 4);

	g.has_colour = false;
	grid_puts(&g, 0, 0, 4, LOOK_BOLD | LOOK_RED, "r");
	assert_emits(&g, "\033[1;1H\033[0;1mr\033[0m");
	grid_done(&g);
}

static void another_size_is_drawn_anew(void **state)
{
	struct grid g = make(2, 2);
	cleanup_str struct str out = STR_INIT;

	grid_resize(&g, 1, 3);
	grid_puts(&g, 0, 0, 3, LOOK_PLAIN, "abc");
	grid_emit(&g, &out);
	assert_non_null(strstr(str_get(&out), "\033[2J"));
	assert_non_null(strstr(str_get(&out), "abc"));
	grid_resize(&g, 0, 0);
	grid_puts(&g, 0, 0, 3, LOOK_PLAIN, "abc");
	grid_look(&g, 0, 0, 3, LOOK_BOLD);
	grid_done(&g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_is_cut_and_cleaned),
		cmocka_unit_test(half_a_wide_character_does_not_stay),
		cmocka_unit_test(right_of_a_column),
		cmocka_unit_test(only_what_differs_is_sent),
		cmocka_unit_test(without_colour),
		cmocka_unit_test(another_size_is_drawn_anew),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
