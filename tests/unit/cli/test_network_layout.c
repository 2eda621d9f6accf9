/* SPDX-License-Identifier: Apache-2.0 */
/* Pictures of networks: golden ones (tests/data/network-graph), and what a small terminal, ASCII
 * and hostile names make of them. */
#include <fcntl.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/network_layout.h"
#include "json/rune.h"

#include "../engine/network_fixture.h"
#include "../unit.h"

/* Two networks that share a container, one by itself, an empty one, and containers beside all. */
static void make_model(struct network_model *m)
{
	size_t front = fixture_network(m, "front", "172.18.0.0/16", "fd00:1::/64");
	size_t back = fixture_network(m, "back", "172.19.0.0/16", NULL);
	size_t alone = fixture_network(m, "alone", "10.9.0.0/24", NULL);
	size_t web = fixture_container(m, "web"), db = fixture_container(m, "db"),
	       tool = fixture_container(m, "tool"), lonely = fixture_container(m, "lonely"),
	       host = fixture_container(m, "hosty"), sidecar = fixture_container(m, "sidecar");

	fixture_network(m, "empty", "10.8.0.0/24", NULL);
	fixture_container(m, "nothing");
	fixture_connect(m, web, front, "172.18.0.2/16", "fd00:1::2/64");
	fixture_connect(m, web, back, "172.19.0.2/16", NULL);
	fixture_connect(m, db, back, "172.19.0.3/16", NULL);
	fixture_connect(m, tool, front, "172.18.0.3/16", "fd00:1::3/64");
	fixture_connect(m, lonely, alone, "10.9.0.2/24", NULL);
	fixture_publish(m, web, "0.0.0.0", 8080, 80);
	fixture_publish(m, web, "::", 8080, 80);
	fixture_publish(m, web, "127.0.0.1", 9000, 9000);
	m->containers[host].place = PLACE_HOST;
	m->containers[sidecar].place = PLACE_SHARED;
	m->containers[sidecar].peer = web;
	m->networks[back].network.is_internal = true;
	network_model_sort(m);
}

static char *draw(const struct network_model *m, size_t width, bool is_ascii, bool has_colour)
{
	const struct layout_options options = {.width = width, .is_ascii = is_ascii};
	cleanup_network_layout struct network_layout layout = {};
	struct str out = STR_INIT;

	network_layout_make(m, &options, &layout);
	network_layout_draw(&layout, !is_ascii, has_colour, &out);
	return str_take(&out);
}

static char *draw_svg(const struct network_model *m, const bool *selected)
{
	const struct layout_options options = {.is_page = true, .selected_networks = selected};
	cleanup_network_layout struct network_layout layout = {};
	struct str out = STR_INIT;

	network_layout_make(m, &options, &layout);
	network_layout_svg(&layout, &out);
	return str_take(&out);
}

/* With UPDATE_GOLDEN in the environment the file is written instead. */
static void expect_golden(const char *name, const char *got)
{
	cleanup_free char *path = str_printf("%s/network-graph/%s", DATA_DIR, name);
	bool is_update = getenv("UPDATE_GOLDEN") != NULL;
	cleanup_close int fd = open(
		path, (is_update ? O_RDWR | O_CREAT | O_TRUNC : O_RDONLY) | O_CLOEXEC, 0644);
	cleanup_free char *expected = mem_zalloc(strlen(got) + 2);

	assert_true(fd >= 0);
	if (is_update)
		assert_int_equal(write(fd, got, strlen(got)), strlen(got));
	lseek(fd, 0, SEEK_SET);
	assert_true(read(fd, expected, strlen(got) + 1) >= 0);
	assert_string_equal(got, expected);
}

static void pictures_are_the_golden_ones(void **state)
{
	static const struct {
		const char *name;
		size_t width;
		bool is_ascii, has_colour;
	} cases[] = {
		{"unicode-60.txt", 60, false, false},
		{"unicode-120.txt", 120, false, false},
		{"ascii-30.txt", 30, true, false},
		{"colour-60.txt", 60, false, true},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		cleanup_network_model struct network_model m = {};
		cleanup_free char *got = NULL;

		make_model(&m);
		got = draw(&m, cases[i].width, cases[i].is_ascii, cases[i].has_colour);
		expect_golden(cases[i].name, got);
	}
}

