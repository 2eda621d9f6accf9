/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The value parsers on their own: comma-separated fields, environment files, filters, ports,
 * quoting.
 */
#include "base/err.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/str.h"
#include "cli/parse_env.h"
#include "cli/parse_limit.h"
#include "cli/parse_mount.h"
#include "cli/parse_net.h"
#include "cli/parse_port.h"
#include "cli/quote.h"
#include "engine/spec.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../unit.h"

static void csv_fields(void **state)
{
	static const struct {
		const char *text, *fields; /* joined by "|"; the error after "!" */
	} rows[] = {
		{"a", "a"},
		{"a,b", "a|b"},
		{"a,,b", "a||b"},
		{"a,", "a|"},
		{",", "|"},
		{"\"a,b\",c", "a,b|c"},
		{"\"a\"\"b\"", "a\"b"},
		{"\"\"", ""},
		{"a\nb", "a"},
		{"", "!EOF"},
		{"\"",
		 "!parse error on line 1, column 2: extraneous or missing \" in quoted-field"},
		{"\"a\"b",
		 "!parse error on line 1, column 3: extraneous or missing \" in quoted-field"},
		{"a\"", "!parse error on line 1, column 2: bare \" in non-quoted-field"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		cleanup_strv struct strv fields = STRV_INIT;
		cleanup_free char *got = NULL;
		struct err err = ERR_INIT;

		if (csv_split(rows[i].text, &fields, &err) < 0)
			got = str_printf("!%s", err.msg);
		else
			got = strv_join(&fields, "|");
		assert_string_equal(got, rows[i].fields);
	}
}

/* A file that lives in memory; its path is /proc/self/fd/N. */
static char *file_of(const char *text, size_t len)
{
	int fd = memfd_create("env", 0);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, len), len);
	lseek(fd, 0, SEEK_SET);
	return str_printf("/proc/self/fd/%d", fd);
}

static void env_files(void **state)
{
	static const struct {
		const char *text, *env, *labels; /* joined by "|"; "!" begins the error's end */
	} rows[] = {
		{"A=1\nB=2\n", "A=1|B=2", "A=1|B=2"},
		{"A=1", "A=1", "A=1"},
		{"", "", ""},
		{"# c\n\n  \t\n   # d\nA=#b\n", "A=#b", "A=#b"},
		{"  A=x  \n", "A=x  ", "A=x  "},
		{"A=\"q\"\nE=a=b\nF=\n", "A=\"q\"|E=a=b|F=", "A=\"q\"|E=a=b|F="},
		{"\xef\xbb\xbf"
		 "A=1\r\nB=2\r\n",
		 "A=1|B=2", "A=1|B=2"},
		{"FROM_HOST\nNOT_ON_HOST\n", "FROM_HOST=yes", ""},
		{"A B=c\n", "!variable 'A B' contains whitespaces",
		 "!variable 'A B' contains whitespaces"},
		{"A =c\n", "!variable 'A ' contains whitespaces",
		 "!variable 'A ' contains whitespaces"},
		{"=c\n", "!no variable name on line '=c'", "!no variable name on line '=c'"},
		{"A=1\nB=\xff\n", "!invalid utf8 bytes at line 2", "!invalid utf8 bytes at line 2"},
	};

	setenv("FROM_HOST", "yes", 1);
	unsetenv("NOT_ON_HOST");
	for (size_t i = 0; i < ARRAY_LEN(rows) * 2; i++) {
		const char *text = rows[i / 2].text;
		const char *want = i % 2 ? rows[i / 2].labels : rows[i / 2].env;
		cleanup_free char *path = file_of(text, strlen(text));
		cleanup_strv struct strv v = STRV_INIT;
		cleanup_free char *got = NULL;
		struct err err = ERR_INIT;
		int rc = i % 2 ? label_read_file(&v, path, &err) : env_read_file(&v, path, &err);
		int fd = -1;

		assert_int_equal(num_parse_int(strrchr(path, '/') + 1, &fd), 0);
		close(fd);
		got = strv_join(&v, "|");
		if (rc < 0 && (want[0] != '!' || !str_has_suffix(err.msg, want + 1)))
			fail_msg("row %zu: %s", i, err.msg);
		if (rc == 0)
			assert_string_equal(got, want);
	}
}

