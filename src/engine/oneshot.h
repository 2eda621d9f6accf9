/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ENGINE_ONESHOT_H
#define ENGINE_ONESHOT_H
/*
 * A container without a row in the index: a step of a build. Its parent is this process, which
 * waits for it itself; there is no monitor, no log and no exit on record. It has the same
 * configuration, the same plan and the same sandbox as a container of `run`.
 *
 * While it lives its id has an entry in pending/, like a container that is being made: when this
 * process is killed, the kernel kills the container with it, and the next command takes away its
 * control groups, addresses, links and files.
 */
#include "engine/engine.h"
#include "engine/network_plan.h"
#include "engine/spec.h"
#include "engine/start.h"
#include "oci/image_config.h"
#include "runtime/start.h"

struct oneshot_request {
	const struct container_spec *spec;
	const struct image_run *run; /* command, user, working directory */
	const struct strv *env;	     /* all of its environment, "K=V" */
	const struct strv *lowers;   /* layer directories, uppermost first, without the skeleton */
	const char *dir;	     /* absolute, without a slash at its end: `upper` and `work` */
	/* Further mounts (runtime/container_plan.h); NULL. */
	void (*add_mounts)(struct plan *plan, enum runtime_mounts_part part, void *ctx);
	void *mounts_ctx;
	unsigned short rows, columns; /* of its console, with spec->tty */
};

struct oneshot {
	struct engine *engine;
	char id[ID_LEN + 1];
	struct oci_runtime_config config;
	struct strv lowers;
	struct container_start start; /* the plan, and warnings */
	struct start_networks *networks;
	struct port_list ports; /* none */
	struct strv exposed;	/* none */
	char *dir;		/* owned: that of its own files */
	char *network_mode;	/* owned */
	char *requests;		/* owned */
	int state_fd, pending_fd;
};

#define ONESHOT_INIT                                                            \
	{                                                                       \
		.start = CONTAINER_START_INIT, .state_fd = -1, .pending_fd = -1 \
	}

/* Its entry, and RET->dir for its files: RUNROOT/containers/ID. RET must be ONESHOT_INIT and needs
 * oneshot_end in any case. 0 or -code. */
int oneshot_open(struct engine *engine, const char *id, struct oneshot *ret, struct err *err);
/* Its configuration, its files, its addresses, its plan: nothing runs yet. REQUEST and what it
 * refers to must stay until oneshot_end. 0 or -code. */
int oneshot_prepare(struct oneshot *o, const struct oneshot_request *request, struct err *err);
/* Runs the plan: returns when its command runs. RUN has the streams (the caller's to close) and
 * what is in the environment beside request->env; it is done afterwards. */
int oneshot_start(struct oneshot *o, struct plan_run *run, struct runtime_process *ret,
		  struct err *err);
/* After its last process has ended, or when nothing ever ran: takes everything away but
 * request->dir. RET_OOM (NULL) says whether the kernel killed one of it for want of memory. */
void oneshot_end(struct oneshot *o, bool *ret_oom);

/* Instead of both: adds the whole plan to RET->start.plan without making anything, for a script
 * that has its files in request->dir, which it makes itself. */
int oneshot_plan(struct engine *engine, const char *id, const struct oneshot_request *request,
		 struct oneshot *ret, struct err *err);

#endif
