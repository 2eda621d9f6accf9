/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILD_GIT_URL_H
#define BUILD_GIT_URL_H
/*
 * Git repositories as contexts and sources of ADD are named:
 *
 *	https://host/path.git?branch=main&subdir=x#ref:subdir
 *	git://host/path   ssh://user@host/path   user@host:path   github.com/user/path
 *
 * An http or https URL is one only when its path ends in ".git".
 */
#include "base/err.h"

#include <stdbool.h>

struct git_url {
	char *remote;	/* for git: the URL without query, fragment and login */
	char *ref;	/* branch, tag or commit; NULL: the repository's own choice */
	char *subdir;	/* NULL: all of it */
	char *checksum; /* what the commit's name begins with; NULL */
	char *user;	/* who an http server is to take us for; NULL */
	char *password; /* "" with a user and none */
	bool is_ssh;
	int keep_git_dir; /* -1: not said */
	bool no_submodules;
	bool commit_times; /* files get the time of the commit */
};

/* 1 when TEXT names a repository, 0 when it is something else; ERR_INVALID for a repository with a
 * query, ref or host that is none. */
int git_url_parse(const char *text, struct git_url *ret, struct err *err);
/* Frees what it owns. */
void git_url_done(struct git_url *url);
#define cleanup_git_url __attribute__((cleanup(git_url_done)))

/* Owned: whom URL's login is for, "https://host:port". */
char *git_url_origin(const struct git_url *url);

/* Whether TEXT is a URL of HTTP. */
bool url_is_http(const char *text);
/* Owned: the last part of the path of an HTTP URL, with its %XX decoded; "__unnamed__" when it has
 * none, or none that could be a file's name. */
char *url_file_name(const char *text);

#endif
