/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SYS_USERS_H
#define SYS_USERS_H
/*
 * Users and groups of a root file system, from its own /etc/passwd and /etc/group: regular files of
 * at most 1 MiB, opened under the pinned root; never NSS (CVE-2019-14271). A number is a number and
 * never a name: "1000" is not looked up as a user called 1000 (CVE-2024-40635, CVE-2026-30892).
 */
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct strv;

#define USERS_MAX_GROUPS 128

struct user {
	uid_t uid;
	gid_t gid;
	gid_t groups[USERS_MAX_GROUPS]; /* supplementary, the primary one among them */
	size_t n_groups;
	bool has_more_groups; /* than fit: an error of users_resolve */
	char home[256];	      /* "" when the files do not say */
};

/* Resolves SPEC ("", "name", "uid", "name:group", "uid:gid") and EXTRA groups (names or numbers;
 * may be NULL) in the root ROOT_FD. Texts of errors are docker's. 0 or -code. */
int users_resolve(int root_fd, const char *spec, const struct strv *extra, struct user *ret,
		  struct err *err);

#endif