static void host_values_of_bare_names(void **state)
{
	cleanup_strv struct strv v = STRV_INIT;

	setenv("FROM_HOST", "yes", 1);
	unsetenv("NOT_ON_HOST");
	env_add(&v, "FROM_HOST");
	env_add(&v, "NOT_ON_HOST");
	env_add(&v, "A=");
	assert_string_equal(v.items[0], "FROM_HOST=yes");
	assert_string_equal(v.items[1], "NOT_ON_HOST");
	assert_string_equal(v.items[2], "A=");
}

static void filters(void **state)
{
	static const struct {
		const char *text, *want; /* NULL: refused */
	} rows[] = {
		{"name=x", "name=x"},	  {" Name = X ", "name=X"}, {"label=a=b", "label=a=b"},
		{"label!=x", "label!=x"}, {"name=", "name="},	    {"name", NULL},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		cleanup_strv struct strv v = STRV_INIT;
		struct err err = ERR_INIT;
		int rc = filter_option_set(&v, rows[i].text, &err);

		if (rows[i].want)
			assert_string_equal(v.items[0], rows[i].want);
		else
			assert_true(rc < 0 && v.n == 0);
	}
}

static void ports(void **state)
{
	static const struct {
		/* "ip first-last>port/proto ..." or "!error"; 0! is a 0 that was typed */
		const char *text, *want;
	} rows[] = {
		{"80", "* 0-0>80/tcp"},
		{"8080:80", "* 8080-8080>80/tcp"},
		{"8080:80/udp", "* 8080-8080>80/udp"},
		{"127.0.0.1:8080:80", "127.0.0.1 8080-8080>80/tcp"},
		{"127.0.0.1::80", "127.0.0.1 0-0>80/tcp"},
		{"[::1]:8080:80", "::1 8080-8080>80/tcp"},
		{"::1:8080:80", "::1 8080-8080>80/tcp"},
		{"8000-8010:80", "* 8000-8010>80/tcp"},
		{"8000-8001:80-81/SCTP", "* 8000-8000>80/sctp * 8001-8001>81/sctp"},
		{"80-81", "* 0-0>80/tcp * 0-0>81/tcp"},
		{"published=8080,target=80,protocol=udp", "* 8080-8080>80/udp"},
		{"80/TCP", "* 0-0>80/tcp"},
		{"80/", "* 0-0>80/tcp"},
		{"80/udp/tcp", "* 0-0>80/udp"},
		{":80", "* 0-0>80/tcp"},
		{"::80", "* 0-0>80/tcp"},
		{"0:80", "* 0!-0>80/tcp"},
		{"0:0", "* 0!-0>0/tcp"},
		{"080:80", "* 80-80>80/tcp"},
		{"127.0.0.1:0:80", "127.0.0.1 0!-0>80/tcp"},
		{"[::1]::80", "::1 0-0>80/tcp"},
		{"::1::80", "::1 0-0>80/tcp"},
		{"[127.0.0.1]:80:80", "127.0.0.1 80-80>80/tcp"},
		{"[]:80:80", "* 80-80>80/tcp"},
		{"80-80:80-80", "* 80-80>80/tcp"},
		{"127.0.0.1:80-81:90-91", "127.0.0.1 80-80>90/tcp 127.0.0.1 81-81>91/tcp"},
		{"published=0,target=80", "* 0!-0>80/tcp"},
		{"published=80-82,target=80", "* 80-82>80/tcp"},
		{"mode=host,x=y,target=80", "* 0-0>80/tcp"},
		{"target=80,host_ip=127.0.0.1", "127.0.0.1 0-0>80/tcp"},
		{"target=80,published",
		 "!invalid publish opts format (should be name=value but got 'published')"},
		{"published=8080", "!no port specified: 8080:/tcp<empty>"},
		{"target=abc", "!invalid containerPort: abc"},
		{"target=80,protocol=foo", "!invalid proto: foo"},
		{"/tcp", "!no port specified: /tcp<empty>"},
		{"80:", "!no port specified: 80:<empty>"},
		{"127.0.0.1:80", "!invalid hostPort: 127.0.0.1"},
		{"[fe80::1%eth0]:80:80", "!invalid IP address: fe80::1%eth0"},
		{"localhost:80:80", "!invalid IP address: localhost"},
		{"127.0.0.1:80-81::80", "!invalid IP address: 127.0.0.1:80-81"},
		{"[::1:80:80", "!invalid IP address [::1: address [::1:: missing ']' in address"},
		{"::1]:80:80", "!invalid IP address: ::1]"},
		{"82-80:80-82", "!invalid hostPort: 82-80"},
		{"80:80-82",
		 "!invalid ranges specified for container and host Ports: 80-82 and 80"},
		{"+80", "!invalid containerPort: +80"},
		{" 80", "!invalid containerPort:  80"},
		{"80:80-", "!invalid containerPort: 80-"},
		{"80--82:80", "!invalid hostPort: 80--82"},
		{"x", "!invalid containerPort: x"},
		{"1:2:3:4", "!invalid IP address: 1:2"},
		{"1-2:1-3", "!invalid ranges specified for container and host Ports: 1-3 and 1-2"},
		{"65536", "!invalid containerPort: 65536"},
		{"80/icmp", "!invalid proto: icmp"},
		{"", "!no port specified: <empty>"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		cleanup_spec struct container_spec s = {};
		cleanup_str struct str got = STR_INIT;
		struct err err = ERR_INIT;

		if (publish_parse(&s, rows[i].text, &err) < 0)
			str_addf(&got, "!%s", err.msg);
		for (size_t j = 0; j < s.n_ports; j++)
			str_addf(&got, "%s%s %u%s-%u>%u/%s", j ? " " : "",
				 s.ports[j].host_ip ? s.ports[j].host_ip : "*",
				 s.ports[j].host_first,
				 s.ports[j].has_host && !s.ports[j].host_first ? "!" : "",
				 s.ports[j].host_last, s.ports[j].container_port, s.ports[j].proto);
		assert_string_equal(str_get(&got), rows[i].want);
	}
}

static void cpus(void **state)
{
	static const struct {
		const char *text;
		int64_t nano; /* -1: refused */
	} rows[] = {
		{"1", 1000000000},  {"0.5", 500000000},	 {".5", 500000000},    {"2.", 2000000000},
		{"0.000000001", 1}, {"0.0000000010", 1}, {"0.0000000001", -1}, {"x", -1},
		{"", -1},	    {".", -1},		 {"1.5.5", -1},	       {"99999999999", -1},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct err err = ERR_INIT;
		int64_t nano = -1;

		cpus_option_set(&nano, rows[i].text, &err);
		assert_int_equal(nano, rows[i].nano);
	}
}

static void quoting(void **state)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
		{"a", "\"a\""},
		{"a\"b\\", "\"a\\\"b\\\\\""},
		{"\n\t\r\x01\x7f\x1b", "\"\\n\\t\\r\\x01\\x7f\\x1b\""},
		{"\xc3\xa9", "\"\xc3\xa9\""},
		{"\xff\xc3", "\"\\xff\\xc3\""},
		{"\xc2\x80\xe2\x80\xae", "\"\\u0080\\u202e\""},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		cleanup_free char *got = str_go_quote(rows[i].text);

		assert_string_equal(got, rows[i].want);
	}
}

static void printable(void **state)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
		{"", ""},
		{"a b\"\\", "a b\"\\"},
		{"\n\t\x1b[31m\x7f", "\\012\\011\\033[31m\\177"},
		{"\xc3\xa9", "\xc3\xa9"},
		{"\xff\xc3", "\\377\\303"},
		{"\xc2\x9b\xe2\x80\xae", "\\302\\233\\342\\200\\256"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		cleanup_free char *got = str_printable(rows[i].text);

		assert_string_equal(got, rows[i].want);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(csv_fields),
		cmocka_unit_test(env_files),
		cmocka_unit_test(host_values_of_bare_names),
		cmocka_unit_test(filters),
		cmocka_unit_test(ports),
		cmocka_unit_test(cpus),
		cmocka_unit_test(quoting),
		cmocka_unit_test(printable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
