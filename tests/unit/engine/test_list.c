/* SPDX-License-Identifier: Apache-2.0 */
/* The filters of ps, values that are patterns, and the text of STATUS. */
#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/str.h"
#include "engine/engine.h"
#include "engine/list.h"
#include "engine/state.h"
#include "storage/container.h"
#include "json/pattern.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "../unit.h"

#define ID     "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define SECOND 1000000000LL

static void patterns(void **state)
{
	static const struct {
		const char *pattern, *text;
		bool matches;
	} rows[] = {
		{"web", "myweb1", true},
		{"^web$", "web", true},
		{"^web$", "web1", false},
		{"^/web$", "/web", true},
		{"w.b", "wab", true},
		{"a|b", "xbx", true},
		{"(?:ab)+c", "ababc", true},
		{"(?i)WEB", "web", true},
		{"WEB", "web", false},
		{"c\\d+$", "c12", true},
		{"c\\d+$", "cx", false},
		{"^\\w+$", "a_1", true},
		{"^\\w+$", "a-1", false},
		{"^[\\w-]+$", "a-1", true},
		{"^[\\d.]+$", "1.2", true},
		{"^\\Aa.*?b\\z$", "axxb", true},
		{"a\\.b", "axb", false},
		{"a\\.b", "a.b", true},
		{"c[12]", "c2", true},
		{"[[:digit:]]{2}", "a12", true},
		{"", "anything", true},
		{"(?P<n>a)", "a", true},
		/* Not patterns: they match only themselves, and nobody hears of it. */
		{"(", "(", true},
		{"(", "((", false},
		{"a\\", "a", false},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (pattern_matches(rows[i].pattern, rows[i].text) != rows[i].matches)
			fail_msg("%s on %s", rows[i].pattern, rows[i].text);
}

static const struct container_row row = {
	.id = ID,
	.name = "web1",
	.image_id = "",
	.labels = "{\"com.example.k\":\"v\",\"empty\":\"\"}",
	.network_mode = "default",
	.config = "{\"ExposedPorts\":{\"80/tcp\":{},\"53/udp\":{}}}",
	.host = "{\"Binds\":[\"/s:/t:ro\"],\"Mounts\":[{\"Type\":\"tmpfs\",\"Target\":\"/x\"}],"
		"\"PortBindings\":{\"80/tcp\":[{\"HostIp\":\"\",\"HostPort\":\"8080\"}]}}",
};

static void filters(void **state)
{
	static const struct {
		const char *conditions; /* separated by blanks */
		bool matches;
	} rows[] = {
		{"name=web", true},
		{"name=^web1$", true},
		{"name=^/web1$", true},
		{"name=^web$", false},
		{"name=nope name=web", true},
		{"id=0123", true},
		{"id=^123", false},
		{"label=empty", true},
		{"label=com.example.k=v", true},
		{"label=com.example.k=w", false},
		{"label=com.example.k label=none", false},
		{"label=k", false},
		{"status=exited", true},
		{"status=running", false},
		{"status=running status=exited", true},
		{"exited=3", true},
		{"exited=0", false},
		{"exited=0 exited=3", true},
		{"network=none", true},
		{"network=host", false},
		{"volume=/t", true},
		{"volume=/s", true},
		{"volume=/x", true},
		{"volume=/nope", false},
		/* As docker's, only of containers that run: */
		{"expose=80", false},
		{"publish=8080", false},
		{"health=none", true},
		{"health=healthy", false},
		{"is-task=false", true},
		{"is-task=true", false},
		{"name=web status=running", false},
	};
	const struct container_state exited = {
		.status = STATUS_EXITED, .exit_code = 3, .started_ns = 1, .finished_ns = 2};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		cleanup_list_filter struct list_filter *filter = list_filter_new();
		cleanup_strv struct strv conditions = STRV_INIT;
		struct err err = ERR_INIT;

		strv_split(&conditions, rows[i].conditions, ' ');
		strv_foreach (j, &conditions)
			assert_int_equal(list_filter_add(filter, conditions.items[j], &err), 0);
		if (list_filter_matches(filter, NULL, &row, &exited) != rows[i].matches)
			fail_msg("%s", rows[i].conditions);
	}
}

