/* SPDX-License-Identifier: Apache-2.0 */
/* Names of repositories: what is one, its parts, and what never gets to git. */
#include "../unit.h"

#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "build/git_url.h"

static void knows_what_is_git(void **state)
{
	static const char *const git[] = {
		"https://x.org/a.git",	  "http://x.org/a.git#main", "git://x.org/a",
		"ssh://git@x.org/a",	  "git@x.org:a/b",	     "github.com/a/b",
		"https://x/a.git?ref=v1", "HTTPS://x.org/a.git",     "git@x.org:a.git#v1:sub",
	};
	static const char *const other[] = {
		"https://x.org/a",
		"https://x.org/a.tar.gz",
		"https://x.org/a.git/b",
		"http://x.org/?a.git",
		"./a.git",
		"/a.git",
		"a.git",
		"file:///a.git",
		"ext::sh -c id",
		"xgithub.com/a/b",
		"user@host",
		"-git@x.org:a",
		"git@:a",
		"git@-x:a",
		"",
	};

	for (size_t i = 0; i < ARRAY_LEN(git); i++) {
		cleanup_git_url struct git_url url = {};
		struct err err = ERR_INIT;

		if (git_url_parse(git[i], &url, &err) != 1)
			fail_msg("%s: %s", git[i], err.msg);
	}
	for (size_t i = 0; i < ARRAY_LEN(other); i++) {
		cleanup_git_url struct git_url url = {};
		struct err err = ERR_INIT;

		if (git_url_parse(other[i], &url, &err) != 0)
			fail_msg("%s is taken for git", other[i]);
	}
}

struct parts {
	const char *text, *remote, *ref, *subdir, *checksum;
	int keep_git_dir;
	bool no_submodules, commit_times, is_ssh;
	const char *user, *password, *origin;
};

static void takes_it_apart(void **state)
{
	static const struct parts rows[] = {
		{"github.com/u/r", "https://github.com/u/r", .keep_git_dir = -1},
		{"git://h/r#v1:a/b", "git://h/r", "v1", "a/b", .keep_git_dir = -1},
		{"git://h/r#:a", "git://h/r", NULL, "a", .keep_git_dir = -1},
		{"git://h/r#", "git://h/r", .keep_git_dir = -1},
		{"git://h/r#v1:", "git://h/r", "v1", .keep_git_dir = -1},
		{"git@h:u/r.git#v1", "git@h:u/r.git", "v1", .is_ssh = true, .keep_git_dir = -1},
		{"ssh://git@h/r", "ssh://git@h/r", .is_ssh = true, .keep_git_dir = -1},
		{"http://me@h:1/r.git", "http://h:1/r.git", .user = "me", .password = "",
		 .origin = "http://h:1", .keep_git_dir = -1},
		{"https://u%40x:p:%2f@q@h/r.git", "https://h/r.git", .user = "u@x",
		 .password = "p:/@q", .origin = "https://h", .keep_git_dir = -1},
		{"https://:p@h/r.git", "https://h/r.git", .user = "", .password = "p",
		 .origin = "https://h", .keep_git_dir = -1},
		{"https://u:p@h/r.git", "https://h/r.git", .user = "u", .password = "p",
		 .origin = "https://h", .keep_git_dir = -1},
		{"https://h/r.git?branch=b&subdir=c%2Fd", "https://h/r.git", "refs/heads/b", "c/d",
		 .keep_git_dir = -1},
		{"https://h/r.git?tag=t&checksum=abcd&submodules=false&keep-git-dir=1&mtime=commit",
		 "https://h/r.git", "refs/tags/t", NULL, "abcd", 1, true, true},
		{"https://h/r.git?commit=0123abcd&keep-git-dir=0&submodules&mtime=checkout",
		 "https://h/r.git", NULL, NULL, "0123abcd", 0},
		{"https://h/r.git?ref=x&fetch-by-commit=true#x", "https://h/r.git", "x",
		 .keep_git_dir = -1},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		cleanup_git_url struct git_url url = {};
		struct err err = ERR_INIT;
		const struct parts *p = &rows[i];

		if (git_url_parse(p->text, &url, &err) != 1)
			fail_msg("%s: %s", p->text, err.msg);
		assert_string_equal(url.remote, p->remote);
		assert_true(str_is_equal(url.ref, p->ref));
		assert_true(str_is_equal(url.subdir, p->subdir));
		assert_true(str_is_equal(url.checksum, p->checksum));
		assert_int_equal(url.keep_git_dir, p->keep_git_dir);
		assert_int_equal(url.no_submodules, p->no_submodules);
		assert_int_equal(url.commit_times, p->commit_times);
		assert_int_equal(url.is_ssh, p->is_ssh);
		assert_true(str_is_equal(url.user, p->user));
		assert_true(str_is_equal(url.password, p->password));
		if (p->origin) {
			cleanup_free char *origin = git_url_origin(&url);

			assert_string_equal(origin, p->origin);
		}
	}
}