static void svg_is_the_golden_one(void **state)
{
	cleanup_network_model struct network_model m = {};
	cleanup_free char *got = NULL;

	make_model(&m);
	got = draw_svg(&m, NULL);
	expect_golden("page.svg", got);
}

/* No line is wider than the terminal, whatever its width. */
static void lines_fit(void **state)
{
	cleanup_network_model struct network_model m = {};

	make_model(&m);
	for (size_t width = 20; width < 200; width++) {
		cleanup_free char *got = draw(&m, width, false, false);
		cleanup_strv struct strv lines = STRV_INIT;

		strv_split(&lines, got, '\n');
		strv_foreach (i, &lines) {
			size_t n = rune_text_width(lines.items[i], strlen(lines.items[i]));

			if (n > width)
				fail_msg("%zu columns of %zu: %s", n, width, lines.items[i]);
		}
	}
}

static void names_are_text(void **state)
{
	cleanup_network_model struct network_model m = {};
	cleanup_free char *drawn = NULL;
	cleanup_free char *ascii = NULL;
	cleanup_free char *svg = NULL;

	fixture_network(&m, "<a href=\"x\">&\033[31m\xe6\x97\xa5", "10.9.0.0/24", NULL);
	drawn = draw(&m, 60, false, false);
	assert_null(strchr(drawn, '\033'));
	assert_non_null(strstr(drawn, "<a href=\"x\">&?[31m\xe6\x97\xa5"));
	ascii = draw(&m, 60, true, false);
	for (const char *p = ascii; *p; p++)
		assert_true((unsigned char)*p < 0x80);
	svg = draw_svg(&m, NULL);
	assert_non_null(strstr(svg, "&lt;a href=&quot;x&quot;&gt;&amp;?[31m\xe6\x97\xa5</text>"));
	assert_null(strstr(svg, "<a"));
}

/* Only what was asked for; other networks of its containers are named in their boxes. */
static void selection_is_drawn_alone(void **state)
{
	cleanup_network_model struct network_model m = {};
	bool selected[4] = {};
	cleanup_free char *svg = NULL;

	make_model(&m);
	for (size_t i = 0; i < m.n_networks; i++)
		selected[i] = strcmp(m.networks[i].network.name, "back") == 0;
	svg = draw_svg(&m, selected);
	assert_non_null(strstr(svg, ">web</text>"));
	assert_non_null(strstr(svg, ">db</text>"));
	assert_non_null(strstr(svg, "(front)"));
	assert_null(strstr(svg, ">tool</text>"));
	assert_null(strstr(svg, "host network"));
}

/* Five hundred containers are drawn whole, and without a rail that goes astray. */
static void many_are_drawn(void **state)
{
	cleanup_network_model struct network_model m = {};
	size_t net = fixture_network(&m, "big", "10.9.0.0/16", NULL);
	cleanup_free char *got = NULL;
	size_t n_joints = 0;

	for (unsigned i = 0; i < 500; i++) {
		cleanup_free char *name = str_printf("c%03u", i);
		cleanup_free char *ip = str_printf("10.9.%u.%u/16", i / 200, i % 200 + 2);

		fixture_connect(&m, fixture_container(&m, name), net, ip, NULL);
	}
	network_model_sort(&m);
	got = draw(&m, 80, false, false);
	for (const char *p = got;
	     (p = strstr(p, "\xe2\x94\x80\xe2\x94\x80\xe2\x94\xa4 eth0")) != NULL; p++)
		n_joints++;
	assert_int_equal(n_joints, 500);
}

static void nothing_is_nothing(void **state)
{
	cleanup_network_model struct network_model m = {};
	cleanup_free char *got = draw(&m, 80, false, false);

	assert_string_equal(got, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pictures_are_the_golden_ones),
		cmocka_unit_test(svg_is_the_golden_one),
		cmocka_unit_test(lines_fit),
		cmocka_unit_test(names_are_text),
		cmocka_unit_test(selection_is_drawn_alone),
		cmocka_unit_test(many_are_drawn),
		cmocka_unit_test(nothing_is_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
