/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILD_CONFINED_H
#define BUILD_CONFINED_H
/*
 * Running a program of the host that talks to strangers, git, with as little as it needs: no
 * capabilities, the system calls of a container, to read what programs need, and to change one
 * directory.
 */
#include "base/err.h"
#include "base/str.h"

struct confined {
	const char *program;	  /* "git": looked for where the system's programs are */
	const struct strv *argv;  /* from argv[0] */
	const struct strv *env;	  /* all of it */
	int dir_fd;		  /* its working directory, the one that it may change */
	const char *const *reads; /* more that it may read, if it is there; ends with NULL; NULL */
};

/* Runs it to its end. RET (may be NULL) gets what it printed. ERR_UNSUPPORTED when there is no such
 * program, ERR_UNAVAILABLE with what it wrote on standard error when it fails. */
int confined_run(const struct confined *c, struct str *ret, struct err *err);

#endif