static void refuses_what_git_must_not_see(void **state)
{
	static const struct {
		const char *text, *expected;
	} rows[] = {
		{"git://h/r#--upload-pack=id", "invalid git ref \"--upload-pack=id\""},
		{"git://h/r#a b", "invalid git ref \"a b\""},
		{"git://h/r#+a", NULL},
		{"git://h/r?ref=a:b", "invalid git ref \"a:b\""},
		{"git://h/r#a..b", "invalid git ref \"a..b\""},
		{"git://h/r#a@{1}", "invalid git ref \"a@{1}\""},
		{"git://h/r#refs/*", "invalid git ref \"refs/*\""},
		{"ssh://-oProxyCommand=id/r",
		 "invalid git repository \"ssh://-oProxyCommand=id/r\""},
		{"ssh://git@-oX/r", "invalid git repository \"ssh://git@-oX/r\""},
		{"git:///r", "invalid git repository \"git:///r\""},
		{"git://h/r x", "invalid git repository \"git://h/r x\""},
		{"git://h/r?x=1", "unexpected query \"x\""},
		{"git://h/r?ref=a#b", "ref conflicts: \"a\" and \"b\""},
		{"git://h/r?mtime=now", "invalid mtime value: \"now\""},
		{"git://h/r?submodules=perhaps", "invalid submodules value: \"perhaps\""},
		{"git://h/r?checksum=xyz",
		 "invalid checksum xyz for git source, expected hex commit hash"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		cleanup_git_url struct git_url url = {};
		struct err err = ERR_INIT;
		int rc = git_url_parse(rows[i].text, &url, &err);

		if (!rows[i].expected) {
			assert_int_equal(rc, 1);
			continue;
		}
		assert_int_equal(rc, -ERR_INVALID);
		assert_string_equal(err.msg, rows[i].expected);
	}
}

static void names_files(void **state)
{
	static const char *const rows[][2] = {
		{"http://h/a.tgz", "a.tgz"},
		{"http://h/a/b", "b"},
		{"http://h/a/", "a"},
		{"http://h/", "__unnamed__"},
		{"http://h", "__unnamed__"},
		{"http://h?x/y", "__unnamed__"},
		{"http://h/a?b=/c", "a"},
		{"http://h/a#/c", "a"},
		{"http://h/%61b", "ab"},
		{"http://h/a%2Fb", "__unnamed__"},
		{"http://h/%2e%2e", "__unnamed__"},
		{"http://h/..", "__unnamed__"},
		{"http://h/a%zz", "a%zz"},
		{"https://u:p@h:1/x y", "x y"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		cleanup_free char *name = url_file_name(rows[i][0]);

		assert_string_equal(name, rows[i][1]);
	}
	assert_true(url_is_http("http://x"));
	assert_true(url_is_http("HTTPS://x"));
	assert_false(url_is_http("httpx://x"));
	assert_false(url_is_http("http:/x"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(knows_what_is_git),
		cmocka_unit_test(takes_it_apart),
		cmocka_unit_test(refuses_what_git_must_not_see),
		cmocka_unit_test(names_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
