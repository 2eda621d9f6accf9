/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ENGINE_DEBUG_H
#define ENGINE_DEBUG_H
/*
 * The verb debug: a command with tools of its own in a container that may have none.
 *
 * The tools are an image's root file system, mounted read-only where only the command and its
 * children see it. A running container is entered as exec does; the root of one that does not run
 * is mounted as its start would do it, with namespaces and control groups of its own, and its start
 * waits until the command has ended. What the command changes in the container's files is changed.
 */
#include "engine/create.h"
#include "engine/exec.h"
#include "engine/start.h"

struct debug_request {
	const char *ref;
	const char *image; /* NULL: busybox */
	struct strv args;  /* empty: sh */
	struct strv env;   /* "K=V", over the container's own */
	const char *user;  /* NULL: root */
	const char *workdir;
	bool privileged, tty;
	unsigned short rows, columns;
};

struct debug_session {
	struct exec_started started;
	/* What belongs to a container that does not run; unused for one that does. */
	struct container_made made;
	struct container_start start;
	int pending_fd;
	bool leaves_work; /* it had never been started: overlayfs' marks of a start go */
};

#define DEBUG_SESSION_INIT                                                                  \
	{                                                                                   \
		.made = {.pending_fd = -1}, .start = CONTAINER_START_INIT, .pending_fd = -1 \
	}

/* Starts the command; returns when it runs. The caller must be sealed, and alone in its mount
 * namespace from then on. NOTICE tells about an image that comes from somewhere else. WARNINGS gets
 * lines for the user. ERR as engine_exec; RET must be DEBUG_SESSION_INIT and needs engine_debug_end
 * in any case. */
int engine_debug(struct engine *engine, const struct debug_request *request,
		 engine_notice_fn notice, struct debug_session *ret, struct strv *warnings,
		 struct err *err);
/* After the command's end: takes away what was made for it, and lets the container go. */
void engine_debug_end(struct engine *engine, struct debug_session *session);

#endif
