/* SPDX-License-Identifier: Apache-2.0 */
/* References: what is accepted and how it is normalised, what is refused and with which words. */
#include "../unit.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/str.h"
#include "oci/reference.h"

#define HEX "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define A63 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define T64 "tttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttt"
#define D   "sha256:" HEX

static void accepts(void **state)
{
	static const struct {
		const char *typed;
		const char *full; /* with the tag that it gets when it has none */
		const char *familiar;
	} rows[] = {
		{"busybox", "docker.io/library/busybox:latest", "busybox:latest"},
		{"busybox:1.36", "docker.io/library/busybox:1.36", "busybox:1.36"},
		{"library/busybox", "docker.io/library/busybox:latest", "busybox:latest"},
		{"docker.io/busybox", "docker.io/library/busybox:latest", "busybox:latest"},
		{"index.docker.io/busybox", "docker.io/library/busybox:latest", "busybox:latest"},
		{"index.docker.io/library/busybox:a", "docker.io/library/busybox:a", "busybox:a"},
		{"docker.io/library/busybox", "docker.io/library/busybox:latest", "busybox:latest"},
		{"team/app", "docker.io/team/app:latest", "team/app:latest"},
		{"team/app/web:2", "docker.io/team/app/web:2", "team/app/web:2"},
		{"library/a/b", "docker.io/library/a/b:latest", "library/a/b:latest"},
		{"docker.io/team/app", "docker.io/team/app:latest", "team/app:latest"},
		{"localhost/app", "localhost/app:latest", "localhost/app:latest"},
		{"localhost:5000/app", "localhost:5000/app:latest", "localhost:5000/app:latest"},
		{"localhost:5000/app:v1", "localhost:5000/app:v1", "localhost:5000/app:v1"},
		{"reg.example.com/a/b/c:v", "reg.example.com/a/b/c:v", "reg.example.com/a/b/c:v"},
		{"10.0.0.1:80/x", "10.0.0.1:80/x:latest", "10.0.0.1:80/x:latest"},
		{"[::1]:5000/x", "[::1]:5000/x:latest", "[::1]:5000/x:latest"},
		{"[2001:DB8::1]/x:y", "[2001:DB8::1]/x:y", "[2001:DB8::1]/x:y"},
		{"Reg/x", "Reg/x:latest", "Reg/x:latest"},
		{"EXAMPLE.com/x", "EXAMPLE.com/x:latest", "EXAMPLE.com/x:latest"},
		{"a-b.c-d.e/x", "a-b.c-d.e/x:latest", "a-b.c-d.e/x:latest"},
		{"a", "docker.io/library/a:latest", "a:latest"},
		{"0", "docker.io/library/0:latest", "0:latest"},
		{"a_b", "docker.io/library/a_b:latest", "a_b:latest"},
		{"a__b", "docker.io/library/a__b:latest", "a__b:latest"},
		{"a.b", "docker.io/library/a.b:latest", "a.b:latest"},
		{"a-----b", "docker.io/library/a-----b:latest", "a-----b:latest"},
		{"a:5000", "docker.io/library/a:5000", "a:5000"},
		{"a:A_b.c-D", "docker.io/library/a:A_b.c-D", "a:A_b.c-D"},
		{"a:_x", "docker.io/library/a:_x", "a:_x"},
		{"a:" T64 T64, "docker.io/library/a:" T64 T64, "a:" T64 T64},
		{"a@" D, "docker.io/library/a@" D, "a@" D},
		{"a:t@" D, "docker.io/library/a:t@" D, "a:t@" D},
		{"r.io:1/a/b:t@" D, "r.io:1/a/b:t@" D, "r.io:1/a/b:t@" D},
		{"sha256:abc", "docker.io/library/sha256:abc", "sha256:abc"},
		{HEX "0", "docker.io/library/" HEX "0:latest", HEX "0:latest"},
		{"x/" HEX, "docker.io/x/" HEX ":latest", "x/" HEX ":latest"},
		{"abcdef", "docker.io/library/abcdef:latest", "abcdef:latest"},
		{"test.com/" A63 A63 A63 A63, "test.com/" A63 A63 A63 A63 ":latest",
		 "test.com/" A63 A63 A63 A63 ":latest"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		cleanup_reference struct reference ref = REFERENCE_INIT;
		cleanup_reference struct reference again = REFERENCE_INIT;
		cleanup_free char *full = NULL;
		cleanup_free char *familiar = NULL;
		cleanup_free char *twice = NULL;
		struct err err = ERR_INIT;

		assert_int_equal(reference_parse(rows[i].typed, &ref, &err), 0);
		reference_ensure_tag(&ref);
		full = reference_format(&ref);
		familiar = reference_format_familiar(&ref);
		assert_string_equal(full, rows[i].full);
		assert_string_equal(familiar, rows[i].familiar);
		assert_int_equal(reference_parse(familiar, &again, &err), 0);
		twice = reference_format(&again);
		assert_string_equal(twice, full);
	}
}

#define FORMAT	    "invalid reference format"
#define LOWER(name) "invalid reference format: repository name (" name ") must be lowercase"

static void refuses(void **state)
{
	static const struct {
		const char *typed;
		const char *message;
	} rows[] = {
		{"Busybox", LOWER("library/Busybox")},
		{"BUSYBOX:latest", LOWER("library/BUSYBOX")},
		{"team/App", LOWER("team/App")},
		{"Reg/Foo:x", LOWER("Foo")},
		{"localhost:5000/A/b:T", LOWER("A/b")},
		{"docker.io/Foo", LOWER("library/Foo")},
		{HEX,
		 "invalid repository name (" HEX "), cannot specify 64-byte hexadecimal strings"},
		{"", FORMAT},
		{" ", FORMAT},
		{"a b", FORMAT},
		{" a", FORMAT},
		{"a ", FORMAT},
		{"a\n", FORMAT},
		{":", FORMAT},
		{":latest", FORMAT},
		{"a:", FORMAT},
		{"a:b:c", FORMAT},
		{"a:-x", FORMAT},
		{"a:.x", FORMAT},
		{"a:x/y", FORMAT},
		{"a:x y", FORMAT},
		{"a:$x", FORMAT},
		{"a:" T64 T64 "t", FORMAT},
		{"/", FORMAT},
		{"/a", FORMAT},
		{"a/", FORMAT},
		{"a//b", FORMAT},
		{"a/./b", FORMAT},
		{"a/../b", FORMAT},
		{"../a", FORMAT},
		{".a", FORMAT},
		{"a.", FORMAT},
		{"-a", FORMAT},
		{"a-", FORMAT},
		{"_a", FORMAT},
		{"a_", FORMAT},
		{"a___b", FORMAT},
		{"a..b", FORMAT},
		{"a._b", FORMAT},
		{"a-_b", FORMAT},
		{"a@", FORMAT},
		{"@" D, FORMAT},
		{"a@sha256", FORMAT},
		{"a@sha256:", FORMAT},
		{"a@sha256:abc", FORMAT},
		{"a@:" HEX, FORMAT},
		{"a@" D "@" D, FORMAT},
		{"a@" D ":t", FORMAT},
		{"a@sha256:" HEX "/x", FORMAT},
		{"a@sha256:" HEX "0", "invalid checksum digest length"},
		{"a@sha256:0123456789abcdef0123456789abcdef", "invalid checksum digest length"},
		{"a@sha512:" HEX, "unsupported digest algorithm"},
		{"a@md5:0123456789abcdef0123456789abcdef", "unsupported digest algorithm"},
		{"-r.io/a", FORMAT},
		{"r-.io/a", FORMAT},
		{"r..io/a", FORMAT},
		{".r.io/a", FORMAT},
		{"r.io./a", FORMAT},
		{"r_.io/a", FORMAT},
		{"r.io:/a", FORMAT},
		{"r.io:x/a", FORMAT},
		{"r.io:80:90/a", FORMAT},
		{"r.io:80/", FORMAT},
		{"[::1/a", FORMAT},
		{"[]:80/a", FORMAT},
		{"[::g]:80/a", FORMAT},
		{"https://r.io/a", FORMAT},
		{"a\xc3\xa9", FORMAT},
		{"a\\b", FORMAT},
		{"a*", FORMAT},
		{"<none>:<none>", FORMAT},
		{"test.com/" A63 A63 A63 A63 "abcd",
		 "repository name must not be more than 255 characters"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct reference ref = REFERENCE_INIT;
		struct err err = ERR_INIT;

		assert_int_equal(reference_parse(rows[i].typed, &ref, &err), -ERR_INVALID);
		assert_string_equal(err.msg, rows[i].message);
		assert_null(ref.path);
	}
}

/* The seeds of the fuzz target: each is parsed, and what is accepted is accepted again. */
static void replays_the_corpus(void **state)
{
	DIR *dir = opendir(FUZZ_CORPUS "/reference");
	const struct dirent *e = NULL;
	int n = 0;

	assert_non_null(dir);
	while ((e = readdir(dir))) {
		cleanup_reference struct reference ref = REFERENCE_INIT;
		cleanup_reference struct reference again = REFERENCE_INIT;
		cleanup_str struct str text = STR_INIT;
		cleanup_free char *full = NULL;
		struct err err = ERR_INIT;

		if (e->d_name[0] == '.')
			continue;
		assert_int_equal(fd_read_file_at(dirfd(dir), e->d_name, 1 << 20, &text), 0);
		n++;
		if (reference_parse(str_get(&text), &ref, &err) < 0)
			continue;
		full = reference_format(&ref);
		assert_int_equal(reference_parse(full, &again, &err), 0);
	}
	closedir(dir);
	assert_true(n >= 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(accepts),
		cmocka_unit_test(refuses),
		cmocka_unit_test(replays_the_corpus),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
