/* SPDX-License-Identifier: Apache-2.0 */
#ifndef UNPACK_CONFINE_H
#define UNPACK_CONFINE_H
/*
 * The helper shuts itself in before it reads the first byte of its input: another user without
 * capabilities outside a user namespace of its own, an empty root, no network, no files but below
 * the directory it fills, and no system calls but those it needs. docs/security.md has the reasons.
 */
#include "sys/userns.h"

#include <stdbool.h>
#include <sys/types.h>

struct err;
struct strv;

/* Parts that a test can leave out, as bits. */
enum confine_part {
	CONFINE_NAMESPACES = 1,
	CONFINE_LANDLOCK = 2,
	CONFINE_USER = 4,
	CONFINE_SECCOMP = 8,
};

struct confine_options {
	struct userns ns; /* entered and closed; all -1 where the parent could make none */
	int dir_fd;	  /* the directory to fill, -1: none */
	bool can_ask;	  /* the parent makes device nodes and marks for us */
	pid_t parent;	  /* whose death is ours; 0: nobody's */
	unsigned leave_out;
};

/* Shuts the process in; single-threaded. What this kernel or this place does not give is appended
 * to RET_LOST as text and done without; -code for what can never fail for such a reason. */
int confine(struct confine_options *o, struct strv *ret_lost, struct err *err);

/* Closes every descriptor above 2 that is not among the N KEEP: somebody else's, inherited. 0 or
 * -errno. Sorts KEEP. */
int confine_close_others(int *keep, size_t n);

#endif