/* Ports are those that a running container has: what its run directory says. */
static void filters_of_ports(void **state)
{
	static const struct {
		const char *condition;
		bool matches;
	} rows[] = {
		{"expose=80", true},	     {"expose=53", false},  {"expose=53/udp", true},
		{"expose=50-60/udp", true},  {"expose=81", true}, /* published, and not exposed by
								     the image */
		{"publish=8080", true},	     {"publish=80", false}, {"publish=8000-8100/tcp", true},
		{"publish=8080/udp", false},
	};
	static const char text[] = "{\"Endpoints\":[{\"Id\":\"1\"}],\"Ports\":["
				   "{\"Proto\":\"tcp\",\"HostIp\":\"::\",\"HostPort\":8080,"
				   "\"Port\":81}]}";
	const struct container_state running = {.status = STATUS_RUNNING, .pid = 1};
	char runroot[] = "/tmp/tare-unit-XXXXXX";

	assert_non_null(mkdtemp(runroot));
	cleanup_free char *dir = str_printf("%s/containers/" ID, runroot);
	cleanup_free char *file = str_printf("%s/network.json", dir);
	const struct engine engine = {.runroot = runroot};

	assert_int_equal(fd_mkdir_p(dir, 0700), 0);
	assert_int_equal(fd_write_file_at(AT_FDCWD, file, text, sizeof(text) - 1, 0600), 0);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		cleanup_list_filter struct list_filter *filter = list_filter_new();
		struct err err = ERR_INIT;

		assert_int_equal(list_filter_add(filter, rows[i].condition, &err), 0);
		if (list_filter_matches(filter, &engine, &row, &running) != rows[i].matches)
			fail_msg("%s", rows[i].condition);
	}
	fd_remove_tree_at(AT_FDCWD, runroot);
}

static void bad_filters(void **state)
{
	static const struct {
		const char *condition, *message;
	} rows[] = {
		{"bogus=1", "invalid filter 'bogus'"},
		{"status=bogus", "invalid filter 'status=bogus'"},
		{"health=x", "invalid filter 'health=x'"},
		{"exited=abc", "strconv.Atoi: parsing \"abc\": invalid syntax"},
		{"is-task=2", "invalid filter 'is-task=[2]'"},
		{"publish=x", "error while looking up for publish x: strconv.ParseUint: parsing "
			      "\"x\": invalid syntax"},
		{"publish=90-80", "error while looking up for publish 90-80: invalid range "
				  "specified for port: 90-80"},
		{"expose=", "error while looking up for expose : empty string specified for ports"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		cleanup_list_filter struct list_filter *filter = list_filter_new();
		struct err err = ERR_INIT;

		assert_int_equal(list_filter_add(filter, rows[i].condition, &err), -ERR_INVALID);
		assert_string_equal(err.msg, rows[i].message);
	}
}

static void json_only_where_needed(void **state)
{
	static const struct {
		const char *condition;
		bool needs;
	} rows[] = {
		{"name=a", false},   {"label=a", false},    {"status=exited", false},
		{"volume=/a", true}, {"publish=80", false}, {"expose=80", true},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		cleanup_list_filter struct list_filter *filter = list_filter_new();
		struct err err = ERR_INIT;

		assert_int_equal(list_filter_add(filter, rows[i].condition, &err), 0);
		assert_int_equal(list_filter_needs_json(filter), rows[i].needs);
	}
}

static void status_text(void **state)
{
	static const struct {
		struct container_state state;
		const char *text;
	} rows[] = {
		{{.status = STATUS_CREATED}, "Created"},
		{{.status = STATUS_RUNNING, .started_ns = 820 * SECOND}, "Up 3 minutes"},
		{{.status = STATUS_PAUSED, .started_ns = 820 * SECOND}, "Up 3 minutes (Paused)"},
		{{.status = STATUS_EXITED, .exit_code = 137, .finished_ns = 999 * SECOND},
		 "Exited (137) 1 second ago"},
		{{.status = STATUS_DEAD}, "Dead"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char text[STATUS_TEXT_LEN];

		container_status_format(&rows[i].state, 1000 * SECOND, text);
		assert_string_equal(text, rows[i].text);
	}
	assert_string_equal(container_status_name(STATUS_PAUSED), "paused");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(patterns),
		cmocka_unit_test(filters),
		cmocka_unit_test(filters_of_ports),
		cmocka_unit_test(bad_filters),
		cmocka_unit_test(json_only_where_needed),
		cmocka_unit_test(status_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
